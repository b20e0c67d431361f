package reporting

import (
	"encoding/json"

	"daybook/domain"
	"daybook/domain/restaurant"
	"daybook/domain/restaurantday"
	"daybook/eventstore"
	"daybook/eventstore/codec"
)

// entry is one line of the audit: who changed what, when and why, how it was before and how
// it is since. Nothing personal is in it but the opaque id of the actor and the diner.
type entry struct {
	record        eventstore.Record
	meta          codec.Metadata
	restaurant    domain.RestaurantID // empty for a change of an account
	account       domain.UserID       // whose account changed; empty for none
	date          domain.ServiceDate  // 0 for a change of the restaurant itself
	reservation   domain.ReservationID
	waits         domain.WaitlistID
	reason        string // why, as a word of this program
	reasonGiven   bool   // somebody also said why, in words that stand in the event
	before, after any    // nil, or what marshals to an object
}

// becauseOf is why a process acts, where its event names no reason of its own.
var becauseOf = map[string]string{"moves": "move", "plan-rollout": "plan_changed"}

func (c *changes) entry(e entry) {
	var date, command any
	if e.date != 0 {
		date = e.date.String()
	}
	m := e.meta
	if e.reason == "" {
		e.reason = becauseOf[m.Process]
	}
	if m.CommandID != ([16]byte{}) {
		command = eventstore.EventID(m.CommandID).String()
	}
	c.audit.put(e.record.Position, true,
		int64(e.record.Position), e.record.ID.String(), string(e.record.Stream), int64(e.record.Revision), orNull(e.restaurant),
		orNull(e.account), date, orNull(e.reservation), orNull(e.waits), e.record.Type, string(m.Actor.Kind), orNull(m.Actor.User),
		orNull(m.Role), orNull(m.APIKey), orNull(m.Process), int64(m.DecidedAt), e.record.Recorded.UnixMilli(), command,
		orNull(m.RequestID), orNull(m.Cause), orNull(m.CorrelationID()), orNull(e.reason), e.reasonGiven, snapshot(e.before), snapshot(e.after))
}

// snapshot writes what an event changed as JSON, in the words of the HTTP contract.
func snapshot(v any) any {
	if v == nil {
		return nil
	}
	if r, ok := v.(reservationSnapshot); ok { // spares the check of what was just written
		b, _ := r.MarshalJSON()
		return string(b)
	}
	b, err := json.Marshal(v)
	if err != nil {
		// Only values of this file come here, and all of them can be written.
		panic("reporting: snapshot: " + err.Error())
	}
	return string(b)
}

// appendText writes a JSON string. All texts of a snapshot are plain, but an event can hold
// anything.
func appendText(b []byte, text string) []byte {
	for _, c := range []byte(text) {
		if c < ' ' || c > '~' || c == '"' || c == '\\' {
			quoted, err := json.Marshal(text)
			if err != nil {
				panic("reporting: a string that is no JSON: " + err.Error()) // there is none
			}
			return append(b, quoted...)
		}
	}
	return append(append(append(b, '"'), text...), '"')
}

func appendInstant(b []byte, i domain.Instant) []byte {
	return append(i.Time().AppendFormat(append(b, '"'), "2006-01-02T15:04:05.000Z07:00"), '"')
}

// planSnapshot sums up the plan a day was opened with; the plan itself stands in the event.
type planSnapshot struct {
	PlanRevision uint64         `json:"planRevision"`
	TimeZone     string         `json:"timeZone"`
	Tables       int            `json:"tables"`
	Seats        int            `json:"seats"`
	Slots        int            `json:"slots"`
	FirstSlot    string         `json:"firstSlot,omitempty"`
	LastSlot     string         `json:"lastSlot,omitempty"`
	BookableFrom domain.Instant `json:"bookableFrom"`
	Combinations int            `json:"combinations,omitempty"`
	Blocks       int            `json:"blocks,omitempty"`
	Closure      string         `json:"closure,omitempty"`
	Change       string         `json:"change,omitempty"` // of the restaurant, which made the plan so
	Kept         []uint32       `json:"kept,omitempty"`   // the entries that stay though it would not have them
	// Settled is what became of each entry that the change touched.
	Settled []settledSnapshot `json:"settled,omitempty"`
}

func planSnapshotOf(p *restaurantday.Plan) planSnapshot {
	s := planSnapshot{
		PlanRevision: p.Revision, TimeZone: p.Zone, Tables: len(p.Tables), Seats: seatsOf(p.Tables), Slots: len(p.Slots),
		BookableFrom: p.BookableFrom, Combinations: len(p.Combinations), Blocks: len(p.Blocks), Closure: p.Closure,
	}
	if n := len(p.Slots); n > 0 {
		s.FirstSlot, s.LastSlot = p.Slots[0].Time, p.Slots[n-1].Time
	}
	return s
}

func seatsOf(tables []restaurantday.Table) (seats int) {
	for _, t := range tables {
		seats += int(t.Max)
	}
	return seats
}

// restaurantSnapshots are the parts of a restaurant that an event changed.
func restaurantSnapshots(e restaurant.Event, before, after restaurant.State) (was, is any) {
	switch e := e.(type) {
	case restaurant.Registered:
		return nil, registeredSnapshot{
			Status: string(after.Status), Owner: after.Owner, Profile: profileSnapshotOf(after.Profile),
			DayBoundary: domain.FormatClock(after.DayBoundary), Policy: policySnapshotOf(after.Policy),
		}
	case restaurant.ProfileChanged:
		return profileSnapshotOf(before.Profile), profileSnapshotOf(after.Profile)
	case restaurant.HoursSet:
		return hoursSnapshotOf(before), hoursSnapshotOf(after)
	case restaurant.TableAdded:
		return tableSnapshotOf(before, e.Table.ID), tableSnapshotOf(after, e.Table.ID)
	case restaurant.TableChanged:
		return tableSnapshotOf(before, e.Table.ID), tableSnapshotOf(after, e.Table.ID)
	case restaurant.TableRemoved:
		return tableSnapshotOf(before, e.ID), tableSnapshotOf(after, e.ID)
	case restaurant.PolicySet:
		return policySnapshotOf(before.Policy), policySnapshotOf(after.Policy)
	case restaurant.SpecialDaySet:
		return specialDaySnapshotOf(before, e.Day.Date), specialDaySnapshotOf(after, e.Day.Date)
	case restaurant.SpecialDayRemoved:
		return specialDaySnapshotOf(before, e.Date), specialDaySnapshotOf(after, e.Date)
	case restaurant.ClosureAdded:
		return closureSnapshotOf(before, e.Closure.ID), closureSnapshotOf(after, e.Closure.ID)
	case restaurant.ClosureRemoved:
		return closureSnapshotOf(before, e.ID), closureSnapshotOf(after, e.ID)
	case restaurant.BlockAdded:
		return blockSnapshotOf(before, e.Block.ID), blockSnapshotOf(after, e.Block.ID)
	case restaurant.BlockRemoved:
		return blockSnapshotOf(before, e.ID), blockSnapshotOf(after, e.ID)
	case restaurant.CombinationAdded:
		return combinationSnapshotOf(before, e.Combination.ID), combinationSnapshotOf(after, e.Combination.ID)
	case restaurant.CombinationRemoved:
		return combinationSnapshotOf(before, e.ID), combinationSnapshotOf(after, e.ID)
	case restaurant.BookingDecided:
		return nil, decisionSnapshotOf(e)
	case restaurant.PlanDecided:
		return nil, planDecisionSnapshotOf(e)
	case restaurant.ImportBegun:
		return importSnapshotOf(before, e.Batch), importSnapshotOf(after, e.Batch)
	case restaurant.ImportEnded:
		return importSnapshotOf(before, e.Batch), importSnapshotOf(after, e.Batch)
	case restaurant.ImportUndoBegun:
		return importSnapshotOf(before, e.Batch), importSnapshotOf(after, e.Batch)
	case restaurant.ImportUndone:
		return importSnapshotOf(before, e.Batch), importSnapshotOf(after, e.Batch)
	case restaurant.Published:
		return statusSnapshot{string(before.Status)}, statusSnapshot{string(after.Status)}
	}
	return nil, nil
}

type registeredSnapshot struct {
	Status      string          `json:"status"`
	Owner       domain.UserID   `json:"ownerId,omitempty"`
	Profile     profileSnapshot `json:"profile"`
	DayBoundary string          `json:"dayBoundary"`
	Policy      policySnapshot  `json:"policy"`
}

type statusSnapshot struct {
	Status string `json:"status"`
}

// profileSnapshot is all of a profile: it is what the restaurant shows to everybody.
type profileSnapshot struct {
	Name         string            `json:"name"`
	Cuisine      string            `json:"cuisine,omitempty"`
	Address      string            `json:"address,omitempty"`
	City         string            `json:"city,omitempty"`
	State        string            `json:"state,omitempty"`
	Zip          string            `json:"zip,omitempty"`
	Location     *locationSnapshot `json:"location,omitempty"`
	TimeZone     string            `json:"timeZone"`
	PriceLevel   int               `json:"priceLevel,omitempty"`
	Features     []string          `json:"features,omitempty"`
	Description  string            `json:"description,omitempty"`
	ContactEmail string            `json:"contactEmail,omitempty"`
	ContactPhone string            `json:"contactPhone,omitempty"`
}

type locationSnapshot struct {
	Lat float64 `json:"lat"`
	Lng float64 `json:"lng"`
}

func profileSnapshotOf(p restaurant.Profile) profileSnapshot {
	return profileSnapshot{
		Name: p.Name, Cuisine: p.Cuisine, Address: p.Address, City: p.City, State: p.State, Zip: p.Zip,
		Location: (*locationSnapshot)(p.Location), TimeZone: p.TimeZone, PriceLevel: p.PriceLevel, Features: p.Features,
		Description: p.Description, ContactEmail: p.ContactEmail, ContactPhone: p.ContactPhone,
	}
}

type hoursSnapshot struct {
	Shifts      []shiftSnapshot `json:"shifts"`
	DayBoundary string          `json:"dayBoundary"`
}

type shiftSnapshot struct {
	Days         []string       `json:"days,omitempty"` // none for a shift of one date
	Name         string         `json:"name,omitempty"`
	Opens        string         `json:"opens"`
	LastSeating  string         `json:"lastSeating"`
	Closes       string         `json:"closes"`
	SlotMinutes  int            `json:"slotMinutes"`
	Turns        []turnSnapshot `json:"turnMinutes,omitempty"`
	PacingCovers int            `json:"pacingCovers,omitempty"`
}

func shiftSnapshotOf(s restaurant.Shift) shiftSnapshot {
	return shiftSnapshot{
		Days: s.Days.Names(), Name: s.Name, Opens: domain.FormatClock(s.Opens),
		LastSeating: domain.FormatClock(s.LastSeating), Closes: domain.FormatClock(s.Closes), SlotMinutes: s.SlotMinutes,
		Turns: turnSnapshotsOf(s.Turns), PacingCovers: s.PacingCovers,
	}
}

func hoursSnapshotOf(s restaurant.State) hoursSnapshot {
	h := hoursSnapshot{Shifts: make([]shiftSnapshot, len(s.Shifts)), DayBoundary: domain.FormatClock(s.DayBoundary)}
	for i, shift := range s.Shifts {
		h.Shifts[i] = shiftSnapshotOf(shift)
	}
	return h
}

type tableSnapshot struct {
	ID          domain.TableID   `json:"tableId"`
	Number      string           `json:"number"`
	Min         domain.PartySize `json:"minCapacity"`
	Max         domain.PartySize `json:"capacity"`
	Area        string           `json:"area,omitempty"`
	OfflineOnly bool             `json:"offlineOnly,omitempty"`
}

// tableSnapshotOf is nil where there is no such table.
func tableSnapshotOf(s restaurant.State, id domain.TableID) any {
	t, ok := s.Table(id)
	if !ok {
		return nil
	}
	return tableSnapshot{ID: t.ID, Number: t.Number, Min: t.Min, Max: t.Max, Area: t.Area, OfflineOnly: t.OfflineOnly}
}

type policySnapshot struct {
	HoldMinutes   int            `json:"holdMinutes"`
	HorizonDays   int            `json:"horizonDays"`
	NoticeMinutes int            `json:"noticeMinutes"`
	BufferMinutes int            `json:"bufferMinutes"`
	PacingCovers  int            `json:"pacingCovers,omitempty"`
	Turns         []turnSnapshot `json:"turnMinutes"`

	CancelMinutes        int    `json:"cancelMinutes,omitempty"`
	WaitlistOfferMinutes int    `json:"waitlistOfferMinutes"`
	TableBinding         string `json:"tableBinding"`
}

type turnSnapshot struct {
	UpToParty domain.PartySize `json:"upToParty"`
	Minutes   int              `json:"minutes"`
}

func turnSnapshotsOf(turns []restaurantday.TurnTime) []turnSnapshot {
	s := make([]turnSnapshot, len(turns))
	for i, t := range turns {
		s[i] = turnSnapshot(t)
	}
	return s
}

func policySnapshotOf(p restaurantday.Policy) policySnapshot {
	s := policySnapshot{
		HoldMinutes: p.HoldMinutes, HorizonDays: p.HorizonDays, NoticeMinutes: p.NoticeMinutes, BufferMinutes: p.BufferMinutes,
		PacingCovers: p.PacingCovers, Turns: turnSnapshotsOf(p.Turns),
		CancelMinutes: p.CancelMinutes, WaitlistOfferMinutes: p.OfferMinutes(), TableBinding: "first_fit",
	}
	if p.Assignment == restaurantday.LateBinding {
		s.TableBinding = "late"
	}
	return s
}
