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

func (v *shelf) Version() string { return "1" }

func (v *shelf) Kept(context.Context) (Rebuilding, error) { return Rebuilding{}, ErrNothingKept }

func (v *shelf) Rebuild(context.Context, string) (Rebuilding, error) {
	fresh := &keeper{book{name: v.name}}
	v.copies = append(v.copies, fresh)
	return Rebuilding{
		View: fresh,
		Compare: func(context.Context) ([]Compared, error) {
			c := Compared{What: "words", Entries: uint64(len(fresh.said))}
			if !slices.Equal(fresh.said, v.said) {
				c.OnlyLive, c.OnlyCopy = 1, 1
			}
			return []Compared{c}, nil
		},
		Swap: func(context.Context) error {
			if v.swapErr != nil {
				return v.swapErr
			}
			v.mu.Lock()
			defer v.mu.Unlock()
			v.said, v.at, v.mark = fresh.said, fresh.at, fresh.mark
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
	var reached []Progress
	done, err := Rebuild(context.Background(), l, v, RebuildOptions{Options: Options{Logger: quiet}, Progress: func(p Progress) {
		p.Took = 0
		reached = append(reached, p)
	}})
	if err != nil {
		t.Fatal(err)
	}
	first, end := batchEnds(t, l)
	if wanted := []Progress{
		{Stage: StageBuild},
		{Stage: StageBuild, At: first[0], Head: p, Records: eventstore.MaxBatch},
		{Stage: StageBuild, At: first[1], Head: p, Records: 2 * eventstore.MaxBatch},
		{Stage: StageBuild, At: first[2], Head: p, Records: 3 * eventstore.MaxBatch},
		{Stage: StageBuild, At: p, Head: p, Records: end},
		{Stage: StageCompare, At: p, Head: p, Records: end},
		{Stage: StageSwap, At: p, Head: p, Records: end},
		{Stage: StageSwap, At: p, Head: p, Records: end},
	}; !reflect.DeepEqual(reached, wanted) {
		t.Errorf("progress\n%+v\nwant\n%+v", reached, wanted)
	}
	done.Progress = Progress{}
	if wanted := (Rebuilt{Position: p, Parked: 1, Compared: []Compared{{What: "words", Entries: uint64(len(want)), OnlyLive: 1, OnlyCopy: 1}}}); !reflect.DeepEqual(done, wanted) {
		t.Errorf("got %+v, want %+v", done, wanted)
	}
	if !reflect.DeepEqual(v.seen(), want) || v.at != p || v.abandoned != 0 {
		t.Errorf("rebuilt %d of %d, at %d of %d", len(v.said), len(want), v.at, p)
	}
	if parked := v.copies[0].parked; !reflect.DeepEqual(parked, []string{"corrupt"}) {
		t.Errorf("parked %q", parked)
	}
}

// batchEnds are the positions at which full batches end, and how many records there are.
func batchEnds(t *testing.T, l eventstore.Reader) (ends []eventstore.Position, records uint64) {
	t.Helper()
	for r, err := range l.ReadAll(context.Background(), 0, eventstore.Filter{}) {
		if err != nil {
			t.Fatal(err)
		}
		if records++; records%eventstore.MaxBatch == 0 {
			ends = append(ends, r.Position)
		}
	}
	return ends, records
}

// What was built stays, to be gone on with; only a copy that is not wanted goes.
func TestARebuildThatFails(t *testing.T) {
	l := newLedger(t)
	l.append("a", "1")
	away := errors.New("the engine is away")
	v := &shelf{book: book{name: "one", said: []string{"old"}}, swapErr: away}
	o := RebuildOptions{Options: Options{Logger: quiet}}
	if _, err := Rebuild(context.Background(), l, v, o); !errors.Is(err, away) || v.abandoned != 0 {
		t.Errorf("got %v, abandoned %d times", err, v.abandoned)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := Rebuild(ctx, l, v, o); !errors.Is(err, context.Canceled) || v.abandoned != 0 {
		t.Errorf("got %v, abandoned %d times", err, v.abandoned)
	}
	o.IfEqual = true
	if _, err := Rebuild(context.Background(), l, v, o); !errors.Is(err, ErrDiffers) || v.abandoned != 1 {
		t.Errorf("got %v, abandoned %d times", err, v.abandoned)
	}
	if got := v.seen(); !reflect.DeepEqual(got, []string{"old"}) {
		t.Errorf("the live view has %q, want what it had", got)
	}
	o = RebuildOptions{Options: Options{Logger: quiet}, Rollback: true}
	if _, err := Rebuild(context.Background(), l, v, o); !errors.Is(err, ErrNothingKept) {
		t.Errorf("got %v", err)
	}
}

func TestRebuildOfAnEmptyLedger(t *testing.T) {
	v := &shelf{book: book{name: "one", said: []string{"old"}}}
	if _, err := Rebuild(context.Background(), newLedger(t), v, RebuildOptions{Options: Options{Logger: quiet}}); err != nil {
		t.Fatal(err)
	}
	if got := v.seen(); len(got) != 0 {
		t.Errorf("got %q of an empty ledger", got)
	}
}
