// Package fairness recomputes a waitlist: from the events of a restaurant-day alone, those
// without personal data included, who was offered what, in which order, and whether whoever
// stood before was passed over for a reason that is on record and true.
//
// What belongs here: that recomputation. The rules by which tables are given are
// domain/restaurantday's, whose own fold and search are used; that the events are those that
// were written is projections/proof's.
//
// # What is checked
//
// Of the record alone, without any search for tables: each offer goes to somebody who
// joined, waits, and would have the slot; it is backed by a hold of his party at those
// tables; whoever stands before him, waits too and would have the slot is on record as
// passed over in the same decision; entries are numbered as they joined. Of those at the
// door the same, when staff seat one of them.
//
// By deciding again, with the state as it was just before: the offers are those that were
// due, to the same entries in the same order, for the same slots; and once something became
// free and nothing was offered, nothing was due. This holds the record to the rules of the
// program that checks. One that gives tables in another way than the one that wrote the
// record may find other offers due; what it then tells is marked as Judged.
package fairness

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"daybook/domain"
	"daybook/domain/restaurantday"
	"daybook/eventstore"
	"daybook/eventstore/codec"
)

// Kind is a way in which a waitlist was not kept.
type Kind string

// The kinds of findings.
const (
	Unjoined   Kind = "unjoined"    // an offer, or a pass-over, of an entry that never joined
	NotWaiting Kind = "not_waiting" // an offer to somebody who does not wait
	Misnumber  Kind = "misnumbered" // an entry joined under another number than the next
	Unbacked   Kind = "unbacked"    // an offer without the hold that it speaks of, or with another's
	Unwanted   Kind = "unwanted"    // an offer of a slot that the entry would not have
	Skipped    Kind = "skipped"     // somebody who stood before was passed over without a recorded reason
	False      Kind = "false"       // a recorded pass-over of somebody who was not before, or did not want it
	Preferred  Kind = "preferred"   // by deciding again, somebody else was due before
	Withheld   Kind = "withheld"    // by deciding again, an offer was due and none was made
	Unreadable Kind = "unreadable"  // the event cannot be read; nothing after it is checked
)

// Finding is one thing that is wrong with a waitlist.
type Finding struct {
	Kind       Kind                `json:"kind"`
	Restaurant domain.RestaurantID `json:"restaurantId"`
	Date       string              `json:"date"`
	Revision   eventstore.Revision `json:"revision"` // of the event at which it shows
	EventID    string              `json:"eventId"`
	Entry      uint32              `json:"entry,omitempty"`  // of the waitlist: who was wronged, or what the event names
	For        uint32              `json:"for,omitempty"`    // who was preferred
	Judged     bool                `json:"judged,omitempty"` // found by deciding again
	Detail     string              `json:"detail"`
}

func (f Finding) String() string {
	return fmt.Sprintf("%s on %s, revision %d (%s): %s: %s", f.Restaurant, f.Date, f.Revision, f.EventID, f.Kind, f.Detail)
}

// Counts is what was looked at.
type Counts struct {
	Days     int `json:"days"`     // with a waitlist
	Entries  int `json:"entries"`  // that joined
	Offers   int `json:"offers"`   // that were made
	Passed   int `json:"passed"`   // times that somebody was passed over with a reason
	Findings int `json:"findings"` // in all
}

// Day checks one restaurant-day. Its events come in order, one at a time.
type Day struct {
	restaurant domain.RestaurantID
	date       domain.ServiceDate
	codec      *codec.Codec
	decider    domain.Decider[restaurantday.State, restaurantday.Command, restaurantday.Event]
	report     func(Finding)
	counts     Counts

	state    restaurantday.State
	next     eventstore.Revision
	broken   bool
	decision [16]byte // the command whose events come now
	freed    bool     // it made something free, and nothing was offered since
	last     place    // its last event
	// lapsed is the state after the holds that the decision found lapsed, until something is
	// offered: what they kept goes to those who wait before anything else is decided.
	lapsed *restaurantday.State
	// What leads up to an offer: the state before it, the decision's moves and pass-overs.
	before  *restaurantday.State
	due     []restaurantday.Offer // the offers of a run that are still to come
	running bool                  // due was computed for this run
	passed  []restaurantday.WaitlistPassedOver
	hold    *restaurantday.Held
}

type place struct {
	revision eventstore.Revision
	id       eventstore.EventID
	at       domain.Instant
}

// NewDay begins a day; report is told of each finding as it is found. It is an error if
// stream is no day's.
func NewDay(stream eventstore.StreamName, report func(Finding)) (*Day, error) {
	restaurant, date, ok := codec.ParseDayStream(stream)
	if !ok {
		return nil, fmt.Errorf("fairness: %q is no day's stream", stream)
	}
	d := restaurantday.Decider()
	return &Day{
		restaurant: restaurant, date: date, codec: codec.New(noKeys{}), decider: d, report: report, state: d.Initial(),
	}, nil
}

// noKeys is a key store where everybody's key was dropped: nothing here needs one.
type noKeys struct{}

func (noKeys) Ensure(context.Context, string) (codec.Key, error) {
	return codec.Key{}, codec.ErrErased
}
func (noKeys) Get(context.Context, string) (codec.Key, error) { return codec.Key{}, codec.ErrErased }
func (noKeys) Drop(context.Context, string) error             { return nil }

// Add takes the day's next event, with its personal parts or without.
func (d *Day) Add(ctx context.Context, r eventstore.Record) {
	if d.broken {
		return
	}
	at := place{revision: r.Revision, id: r.ID}
	if r.Revision != d.next {
		d.unreadable(at, fmt.Sprintf("revision %d comes where %d is next", r.Revision, d.next))
		return
	}
	d.next++
	decoded, err := d.codec.Decode(ctx, r)
	if errors.Is(err, codec.ErrUnknownType) {
		return
	}
	event, ok := decoded.Event.(restaurantday.Event)
	if err != nil || !ok {
		d.unreadable(at, fmt.Sprintf("event %s cannot be read: %v", r.Type, err))
		return
	}
	at.at = event.DecidedAt()
	// A record that nobody decided can be one that cannot be folded.
	defer func() {
		if v := recover(); v != nil {
			d.unreadable(at, fmt.Sprintf("event %s fits nothing that came before it: %v", r.Type, v))
		}
	}()
	if decoded.Meta.CommandID != d.decision || at.at != d.last.at {
		d.endDecision()
		d.decision = decoded.Meta.CommandID
	}
	d.take(at, event)
	d.last = at
}

// End says that there are no more events, and what was looked at.
func (d *Day) End() Counts {
	if !d.broken {
		d.end()
	}
	if d.counts.Entries > 0 {
		d.counts.Days = 1
	}
	return d.counts
}

func (d *Day) end() {
	defer func() {
		if v := recover(); v != nil {
			d.unreadable(d.last, fmt.Sprintf("the last decision fits nothing that came before it: %v", v))
		}
	}()
	d.endDecision()
}

func (d *Day) found(kind Kind, at place, entry, preferred uint32, judged bool, detail string) {
	d.counts.Findings++
	d.report(Finding{
		Kind: kind, Restaurant: d.restaurant, Date: d.date.String(), Revision: at.revision, EventID: at.id.String(), Entry: entry, For: preferred,
		Judged: judged, Detail: detail,
	})
}

func (d *Day) unreadable(at place, why string) {
	d.broken = true
	d.found(Unreadable, at, 0, 0, false, why)
}

// endDecision looks at what a decision leaves behind.
func (d *Day) endDecision() {
	d.ordinary()
	if d.freed {
		d.nothingDue(d.state, "something became free")
	}
	d.freed = false
}

// nothingDue checks that nobody was due an offer that was not made.
func (d *Day) nothingDue(s restaurantday.State, since string) {
	if len(s.Waiting()) == 0 {
		return
	}
	if due := s.Due(d.last.at); len(due) > 0 {
		d.withheld(due[0], since)
	}
}

func (d *Day) withheld(o restaurantday.Offer, since string) {
	d.found(Withheld, d.last, o.Entry, 0, true, fmt.Sprintf("%s, entry %d was due an offer for %s, and none was made", since, o.Entry, o.Slot.Time))
}

// begin notes the state before an offer and what belongs to it.
func (d *Day) begin() {
	if d.before == nil {
		s := d.state
		d.before = &s
	}
}

// ordinary is an event that belongs to no offer: a run of offers ends before it, with
// nothing due any more, and so does the time to offer what lapsed holds kept.
func (d *Day) ordinary() {
	if d.running && len(d.due) > 0 {
		d.withheld(d.due[0], "others were offered tables")
	}
	if d.lapsed != nil {
		d.nothingDue(*d.lapsed, "holds lapsed")
	}
	d.lapsed, d.due, d.running = nil, nil, false
	d.before, d.passed, d.hold = nil, nil, nil
}

// take checks an event against the state before it, and folds it.
func (d *Day) take(at place, event restaurantday.Event) {
	lapse := false
	switch e := event.(type) {
	case restaurantday.WaitlistPassedOver:
		d.counts.Passed++
		d.begin()
		d.passed = append(d.passed, e)
		d.passedOver(at, e)
	case restaurantday.Reassigned:
		d.begin()
	case restaurantday.Held:
		if e.Source == restaurantday.SourceWaitlist {
			d.begin()
			d.hold = &e
			break
		}
		passed := d.passed // for one at the door they are told before its hold
		d.ordinary()
		d.passed = passed
	case restaurantday.WaitlistOffered:
		d.counts.Offers++
		d.begin()
		d.offered(at, e)
		d.before, d.passed, d.hold = nil, nil, nil
		d.freed, d.lapsed = false, nil
	case restaurantday.Confirmed: // of one at the door, before it is seated
	case restaurantday.Seated:
		d.freed = true // a party may leave room to others
	case restaurantday.Expired:
		if d.lapsed == nil {
			d.ordinary()
		}
		lapse, d.freed = true, true
	case restaurantday.WaitlistLeft:
		lapse = e.Reason == restaurantday.LeftLapsed && d.lapsed != nil
		if e.Reason == restaurantday.LeftSeated {
			d.seated(at, e)
		}
		if !lapse {
			d.ordinary()
		}
		d.freed = true
	case restaurantday.WaitlistJoined:
		d.counts.Entries++
		if want := uint32(d.state.WaitlistEntries() + 1); e.Entry != want {
			d.found(Misnumber, at, e.Entry, 0, false, fmt.Sprintf("entry %d joined where %d is next", e.Entry, want))
		}
		d.ordinary()
		d.freed = true
	case restaurantday.Cancelled, restaurantday.Completed, restaurantday.NoShow, restaurantday.Amended, restaurantday.TablesMoved,
		restaurantday.Unpinned, restaurantday.Reinstated, restaurantday.Moved, restaurantday.PlanChanged, restaurantday.Withdrawn:
		d.ordinary()
		d.freed = true
	default:
		d.ordinary()
	}
	d.state = d.decider.Fold(d.state, event)
	if lapse {
		s := d.state
		d.lapsed = &s
	}
}

// passedOver checks a pass-over by itself.
func (d *Day) passedOver(at place, e restaurantday.WaitlistPassedOver) {
	w, joined := d.state.WaitlistEntry(e.Entry)
	_, preferred := d.state.WaitlistEntry(e.For)
	switch {
	case !joined || !preferred:
		d.found(Unjoined, at, e.Entry, e.For, false, fmt.Sprintf("entry %d was passed over for %d, and one of them never joined", e.Entry, e.For))
	case e.Entry >= e.For:
		d.found(False, at, e.Entry, e.For, false, fmt.Sprintf("entry %d was passed over for %d, which came before it", e.Entry, e.For))
	case e.Code == "":
		d.found(Skipped, at, e.Entry, e.For, false, fmt.Sprintf("entry %d was passed over for %d, and no reason is given", e.Entry, e.For))
	case w.Status != restaurantday.WaitlistWaiting:
		d.found(False, at, e.Entry, e.For, false, fmt.Sprintf("entry %d was passed over for %d, and did not wait", e.Entry, e.For))
	}
}

// offered checks an offer.
func (d *Day) offered(at place, e restaurantday.WaitlistOffered) {
	w, joined := d.state.WaitlistEntry(e.Entry)
	if !joined {
		d.found(Unjoined, at, e.Entry, 0, false, fmt.Sprintf("entry %d was offered a table and never joined", e.Entry))
		return
	}
	if w.Status != restaurantday.WaitlistWaiting || w.WalkIn {
		d.found(NotWaiting, at, e.Entry, 0, false, fmt.Sprintf("entry %d was offered a table and did not wait for one: %s", e.Entry, w.Status))
	}
	h := d.hold
	if h == nil || h.Number != e.Number || h.Entry != e.Entry || h.Party != w.Party || h.Diner != w.Diner || h.ExpiresAt != e.ExpiresAt {
		d.found(Unbacked, at, e.Entry, 0, false, fmt.Sprintf("the offer to entry %d is not backed by a hold of its own party", e.Entry))
		return
	}
	slot := h.Slot.StartsAt
	if slot < w.From || slot > w.To {
		d.found(Unwanted, at, e.Entry, 0, false, fmt.Sprintf("entry %d was offered %s, which it did not ask for", e.Entry, h.Slot.Time))
	}
	for _, other := range d.before.Waiting() {
		if other.Entry >= e.Entry || slot < other.From || slot > other.To {
			continue
		}
		if !slices.ContainsFunc(d.passed, func(p restaurantday.WaitlistPassedOver) bool { return p.Entry == other.Entry && p.For == e.Entry }) {
			d.found(Skipped, at, other.Entry, e.Entry, false,
				fmt.Sprintf("entry %d was offered %s before entry %d, which stood before it and would have had it; no reason is on record", e.Entry, h.Slot.Time, other.Entry))
		}
	}
	d.decideAgain(at, e, h)
}

// decideAgain holds an offer to what was due.
func (d *Day) decideAgain(at place, e restaurantday.WaitlistOffered, h *restaurantday.Held) {
	if !d.running {
		d.due, d.running = d.before.Due(h.At), true
	}
	i := slices.IndexFunc(d.due, func(o restaurantday.Offer) bool { return o.Entry == e.Entry })
	if i < 0 {
		d.found(Preferred, at, e.Entry, e.Entry, true, fmt.Sprintf("entry %d was offered %s, and by the rules had no table due", e.Entry, h.Slot.Time))
		return
	}
	for _, o := range d.due[:i] {
		d.found(Preferred, at, o.Entry, e.Entry, true,
			fmt.Sprintf("entry %d was offered %s while entry %d, before it, could have had %s", e.Entry, h.Slot.Time, o.Entry, o.Slot.Time))
	}
	due := d.due[i]
	d.due = d.due[i+1:]
	if due.Slot.StartsAt != h.Slot.StartsAt {
		d.found(Preferred, at, e.Entry, e.Entry, true, fmt.Sprintf("entry %d was offered %s, and was due %s", e.Entry, h.Slot.Time, due.Slot.Time))
	}
	for _, p := range d.passed {
		for _, was := range due.Passed {
			if was.Entry == p.Entry && was.Code != p.Code {
				d.found(False, at, p.Entry, e.Entry, true, fmt.Sprintf("entry %d was passed over for %d because of %s; it was because of %s", p.Entry, e.Entry, p.Code, was.Code))
			}
		}
	}
}

// seated checks that whoever stood at the door before one whom staff seated is on record.
func (d *Day) seated(at place, e restaurantday.WaitlistLeft) {
	w, joined := d.state.WaitlistEntry(e.Entry)
	if !joined {
		d.found(Unjoined, at, e.Entry, 0, false, fmt.Sprintf("entry %d was seated and never joined", e.Entry))
		return
	}
	for n := uint32(1); n < e.Entry; n++ {
		other, _ := d.state.WaitlistEntry(n)
		if other.Status != restaurantday.WaitlistWaiting || !other.WalkIn {
			continue
		}
		if !slices.ContainsFunc(d.passed, func(p restaurantday.WaitlistPassedOver) bool { return p.Entry == n && p.For == w.Entry }) {
			d.found(Skipped, at, n, e.Entry, false, fmt.Sprintf("entry %d was seated before entry %d, which stood at the door before it; no reason is on record", e.Entry, n))
		}
	}
}
