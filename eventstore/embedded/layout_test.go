package embedded

import (
	"bytes"
	"encoding/binary"
	"errors"
	"reflect"
	"testing"
	"time"

	"pgregory.net/rapid"

	"daybook/eventstore"
)

func encode(r eventstore.Record) []byte {
	b, _ := appendRecord(nil, r.Stream, &r.Event)
	seal(b, r.Position, r.Revision, r.Recorded.UnixMicro())
	return b
}

func decode(b []byte, p eventstore.Position) (eventstore.Record, error) {
	e, err := cut(b, p)
	if err != nil {
		return eventstore.Record{}, err
	}
	return e.record(p, new(interner), new(arena)), nil
}

func anyRecord() *rapid.Generator[eventstore.Record] {
	return rapid.Custom(func(t *rapid.T) eventstore.Record {
		bytesOf := func(label string) []byte {
			if b := rapid.SliceOfN(rapid.Byte(), 0, 3000).Draw(t, label); len(b) > 0 {
				return b
			}
			return nil
		}
		return eventstore.Record{
			Event: eventstore.Event{
				ID:   eventstore.EventID(rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "id")),
				Type: string(rapid.SliceOfN(rapid.Byte(), 1, eventstore.MaxEventType).Draw(t, "type")),
				Data: bytesOf("data"), Metadata: bytesOf("metadata"),
				Binary: rapid.Bool().Draw(t, "binary"),
			},
			Stream:   eventstore.StreamName(rapid.SliceOfN(rapid.Byte(), 1, eventstore.MaxStreamName).Draw(t, "stream")),
			Revision: eventstore.Revision(rapid.Uint64().Draw(t, "revision")),
			Position: eventstore.Position(rapid.Uint64().Draw(t, "position")),
			Recorded: time.UnixMicro(rapid.Int64Range(0, 1<<52).Draw(t, "recorded")).UTC(),
		}
	})
}

func TestRecordComesBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := anyRecord().Draw(t, "record")
		got, err := decode(encode(want), want.Position)
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Fatalf("got %+v, %v\nwant %+v", got, err, want)
		}
	})
}

// TestDamageIsFound flips, cuts and misplaces.
func TestDamageIsFound(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := anyRecord().Draw(t, "record")
		good := encode(r)
		flipped := bytes.Clone(good)
		flipped[rapid.IntRange(0, len(good)-1).Draw(t, "byte")] ^= 1 << rapid.IntRange(0, 7).Draw(t, "bit")
		if _, err := decode(flipped, r.Position); !errors.Is(err, ErrCorrupt) {
			t.Fatalf("a flipped bit: %v, want ErrCorrupt", err)
		}
		short := good[:rapid.IntRange(0, len(good)-1).Draw(t, "length")]
		if _, err := decode(short, r.Position); !errors.Is(err, ErrCorrupt) {
			t.Fatalf("cut off: %v, want ErrCorrupt", err)
		}
		if _, err := decode(good, r.Position+1); !errors.Is(err, ErrCorrupt) {
			t.Fatalf("under another position: %v, want ErrCorrupt", err)
		}
	})
}

func TestUnknownRecordFormIsRefused(t *testing.T) {
	b := encode(eventstore.Record{Event: eventstore.Event{Type: "t"}, Stream: "s", Position: 7})
	b[4] = recordBinary + 1
	binary.BigEndian.PutUint32(b, checksum(b, 7))
	if _, err := decode(b, 7); !errors.Is(err, ErrFormat) {
		t.Fatalf("%v, want ErrFormat", err)
	}
}

// FuzzRecord gives decoding anything with a right checksum.
func FuzzRecord(f *testing.F) {
	f.Add(encode(eventstore.Record{Event: eventstore.Event{Type: "t", Data: []byte("{}")}, Stream: "s", Position: 7}))
	f.Add(bytes.Repeat([]byte{0xff}, recordHeaderSize))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		b = bytes.Clone(b)
		if len(b) >= 5 {
			b[4] = recordJSON + b[4]%2
			binary.BigEndian.PutUint32(b, checksum(b, 7))
		}
		r, err := decode(b, 7)
		if err != nil {
			if !errors.Is(err, ErrCorrupt) {
				t.Fatalf("%v, want ErrCorrupt", err)
			}
			return
		}
		if again := encode(r); !bytes.Equal(again, b) {
			t.Fatalf("decoded and encoded again:\n%x, was\n%x", again, b)
		}
	})
}
