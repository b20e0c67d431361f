package projections

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"testing"

	"daybook/eventstore"
)

// shelf is a view that can be rebuilt.
type shelf struct {
	book
	copies    []*keeper
	abandoned int
	swapErr   error
}

func (v *shelf) Rebuild(context.Context) (Rebuilding, error) {
	fresh := &keeper{book{name: v.name}}
	v.copies = append(v.copies, fresh)
	return Rebuilding{
		View: fresh,
		Swap: func(context.Context) error {
			if v.swapErr != nil {
				return v.swapErr
			}
			v.mu.Lock()
			defer v.mu.Unlock()
			v.said, v.at = fresh.said, fresh.at
			return nil
		},
		Abandon: func(ctx context.Context) error {
			v.abandoned++
			return ctx.Err()
		},
	}, nil
}

func TestRebuild(t *testing.T) {
	l := newLedger(t)
	var want []string
	for i := range 3*eventstore.MaxBatch + 7 {
		want = append(want, fmt.Sprint(i))
	}
	for some := range slices.Chunk(want, eventstore.MaxBatch) {
		l.append("a", some...)
	}
	l.append("b", "corrupt")
	p := l.append("a", "end")
	want = append(want, "end")

	v := &shelf{book: book{name: "one", said: []string{"wrong"}, at: p}}
	var reached, aimed eventstore.Position
	calls := 0
	err := Rebuild(context.Background(), l, v, Options{Logger: quiet}, func(at, head eventstore.Position) {
		if at < reached || head < at {
			t.Errorf("progress from %d to %d of %d", reached, at, head)
		}
		reached, aimed, calls = at, head, calls+1
	})
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(v.seen(), want) || v.at != p || v.abandoned != 0 {
		t.Errorf("rebuilt %d of %d, at %d of %d", len(v.said), len(want), v.at, p)
	}
	if parked := v.copies[0].parked; !reflect.DeepEqual(parked, []string{"corrupt"}) {
		t.Errorf("parked %q", parked)
	}
	if reached != p || aimed != p || calls != 4 {
		t.Errorf("progress ended at %d of %d after %d calls, want %d after 4", reached, aimed, calls, p)
	}
}

func TestARebuildThatFailsIsAbandoned(t *testing.T) {
	l := newLedger(t)
	l.append("a", "1")
	away := errors.New("the engine is away")
	v := &shelf{book: book{name: "one", said: []string{"old"}}, swapErr: away}
	if err := Rebuild(context.Background(), l, v, Options{Logger: quiet}, nil); !errors.Is(err, away) || v.abandoned != 1 {
		t.Errorf("got %v, abandoned %d times", err, v.abandoned)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := Rebuild(ctx, l, v, Options{Logger: quiet}, nil); !errors.Is(err, context.Canceled) || v.abandoned != 2 {
		t.Errorf("got %v, abandoned %d times", err, v.abandoned)
	}
	if got := v.seen(); !reflect.DeepEqual(got, []string{"old"}) {
		t.Errorf("the live view has %q, want what it had", got)
	}
}

func TestRebuildOfAnEmptyLedger(t *testing.T) {
	v := &shelf{book: book{name: "one", said: []string{"old"}}}
	if err := Rebuild(context.Background(), newLedger(t), v, Options{Logger: quiet}, nil); err != nil {
		t.Fatal(err)
	}
	if got := v.seen(); len(got) != 0 {
		t.Errorf("got %q of an empty ledger", got)
	}
}
