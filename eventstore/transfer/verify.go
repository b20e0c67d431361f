package transfer

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"hash"
	"time"

	"daybook/eventstore"
)

// Comparison is what two ledgers have in common.
type Comparison struct {
	// Records that are the same in both, from the first on.
	Records uint64
	// Hash is the SHA-256 of all that is kept of them: two ledgers that were compared with
	// a third, at different times, are the same if their hashes are.
	Hash [sha256.Size]byte
}

// Verify compares two ledgers record by record, from the first to the last: in ids,
// types, data, metadata, Binary, streams, revisions, and in the order of all. Positions
// and recording times are each store's own and are not compared, nor are the engine's own
// records. Of the options it minds Patience and Progress, whose positions are a's.
//
// A ledger that is being written to while it is compared is read to its end as of some
// moment in between. Errors: *DifferenceError with the first difference, and the
// comparison is of what comes before it; the stores' errors; ctx's error.
func Verify(ctx context.Context, a, b eventstore.Store, options Options) (Comparison, error) {
	return verify(ctx, a, b, eventstore.End, options.filled())
}

// verify compares b with a's records up to position until.
func verify(ctx context.Context, a, b eventstore.Store, until eventstore.Position, options Options) (c Comparison, err error) {
	end := until
	if until == eventstore.End {
		if end, err = headOf(ctx, a, "first ledger", options.Patience); err != nil {
			return Comparison{}, err
		}
	}
	first := readAhead(ctx, a, "first ledger", eventstore.Start, options.Patience)
	defer first.stop()
	second := readAhead(ctx, b, "second ledger", eventstore.Start, options.Patience)
	defer second.stop()

	sum := newDigest()
	at := eventstore.Start
	defer func() { sum.sum(&c.Hash) }()
	for {
		x, inFirst, err := first.next()
		if err != nil {
			return c, err
		}
		if inFirst && x.Position > until {
			inFirst = false
		}
		y, inSecond, err := second.next()
		if err != nil {
			return c, err
		}
		if !inFirst && !inSecond {
			options.Progress(Progress{Phase: Verifying, Records: c.Records, At: at, End: max(at, end)})
			return c, nil
		}
		if !inFirst || !inSecond || !same(&x, &y) {
			return c, difference(c.Records, x, inFirst, y, inSecond)
		}
		sum.add(&x)
		c.Records++
		at = x.Position
		if c.Records%progressEvery == 0 {
			options.Progress(Progress{Phase: Verifying, Records: c.Records, At: at, End: max(at, end)})
		}
	}
}

func difference(number uint64, a eventstore.Record, inA bool, b eventstore.Record, inB bool) error {
	d := &DifferenceError{Number: number}
	if inA {
		d.A = &a
	}
	if inB {
		d.B = &b
	}
	return d
}

// digest hashes records. Each part goes in with its length, so that no two rows of
// records hash the same text.
type digest struct {
	hash hash.Hash
	head []byte
}

func newDigest() *digest { return &digest{hash: sha256.New()} }

func (d *digest) add(r *eventstore.Record) {
	b := append(d.head[:0], r.ID[:]...)
	b = binary.BigEndian.AppendUint64(b, uint64(r.Revision))
	if r.Binary {
		b = append(b, 1)
	} else {
		b = append(b, 0)
	}
	for _, n := range []int{len(r.Stream), len(r.Type), len(r.Data), len(r.Metadata)} {
		b = binary.BigEndian.AppendUint32(b, uint32(n))
	}
	b = append(b, r.Stream...)
	b = append(b, r.Type...)
	d.head = b
	_, _ = d.hash.Write(b) // a hash takes everything
	_, _ = d.hash.Write(r.Data)
	_, _ = d.hash.Write(r.Metadata)
}

func (d *digest) sum(to *[sha256.Size]byte) { d.hash.Sum(to[:0]) }

// headOf asks for a ledger's head until it is told or patience ends.
func headOf(ctx context.Context, store eventstore.Store, name string, limit time.Duration) (eventstore.Position, error) {
	wait := patience{limit: limit}
	for {
		head, err := store.Head(ctx)
		if err == nil {
			return head, nil
		}
		if !passing(err) || !wait.again(ctx) {
			return eventstore.Start, fmt.Errorf("transfer: %s: %w", name, err)
		}
	}
}
