package proof_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"log/slog"
	"net"
	"slices"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"daybook/domain"
	"daybook/domain/restaurantday"
	"daybook/eventstore"
	"daybook/eventstore/canon"
	"daybook/eventstore/codec"
	"daybook/eventstore/embedded"
	"daybook/eventstore/esdb"
	"daybook/eventstore/esdbserver"
	"daybook/eventstore/transfer"
	"daybook/internal/keystore"
	"daybook/projections"
	"daybook/projections/proof"
)

var quiet = slog.New(slog.NewTextHandler(io.Discard, nil))

func inMemory(t *testing.T) *embedded.Store {
	t.Helper()
	s, err := embedded.Open("ledger", embedded.Options{FS: vfs.NewMem(), Logger: quiet, CacheBytes: 4 << 20, MemTableBytes: 2 << 20})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// served is an empty ledger behind EventStoreDB's protocol, and the client of it.
func served(t *testing.T) *esdb.Store {
	t.Helper()
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := esdbserver.New(inMemory(t), esdbserver.Options{Logger: quiet})
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(lis) }()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if err := server.Shutdown(ctx); err != nil {
			t.Error(err)
		}
		<-ended
	})
	s, err := esdb.Open(t.Context(), "esdb://"+lis.Addr().String()+"?tls=false", esdb.Options{Logger: quiet})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// TestAlterationsInACopyThatIsServed copies a book with one alteration into a store behind
// EventStoreDB's protocol. That gives every event a new position, and those that come after the
// alteration in its stream a new revision; what was done is named all the same.
func TestAlterationsInACopyThatIsServed(t *testing.T) {
	const streams, size = 3, 30
	original := make([]eventstore.Record, size)
	for i := range original {
		original[i] = eventstore.Record{
			Event:  eventstore.Event{ID: eventstore.EventID{1, byte(i)}, Type: "noted", Data: fmt.Appendf(nil, `{"n":%d}`, i), Metadata: []byte(`{}`)},
			Stream: eventstore.StreamName(fmt.Sprintf("day-%d", i/2%streams)), // two of a stream, then two of the next
		}
	}
	// copied is a store that got these events one by one.
	copied := func(records []eventstore.Record) *esdb.Store {
		s := served(t)
		for _, r := range records {
			if _, err := s.Append(t.Context(), r.Stream, eventstore.Any(), r.Event); err != nil {
				t.Fatal(err)
			}
		}
		return s
	}
	key, err := proof.NewKey(make([]byte, 32))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	v, err := proof.Open(proof.Options{Dir: "proof", FS: vfs.NewMem(), Heads: dir + "/checkpoints.txt", Key: key, Logger: quiet})
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	ledger := copied(original)
	if err := projections.Follow(t.Context(), ledger, v, eventstore.Start, eventstore.End); err != nil {
		t.Fatal(err)
	}
	head, err := v.Sign(t.Context(), size)
	if err != nil {
		t.Fatal(err)
	}
	forged := eventstore.Record{Event: original[10].Event, Stream: original[10].Stream}
	forged.ID[0], forged.Data = 2, []byte(`{"n":"forged"}`)
	type named struct {
		Kind            proof.Kind
		Index, Other    uint64
		Event, Belonged int // numbers of events; -1 for the forged one
	}
	for what, c := range map[string]struct {
		alter func(all []eventstore.Record) []eventstore.Record
		want  named
	}{
		"altered": {
			func(all []eventstore.Record) []eventstore.Record { all[10].Data = forged.Data; return all },
			named{proof.Altered, 10, 10, 10, 10},
		},
		"dropped before one of its stream": {
			func(all []eventstore.Record) []eventstore.Record { return slices.Delete(all, 10, 11) },
			named{proof.Dropped, 10, 10, 11, 10},
		},
		"dropped before one of another stream": {
			func(all []eventstore.Record) []eventstore.Record { return slices.Delete(all, 11, 12) },
			named{proof.Dropped, 11, 11, 12, 11},
		},
		"inserted before one of its stream": {
			func(all []eventstore.Record) []eventstore.Record { return slices.Insert(all, 10, forged) },
			named{proof.Inserted, 10, 10, -1, 10},
		},
		"inserted before one of another stream": {
			func(all []eventstore.Record) []eventstore.Record { return slices.Insert(all, 12, forged) },
			named{proof.Inserted, 12, 12, -1, 12},
		},
		"two of a stream swapped": {
			func(all []eventstore.Record) []eventstore.Record {
				all[10], all[11] = all[11], all[10]
				return all
			},
			named{proof.Moved, 10, 11, 11, 10},
		},
		"two of two streams swapped": {
			func(all []eventstore.Record) []eventstore.Record {
				all[10], all[14] = all[14], all[10]
				return all
			},
			named{proof.Moved, 10, 14, 14, 10},
		},
		"replaced": {
			func(all []eventstore.Record) []eventstore.Record {
				all[10] = forged
				all[10].Stream = "day-9"
				return all
			},
			named{proof.Replaced, 10, 10, -1, 10},
		},
		"the end dropped": {
			func(all []eventstore.Record) []eventstore.Record { return all[:29] },
			named{proof.Dropped, 29, 29, -2, 29},
		},
	} {
		store := copied(c.alter(slices.Clone(original)))
		got, err := proof.Verify(proof.FromStore(t.Context(), store), proof.Against{Heads: []proof.Head{head}, Log: v.Log()})
		if err != nil || len(got.Findings) == 0 {
			t.Fatalf("%s: not found: %+v, %v", what, got, err)
		}
		f := got.Findings[0]
		number := func(e *proof.Event) int {
			if e == nil {
				return -2
			}
			return slices.IndexFunc(original, func(r eventstore.Record) bool { return r.ID.String() == e.ID })
		}
		if is := (named{f.Kind, f.Index, f.OtherIndex, number(f.Event), number(f.Other)}); is != c.want || !f.Signed {
			t.Errorf("%s: got %+v, want %+v: %s", what, is, c.want, f)
		}
		bare, err := proof.Verify(proof.FromStore(t.Context(), store), proof.Against{Heads: []proof.Head{head}})
		if err != nil || len(bare.Findings) != 1 || bare.Findings[0].Kind != proof.Differs {
			t.Errorf("%s, by the head alone: %+v, %v", what, bare.Findings, err)
		}
	}
	if got, err := proof.Verify(proof.FromStore(t.Context(), copied(original)), proof.Against{Heads: []proof.Head{head}, Log: v.Log()}); err != nil || !got.Sound() {
		t.Errorf("an honest copy: %+v, %v", got, err)
	}
}

// A copied ledger keeps its heads, on whichever store, and a person who is forgotten changes
// none of them.
func TestCopiesAndErasureKeepTheHeads(t *testing.T) {
	keys, err := keystore.Memory(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer keys.Close()
	c := codec.New(keys)
	ledger := inMemory(t)
	restaurant := domain.RestaurantID("rst_04000000000000000000000000")
	const diner = domain.UserID("usr_08000000000000000000000000")
	for day := range 20 {
		stream := codec.DayStream(restaurant, domain.ServiceDate(20000+day))
		expected := eventstore.NoStream()
		for n := range 10 {
			var id eventstore.EventID
			binary.BigEndian.PutUint64(id[:], uint64(day))
			binary.BigEndian.PutUint64(id[8:], uint64(n+1))
			event, err := c.Encode(t.Context(), stream, id, restaurantday.WaitlistJoined{
				Stamp: domain.Stamp{At: domain.Instant(1000 * n)}, Entry: uint32(n + 1), Diner: diner, Party: 2,
				Details: restaurantday.Details{Notes: fmt.Sprintf("note %d", n)},
			}, codec.Metadata{RequestID: "r"})
			if err != nil {
				t.Fatal(err)
			}
			at, err := ledger.Append(t.Context(), stream, expected, event)
			if err != nil {
				t.Fatal(err)
			}
			expected = eventstore.At(at.Revision)
		}
	}
	verified := func(what string, store eventstore.Store) proof.Verified {
		v, err := proof.Verify(proof.FromStore(t.Context(), store), proof.Against{})
		if err != nil || !v.Sound() || v.Size != 200 {
			t.Fatalf("%s: %+v, %v", what, v, err)
		}
		return v
	}
	before := verified("the ledger", ledger)
	remote, again := served(t), inMemory(t)
	if _, err := transfer.Copy(t.Context(), ledger, remote, transfer.Options{}); err != nil {
		t.Fatal(err)
	}
	if _, err := transfer.Copy(t.Context(), remote, again, transfer.Options{}); err != nil {
		t.Fatal(err)
	}
	if there, back := verified("the copy", remote), verified("the copy of the copy", again); there.Root != before.Root || back.Root != before.Root {
		t.Errorf("roots %s, there %s, and back %s", before.Root, there.Root, back.Root)
	}
	if err := c.Forget(t.Context(), string(diner)); err != nil {
		t.Fatal(err)
	}
	if after := verified("after the erasure", ledger); after.Root != before.Root {
		t.Errorf("the erasure changed the root from %s to %s", before.Root, after.Root)
	}
	// What an export holds is what is read of an erased event.
	for r, err := range ledger.ReadAll(t.Context(), eventstore.Start, eventstore.Filter{}) {
		if err != nil {
			t.Fatal(err)
		}
		form, err := canon.Form(r)
		if err != nil {
			t.Fatal(err)
		}
		line, err := canon.FromLine(form)
		if err != nil {
			t.Fatal(err)
		}
		redacted, err := line.Record()
		if err != nil {
			t.Fatal(err)
		}
		one, err := c.Decode(t.Context(), r)
		if err != nil {
			t.Fatal(err)
		}
		two, err := c.Decode(t.Context(), redacted)
		if err != nil || one.Event != two.Event || !one.Erased {
			t.Fatalf("%+v is read off the export as %+v, %v", one.Event, two.Event, err)
		}
	}
}
