package whatif

import (
	"fmt"
	"strconv"

	"daybook/domain"
	"daybook/domain/restaurantday"
)

// day is one day's history, and the other world beside it.
type day struct {
	r       *replay
	past    pastDay
	history restaurantday.State
	other   World

	// By number in history, what is the same party's in the other world; actions of staff
	// likewise. What is missing has no place there.
	numbers, entries, actions map[uint32]uint32
	fates                     map[uint32]fate // of entries of the waitlist, by their number in history
	placed                    map[[16]byte]uint32
	own                       map[uint32]domain.Instant // holds of the other world that lapse by its own clock alone: when

	requests  []request
	held      map[uint32]int      // by number in history: the place in requests
	refused   map[domain.Code]int // requests
	unmet     map[domain.Code]int // in the other world
	assumed   int                 // parties of the other world of whose coming nothing is known
	decisions int
	dropped   []Difference
}

// fate is what an entry of the waitlist did in history when it was offered a table.
type fate int

const (
	neverOffered fate = iota
	accepted
	turnedDown // or let lapse
)

func newDay(r *replay, past pastDay) *day {
	d := &day{
		r: r, past: past, numbers: map[uint32]uint32{}, entries: map[uint32]uint32{}, actions: map[uint32]uint32{}, fates: map[uint32]fate{},
		placed: map[[16]byte]uint32{}, own: map[uint32]domain.Instant{}, held: map[uint32]int{},
		refused: map[domain.Code]int{}, unmet: map[domain.Code]int{},
	}
	offers := map[uint32]uint32{} // by number in the book
	for _, e := range past.entries {
		switch e := e.event.(type) {
		case restaurantday.WaitlistOffered:
			offers[e.Number] = e.Entry
		case restaurantday.Confirmed:
			if entry := offers[e.Number]; entry != 0 {
				d.fates[entry] = accepted
			}
		case restaurantday.WaitlistLeft:
			if (e.Reason == restaurantday.LeftDeclined || e.Reason == restaurantday.LeftLapsed) && d.fates[e.Entry] != accepted {
				d.fates[e.Entry] = turnedDown
			}
		}
	}
	return d
}

// step goes on by one step in both worlds.
func (d *day) step(s step) error {
	if s.refusal != nil {
		return d.again(s.refusal)
	}
	for entries := s.entries; len(entries) > 0; {
		before := d.history
		f := d.command(before, entries)
		events := make([]restaurantday.Event, f.n)
		for i := range events {
			events[i] = entries[i].event
		}
		d.history = decider.Fold(d.history, events...)
		if err := d.follow(before, f, events, entries[0]); err != nil {
			return err
		}
		entries = entries[f.n:]
	}
	return nil
}

// follow gives the other world what was asked in history.
func (d *day) follow(before restaurantday.State, f found, events []restaurantday.Event, first entry) error {
	d.decisions++
	at := events[0].DecidedAt()
	if err := d.lapseOwn(at); err != nil {
		return err
	}
	seen := d.other.State
	var came []restaurantday.Event
	var no *domain.Rejection
	if number, again := d.placed[first.meta.CommandID]; again && first.meta.CommandID != ([16]byte{}) {
		// What was refused before, and is asked again under the same key, has its place there.
		d.numbers[ownNumber(events)] = number
		d.assumed--
	} else {
		c, err := d.translate(before, f, events)
		if err != nil {
			return err
		}
		if c != nil {
			if came, no, err = d.ask(c); err != nil {
				return err
			}
		}
		if !f.exact || (no != nil && !isRequest(c)) {
			d.dropped = append(d.dropped, d.lost(f, c, events, no))
		}
	}
	if err := d.opened(events); err != nil {
		return err
	}
	d.pair(before, seen, events, came)
	d.note(events, no)
	return d.offered(events, came, at)
}

// ask decides a command of history in the other world.
func (d *day) ask(c restaurantday.Command) ([]restaurantday.Event, *domain.Rejection, error) {
	if fact, ok := c.(factual); ok {
		d.other.State = decider.Evolve(d.other.State, fact.event)
		return []restaurantday.Event{fact.event}, nil, nil
	}
	came, no, err := d.other.Do(c)
	if no == nil {
		return came, nil, err
	}
	if c, ok := withoutChoice(c); ok {
		return d.other.Do(c)
	}
	return nil, no, nil
}

// withoutChoice is a command without the tables that staff chose: where those are taken in
// the other world, they would have chosen others.
func withoutChoice(c restaurantday.Command) (restaurantday.Command, bool) {
	switch c := c.(type) {
	case restaurantday.WalkIn:
		chosen := len(c.Tables) > 0
		c.Tables = nil
		return c, chosen
	case restaurantday.Seat:
		chosen := len(c.Tables) > 0
		c.Tables = nil
		return c, chosen
	}
	return nil, false
}

// opened sees to it that a day which the other world opened before history did has the plan
// that history opened it with, if that is a later one.
func (d *day) opened(events []restaurantday.Event) error {
	open, ok := events[0].(restaurantday.Opened)
	if !ok || !d.other.State.Opened() || d.other.State.Agreed().Revision >= open.Plan.Revision {
		return nil
	}
	plan, err := d.r.other(d.past.date, &open.Plan)
	if err != nil {
		return err
	}
	_, _, err = d.other.Do(restaurantday.ChangePlan{
		Now: open.At, Actor: domain.System(), Change: strconv.FormatUint(plan.Revision, 10), Plan: plan, Binding: true,
	})
	return err
}

// again decides a refused request in the other world. Where that accepts it, the party is
// taken to come.
func (d *day) again(r *refusal) error {
	d.decisions++
	d.refused[r.Code]++
	q := request{kind: KindBooking, at: r.At, party: r.Party, time: r.Time, startsAt: r.StartsAt, refused: r.Code}
	defer func() { d.requests = append(d.requests, q) }()
	if err := d.lapseOwn(r.At); err != nil {
		return err
	}
	who := domain.Actor{Kind: r.By}
	switch r.By {
	case domain.ActorDiner:
		who.User = "usr_refused" // nobody's own: only the capacity counts
	case "":
		who = domain.Importer() // entries of before that was told are mostly imports'
	case domain.ActorStaff, domain.ActorSystem, domain.ActorImport: // they name nobody
	}
	hold := restaurantday.Hold{
		Now: r.At, Actor: who, Party: r.Party, Time: r.Time, StartsAt: r.StartsAt, Wish: d.wish(r.Wish), Confirm: true,
		Override: override(restaurantday.Override{Rule: r.Skip}),
	}
	seen := d.other.State
	events, code, err := d.first(hold, r)
	if err != nil {
		return err
	}
	if q.unmet = code; code != "" {
		d.unmet[code]++
		return nil
	}
	q.there = ownNumber(events)
	q.firstThere = placeOf(d.other.State, q.there)
	d.assumed++
	if r.id != ([16]byte{}) {
		d.placed[r.id] = q.there
	}
	d.pair(d.history, seen, nil, events)
	return d.offered(nil, events, r.At)
}

// first decides a request that history refused. On a day without a book it is decided on
// the plan that the day would have been opened with.
func (d *day) first(hold restaurantday.Hold, r *refusal) ([]restaurantday.Event, domain.Code, error) {
	if d.other.State.Opened() {
		return d.judged(hold)
	}
	var met *restaurantday.Plan
	if d.history.Opened() {
		met = d.history.Agreed()
	} else {
		var closed domain.Code
		var err error
		if met, closed, err = d.met(hold, r); met == nil {
			return nil, closed, err
		}
	}
	other, err := d.r.other(d.past.date, met)
	if err != nil {
		return nil, "", err
	}
	hold.Opening = d.open(other, hold.Now)
	return d.judged(hold)
}

// met is the plan on which a request was refused while its day had no book, or the code of a
// restaurant that took no bookings then. Where the restaurant may have been one or another,
// it is the one that refuses it as history did.
func (d *day) met(hold restaurantday.Hold, r *refusal) (met *restaurantday.Plan, closed domain.Code, err error) {
	closed = domain.CodeNotOpened
	for i, v := range d.r.openings(*r) {
		plan, err := v.planOf(d.past.date)
		no, refused := domain.Rejected(err)
		if err != nil && !refused {
			return nil, "", err
		}
		code := domain.Code("")
		if refused {
			code = no.Code
		} else {
			hold.Opening = d.open(plan, hold.Now)
			_, err := decider.Decide(decider.Initial(), hold)
			if no, ok := domain.Rejected(err); ok {
				code = no.Code
			}
		}
		if i == 0 || code == r.Code {
			met, closed = plan, code
		}
		if code == r.Code {
			break
		}
	}
	return met, closed, nil
}

func (d *day) judged(hold restaurantday.Hold) ([]restaurantday.Event, domain.Code, error) {
	events, no, err := d.other.Do(hold)
	if no != nil {
		return nil, no.Code, nil //nolint:nilerr // that it is refused is the answer
	}
	return events, "", err
}

func (d *day) open(plan *restaurantday.Plan, now domain.Instant) *restaurantday.Open {
	return &restaurantday.Open{Now: now, Restaurant: d.r.id, Date: d.past.date, Plan: plan}
}

// lapseOwn records in the other world the holds that have lapsed there by t and not in
// history: those of history lapse when that was recorded.
func (d *day) lapseOwn(t domain.Instant) error {
	for {
		first := domain.Instant(0)
		for _, at := range d.own {
			if at <= t && (first == 0 || at < first) {
				first = at
			}
		}
		if first == 0 {
			return nil
		}
		for number, at := range d.own {
			if at == first {
				delete(d.own, number)
			}
		}
		seen := d.other.State
		came, _, err := d.other.Do(restaurantday.Lapse{Now: first})
		if err != nil {
			return err
		}
		d.pair(d.history, seen, nil, came)
		if err := d.offered(nil, came, first); err != nil {
			return err
		}
	}
}

// offered has those accept who are offered a table in the other world alone, but for who
// turned one down in history, or let it lapse.
func (d *day) offered(events, came []restaurantday.Event, at domain.Instant) error {
	for _, e := range came {
		offer, ok := e.(restaurantday.WaitlistOffered)
		if !ok {
			continue
		}
		past, known := keyOf(d.entries, offer.Entry)
		if known && offeredTo(events, past) {
			continue // it does as in history
		}
		if known && d.fates[past] == turnedDown {
			d.own[offer.Number] = offer.ExpiresAt
			continue
		}
		if known && d.fates[past] == neverOffered {
			d.assumed++
		}
		if _, no, err := d.other.Do(restaurantday.AcceptOffer{Now: at, Actor: domain.System(), Entry: offer.Entry}); err != nil {
			return err
		} else if no != nil {
			return fmt.Errorf("whatif: an offer was refused at once: %w", no)
		}
	}
	return nil
}

func offeredTo(events []restaurantday.Event, entry uint32) bool {
	for _, e := range events {
		if offer, ok := e.(restaurantday.WaitlistOffered); ok && offer.Entry == entry {
			return true
		}
	}
	return false
}

// keyOf is the number in history of what has this number in the other world.
func keyOf(m map[uint32]uint32, there uint32) (uint32, bool) {
	for here, n := range m {
		if n == there {
			return here, true
		}
	}
	return 0, false
}

// ownNumber is the entry that a request made for itself; 0 for none.
func ownNumber(events []restaurantday.Event) uint32 {
	for _, e := range events {
		switch e := e.(type) {
		case restaurantday.Held:
			if e.Source != restaurantday.SourceWaitlist {
				return e.Number
			}
		case restaurantday.Recorded:
			return e.Number
		}
	}
	return 0
}
