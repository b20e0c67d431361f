package whatif

import (
	"slices"
	"strconv"
	"testing"

	"pgregory.net/rapid"

	"daybook/domain"
	"daybook/domain/restaurant"
	"daybook/domain/restaurantday"
)

// evening draws a history: everything that can be asked of two days, by clocks that go on.
type evening struct {
	*town
	t     *rapid.T
	now   domain.Instant
	moves int
}

var minute = domain.Instant(60_000)

func anyPolicy(t *rapid.T) restaurantday.Policy {
	p := policy()
	p.Assignment = rapid.SampledFrom([]restaurantday.Assignment{restaurantday.FirstFit, restaurantday.LateBinding}).Draw(t, "assignment")
	p.BufferMinutes = rapid.SampledFrom([]int{0, 10}).Draw(t, "buffer")
	p.PacingCovers = rapid.SampledFrom([]int{0, 8}).Draw(t, "pacing")
	p.NoticeMinutes = rapid.SampledFrom([]int{0, 60}).Draw(t, "notice")
	return p
}

// anyHistory fills the ledger.
func anyHistory(t *rapid.T, tb testing.TB) *town {
	w := &evening{town: opened(tb, anyPolicy(t)), t: t}
	if rapid.Bool().Draw(t, "small") {
		for _, n := range []byte{2, 4} {
			must(tb, w.run(restaurant.RemoveTable{Now: 1, Actor: domain.Staff(owner), ID: domain.NewTableID([16]byte{n})}))
		}
	}
	w.now = w.at(friday, 18, 0) - rapid.SampledFrom([]domain.Instant{0, 60, 600, 24 * 60}).Draw(t, "begin")*minute
	for range rapid.IntRange(10, 70).Draw(t, "commands") {
		w.now += rapid.SampledFrom([]domain.Instant{0, 0, 1, 5, 20}).Draw(t, "step") * minute
		if err := w.step(); err != nil {
			t.Fatal(err)
		}
	}
	return w.town
}

func (w *evening) step() error {
	t := w.t
	date := friday + domain.ServiceDate(rapid.SampledFrom([]int{0, 0, 0, 1}).Draw(t, "date"))
	staff := domain.Staff(owner)
	someone := rapid.SampledFrom(diner[:]).Draw(t, "diner")
	who := rapid.SampledFrom([]domain.Actor{staff, staff, domain.Diner(someone), domain.Diner(someone), domain.System()}).Draw(t, "who")
	s := w.days[date]
	number := uint32(max(1, s.Reservations()-rapid.IntRange(0, 6).Draw(t, "back")))
	what := rapid.SampledFrom([]string{
		"book", "book", "book", "book", "book", "book", "on entry", "on entry", "on entry", "on entry", "walk in", "join", "join", "join", "join", "waiter", "lapse", "move",
		"restaurant", "undo", "fact", "withdraw", "open",
	}).Draw(t, "what")
	var c restaurantday.Command
	id := w.id()
	switch what {
	case "book":
		c = w.hold(date, who, someone)
	case "walk in":
		c = w.walkIn(date, who)
	case "join":
		c = w.join(date, who, someone)
	case "waiter":
		entry := uint32(max(1, s.WaitlistEntries()-rapid.IntRange(0, 3).Draw(t, "entry")))
		if c = restaurantday.Command(restaurantday.LeaveWaitlist{Now: w.now, Actor: who, Entry: entry}); rapid.Bool().Draw(t, "accepts") {
			c = restaurantday.AcceptOffer{Now: w.now, Actor: who, Entry: entry}
		}
	case "lapse":
		c, id, who = restaurantday.Lapse{Now: w.now}, [16]byte{}, domain.System()
	case "move":
		return w.move(date, number, who)
	case "restaurant":
		return w.change()
	case "undo":
		c = restaurantday.Undo{Now: w.now, Actor: who}
	case "fact":
		c, who = w.fact(date), domain.Importer()
	case "withdraw":
		who = staff
		c = restaurantday.Withdraw{Now: w.now, Actor: who, Batch: "b", Force: rapid.Bool().Draw(t, "force")}
	case "open":
		c, id, who = *w.opening(date, w.now), [16]byte{}, domain.System()
	default:
		c = w.onEntry(date, number, who)
	}
	_, err := w.do(date, id, who, c)
	return refusalOrError(err)
}

func refusalOrError(err error) error {
	if _, ok := domain.Rejected(err); ok {
		return nil
	}
	return err
}

func (w *evening) party() domain.PartySize {
	return domain.PartySize(rapid.IntRange(1, 9).Draw(w.t, "party"))
}

func (w *evening) slot(date domain.ServiceDate) domain.Instant {
	return w.at(date, 18, 0) + domain.Instant(rapid.IntRange(-1, 7).Draw(w.t, "slot"))*30*minute
}

func (w *evening) wish() restaurantday.Wish {
	return rapid.SampledFrom([]restaurantday.Wish{
		{}, {}, {}, {Area: "terrace"}, {Table: domain.NewTableID([16]byte{3})}, {Area: "roof"},
	}).Draw(w.t, "wish")
}

func (w *evening) table() []domain.TableID {
	return []domain.TableID{domain.NewTableID([16]byte{byte(rapid.IntRange(1, 4).Draw(w.t, "table"))})}
}

func (w *evening) override(who domain.Actor) restaurantday.Override {
	if who.Kind != domain.ActorStaff {
		return restaurantday.Override{}
	}
	return rapid.SampledFrom([]restaurantday.Override{
		{}, {}, {}, {Rule: domain.CodePacingFull, Reason: "friends"}, {Rule: domain.CodeOutsideHours, Reason: "friends"}, {Rule: domain.CodeTooSoon, Reason: "friends"},
	}).Draw(w.t, "override")
}

func (w *evening) details() restaurantday.Details {
	return rapid.SampledFrom([]restaurantday.Details{
		{}, {Notes: "by the window"}, {Guest: restaurantday.Guest{Name: "Greta"}, Occasion: "birthday"},
	}).Draw(w.t, "details")
}

func (w *evening) hold(date domain.ServiceDate, who domain.Actor, someone domain.UserID) restaurantday.Hold {
	h := restaurantday.Hold{
		Now: w.now, Opening: w.opening(date, w.now), Actor: who, Diner: someone, Party: w.party(), StartsAt: w.slot(date), Wish: w.wish(),
		Confirm: rapid.Bool().Draw(w.t, "confirm"), Code: "ABCD2345", Details: w.details(), Override: w.override(who),
	}
	if rapid.IntRange(0, 3).Draw(w.t, "by time") == 0 {
		h.StartsAt, h.Time = 0, rapid.SampledFrom([]string{"18:30", "20:00", "20:10", "23:30"}).Draw(w.t, "time")
	}
	return h
}

func (w *evening) walkIn(date domain.ServiceDate, who domain.Actor) restaurantday.WalkIn {
	c := restaurantday.WalkIn{
		Now: w.now, Opening: w.opening(date, w.now), Actor: who, Party: w.party(), Wish: w.wish(), Override: w.override(who), Details: w.details(),
	}
	if rapid.IntRange(0, 3).Draw(w.t, "chosen") == 0 {
		c.Tables = w.table()
	}
	s := w.days[date]
	for n := uint32(1); int(n) <= s.WaitlistEntries(); n++ {
		if e, _ := s.WaitlistEntry(n); e.Status == restaurantday.WaitlistWaiting && rapid.Bool().Draw(w.t, "who waits") {
			c.Entry, c.Party = n, 0
		}
	}
	return c
}

func (w *evening) join(date domain.ServiceDate, who domain.Actor, someone domain.UserID) restaurantday.JoinWaitlist {
	from := w.slot(date)
	return restaurantday.JoinWaitlist{
		Now: w.now, Opening: w.opening(date, w.now), Actor: who, Diner: someone, Party: w.party(), From: from,
		To: from + domain.Instant(rapid.IntRange(0, 7).Draw(w.t, "half hours"))*30*minute, Wish: w.wish(), Details: w.details(),
		WalkIn: who.Kind == domain.ActorStaff && rapid.Bool().Draw(w.t, "at the door"),
	}
}

func (w *evening) fact(date domain.ServiceDate) restaurantday.Record {
	f := restaurantday.Record{
		Now: w.now, Opening: w.opening(date, w.now), Actor: domain.Importer(), Party: w.party(), StartsAt: w.slot(date), Time: "18:00",
		Fact:    restaurantday.Fact{Batch: "b", Run: 1, Source: "old", External: strconv.Itoa(rapid.IntRange(1, 20).Draw(w.t, "external")), Digest: "d"},
		Status:  rapid.SampledFrom([]restaurantday.Status{"confirmed", "confirmed", "seated", "completed", "cancelled", "no_show"}).Draw(w.t, "status"),
		Minutes: rapid.SampledFrom([]int{0, 45, 120}).Draw(w.t, "minutes"), Details: w.details(),
	}
	if rapid.Bool().Draw(w.t, "named") {
		f.Fact.Named = []string{strconv.Itoa(rapid.IntRange(1, 5).Draw(w.t, "number"))}
	}
	return f
}

// onEntry is something done to an entry of the book.
func (w *evening) onEntry(date domain.ServiceDate, number uint32, who domain.Actor) restaurantday.Command {
	switch rapid.SampledFrom([]string{
		"confirm", "confirm", "cancel", "amend", "amend", "tables", "pin", "seat", "seat", "complete", "complete", "no-show", "reinstate",
	}).Draw(w.t, "does") {
	case "confirm":
		return restaurantday.Confirm{Now: w.now, Actor: who, Number: number}
	case "cancel":
		return restaurantday.Cancel{Now: w.now, Actor: who, Number: number, Reason: "ill"}
	case "amend":
		c := restaurantday.Amend{Now: w.now, Actor: who, Number: number, Override: w.override(who)}
		if rapid.Bool().Draw(w.t, "larger") {
			c.Party = w.party()
		}
		if rapid.Bool().Draw(w.t, "later") {
			c.StartsAt = w.slot(date)
		}
		if rapid.IntRange(0, 2).Draw(w.t, "elsewhere") == 0 {
			area := "terrace"
			c.Wish.Area = &area
		}
		if rapid.Bool().Draw(w.t, "tells") {
			notes := "note " + strconv.Itoa(rapid.IntRange(1, 3).Draw(w.t, "note"))
			c.Details.Notes = &notes
		}
		return c
	case "tables":
		return restaurantday.MoveTable{Now: w.now, Actor: who, Number: number, Tables: w.table()}
	case "pin":
		return restaurantday.Pin{Now: w.now, Actor: who, Number: number, Off: rapid.Bool().Draw(w.t, "off")}
	case "seat":
		c := restaurantday.Seat{Now: w.now, Actor: who, Number: number, Covers: domain.PartySize(rapid.IntRange(0, 2).Draw(w.t, "covers"))}
		if rapid.IntRange(0, 3).Draw(w.t, "elsewhere") == 0 {
			c.Tables = w.table()
		}
		return c
	case "complete":
		return restaurantday.Complete{Now: w.now, Actor: who, Number: number}
	case "no-show":
		return restaurantday.MarkNoShow{Now: w.now, Actor: who, Number: number}
	}
	return restaurantday.Reinstate{Now: w.now, Actor: who, Number: number, Override: w.override(who)}
}

// move moves a reservation to the other day, as far as it goes.
func (w *evening) move(date domain.ServiceDate, number uint32, who domain.Actor) error {
	to := 2*friday + 1 - date
	w.moves++
	name := "move " + strconv.Itoa(w.moves)
	party := domain.PartySize(rapid.SampledFrom([]int{0, 2, 9}).Draw(w.t, "as many"))
	if _, err := w.do(date, w.id(), who, restaurantday.StartMove{Now: w.now, Actor: who, Number: number, To: to, Move: name, Party: party}); err != nil {
		return refusalOrError(err)
	}
	old, ok := w.days[date].Reservation(number)
	if !ok || old.Moving.Move != name || rapid.IntRange(0, 3).Draw(w.t, "gives up") == 0 {
		return nil
	}
	system := domain.System()
	events, err := w.do(to, w.id(), system, restaurantday.Hold{
		Now: w.now, Opening: w.opening(to, w.now), Actor: system, Diner: old.Diner, Party: old.Moving.Party, Time: old.Moving.Time, StartsAt: old.Moving.StartsAt,
		Code: old.Code, MovedFrom: domain.NewReservationID(inn, date, number),
	})
	if no, ok := domain.Rejected(err); ok {
		_, err := w.do(date, [16]byte{}, system, restaurantday.AbortMove{Now: w.now, Actor: system, Number: number, Move: name, Reason: no.Code})
		return refusalOrError(err)
	}
	if err != nil {
		return err
	}
	there := ownNumber(events)
	if rapid.Bool().Draw(w.t, "slow") {
		if _, err := w.do(to, [16]byte{}, system, restaurantday.ExtendHold{Now: w.now, Actor: system, Number: there, Until: w.now + 20*minute}); err != nil {
			return refusalOrError(err)
		}
	}
	if _, err := w.do(to, [16]byte{}, system, restaurantday.Confirm{Now: w.now, Actor: system, Number: there}); err != nil {
		return refusalOrError(err)
	}
	_, err = w.do(date, [16]byte{}, system, restaurantday.FinishMove{
		Now: w.now, Actor: system, Number: number, Move: name, To: domain.NewReservationID(inn, to, there),
	})
	return refusalOrError(err)
}

// change changes the restaurant, and brings the change to the days that are open, or leaves
// that for later.
func (w *evening) change() error {
	by := domain.Staff(owner)
	p := w.inn.Policy
	var c restaurant.Command
	switch rapid.SampledFrom([]string{"policy", "table", "offline", "block", "hours"}).Draw(w.t, "changes") {
	case "policy":
		p.PacingCovers = rapid.IntRange(0, 12).Draw(w.t, "covers")
		p.HoldMinutes = rapid.IntRange(1, 20).Draw(w.t, "minutes")
		c = restaurant.SetPolicy{Now: w.now, Actor: by, Policy: p}
	case "table":
		c = restaurant.RemoveTable{Now: w.now, Actor: by, ID: w.table()[0]}
		if len(w.inn.Tables) < 3 {
			return nil
		}
	case "offline":
		off := rapid.Bool().Draw(w.t, "offline")
		c = restaurant.ChangeTable{Now: w.now, Actor: by, ID: w.table()[0], OfflineOnly: &off}
	case "block":
		c = restaurant.AddBlock{Now: w.now, Actor: by, Block: restaurant.Block{
			ID: domain.NewBlockID(w.id()), Date: friday, From: 19 * 60, To: 20 * 60, Tables: w.table(),
		}}
	default:
		last := 20*60 + 30*rapid.IntRange(0, 4).Draw(w.t, "last")
		c = restaurant.SetHours{Now: w.now, Actor: by, Shifts: []restaurant.Shift{
			{Days: restaurant.EveryDay, Name: "dinner", Opens: 18 * 60, LastSeating: last, Closes: 23 * 60, SlotMinutes: 30},
		}}
	}
	if err := w.run(c); err != nil || rapid.IntRange(0, 3).Draw(w.t, "later") == 0 {
		return nil //nolint:nilerr // a change that is refused is none
	}
	standard := rapid.SampledFrom([]restaurantday.Resolution{restaurantday.Keep, restaurantday.Relocate, restaurantday.CallOff, ""}).Draw(w.t, "default")
	for _, date := range []domain.ServiceDate{friday, friday + 1} {
		plan, system := w.plan(date), domain.System()
		change := strconv.FormatUint(plan.Revision, 10)
		if rapid.Bool().Draw(w.t, "fences") {
			if _, err := w.do(date, [16]byte{}, system, restaurantday.FencePlan{Now: w.now, Actor: system, Change: change, Plan: plan}); err != nil {
				return refusalOrError(err)
			}
			if rapid.Bool().Draw(w.t, "and no more") {
				continue
			}
		}
		if _, err := w.do(date, [16]byte{}, system, restaurantday.ChangePlan{
			Now: w.now, Actor: system, Change: change, Plan: plan, Default: standard, Binding: true,
		}); err != nil {
			return refusalOrError(err)
		}
	}
	return nil
}

// types are the names of the events in a history.
func (w *town) types() []string {
	var all []string
	for _, records := range w.streams {
		for _, r := range records {
			if !slices.Contains(all, r.Type) {
				all = append(all, r.Type)
			}
		}
	}
	slices.Sort(all)
	return all
}
