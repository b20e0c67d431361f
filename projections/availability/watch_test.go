package availability

import (
	"context"
	"testing"
	"time"

	"daybook/domain"
	"daybook/domain/restaurantday"
	"daybook/projections"
)

// told waits for a change to be told of.
func told(t *testing.T, what string, changed <-chan struct{}) {
	t.Helper()
	select {
	case <-changed:
	case <-time.After(20 * time.Second):
		t.Fatalf("%s: nothing was told", what)
	}
}

// TestChangesAreToldToAllProcesses watches from another process than the one that writes.
func TestChangesAreToldToAllProcesses(t *testing.T) {
	onBothEnds(t, func(t *testing.T, e end) {
		h := newHouse(t)
		h.do(today, h.hold(today, 2, "18:00"))
		writer, reader := h.view(e.client()), h.view(e.client())
		at := h.feed(writer, h.checkpoint(writer))

		changed, stop := reader.Watch(today)
		defer stop()
		told(t, "the beginning", changed)
		second, stopSecond := reader.Watch(today)
		told(t, "who comes later", second)
		other, stopOther := reader.Watch(DayKey{today.Restaurant, today.Date + 1})
		defer stopOther()
		told(t, "who watches another day", other)

		h.do(today, h.hold(today, 2, "18:00"))
		h.do(today, h.hold(today, 2, "18:30"))
		at = h.feed(writer, at)
		told(t, "a change", changed)
		told(t, "a change, to the second", second)
		select {
		case <-other:
			t.Error("another day's watcher was told")
		default:
		}
		h.check(reader, today, 6, 2) // each hold is confirmed at once
		stopSecond()
		stopSecond() // again does nothing

		// Changes that nobody fetched are one change.
		for number := range uint32(3) {
			h.do(today, restaurantday.Cancel{Now: h.clock(), Actor: domain.System(), Number: number + 1})
			at = h.feed(writer, at)
		}
		told(t, "many changes", changed)
		if n := len(changed); n > 1 {
			t.Errorf("%d more wait", n)
		}
	})
}

// TestChangesAreToldThatARebuildBrought: what a copy has that takes the live one's place
// before the runner came so far is told of when the runner comes.
func TestChangesAreToldThatARebuildBrought(t *testing.T) {
	onBothEnds(t, func(t *testing.T, e end) {
		h := newHouse(t)
		h.do(today, h.hold(today, 2, "18:00"))
		writer, reader := h.view(e.client()), h.view(e.client())
		at := h.feed(writer, h.checkpoint(writer))
		changed, stop := reader.Watch(today)
		defer stop()
		told(t, "the beginning", changed)

		h.do(today, h.hold(today, 2, "18:00"))
		if _, err := projections.Rebuild(context.Background(), h.store, h.view(e.client()), projections.RebuildOptions{Build: "a"}); err != nil {
			t.Fatal(err)
		}
		h.feed(writer, at)
		told(t, "a change", changed)
		h.check(reader, today, 4, 2)
	})
}

// TestWatchedByNobody: what watching takes is given back with the last watcher, and taken
// again with the next.
func TestWatchedByNobody(t *testing.T) {
	onBothEnds(t, func(t *testing.T, e end) {
		h := newHouse(t)
		h.do(today, h.hold(today, 2, "18:00"))
		v := h.view(e.client())
		for range 3 {
			changed, stop := v.Watch(today)
			told(t, "the beginning", changed)
			stop()
			if v.watchers.feed != nil || len(v.watchers.byKey) != 0 {
				t.Fatalf("left: %+v", v.watchers.byKey)
			}
		}
	})
}

func TestStrangeMessages(t *testing.T) {
	for _, message := range []string{"", ":", "rst_x", "rst_x:", "rst_x:x", "rst_x:99999999999"} {
		if key, ok := parseChanged(message); ok {
			t.Errorf("%q was taken for %+v", message, key)
		}
	}
	if key, ok := parseChanged(today.changed()); !ok || key != today {
		t.Errorf("got %+v, %v", key, ok)
	}
}
