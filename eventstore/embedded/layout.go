package embedded

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"daybook/eventstore"
)

// The folder's keys. A stream's number is the position of its first record, so it
// needs no counter, and a stream whose number is not yet durable has no durable record.
//
//	F                              the format's version
//	R position                     record
//	S stream number, revision      position, event id
//	I stream number, event id      revision
//	N stream name                  stream number; where there is more to say, a standing
//
// All numbers are big-endian, 8 bytes. A stream's end is the last of its S keys. A
// tombstone is an event like others, at the highest revision.
const (
	recordPrefix = 'R'
	streamPrefix = 'S'
	idPrefix     = 'I'
	namePrefix   = 'N'

	recordKeySize = 1 + 8
	streamKeySize = 1 + 8 + 8
	idKeySize     = 1 + 8 + 16
	placeSize     = 8 + 16 // a stream entry's value

	// formatVersion is the second one: it added records of binary data, and names that lead
	// to more than a number. All else is as it was, so a folder of the first becomes one of
	// the second by saying so; that keeps versions that know only the first one out. Pebble
	// takes its own files to the format that the second one asks of it.
	formatVersion = "daybook ledger 2"
	formatBefore  = "daybook ledger 1"
)

var formatKey = []byte{'F'}

func putRecordKey(b []byte, p eventstore.Position) {
	b[0] = recordPrefix
	binary.BigEndian.PutUint64(b[1:], uint64(p))
}

func recordKey(p eventstore.Position) []byte {
	b := make([]byte, recordKeySize)
	putRecordKey(b, p)
	return b
}

func recordsEnd() []byte { return []byte{recordPrefix + 1} }

func putStreamKey(b []byte, number uint64, r eventstore.Revision) {
	b[0] = streamPrefix
	binary.BigEndian.PutUint64(b[1:], number)
	binary.BigEndian.PutUint64(b[9:], uint64(r))
}

func streamKey(number uint64, r eventstore.Revision) []byte {
	b := make([]byte, streamKeySize)
	putStreamKey(b, number, r)
	return b
}

// streamEnd is the first key after all of a stream's.
func streamEnd(number uint64) []byte { return streamKey(number+1, 0) }

func putIDKey(b []byte, number uint64, id eventstore.EventID) {
	b[0] = idPrefix
	binary.BigEndian.PutUint64(b[1:], number)
	copy(b[9:], id[:])
}

func appendNameKey(b []byte, name eventstore.StreamName) []byte {
	return append(append(b, namePrefix), name...)
}

// place is a stream entry's value: where its event stands and which it is.
type place struct {
	position eventstore.Position
	id       eventstore.EventID
}

func putPlace(b []byte, p place) {
	binary.BigEndian.PutUint64(b, uint64(p.position))
	copy(b[8:], p.id[:])
}

func decodePlace(b []byte) (place, error) {
	if len(b) != placeSize {
		return place{}, fmt.Errorf("%w: stream entry of %d bytes", ErrCorrupt, len(b))
	}
	p := place{position: eventstore.Position(binary.BigEndian.Uint64(b))}
	copy(p.id[:], b[8:])
	return p, nil
}

func decodeNumber(what string, b []byte) (uint64, error) {
	if len(b) != 8 {
		return 0, fmt.Errorf("%w: %s of %d bytes", ErrCorrupt, what, len(b))
	}
	return binary.BigEndian.Uint64(b), nil
}

// A record's value:
//
//	 0  checksum, CRC-32C of the position (8 bytes) and of all that follows it here
//	 4  form: 1 where the data are JSON, 2 where they are not
//	 5  recorded, microseconds since 1970
//	13  revision
//	21  event id
//	37  length of the stream's name, 2 bytes
//	39  length of the type, 1 byte
//	40  length of the data, 4 bytes
//	44  stream's name, type, data, and metadata to the end
//
// The position is part of the checksum so that a value under the wrong key is found out.
const (
	recordJSON       = 1
	recordBinary     = 2
	recordHeaderSize = 44
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func recordSize(stream eventstore.StreamName, e *eventstore.Event) int {
	return recordHeaderSize + len(stream) + len(e.Type) + len(e.Data) + len(e.Metadata)
}

// appendRecord encodes what is known before the record has its place, and returns the
// encoding extended, and the event with its bytes in it.
func appendRecord(b []byte, stream eventstore.StreamName, e *eventstore.Event) ([]byte, eventstore.Event) {
	start := len(b)
	b = append(b, make([]byte, recordHeaderSize)...)
	h := b[start:]
	h[4] = recordJSON
	if e.Binary {
		h[4] = recordBinary
	}
	copy(h[21:], e.ID[:])
	binary.BigEndian.PutUint16(h[37:], uint16(len(stream)))
	h[39] = uint8(len(e.Type))
	binary.BigEndian.PutUint32(h[40:], uint32(len(e.Data)))
	b = append(b, stream...)
	b = append(b, e.Type...)
	data := len(b)
	b = append(b, e.Data...)
	metadata := len(b)
	b = append(b, e.Metadata...)
	return b, eventstore.Event{
		ID: e.ID, Type: e.Type,
		Data:     b[data:metadata:metadata],
		Metadata: b[metadata:len(b):len(b)],
		Binary:   e.Binary,
	}
}

// seal completes an encoded record with its place.
func seal(b []byte, p eventstore.Position, r eventstore.Revision, recordedMicros int64) {
	binary.BigEndian.PutUint64(b[5:], uint64(recordedMicros))
	binary.BigEndian.PutUint64(b[13:], uint64(r))
	binary.BigEndian.PutUint32(b, checksum(b, p))
}

func checksum(b []byte, p eventstore.Position) uint32 {
	var key [8]byte
	binary.BigEndian.PutUint64(key[:], uint64(p))
	return crc32.Update(crc32.Update(0, castagnoli, key[:]), castagnoli, b[4:])
}

// encoded is a record's value, verified and cut up, still in the storage's memory.
type encoded struct {
	value        []byte
	stream, kind []byte
	data, meta   []byte
}

// cut verifies a record's value.
func cut(value []byte, p eventstore.Position) (encoded, error) {
	bad := func(what string) (encoded, error) {
		return encoded{}, fmt.Errorf("%w: record at position %d: %s", ErrCorrupt, p, what)
	}
	if len(value) < recordHeaderSize {
		return bad("too short")
	}
	if checksum(value, p) != binary.BigEndian.Uint32(value) {
		return bad("wrong checksum")
	}
	if form := value[4]; form != recordJSON && form != recordBinary {
		return encoded{}, fmt.Errorf("%w: record at position %d has form %d, this version reads %d and %d", ErrFormat, p, form, recordJSON, recordBinary)
	}
	streamLen, typeLen := int(binary.BigEndian.Uint16(value[37:])), int(value[39])
	dataLen := int(binary.BigEndian.Uint32(value[40:]))
	rest := value[recordHeaderSize:]
	if streamLen+typeLen+dataLen > len(rest) {
		return bad("lengths do not fit")
	}
	e := encoded{value: value}
	e.stream, rest = rest[:streamLen], rest[streamLen:]
	e.kind, rest = rest[:typeLen], rest[typeLen:]
	e.data, e.meta = rest[:dataLen], rest[dataLen:]
	return e, nil
}

// record copies the value out of the storage's memory.
func (e encoded) record(p eventstore.Position, names *interner, mem *arena) eventstore.Record {
	r := eventstore.Record{
		Stream:   eventstore.StreamName(names.stream.of(e.stream)),
		Revision: eventstore.Revision(binary.BigEndian.Uint64(e.value[13:])),
		Position: p,
		Recorded: time.UnixMicro(int64(binary.BigEndian.Uint64(e.value[5:]))).UTC(),
	}
	r.Type = names.kind.of(e.kind)
	copy(r.ID[:], e.value[21:])
	r.Data, r.Metadata = mem.keep(e.data), mem.keep(e.meta)
	r.Binary = e.value[4] == recordBinary
	return r
}

// decodeEntry decodes the record an iterator stands on.
func decodeEntry(it *pebble.Iterator, names *interner, mem *arena) (eventstore.Record, error) {
	p, value, err := entry(it)
	if err != nil {
		return eventstore.Record{}, err
	}
	e, err := cut(value, p)
	if err != nil {
		return eventstore.Record{}, err
	}
	return e.record(p, names, mem), nil
}

// entry returns the position and value an iterator over records stands on.
func entry(it *pebble.Iterator) (eventstore.Position, []byte, error) {
	key := it.Key()
	if len(key) != recordKeySize {
		return 0, nil, fmt.Errorf("%w: record key of %d bytes", ErrCorrupt, len(key))
	}
	value, err := it.ValueAndErr()
	if err != nil {
		return 0, nil, corruption(err)
	}
	return eventstore.Position(binary.BigEndian.Uint64(key[1:])), value, nil
}
