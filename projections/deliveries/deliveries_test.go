package deliveries

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"daybook/domain"
	"daybook/domain/webhook"
	"daybook/eventstore"
	"daybook/eventstore/feed"
	"daybook/internal/enginetest"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction(enginetest.SupervisorFunc))
}

const now = domain.Instant(1_795_000_000_000)

var (
	ida  = domain.NewRestaurantID([16]byte{1})
	hook = domain.NewWebhookID([16]byte{2})
)

// onEveryEnd runs test with a function that opens stores on one fresh database.
func onEveryEnd(t *testing.T, test func(t *testing.T, open func() *Store)) {
	for name, url := range map[string]func() string{
		"sqlite":   func() string { return filepath.Join(t.TempDir(), "with space?&#%41.db") },
		"postgres": func() string { return enginetest.Postgres(t) },
	} {
		t.Run(name, func(t *testing.T) {
			at := url()
			test(t, func() *Store {
				t.Helper()
				s, err := Open(t.Context(), at)
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { _ = s.Close() })
				return s
			})
		})
	}
}

func lead(t *testing.T, s *Store) *Lead {
	t.Helper()
	l, err := s.Lead(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func notes(at uint64, events ...webhook.Event) (list []webhook.Note) {
	for i, e := range events {
		list = append(list, webhook.Note{
			Restaurant: ida, Event: e, ID: [16]byte{byte(at), byte(i)}, Position: at + uint64(i), Stream: "webhooks-x", Revision: at, Type: "webhook.x",
		})
	}
	return list
}

func stamp(at domain.Instant) domain.Stamp { return domain.Stamp{At: at} }

func delivery(position uint64, stream string) webhook.Delivery {
	return webhook.Delivery{
		Webhook: hook, Round: 1, Position: position, Event: [16]byte{9, byte(position)}, Stream: stream, Revision: position, Type: "reservation.held",
		DecidedAt: now + domain.Instant(position), NextAt: now,
	}
}

func expect[T any](t *testing.T, what string, got, want T) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%s: got\n%+v\nwant\n%+v", what, got, want)
	}
}

func standing(t *testing.T, s *Store) []webhook.Standing {
	t.Helper()
	list, err := s.Of(t.Context(), ida)
	must(t, err)
	return list
}

func pending(t *testing.T, l *Lead) (entries []uint64) {
	t.Helper()
	list, err := l.Pending(t.Context(), hook)
	must(t, err)
	for _, d := range list {
		entries = append(entries, d.Entry)
	}
	return entries
}

// TestLifeOfAWebhook follows one webhook from its creation to its removal.
func TestLifeOfAWebhook(t *testing.T) {
	onEveryEnd(t, func(t *testing.T, open func() *Store) {
		ctx, s := t.Context(), open()
		l := lead(t, s)
		must(t, l.Note(ctx, 10, notes(10, webhook.Created{Stamp: stamp(now), ID: hook}), now))
		want := webhook.Standing{Webhook: hook, Restaurant: ida, Active: true, ActiveSince: now, Round: 1, Position: 10}
		expect(t, "created", standing(t, s), []webhook.Standing{want})

		first, second := delivery(11, "day-a"), delivery(12, "day-b")
		must(t, l.Enter(ctx, hook, 1, 10, 15, []webhook.Delivery{first, second}))
		first.Entry, second.Entry, first.Status, second.Status = 1, 2, webhook.Pending, webhook.Pending
		list, err := l.Pending(ctx, hook)
		must(t, err)
		expect(t, "pending", list, []webhook.Delivery{first, second})
		want.Position, want.Pending, want.Oldest, want.NextAt = 15, 2, first.DecidedAt, now
		expect(t, "entered", standing(t, s), []webhook.Standing{want})

		// What fails stays, and says what was last tried; what is taken is done.
		first.Attempts, first.NextAt = 1, now+5000
		first.Last = webhook.Attempt{At: now + 1, Took: 12, Code: 500, Failure: webhook.FailedAnswer, Answer: "no ☂"}
		must(t, l.Record(ctx, []webhook.Delivery{first}))
		must(t, l.Record(ctx, []webhook.Delivery{first}))
		second.Attempts, second.NextAt, second.Status, second.Last = 1, 0, webhook.Delivered, webhook.Attempt{At: now + 2, Code: 204}
		want.FailingSince, want.NextAt = now+1, now+5000-1
		must(t, l.Hasten(ctx, hook, now+5000-1))
		want.NextAt = now
		expect(t, "failing", standing(t, s), []webhook.Standing{want})
		must(t, l.Record(ctx, []webhook.Delivery{second}))
		want.FailingSince, want.DeliveredAt, want.Pending, want.NextAt = 0, now+2, 1, now+5000-1
		expect(t, "taken", standing(t, s), []webhook.Standing{want})
		first.NextAt = now + 5000 - 1
		all, err := s.List(ctx, Query{Webhook: hook, Limit: 10})
		must(t, err)
		expect(t, "all", all, []webhook.Delivery{second, first})
		done, err := s.List(ctx, Query{Webhook: hook, Status: webhook.Delivered, Before: 3, Limit: 10})
		must(t, err)
		expect(t, "delivered", done, []webhook.Delivery{second})

		// Paused and resumed: the place is kept, and the schedule begins anew.
		must(t, l.Note(ctx, 20, notes(20, webhook.Paused{Stamp: stamp(now + 3), ID: hook}), now))
		must(t, l.Note(ctx, 21, notes(21, webhook.Resumed{Stamp: stamp(now + 4), ID: hook}), now+4))
		want.ActiveSince, want.NextAt = now+4, now+4
		expect(t, "resumed", standing(t, s), []webhook.Standing{want})

		// A test does not count among what is owed in order, nor do its failures.
		must(t, l.Enter(ctx, hook, 1, 15, 15, []webhook.Delivery{delivery(15, "day-a")})) // which waits for the first
		expect(t, "with another of its day", standing(t, s)[0].NextAt, want.NextAt)
		second.Entry, second.Status, second.NextAt = 3, webhook.Delivered, 0
		must(t, l.Record(ctx, []webhook.Delivery{second}))
		must(t, l.Note(ctx, 22, notes(22, webhook.TestRequested{Stamp: stamp(now + 5), ID: hook}), now+5))
		must(t, l.Note(ctx, 22, notes(22, webhook.TestRequested{Stamp: stamp(now + 5), ID: hook}), now+5)) // it comes again
		expect(t, "with a test", pending(t, l), []uint64{1, 4})
		test, err := s.List(ctx, Query{Webhook: hook, Limit: 1})
		must(t, err)
		if !test[0].Test() {
			t.Errorf("got %+v", test[0])
		}
		test[0].Status, test[0].NextAt, test[0].Last = webhook.GaveUp, 0, webhook.Attempt{At: now + 6, Failure: webhook.FailedTimeout}
		must(t, l.Record(ctx, test))
		expect(t, "after the test", standing(t, s), []webhook.Standing{want})

		// Another place: what was outstanding is not sent, and what it came to is not recorded.
		must(t, l.Note(ctx, 23, notes(23, webhook.Replayed{Stamp: stamp(now + 7), ID: hook, After: 3}), now+7))
		first.Status = webhook.Delivered
		must(t, l.Record(ctx, []webhook.Delivery{first}))
		superseded, err := s.List(ctx, Query{Webhook: hook, Status: webhook.Superseded, Limit: 10})
		must(t, err)
		if len(superseded) != 1 || superseded[0].Entry != 1 || superseded[0].Last.Code != 500 {
			t.Errorf("superseded: %+v", superseded)
		}
		if err := l.Enter(ctx, hook, 1, 15, 30, []webhook.Delivery{delivery(16, "day-a")}); !errors.Is(err, webhook.ErrMoved) {
			t.Errorf("entered in a round that is over: %v", err)
		}
		must(t, l.Advance(ctx, []webhook.Move{{Webhook: hook, Round: 1, To: 40}, {Webhook: hook, Round: 2, To: 5}, {Webhook: hook, Round: 2, To: 4}}))
		if err := l.Enter(ctx, hook, 2, 6, 30, nil); !errors.Is(err, webhook.ErrMoved) {
			t.Errorf("entered past a gap: %v", err)
		}
		again := delivery(11, "day-a")
		again.Round = 2
		must(t, l.Enter(ctx, hook, 2, 3, 30, []webhook.Delivery{again}))
		expect(t, "again", pending(t, l), []uint64{5})

		must(t, l.Note(ctx, 50, notes(50, webhook.Removed{Stamp: stamp(now + 8), ID: hook}), now+8))
		expect(t, "removed", standing(t, s), nil)
		if all, err := s.List(ctx, Query{Webhook: hook, Limit: 10}); err != nil || all != nil {
			t.Errorf("after the removal: %+v, %v", all, err)
		}
	})
}

func TestWhereAWebhookBegins(t *testing.T) {
	onEveryEnd(t, func(t *testing.T, open func() *Store) {
		s := open()
		after := uint64(4)
		must(t, lead(t, s).Note(t.Context(), 10, notes(10, webhook.Created{ID: hook, After: &after}), now))
		if got := standing(t, s); len(got) != 1 || got[0].Position != 4 {
			t.Errorf("got %+v", got)
		}
	})
}

// TestALedgerThatWasRestored to an earlier state: what stands past its end is taken back, or
// what is written there next would never be sent.
func TestALedgerThatWasRestored(t *testing.T) {
	onEveryEnd(t, func(t *testing.T, open func() *Store) {
		ctx, s := t.Context(), open()
		l := lead(t, s)
		must(t, l.Note(ctx, 10, notes(10, webhook.Created{ID: hook}), now))
		must(t, l.Enter(ctx, hook, 1, 10, 20, []webhook.Delivery{delivery(11, "day-a"), delivery(20, "day-a")}))
		must(t, l.Note(ctx, 20, nil, now))
		for head, want := range map[uint64]bool{20: false, 30: false} {
			if got, err := l.Rewind(ctx, feed.Place{Position: eventstore.Position(head)}); err != nil || got != want {
				t.Errorf("to %d: %t, %v", head, got, err)
			}
		}
		if got, err := l.Rewind(ctx, feed.Place{Position: 15}); err != nil || !got {
			t.Errorf("to 15: %t, %v", got, err)
		}
		expect(t, "pending", pending(t, l), []uint64{1})
		if got := standing(t, s); got[0].Position != 15 {
			t.Errorf("it stands at %d", got[0].Position)
		}
		must(t, l.Close())
		expect(t, "place", lead(t, open()).Place(), uint64(15))
	})
}

// TestWhatTheBookRestsOn is put down with what rests on it, also in tables that an earlier
// version made, and goes back only with the ledger.
func TestWhatTheBookRestsOn(t *testing.T) {
	onEveryEnd(t, func(t *testing.T, open func() *Store) {
		ctx, s := t.Context(), open()
		_, err := s.db.ExecContext(ctx, "ALTER TABLE lead DROP COLUMN record")
		must(t, err)
		at := func(p eventstore.Position) feed.Place {
			return feed.Place{Position: p, Record: feed.Mark{Position: p, Revision: 2, ID: eventstore.EventID{7}, Recorded: 99, Stream: "day-a"}}
		}
		l := lead(t, open())
		expect(t, "of an earlier version", l.Reached(), feed.Place{})
		l.Reach(at(10))
		l.Reach(at(9))
		must(t, l.Note(ctx, 10, notes(10, webhook.Created{ID: hook}), now))
		l.Reach(at(20)) // and nothing is written that rests on it
		must(t, l.Close())
		l = lead(t, open())
		expect(t, "reached", l.Reached(), at(10))
		_, err = l.Rewind(ctx, at(5))
		must(t, err)
		must(t, l.Restate(ctx, hook, &webhook.Webhook{Status: webhook.StatusPaused, ActiveSince: 3}))
		if got := standing(t, s); got[0].Active || got[0].ActiveSince != 3 || got[0].Position != 5 {
			t.Errorf("it stands at %+v", got)
		}
		must(t, l.Restate(ctx, hook, nil))
		expect(t, "forgotten", standing(t, s), nil)
		must(t, l.Close())
		expect(t, "taken back", lead(t, open()).Reached(), at(5))
	})
}

// TestOnlyTheNewestAreKept: what is pending stays however old it is.
func TestOnlyTheNewestAreKept(t *testing.T) {
	onEveryEnd(t, func(t *testing.T, open func() *Store) {
		ctx, s := t.Context(), open()
		l := lead(t, s)
		must(t, l.Note(ctx, 1, notes(1, webhook.Created{ID: hook}), now))
		at := uint64(1)
		var taken []webhook.Delivery
		for at < Kept+100 {
			var list []webhook.Delivery
			for range 100 {
				at++
				list = append(list, delivery(at, "day-a"))
			}
			must(t, l.Enter(ctx, hook, 1, at-100, at, list))
			for i, d := range list {
				d.Entry, d.Status = at-100+uint64(i), webhook.Delivered
				if d.Entry != 7 {
					taken = append(taken, d)
				}
			}
			must(t, l.Record(ctx, taken))
			taken = nil
		}
		must(t, l.Enter(ctx, hook, 1, at, at+1, []webhook.Delivery{delivery(at+1, "day-a")}))
		expect(t, "pending", pending(t, l), []uint64{7, at})
		page, err := s.List(ctx, Query{Webhook: hook, Before: at - Kept + 3, Limit: 200})
		must(t, err)
		var entries []uint64
		for _, d := range page {
			entries = append(entries, d.Entry)
		}
		expect(t, "the oldest", entries, []uint64{at - Kept + 2, at - Kept + 1, 7})
	})
}

// TestWhoLostTheLeadWritesNothing: the number that a lead names is the guard; without it the
// writes below would go through.
func TestWhoLostTheLeadWritesNothing(t *testing.T) {
	onEveryEnd(t, func(t *testing.T, open func() *Store) {
		ctx, s := t.Context(), open()
		old := lead(t, s)
		must(t, old.Note(ctx, 10, notes(10, webhook.Created{Stamp: stamp(now), ID: hook}), now))
		must(t, old.Enter(ctx, hook, 1, 10, 11, []webhook.Delivery{delivery(11, "day-a")}))
		must(t, old.Close()) // as if its connection had broken: it writes on
		next := lead(t, open())
		expect(t, "place", next.Place(), uint64(10))
		before := standing(t, s)
		d := delivery(11, "day-a")
		d.Entry, d.Status = 1, webhook.Delivered
		for name, write := range map[string]func() error{
			"note":    func() error { return old.Note(ctx, 20, nil, now) },
			"enter":   func() error { return old.Enter(ctx, hook, 1, 11, 12, []webhook.Delivery{delivery(12, "day-a")}) },
			"advance": func() error { return old.Advance(ctx, []webhook.Move{{Webhook: hook, Round: 1, To: 99}}) },
			"record":  func() error { return old.Record(ctx, []webhook.Delivery{d}) },
			"hasten":  func() error { return old.Hasten(ctx, hook, 1) },
		} {
			if err := write(); !errors.Is(err, webhook.ErrLeadLost) {
				t.Errorf("%s: got %v", name, err)
			}
		}
		expect(t, "afterwards", standing(t, s), before)
		must(t, next.Record(ctx, []webhook.Delivery{d}))
		expect(t, "pending", pending(t, next), nil)
	})
}

// TestOneLeadAtATime is of Postgres: a file belongs to one process.
func TestOneLeadAtATime(t *testing.T) {
	url := enginetest.Postgres(t)
	open := func() *Store {
		s, err := Open(t.Context(), url)
		must(t, err)
		t.Cleanup(func() { _ = s.Close() })
		return s
	}
	first, second := open(), open()
	held := lead(t, first)
	short, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if l, err := second.Lead(short); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("a second lead: %v, %v", l, err)
	}
	got := make(chan error, 1)
	go func() {
		l, err := second.Lead(context.Background())
		if err == nil {
			err = l.Close()
		}
		got <- err
	}()
	// The server ends the connection that holds the lock: the lead is lost, and another takes it.
	_, err := second.db.ExecContext(t.Context(), `SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND granted AND pid <> pg_backend_pid()
		AND classid = $1 AND objid = $2`, int64(leadLock)>>32, int64(leadLock)&0xffffffff)
	must(t, err)
	select {
	case <-held.Lost():
	case <-time.After(time.Minute):
		t.Error("it does not know that it lost the lead")
	}
	select {
	case err := <-got:
		must(t, err)
	case <-time.After(time.Minute):
		t.Error("nobody took the lead")
	}
}

func TestWhatCannotBeOpened(t *testing.T) {
	for _, url := range []string{"", "mysql://x", "postgres://127.0.0.1:1/x?connect_timeout=1", t.TempDir()} {
		if s, err := Open(t.Context(), url); err == nil {
			t.Errorf("%q opened", url)
			_ = s.Close()
		}
	}
}

func TestTheFileIsForItsOwnerAlone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "webhooks.db")
	s, err := Open(t.Context(), path)
	must(t, err)
	defer func() { _ = s.Close() }()
	files, err := filepath.Glob(path + "*")
	must(t, err)
	for _, f := range files {
		if info, err := os.Stat(f); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", f, info.Mode(), err)
		}
	}
	if !strings.HasSuffix(files[0], ".db") {
		t.Errorf("files %q", files)
	}
}
