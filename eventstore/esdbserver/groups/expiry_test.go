package groups

import (
	"testing"
	"time"

	"daybook/eventstore"
)

// TestWhenTimeBegins: a message's time begins when its consumer takes it. One that is not
// taken goes to others after a while, which is no try, and not in a circle.
func TestWhenTimeBegins(t *testing.T) {
	now := time.Unix(1_700_000_000, 0)
	m := newMachine(Settings{MessageTimeout: 10 * time.Millisecond, MaxRetryCount: 1, Strategy: DispatchToSingle}, 0, 0, now)
	idle, busy := &holder{buffer: 1}, &holder{buffer: 1}
	m.join(idle)
	m.offer(&message{record: eventstore.Record{Event: eventstore.Event{ID: eventstore.EventID{1}}}, after: 1})
	m.dispatch(now)
	m.join(busy)

	pass := func(d time.Duration) {
		now = now.Add(d)
		m.expire(now)
		m.dispatch(now)
	}
	pass(shortestUntaken - 1)
	if idle.count != 1 {
		t.Fatal("a message was taken away before its consumer had the time to take it")
	}
	// The first consumer would be the first again: it makes room for the second.
	m.leave(idle)
	m.dispatch(now)
	pass(shortestUntaken / 2)
	msg, ok := m.take(busy, now)
	if !ok || msg.retries != 0 {
		t.Fatalf("taken %v with %+v, want a first try", ok, msg)
	}
	pass(9 * time.Millisecond)
	if busy.count != 1 {
		t.Fatal("a message's time ended before it had begun")
	}
	pass(time.Millisecond)
	if busy.count != 1 || len(busy.unsent) != 1 || msg.retries != 1 {
		t.Fatalf("after its time %+v, want a second try that is not taken yet", msg)
	}
	pass(shortestUntaken)
	if busy.count != 1 || msg.retries != 1 || len(m.parkers) != 0 {
		t.Fatalf("not taken in time %+v, want no try counted", msg)
	}
	if at, timed := m.next(); !timed || !at.Equal(now.Add(shortestUntaken)) {
		t.Fatalf("something is to do at %s, %v, want %s", at, timed, now.Add(shortestUntaken))
	}
	if _, ok := m.take(busy, now); !ok {
		t.Fatal("nothing to take")
	}
	pass(10 * time.Millisecond)
	if busy.count != 0 || len(m.parkers) != 1 || m.done() != 0 {
		t.Fatalf("after the last try %+v, want it parked and the group not done", msg)
	}
	m.parked(1)
	if m.done() != 1 || m.heldBytes != 0 {
		t.Fatalf("done up to %d with %d bytes held, want all", m.done(), m.heldBytes)
	}
}
