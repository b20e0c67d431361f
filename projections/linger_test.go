package projections

import (
	"context"
	"testing"
	"time"

	"daybook/eventstore"
)

// A view that rests takes what came meanwhile as one batch, and is up at once for whoever
// waits: the rest here is longer than any test.
func TestARestEndsWhenSomebodyWaits(t *testing.T) {
	l := newLedger(t)
	var sizes []int
	v := &book{name: "one"}
	v.fail = func(b eventstore.Batch) error {
		if n := len(b.Records); n > 0 {
			sizes = append(sizes, n)
		}
		return nil
	}
	r := newRunner(t, l, Options{Linger: map[string]time.Duration{"one": time.Hour}}, v)
	r.all["one"].share = time.Hour // times whatever a batch takes
	run(t, r)
	wait(t, r, "one", l.append("a", "1"))
	d := r.all["one"]
	eventually(t, func() bool {
		d.progress.mu.Lock()
		defer d.progress.mu.Unlock()
		return d.progress.wanted != nil
	}, func() string { return "the view does not rest" })
	var last eventstore.Position
	for range 20 {
		last = l.append("a", "x")
	}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	if err := r.Wait(ctx, "one", last); err != nil {
		t.Fatal(err)
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if len(sizes) != 2 || sizes[1] != 20 {
		t.Errorf("batches of %d, want one record and then 20 together", sizes)
	}
}
