package whatif

import (
	"reflect"
	"strings"

	"daybook/domain"
	"daybook/domain/restaurantday"
)

// Kind is what somebody asked for.
type Kind string

// The kinds of requests.
const (
	KindBooking  Kind = "booking"
	KindWalkIn   Kind = "walk_in"
	KindWaitlist Kind = "waitlist" // a place on the waitlist
	KindMove     Kind = "move"     // of a reservation from another day
	KindImport   Kind = "import"   // a booking of another system, recorded as it is
)

// Difference is one request, or one thing that was done later, of which the worlds came to
// something else.
type Difference struct {
	Date     domain.ServiceDate
	At       domain.Instant // when it was asked
	What     string         // a Kind, or the verb of what was done later, such as "seat"
	Number   uint32         // of the entry in history's book, or waitlist; 0 where it was refused
	Party    domain.PartySize
	StartsAt domain.Instant // the start asked for; 0 where it was given as Time
	Time     string
	History  Outcome
	WhatIf   Outcome
}

// Outcome is what came of it in one world.
type Outcome struct {
	Code   domain.Code // with which it was refused; empty where it was not
	Status string      // in the end: of the reservation or, where there is none, of the entry of the waitlist; empty where it was refused
	First  Place       // that it was given at once
	Last   Place       // that it has in the end, or had last
}

// Place is a start and tables.
type Place struct {
	StartsAt domain.Instant
	Tables   []string // numbers
}

// NoPlace is the code of what was not asked for in the other world, because the party has no
// place there that it could be about.
const NoPlace domain.Code = "no_place"

// request is what was asked for, and where its outcome is found.
type request struct {
	kind              Kind
	at                domain.Instant
	party             domain.PartySize
	time              string
	startsAt          domain.Instant
	number, there     uint32 // in the book, or of the waitlist; 0 where it was refused
	refused, unmet    domain.Code
	first, firstThere Place
}

// note takes down a request of history and what the other world said to it.
func (d *day) note(events []restaurantday.Event, no *domain.Rejection) {
	var q request
	if number := ownNumber(events); number != 0 {
		r, _ := d.history.Reservation(number)
		q = request{kind: kindOf(r.Source), at: r.HeldAt, party: r.Party, startsAt: r.Slot.StartsAt, number: number, there: d.numbers[number]}
		q.first = placeOf(d.history, q.number)
		q.firstThere = placeOf(d.other.State, q.there)
		d.held[number] = len(d.requests)
	} else if number := joined(events); number != 0 {
		w, _ := d.history.WaitlistEntry(number)
		q = request{kind: KindWaitlist, at: w.JoinedAt, party: w.Party, startsAt: w.From, number: number, there: d.entries[number]}
	} else {
		return
	}
	if q.there == 0 {
		q.unmet = NoPlace
		if no != nil {
			q.unmet = no.Code
			if q.kind != KindWaitlist && q.kind != KindMove {
				d.unmet[no.Code]++
			}
		}
	}
	d.requests = append(d.requests, q)
}

func kindOf(s restaurantday.Source) Kind {
	switch s {
	case restaurantday.SourceWalkIn:
		return KindWalkIn
	case restaurantday.SourceMove:
		return KindMove
	case restaurantday.SourceImport:
		return KindImport
	default:
		return KindBooking
	}
}

// isRequest reports whether a command asks for a table, or to wait for one.
func isRequest(c restaurantday.Command) bool {
	switch c.(type) {
	case restaurantday.Hold, restaurantday.WalkIn, restaurantday.JoinWaitlist, restaurantday.Record:
		return true
	}
	return false
}

// lost is something done in history that the other world refused, or that no command of
// today's rules comes to.
func (d *day) lost(f found, c restaurantday.Command, events []restaurantday.Event, no *domain.Rejection) Difference {
	diff := Difference{Date: d.past.date, At: events[0].DecidedAt(), History: Outcome{Status: "done"}}
	switch {
	case f.command == nil:
		diff.What = "unknown: " + verb(events[0])
	case !f.exact:
		diff.What = verb(f.command) + ", by rules of before"
	default:
		diff.What = verb(f.command)
	}
	if number := reflect.ValueOf(f.command); number.IsValid() {
		if n := number.FieldByName("Number"); n.IsValid() {
			diff.Number = uint32(n.Uint())
			if r, ok := d.history.Reservation(diff.Number); ok {
				diff.Party, diff.StartsAt = r.Party, r.Slot.StartsAt
			}
		}
	}
	switch {
	case no != nil:
		diff.WhatIf.Code = no.Code
	case c == nil:
		diff.WhatIf.Code = NoPlace
	default:
		diff.WhatIf.Status = "done"
	}
	return diff
}

// verb is a command's name, or an event's, in small letters.
func verb(v any) string {
	name := reflect.TypeOf(v).Name()
	var b strings.Builder
	for i, r := range name {
		if i > 0 && r >= 'A' && r <= 'Z' {
			b.WriteByte('_')
		}
		b.WriteRune(r)
	}
	return strings.ToLower(b.String())
}

// differences lists what the worlds came to differently.
func (d *day) differences(now domain.Instant) []Difference {
	list := d.dropped
	for _, q := range d.requests {
		here := outcome(d.history, q.kind, q.number, q.refused, q.first, now)
		there := outcome(d.other.State, q.kind, q.there, q.unmet, q.firstThere, now)
		if reflect.DeepEqual(here, there) {
			continue
		}
		list = append(list, Difference{
			Date: d.past.date, At: q.at, What: string(q.kind), Number: q.number, Party: q.party, StartsAt: q.startsAt, Time: q.time,
			History: here, WhatIf: there,
		})
	}
	return list
}

func outcome(s restaurantday.State, kind Kind, number uint32, refused domain.Code, first Place, now domain.Instant) Outcome {
	if refused != "" {
		return Outcome{Code: refused}
	}
	o := Outcome{First: first}
	if kind == KindWaitlist {
		w, ok := s.WaitlistEntry(number)
		if !ok {
			return o
		}
		o.Status = string(w.Status)
		if w.Status == restaurantday.WaitlistGone {
			o.Status += ": " + string(w.Reason)
		}
		if number = w.Number; number == 0 {
			return o
		}
	}
	r, ok := s.Reservation(number)
	if !ok {
		return o
	}
	status := string(statusAt(r, now))
	if kind == KindWaitlist {
		status = o.Status + ", " + status
	}
	o.Status, o.Last = status, placeOf(s, number)
	return o
}

// statusAt is where a reservation stands: a hold that has lapsed is over, recorded or not.
func statusAt(r *restaurantday.Reservation, now domain.Instant) restaurantday.Status {
	if r.Status == restaurantday.StatusPending && r.ExpiresAt <= now {
		return restaurantday.StatusExpired
	}
	return r.Status
}

// placeOf is the place that an entry of the book has; zero where there is none.
func placeOf(s restaurantday.State, number uint32) (p Place) {
	r, ok := s.Reservation(number)
	if !ok {
		return p
	}
	p.StartsAt = r.Slot.StartsAt
	for _, id := range r.Tables {
		number := string(id)
		for _, t := range s.Plan.Tables {
			if t.ID == id {
				number = t.Number
			}
		}
		p.Tables = append(p.Tables, number)
	}
	return p
}
