package embedded

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"daybook/eventstore"
)

// limits are what a stream's metadata hide from reads of it. The zero value hides nothing.
type limits struct {
	maxAge   uint64              // seconds; 0 for any
	maxCount uint64              // events; 0 for any number
	before   eventstore.Revision // $tb: the first revision that is shown
}

// ofMetadata limits every stream of metadata: only its last event says anything.
var ofMetadata = limits{maxCount: 1}

// all is the $tb that hides what stands there and whatever is not yet: a deleted stream.
const all = eventstore.DeletedRevision

func (l limits) deleted() bool { return l.before == all }

// original returns the stream whose metadata stream holds; ok is false if it holds none.
func original(stream eventstore.StreamName) (of eventstore.StreamName, ok bool) {
	name, ok := strings.CutPrefix(string(stream), "$$")
	return eventstore.StreamName(name), ok
}

// root returns the stream at whose end all metadata about it end as well: stream itself
// unless it holds metadata.
func root(stream eventstore.StreamName) eventstore.StreamName {
	for {
		of, ok := original(stream)
		if !ok {
			return stream
		}
		stream = of
	}
}

// Names of the fields that the engine minds.
const (
	maxAgeField   = "$maxAge"
	maxCountField = "$maxCount"
	beforeField   = "$tb"
)

// readMetadata takes the limits out of the data of a metadata event. No data are no
// metadata; numbers that limit nothing are taken for none, as EventStoreDB does.
func readMetadata(e *eventstore.Event) (limits, error) {
	if len(e.Data) == 0 {
		return limits{}, nil
	}
	if e.Binary {
		return limits{}, fmt.Errorf("metadata that are no JSON")
	}
	fields, err := metadataFields(e.Data)
	if err != nil {
		return limits{}, err
	}
	number := func(name string, least int64) uint64 {
		raw, ok := fields[name]
		if !ok || err != nil {
			return 0
		}
		n, bad := strconv.ParseInt(string(raw), 10, 64)
		if bad != nil {
			err = fmt.Errorf("metadata whose %s is %.40s, want a whole number below 2^63", name, raw)
		}
		return uint64(max(n, least))
	}
	l := limits{
		maxAge:   number(maxAgeField, 0),
		maxCount: number(maxCountField, 0),
		before:   eventstore.Revision(number(beforeField, 0)),
	}
	return l, err
}

// metadataFields keeps what it does not know as it is. Names are told apart by case.
func metadataFields(data []byte) (map[string]json.RawMessage, error) {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(data, &fields); err != nil {
		return nil, fmt.Errorf("metadata that are no JSON object: %w", err)
	}
	if fields == nil {
		return nil, fmt.Errorf("metadata that are null, want a JSON object")
	}
	return fields, nil
}

// deletion is the metadata of a deleted stream.
var deletion = fmt.Appendf(nil, `{"%s":%d}`, beforeField, uint64(all))

// withBefore returns metadata with $tb set to before and all else kept.
func withBefore(data []byte, before eventstore.Revision) ([]byte, error) {
	fields := map[string]json.RawMessage{}
	if len(data) > 0 {
		var err error
		if fields, err = metadataFields(data); err != nil {
			return nil, err
		}
	}
	fields[beforeField] = strconv.AppendUint(nil, uint64(before), 10)
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(fields); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(out.Bytes(), []byte("\n")), nil
}

// standing is what a stream's name leads to. It repeats what the stream's metadata say,
// so that whoever reads a stream learns in one look-up whether anything is hidden, and
// for the many streams without metadata that nothing is.
type standing struct {
	number    uint64              // of the stream
	tombstone eventstore.Position // of the record that ended it; Start if none did
	metadata  eventstore.Position // of the newest record of its metadata; Start if there is none
	limits    limits              // what that record says
}

const (
	plainSize    = 8     // of a name's value where there is neither a tombstone nor metadata
	standingSize = 6 * 8 // of any other
)

func (st *standing) size() int {
	if st.tombstone == eventstore.Start && st.metadata == eventstore.Start {
		return plainSize
	}
	return standingSize
}

func (st *standing) put(b []byte) {
	binary.BigEndian.PutUint64(b, st.number)
	if len(b) == plainSize {
		return
	}
	binary.BigEndian.PutUint64(b[8:], uint64(st.tombstone))
	binary.BigEndian.PutUint64(b[16:], uint64(st.metadata))
	binary.BigEndian.PutUint64(b[24:], st.limits.maxAge)
	binary.BigEndian.PutUint64(b[32:], st.limits.maxCount)
	binary.BigEndian.PutUint64(b[40:], uint64(st.limits.before))
}

func decodeStanding(b []byte) (standing, error) {
	switch len(b) {
	case plainSize:
		return standing{number: binary.BigEndian.Uint64(b)}, nil
	case standingSize:
		return standing{
			number:    binary.BigEndian.Uint64(b),
			tombstone: eventstore.Position(binary.BigEndian.Uint64(b[8:])),
			metadata:  eventstore.Position(binary.BigEndian.Uint64(b[16:])),
			limits: limits{
				maxAge:   binary.BigEndian.Uint64(b[24:]),
				maxCount: binary.BigEndian.Uint64(b[32:]),
				before:   eventstore.Revision(binary.BigEndian.Uint64(b[40:])),
			},
		}, nil
	default:
		return standing{}, fmt.Errorf("%w: stream number of %d bytes", ErrCorrupt, len(b))
	}
}
