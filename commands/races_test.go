package commands

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"daybook/domain"
	"daybook/domain/restaurantday"
	"daybook/eventstore"
	"daybook/eventstore/codec"
)

// meeting has processes wait for each other between a decision and its append, so that a
// race is no matter of luck: each decides before any of them has written, and then they
// write in the order that the seed says.
type meeting struct {
	mu      sync.Mutex
	missing map[int]int // by process: its append, counted from 1, that waits for the others
	all     chan struct{}
	before  map[int]chan struct{} // by process: closed when the one before it has written
	after   map[int]chan struct{} // by process: to close
}

func newMeeting(order []int) *meeting {
	m := &meeting{missing: map[int]int{}, all: make(chan struct{}), before: map[int]chan struct{}{}, after: map[int]chan struct{}{}}
	turn := make(chan struct{})
	close(turn)
	for _, process := range order {
		m.missing[process], m.before[process] = 1, turn
		turn = make(chan struct{})
		m.after[process] = turn
	}
	return m
}

// arrive counts an append of a process and blocks, where that is the one to wait with, until
// it is its turn. The process calls written afterwards.
func (m *meeting) arrive(process int) (written func()) {
	m.mu.Lock()
	left, comes := m.missing[process]
	if comes && left > 1 {
		m.missing[process]--
	}
	m.mu.Unlock()
	if !comes || left > 1 {
		return func() {}
	}
	m.gather(process)
	<-m.all
	<-m.before[process]
	return func() { close(m.after[process]) }
}

// leave has the others wait for this process no longer.
func (m *meeting) leave(process int) {
	if m.gather(process) {
		go func() {
			<-m.before[process]
			close(m.after[process])
		}()
	}
}

// gather notes that a process is there, or will not be.
func (m *meeting) gather(process int) (first bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, first = m.missing[process]; !first {
		return false
	}
	if delete(m.missing, process); len(m.missing) == 0 {
		close(m.all)
	}
	return true
}

const (
	processes     = 3
	roundsAtHouse = 60 // each has a slot of its own
	slotMinutes   = 15
)

// ring is where one kind of race is held, round after round: one restaurant, and three
// processes on it of which the second's clock is ten seconds ahead.
type ring struct {
	*house
	id    domain.RestaurantID
	apps  []*App
	rng   *rand.Rand
	round int
	start time.Time // of the round's slot
	slot  string
	mu    sync.Mutex
	met   *meeting
}

func newRing(t testing.TB, seed uint64, tables int, guards guards) *ring {
	t.Helper()
	h := newHouse(t)
	r := &ring{house: h, rng: rand.New(rand.NewPCG(seed, 7))}
	p := place("Ring", tables)
	p.Shifts[0].Opens, p.Shifts[0].LastSeating, p.Shifts[0].Closes, p.Shifts[0].SlotMinutes = 6*60, 22*60, 23*60+45, slotMinutes
	var err error
	if r.id, err = h.app().BringInRestaurant(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	for i := range processes {
		ahead := time.Duration(i%2) * 10 * time.Second
		r.apps = append(r.apps, h.app(
			by(func() time.Time { return h.clock.now().Add(ahead) }),
			func(c *Config) { c.Day = guards.day },
			on(&hooked{Store: h.store, append: func(do appendFunc, ctx context.Context, s eventstore.StreamName, x eventstore.Expected, es []eventstore.Event) (eventstore.Appended, error) {
				if _, _, day := codec.ParseDayStream(s); day {
					if m := r.meeting(); m != nil {
						defer m.arrive(i)()
					}
					if guards.anyVersion {
						x = eventstore.Any()
					}
				}
				return do(ctx, s, x, es...)
			}})))
	}
	return r
}

func (r *ring) meeting() *meeting {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.met
}

// next begins a round at so long before its slot.
func (r *ring) next(before time.Duration) {
	r.start = local(6, 0).Add(time.Duration(r.round%roundsAtHouse) * slotMinutes * time.Minute)
	r.slot = r.start.Add(time.Hour).Format("15:04") // in Berlin
	r.round++
	r.clock.set(r.start.Add(-before))
}

// together has each process do its part: all decide before any of them writes. So many
// appends of the first process go before the one that waits.
func (r *ring) together(before int, parts ...func(a *App) error) []error {
	m := newMeeting(r.rng.Perm(len(parts)))
	m.missing[0] += before
	r.mu.Lock()
	r.met = m
	r.mu.Unlock()
	answers := make([]error, len(parts))
	var wg sync.WaitGroup
	for i, part := range parts {
		wg.Go(func() {
			defer m.leave(i)
			answers[i] = part(r.apps[i])
		})
	}
	wg.Wait()
	r.mu.Lock()
	r.met = nil
	r.mu.Unlock()
	return answers
}

func (r *ring) want(confirm bool) HoldTable {
	return HoldTable{Restaurant: r.id, Date: evening, Time: r.slot, Party: 2, Confirm: confirm}
}

// held books the round's slot for somebody; what comes of it is told by the log.
func (r *ring) held(who domain.UserID, confirm bool) (Booked, error) {
	return r.apps[0].HoldTable(context.Background(), caller(who, ""), r.want(confirm))
}

// clean ends the round: nobody has a table any more, and nobody waits.
func (r *ring) clean(dates ...domain.ServiceDate) error {
	a, host := r.house.app(), caller(owner, "")
	ctx := context.Background()
	for _, date := range dates {
		o, err := a.days.state(ctx, codec.DayStream(r.id, date), 0)
		if err != nil {
			return err
		}
		for n, w := uint32(1), true; w; n++ {
			var e *restaurantday.WaitlistEntry
			if e, w = o.State.WaitlistEntry(n); w && e.Status == restaurantday.WaitlistWaiting {
				if _, err := a.LeaveWaitlist(ctx, host, domain.NewWaitlistID(r.id, date, n)); err != nil {
					return err
				}
			}
		}
		for n := 1; n <= o.State.Reservations(); n++ {
			e, _ := o.State.Reservation(uint32(n))
			switch e.Status {
			case restaurantday.StatusPending, restaurantday.StatusConfirmed:
				if _, err = a.CancelReservation(ctx, host, o.State.ID(e.Number), ""); code(err) == domain.CodeHoldExpired {
					_, err = a.RecordLapses(ctx, r.id, date)
				}
			case restaurantday.StatusSeated:
				_, err = a.CompleteSeating(ctx, host, o.State.ID(e.Number))
			default: // over already
			}
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// said fails where an answer is none of those that can be.
func said(err error, codes ...domain.Code) error {
	if err == nil {
		return nil
	}
	for _, c := range codes {
		if code(err) == c {
			return nil
		}
	}
	return fmt.Errorf("an answer that cannot be: %w", err)
}

// guards are what keeps the races apart, or is taken off to see that they are.
type guards struct {
	anyVersion bool
	day        *domain.Decider[restaurantday.State, restaurantday.Command, restaurantday.Event]
}

// race is one kind of race. A round errs where an answer cannot be; what stands in the log
// is the auditor's.
type race struct {
	tables int
	round  func(r *ring) error
	dates  []domain.ServiceDate
	clocks bool // the clock rule guards it, too
}

func races() map[string]race {
	one := []domain.ServiceDate{evening}
	return map[string]race{
		"confirm, lapse and cancel":     {tables: 1, round: confirmLapseCancel, dates: one, clocks: true},
		"offers and bookings":           {tables: 1, round: offersAndBookings, dates: one},
		"an offer at its end":           {tables: 1, round: offerAtItsEnd, dates: one},
		"two hosts on one table":        {tables: 2, round: twoHosts, dates: one},
		"seat, no-show and cancel":      {tables: 1, round: seatNoShowCancel, dates: one},
		"undo and what came after":      {tables: 1, round: undoAndLater, dates: one},
		"a move and cancels, both ends": {tables: 1, round: moveAndCancels, dates: []domain.ServiceDate{evening, evening + 1}},
	}
}

func (r *ring) audit(c race, times bool) error {
	var errs []error
	for _, date := range c.dates {
		errs = append(errs, audit(r.events(codec.DayStream(r.id, date)), times))
	}
	return errors.Join(errs...)
}

func TestRaces(t *testing.T) {
	rounds := 40
	if soak() {
		rounds = 10_000
	}
	for name, c := range races() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for done := 0; done < rounds; done += roundsAtHouse {
				seed := uint64(done)
				t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
					r := newRing(t, seed, c.tables, guards{})
					for range min(roundsAtHouse, rounds-done) {
						if err := errors.Join(c.round(r), r.clean(c.dates...)); err != nil {
							t.Fatalf("round %d: %v", r.round, err)
						}
					}
					if err := r.audit(c, true); err != nil {
						t.Error(err)
					}
				})
			}
			t.Logf("%d rounds", rounds)
		})
	}
}

// The guards: with one of them off, each kind of race goes wrong before long, and not only
// by its times.
func TestRacesWithoutTheirGuards(t *testing.T) {
	free := ruleless()
	for name, c := range races() {
		off := map[string]guards{"no expected version": {anyVersion: true}}
		if c.clocks {
			off["no clock rule"] = guards{day: &free}
		}
		for without, guards := range off {
			t.Run(name+", "+without, func(t *testing.T) {
				t.Parallel()
				for seed := range uint64(5) {
					r := newRing(t, seed, c.tables, guards)
					for range roundsAtHouse {
						answers := c.round(r)
						if found := r.audit(c, false); found != nil {
							t.Logf("seed %d, after %d rounds: %v; %v", seed, r.round, found, answers)
							return
						}
						_ = r.clean(c.dates...)
					}
				}
				t.Error("nothing was found: the audit cannot tell")
			})
		}
	}
}
