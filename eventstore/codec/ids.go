package codec

import (
	"crypto/sha1" //nolint:gosec // UUIDv5 is defined over it; nothing here rests on its being hard to collide
	"encoding/binary"

	"daybook/eventstore"
)

// The name spaces of this program's derived ids. They never change: an append retried
// after an upgrade must carry the ids it had before.
var (
	eventSpace   = [16]byte{0x6f, 0x1d, 0x0a, 0x52, 0x9b, 0x37, 0x4c, 0x1e, 0x8e, 0x55, 0x2a, 0xc4, 0x71, 0xd8, 0x03, 0x9f}
	commandSpace = [16]byte{0xb8, 0x40, 0x7e, 0x13, 0x25, 0xfa, 0x49, 0x66, 0x9d, 0x02, 0xee, 0x5b, 0x94, 0x3c, 0xa7, 0x18}
)

// EventID is the id of the index-th event that a command puts into a stream.
func EventID(stream eventstore.StreamName, commandID [16]byte, index int) eventstore.EventID {
	name := make([]byte, 0, 128)
	name = append(name, commandID[:]...)
	name = binary.BigEndian.AppendUint32(name, uint32(index))
	name = append(name, stream...)
	return uuid5(eventSpace, name)
}

// CommandID derives a command's id from what makes it that command: who sent it, by which
// route, to what, under which key. Different lists of parts never agree by being joined
// the same way.
func CommandID(parts ...string) [16]byte {
	name := make([]byte, 0, 256)
	for _, p := range parts {
		name = binary.AppendUvarint(name, uint64(len(p)))
		name = append(name, p...)
	}
	return uuid5(commandSpace, name)
}

// uuid5 is the name-based UUID of RFC 4122, version 5.
func uuid5(space [16]byte, name []byte) (id [16]byte) {
	sum := sha1.Sum(append(space[:], name...)) //nolint:gosec // see the import
	copy(id[:], sum[:])
	id[6] = id[6]&0x0f | 0x50
	id[8] = id[8]&0x3f | 0x80
	return id
}
