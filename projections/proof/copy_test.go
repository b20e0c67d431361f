package proof_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"log/slog"
	"net"
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
