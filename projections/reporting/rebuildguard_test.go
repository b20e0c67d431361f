package reporting

import (
	"context"
	"math/rand/v2"
	"testing"

	"daybook/domain"
	"daybook/eventstore/feed"
	"daybook/projections"
)

// TestRebuildOfAnEarlierLedger: a ledger that was restored to an earlier state is behind what
// the live view holds. That is compared as it is, and replaced.
func TestRebuildOfAnEarlierLedger(t *testing.T) {
	bothEnds(t, func(t *testing.T, fresh func() string) {
		l := newLedger(t)
		l.random(rand.New(rand.NewPCG(27, 27)), 30)
		records := l.records()
		head := records[len(records)-1].Position
		db := openDatabase(t, fresh())
		v := db.View(l.store, l.codec)
		applyAll(t, v, records, 40)
		want := dump(t, db)
		ctx := context.Background()
		if err := db.Checkpoints().Save(ctx, viewName, feed.Place{Position: head + 100}); err != nil {
			t.Fatal(err)
		}
		done, err := projections.Rebuild(ctx, l.store, db.View(l.store, l.codec), projections.RebuildOptions{Build: "a"})
		if err != nil || !done.Equal() || done.Position != head {
			t.Errorf("rebuilt %+v, %v", done, err)
		}
		sameRows(t, "rebuilt", dump(t, db), want)
	})
}

// meddledEngine has something done just before the next snapshot is taken.
type meddledEngine struct {
	engine
	act func()
}

func (m *meddledEngine) snapshot(ctx context.Context, f func(querying) error) error {
	if act := m.act; act != nil {
		m.act = nil
		act()
	}
	return m.engine.snapshot(ctx, f)
}

// TestCompareMeetsTheLiveView: a copy that is behind is brought to the head before it is
// compared, and again where the live view moves on before the two are looked at.
func TestCompareMeetsTheLiveView(t *testing.T) {
	bothEnds(t, func(t *testing.T, fresh func() string) {
		l := newLedger(t)
		l.random(rand.New(rand.NewPCG(28, 28)), 30)
		records := l.records()
		db := openDatabase(t, fresh())
		applyAll(t, db.View(l.store, l.codec), records, 40)
		meddled := &meddledEngine{engine: db.engine}
		db.engine = meddled
		ctx := context.Background()
		build, err := db.View(l.store, l.codec).Rebuild(ctx, "a")
		if err != nil {
			t.Fatal(err)
		}
		copied := build.View.(*load).view
		applyAll(t, build.View, records[:len(records)/2], 40)
		meddled.act = func() {
			if !l.do(restaurantID(1), day1+9, domain.System(), holdOf(1, day1+9, opening, domain.System(), 2, "18:00")) {
				t.Error("refused")
			}
			applyAll(t, db.View(l.store, l.codec), l.records(), 512)
		}
		compared, err := build.Compare(ctx)
		if err != nil || !(projections.Rebuilt{Compared: compared}).Equal() {
			t.Errorf("compared %+v, %v", compared, err)
		}
		records = l.records()
		if head := records[len(records)-1].Position; copied.at.Position != head || position(t, db) != head {
			t.Errorf("the copy is at %d and the live view at %d, want %d", copied.at.Position, position(t, db), head)
		}
	})
}
