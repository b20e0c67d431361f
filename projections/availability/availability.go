// Package availability is the read model of what can be booked: per restaurant-day one
// compact value in Redis, the day's occupancy, from which an answer is computed when it is
// asked for, by the same functions that decide a hold.
//
// What belongs here: the value's layout, who may write it and when it counts, reading it
// off the day's stream when it does not, and the questions asked of it. What makes a slot
// bookable is restaurantday's; opening a day that has no stream yet is a command's;
// bringing events here is the runner's, in projections.
//
// # When a value counts
//
// Redis may lose what it had, or be put back to what it had earlier. So three things
// stand there: an epoch, a position, and the days' values, each with the epoch and the
// revision it was folded at. The invariant: a value of the current epoch reflects every
// event of its day up to the position, at least. It rests on these rules:
//
//   - The runner goes on from a position it knows. It writes values and the new position
//     in one transaction, and only if Redis stands where it believes or further.
//   - Who finds the epoch or position gone, or the position lower than one this process
//     has seen before, begins a new epoch, by a transaction too. An epoch is random, so
//     one that comes back from the past is never taken for a later one, and it names the
//     ledger, so that a Redis that served another ledger counts as empty.
//   - The values lie in one of two halves. A rebuild fills the other one under an epoch of
//     its own, brings it as far as the live one, and changes over by a transaction on epoch
//     and position together. What was live stays in its half, and can be brought up to date
//     and put back the same way. The mark names the epoch's turn, so that an epoch that
//     counts for the second time is not taken for its first.
//   - A value of another epoch counts as missing. A missing one is read off the stream
//     after the epoch was read, and written only if the epoch is still the same and no
//     newer value stands there.
//
// A value also says until when it holds: once a hold in it has lapsed by the clock, the
// hold may have been confirmed meanwhile, so the day is read off its stream again.
package availability

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"

	"daybook/domain"
	"daybook/domain/restaurantday"
	"daybook/eventstore"
	"daybook/eventstore/codec"
	"daybook/eventstore/feed"
	"daybook/projections"
)

// Name is the view's name, for projections.Runner.Wait.
const Name = "availability"

// Options is a view's configuration. Only Redis, Store and Clock are needed.
type Options struct {
	// Redis is where the values lie: InProcess's client or Connect's.
	Redis redis.UniversalClient
	Store eventstore.Store
	// Clock says what time it is for a booking. Holds lapse by it.
	Clock func() domain.Instant
	// Logger is slog.Default where nil.
	Logger *slog.Logger
	// RedisTimeout bounds one read or write of a day, 250 ms where zero; a reader whose
	// Redis does not answer in time is answered off the stream.
	RedisTimeout time.Duration
	// Remembered bounds the days whose decoded values and answers are kept in this process;
	// 4096 where zero. Folded bounds the folded streams, 512 where zero, twice: once for the
	// runner and once for healing.
	Remembered, Folded int
	// StreamReads bounds the streams read at once by those whose value does not count; four
	// a processor where zero.
	StreamReads int
}

// DayKey names a restaurant-day.
type DayKey struct {
	Restaurant domain.RestaurantID
	Date       domain.ServiceDate
}

// Answer is what a day offers a party now. Its Plan and Slots are shared between readers:
// never write to them.
type Answer struct {
	Opened   bool   // the day has a book; if not, all but Position is empty
	Revision uint64 // of the day's last event that the answer rests on
	Plan     *restaurantday.Plan
	Slots    []restaurantday.SlotState // by StartsAt
	// Position is up to where, at least, all events of the day are in the answer.
	Position eventstore.Position
}

// View is the read model. Its queries are safe for concurrent use.
type View struct {
	opts  Options
	log   *slog.Logger
	redis redis.UniversalClient
	store eventstore.Store
	clock func() domain.Instant

	ledger  identity
	seen    atomic.Uint64 // the highest position this process has seen in Redis
	liesIn  atomic.Uint32 // the half in which values were last seen; 0 for none yet
	renewal sync.Mutex    // one renewal of the epoch at a time
	guard   breaker

	newFolds func() *projections.Folds[day]

	at     feed.Place              // where the runner left Redis
	folds  *projections.Folds[day] // the runner's, in step with the feed
	tails  *projections.Folds[day] // the healers', each at its stream's end when last read
	heals  flights
	memory memory

	watchers watchers
}

var (
	_ projections.View        = (*View)(nil)
	_ projections.Rebuildable = (*View)(nil)
)

// New makes the view. It does not touch Redis yet, which may be away.
func New(o Options) (*View, error) {
	if o.Redis == nil || o.Store == nil || o.Clock == nil {
		return nil, errors.New("availability: a view needs a Redis, a store and a clock")
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	o.RedisTimeout = orDefault(o.RedisTimeout, 250*time.Millisecond)
	o.Remembered = orDefault(o.Remembered, 4096)
	o.Folded = orDefault(o.Folded, 512)
	o.StreamReads = orDefault(o.StreamReads, 4*runtime.GOMAXPROCS(0))
	v := &View{opts: o, log: o.Logger, redis: o.Redis, store: o.Store, clock: o.Clock}
	// The view needs nothing personal, so its codec knows no key.
	c := codec.New(noKeys{})
	v.newFolds = func() *projections.Folds[day] {
		return projections.NewFolds(o.Store, o.Folded, newDay, func(ctx context.Context, d day, r eventstore.Record) (day, error) { return d.evolve(ctx, c, r) })
	}
	v.folds, v.tails = v.newFolds(), v.newFolds()
	v.heals = flights{slots: make(chan struct{}, o.StreamReads), running: make(map[DayKey]*pair)}
	v.memory = newMemory(o.Remembered)
	return v, nil
}

func orDefault[T int | time.Duration](v, standard T) T {
	if v <= 0 {
		return standard
	}
	return v
}

// Name implements projections.View.
func (v *View) Name() string { return Name }

// Asking narrows a question.
type Asking func(*asking)

type asking struct{ atLeast eventstore.Position }

// AtLeast asks for an answer in which all events up to p are. It does not wait for the
// runner: a day whose value is older is read off its stream. A position that the ledger
// has not reached is refused with projections.ErrBehind.
func AtLeast(p eventstore.Position) Asking {
	return func(a *asking) { a.atLeast = p }
}

// Day answers for one day. See Days.
func (v *View) Day(ctx context.Context, r domain.RestaurantID, d domain.ServiceDate, party domain.PartySize, how ...Asking) (Answer, error) {
	answers, err := v.Days(ctx, []DayKey{{Restaurant: r, Date: d}}, party, how...)
	if err != nil {
		return Answer{}, err
	}
	return answers[0], nil
}

// Days answers for each of days, in their order, with one round trip to Redis where all
// values count. Without Redis it answers off the streams. A day that has no book yet is
// answered with Opened false, and not remembered.
//
// Errors: projections.ErrBehind, the event store's, the context's.
func (v *View) Days(ctx context.Context, days []DayKey, party domain.PartySize, how ...Asking) ([]Answer, error) {
	var ask asking
	for _, f := range how {
		f(&ask)
	}
	if ask.atLeast > 0 && ask.atLeast > eventstore.Position(v.seen.Load()) {
		head, err := v.store.Head(ctx)
		if err != nil {
			return nil, err
		}
		if ask.atLeast > head {
			return nil, fmt.Errorf("%w %d: the ledger ends at %d", projections.ErrBehind, ask.atLeast, head)
		}
	}
	answers := make([]Answer, len(days))
	var missing []int
	for from := 0; from < len(days); from += maxDaysAtOnce {
		chunk := days[from:min(from+maxDaysAtOnce, len(days))]
		m, values := v.look(ctx, chunk)
		counts := m.known && m.position >= ask.atLeast
		for i, key := range chunk {
			ok := false
			if counts && values[i] != "" {
				answers[from+i], ok = v.answer(key, m, values[i], party)
			}
			if !ok {
				missing = append(missing, from+i)
			}
		}
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if err := v.heal(ctx, m, days, missing, party, ask.atLeast, answers); err != nil {
			return nil, err
		}
		missing = missing[:0]
	}
	return answers, nil
}

// maxDaysAtOnce bounds one round trip: some 4 KiB a day.
const maxDaysAtOnce = 256

// answer reads a value; ok is false where it does not count.
func (v *View) answer(key DayKey, m mark, raw string, party domain.PartySize) (a Answer, ok bool) {
	h, ok := parseHeader(raw)
	if !ok || h.epoch != m.epoch {
		return Answer{}, false
	}
	now := max(v.clock(), h.clock)
	if h.lapses != 0 && h.lapses <= now {
		return Answer{}, false
	}
	a, ok = v.memory.answer(key, h, party, now, func(old *remembered) (content, bool) {
		return decodeValue(raw, old)
	})
	a.Position = m.position
	return a, ok
}

// heal answers for the days at the indices missing off their streams.
func (v *View) heal(ctx context.Context, m mark, days []DayKey, missing []int, party domain.PartySize, atLeast eventstore.Position, answers []Answer) error {
	waits := make([]*flight, len(missing))
	for n, i := range missing {
		waits[n] = v.heals.join(days[i], m, v.fly)
	}
	for n, i := range missing {
		f := waits[n]
		select {
		case <-f.done:
		case <-ctx.Done():
			return ctx.Err()
		}
		if f.err != nil {
			return fmt.Errorf("availability of %s on %s: %w", days[i].Restaurant, days[i].Date, f.err)
		}
		answers[i] = v.healed(days[i], f, party)
		answers[i].Position = max(answers[i].Position, atLeast)
	}
	return nil
}

func (v *View) healed(key DayKey, f *flight, party domain.PartySize) Answer {
	if !f.day.state.Opened() {
		return Answer{Position: f.position}
	}
	a, _ := v.memory.answer(key, f.header(), party, max(v.clock(), f.asOf), func(*remembered) (content, bool) {
		return content{occupancy: f.day.state.Occupancy, rawPlan: string(f.day.plan.bytes)}, true
	})
	a.Position = f.position
	return a
}

// noKeys is a key store without keys: personal fields come back empty.
type noKeys struct{}

func (noKeys) Get(context.Context, string) (codec.Key, error) { return codec.Key{}, codec.ErrNoKey }

func (noKeys) Ensure(context.Context, string) (codec.Key, error) { return codec.Key{}, codec.ErrNoKey }

func (noKeys) Drop(context.Context, string) error { return nil }
