package embedded

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"reflect"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"daybook/eventstore"
)

// TestFirstFormat opens a folder of the first format: it is read and appended to, and
// from then on is one of the second.
func TestFirstFormat(t *testing.T) {
	fs := vfs.NewMem()
	ledgerOf(t, "later", fs)
	asFirst(t, fs, "later", "ledger")
	if r := mustCheck(t, "ledger", fs); !r.Sound() || r.Records != 6 || r.Tables == 0 {
		t.Errorf("check: %+v", r)
	}
	for range 2 {
		s, err := Open("ledger", quietOptions(fs))
		if err != nil {
			t.Fatal(err)
		}
		if n := count(t, s, func(y func(eventstore.Record, error) bool) { s.ReadStream(context.Background(), "day", 0)(y) }); n != 3 {
			t.Errorf("%d events, want 3", n)
		}
		if _, err := s.Append(context.Background(), "day", eventstore.NoStream(), numbered(1)...); !eventstore.IsConflict(err) {
			t.Errorf("append: %v, want a conflict", err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if r := mustCheck(t, "ledger", fs); !r.Sound() || r.Records != 6 || r.Tables == 0 {
		t.Errorf("check after opening: %+v", r)
	}
	edit(t, fs, func(db *pebble.DB) error {
		if v := db.FormatMajorVersion(); v != pebble.FormatTableFormatV6 {
			t.Errorf("Pebble's format is %d", v)
		}
		value, closer, err := db.Get(formatKey)
		if err != nil {
			return err
		}
		if string(value) != formatVersion {
			t.Errorf("the folder says %q", value)
		}
		return closer.Close()
	})
}

// asFirst makes a folder of the first format that holds what another one does.
func asFirst(t *testing.T, fs vfs.FS, from, to string) {
	t.Helper()
	src, err := pebble.Open(from, pebbleOptions(fs, nil, quietOptions(fs).withDefaults()))
	if err != nil {
		t.Fatal(err)
	}
	o := pebbleOptions(fs, nil, quietOptions(fs).withDefaults())
	o.FormatMajorVersion = pebble.FormatWALSyncChunks
	dst, err := pebble.Open(to, o)
	if err != nil {
		t.Fatal(err)
	}
	it, err := src.NewIter(nil)
	for ok := err == nil && it.First(); ok; ok = it.Next() {
		err = errors.Join(err, dst.Set(it.Key(), it.Value(), pebble.NoSync))
	}
	err = errors.Join(err, it.Close(), dst.Set(formatKey, []byte(formatBefore), pebble.Sync), dst.Flush(), dst.Close(), src.Close())
	if err != nil {
		t.Fatal(err)
	}
}

// edit changes what lies in the folder "ledger" behind the store's back.
func edit(t *testing.T, fs vfs.FS, change func(*pebble.DB) error) {
	t.Helper()
	db, err := pebble.Open("ledger", pebbleOptions(fs, nil, quietOptions(fs).withDefaults()))
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(change(db), db.Close()); err != nil {
		t.Fatal(err)
	}
}

// TestRecordBytes pins down how records lie in folders that exist.
func TestRecordBytes(t *testing.T) {
	r := eventstore.Record{
		Event: eventstore.Event{
			ID:   eventstore.EventID{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16},
			Type: "held", Data: []byte("{}"), Metadata: []byte("[]"),
		},
		Stream: "day", Revision: 5, Position: 7, Recorded: time.UnixMicro(1_000_001).UTC(),
	}
	for _, c := range []struct {
		binary bool
		want   string
	}{
		{false, "f19df642" + "01" + "00000000000f4241" + "0000000000000005" + "0102030405060708090a0b0c0d0e0f10" + "0003" + "04" + "00000002" + "646179" + "68656c64" + "7b7d" + "5b5d"},
		{true, "bae5b9c8" + "02" + "00000000000f4241" + "0000000000000005" + "0102030405060708090a0b0c0d0e0f10" + "0003" + "04" + "00000002" + "646179" + "68656c64" + "7b7d" + "5b5d"},
	} {
		r.Binary = c.binary
		want, err := hex.DecodeString(c.want)
		if err != nil {
			t.Fatal(err)
		}
		if got := encode(r); !bytes.Equal(got, want) {
			t.Errorf("binary %t:\n got %x\nwant %x", c.binary, got, want)
		}
		if got, err := decode(want, 7); err != nil || !reflect.DeepEqual(got, r) {
			t.Errorf("binary %t: decoded %+v, %v", c.binary, got, err)
		}
	}
}

func TestStandingComesBack(t *testing.T) {
	for _, st := range []standing{
		{number: 7},
		{number: 7, tombstone: 9},
		{number: 7, metadata: 9},
		{number: 1 << 60, tombstone: 1<<60 + 1, metadata: 1<<60 + 2, limits: limits{maxAge: 3, maxCount: 1<<63 - 1, before: all}},
	} {
		b := make([]byte, st.size())
		st.put(b)
		if got, err := decodeStanding(b); err != nil || got != st {
			t.Errorf("%+v, %v, want %+v", got, err, st)
		}
		for n := range len(b) {
			if _, err := decodeStanding(b[:n]); n != plainSize && !errors.Is(err, ErrCorrupt) {
				t.Errorf("%d bytes of %d: %v, want ErrCorrupt", n, len(b), err)
			}
		}
	}
}
