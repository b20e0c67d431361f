package proof

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"io"
	"iter"
	"log/slog"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"go.uber.org/goleak"

	"daybook/eventstore"
	"daybook/eventstore/canon"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var quiet = slog.New(slog.NewTextHandler(io.Discard, nil))

// book is n events on streams that take turns, as a busy evening's do, some with a personal
// part.
func book(n int, seed uint64) []eventstore.Record {
	rng := rand.New(rand.NewPCG(seed, 7))
	next := map[eventstore.StreamName]eventstore.Revision{}
	all := make([]eventstore.Record, n)
	for i := range all {
		stream := eventstore.StreamName(fmt.Sprintf("day-%d", rng.IntN(n/20+3)))
		data := fmt.Sprintf(`{"number":%d,"party":%d`, i, rng.IntN(8)+1)
		if rng.IntN(3) == 0 {
			sealed := make([]byte, 40+rng.IntN(30))
			for j := range sealed {
				sealed[j] = byte(rng.UintN(256))
			}
			data += `,"subject":"usr_1","personal":"` + base64.StdEncoding.EncodeToString(sealed) + `"`
		}
		all[i] = eventstore.Record{
			Event: eventstore.Event{
				ID: idOf(seed, i), Type: "reservation.held", Data: []byte(data + "}"),
				Metadata: fmt.Appendf(nil, `{"v":1,"decidedAt":"2026-11-21T19:00:%02d.000Z"}`, i%60),
			},
			Stream: stream, Revision: next[stream], Position: eventstore.Position(10 + 3*i), Recorded: time.Unix(1_700_000_000, 0),
		}
		next[stream]++
	}
	return all
}

func idOf(seed uint64, number int) (id eventstore.EventID) {
	binary.BigEndian.PutUint64(id[:], seed+1)
	binary.BigEndian.PutUint64(id[8:], uint64(number)+1)
	return id
}

// ledger reads like a store that holds these records.
type ledger struct {
	eventstore.Reader
	records []eventstore.Record
}

func (l ledger) ReadAll(_ context.Context, after eventstore.Position, filter eventstore.Filter) iter.Seq2[eventstore.Record, error] {
	return func(yield func(eventstore.Record, error) bool) {
		for _, r := range l.records {
			if r.Position > after && filter.Passes(r.Stream, r.Type) && !yield(r, nil) {
				return
			}
		}
	}
}

func (l ledger) ReadAllBackwards(_ context.Context, from eventstore.Position, filter eventstore.Filter) iter.Seq2[eventstore.Record, error] {
	return func(yield func(eventstore.Record, error) bool) {
		for _, r := range slices.Backward(l.records) {
			if r.Position <= from && filter.Passes(r.Stream, r.Type) && !yield(r, nil) {
				return
			}
		}
	}
}

func (l ledger) ReadStream(_ context.Context, stream eventstore.StreamName, from eventstore.Revision) iter.Seq2[eventstore.Record, error] {
	return func(yield func(eventstore.Record, error) bool) {
		for _, r := range l.records {
			if r.Stream == stream && r.Revision >= from && !yield(r, nil) {
				return
			}
		}
	}
}

func source(records []eventstore.Record) Source {
	return FromStore(context.Background(), ledger{records: records})
}

func leaves(t testing.TB, records []eventstore.Record) []Hash {
	t.Helper()
	all := make([]Hash, len(records))
	for i, r := range records {
		form, err := canon.Form(r)
		if err != nil {
			t.Fatal(err)
		}
		all[i] = Hash(canon.Leaf(form))
	}
	return all
}

func testKey(t testing.TB) *Key {
	t.Helper()
	k, err := NewKey([]byte("0123456789abcdef0123456789abcdef"))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// options are those of a log in memory, with its heads in a folder of the test.
func options(t testing.TB) Options {
	t.Helper()
	return Options{
		Dir: "proof", FS: vfs.NewMem(), Heads: filepath.Join(t.TempDir(), "heads", "checkpoints.txt"), Key: testKey(t), Logger: quiet,
		Spacing: time.Nanosecond,
	}
}

func open(t testing.TB, o Options) *View {
	t.Helper()
	v, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func closed(t testing.TB, v *View) {
	t.Helper()
	if err := v.Close(); err != nil {
		t.Error(err)
	}
}

// feed brings records in batches of at most size, of which only the last is live.
func fill(t testing.TB, v interface {
	Apply(context.Context, eventstore.Batch) error
}, records []eventstore.Record, size int,
) {
	t.Helper()
	for at := 0; at < len(records); at += size {
		end := min(at+size, len(records))
		b := eventstore.Batch{Records: records[at:end], Position: records[end-1].Position, Live: end == len(records)}
		if err := v.Apply(context.Background(), b); err != nil {
			t.Fatal(err)
		}
	}
}

func sign(t testing.TB, v *View) Head {
	t.Helper()
	h, err := v.Sign(context.Background(), v.Log().Size())
	if err != nil {
		t.Fatal(err)
	}
	return h
}
