package restaurant

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"daybook/domain"
	"daybook/domain/restaurantday"
)

// Command is something asked of a restaurant. The commands of this package are all there
// are. A user who may not manage the restaurant is refused with domain.CodeForbidden; the
// house and the import may do everything.
type Command interface{ restaurantCommand() }

// Register begins a restaurant. It is already so where one with this id and owner exists.
type Register struct {
	Now     domain.Instant
	Actor   domain.Actor
	ID      domain.RestaurantID
	Owner   domain.UserID // a user can only name himself; the import may leave it empty
	Profile Profile
	Zone    *time.Location // what Profile.TimeZone names, nil where there is no such zone
}

// ChangeProfile changes what is not nil. Another time zone is refused with
// domain.CodeZoneInUse while days are open that AcceptZoneChange does not name: their books
// keep the times of the old zone. The refusal names those days, and what they hold.
type ChangeProfile struct {
	Now              domain.Instant
	Actor            domain.Actor
	Changes          ProfileChanges
	Zone             *time.Location // what Changes.TimeZone names, nil where there is no such zone
	OpenDays         []OpenDay      // those there are; looked at only where the zone changes
	AcceptZoneChange []domain.ServiceDate
}

// ProfileChanges are new values for parts of a profile; nil leaves a part as it is. What a
// pointer leads to must not be written to afterwards.
type ProfileChanges struct {
	Name, Cuisine, Address, City, State, Zip *string
	Location                                 *Location
	TimeZone                                 *string
	PriceLevel                               *int
	Features                                 *[]string
	Description, ContactEmail, ContactPhone  *string
}

// SetHours sets the whole week. No shifts mean closed on every day.
type SetHours struct {
	Now         domain.Instant
	Actor       domain.Actor
	Shifts      []Shift // a SlotMinutes of 0 becomes DefaultSlotMinutes
	DayBoundary *int    // minutes after midnight, 0 to 720; nil leaves it as it is
	// SpecialDays are all there are to be from now on; nil leaves them as they are.
	SpecialDays *[]SpecialDay
}

// AddTable puts a table on the floor; a Min of 0 becomes 1. It is already so where the
// very same table is there.
type AddTable struct {
	Now   domain.Instant
	Actor domain.Actor
	Table restaurantday.Table
}

// ChangeTable changes what is not nil.
type ChangeTable struct {
	Now      domain.Instant
	Actor    domain.Actor
	ID       domain.TableID
	Number   *string
	Min, Max *domain.PartySize
	Area     *string
	// OfflineOnly keeps the table for walk-ins and what staff book.
	OfflineOnly *bool
}

// RemoveTable takes a table off the floor, with the combinations it belongs to. It is
// already so where there is no such table.
type RemoveTable struct {
	Now   domain.Instant
	Actor domain.Actor
	ID    domain.TableID
}

// SetPolicy sets the whole booking policy. A WaitlistOfferMinutes of 0 becomes
// restaurantday.DefaultOfferMinutes.
type SetPolicy struct {
	Now            domain.Instant
	Actor          domain.Actor
	Policy         restaurantday.Policy
	KeepAssignment bool // leaves the assignment as it is, whatever Policy says
}

// Publish opens the restaurant for booking. It is already so where it is open.
type Publish struct {
	Now   domain.Instant
	Actor domain.Actor
}

func (Register) restaurantCommand()      {}
func (ChangeProfile) restaurantCommand() {}
func (SetHours) restaurantCommand()      {}
func (AddTable) restaurantCommand()      {}
func (ChangeTable) restaurantCommand()   {}
func (RemoveTable) restaurantCommand()   {}
func (SetPolicy) restaurantCommand()     {}
func (Publish) restaurantCommand()       {}

// Decider returns the restaurant's decider.
func Decider() domain.Decider[State, Command, Event] {
	return domain.Decider[State, Command, Event]{
		Initial: func() State { return State{} },
		Decide:  decide,
		Evolve:  evolve,
	}
}

func decide(s State, c Command) ([]Event, error) {
	if c, ok := c.(Register); ok {
		return s.register(c)
	}
	if !s.Registered() {
		return nil, domain.Reject(domain.CodeNotFound, "no such restaurant")
	}
	switch c := c.(type) {
	case ChangeProfile:
		return s.changeProfile(c)
	case SetHours:
		return s.setHours(c)
	case AddTable:
		return s.addTable(c)
	case ChangeTable:
		return s.changeTable(c)
	case RemoveTable:
		return s.removeTable(c)
	case SetPolicy:
		return s.setPolicy(c)
	case Publish:
		return s.publish(c)
	case SetSpecialDay:
		return s.setSpecialDay(c)
	case RemoveSpecialDay:
		return s.removeSpecialDay(c)
	case AddClosure:
		return s.addClosure(c)
	case RemoveClosure:
		return s.removeClosure(c)
	case AddBlock:
		return s.addBlock(c)
	case RemoveBlock:
		return s.removeBlock(c)
	case AddCombination:
		return s.addCombination(c)
	case RemoveCombination:
		return s.removeCombination(c)
	case DecidePlan:
		return s.decidePlan(c)
	default:
		return s.decideImports(c)
	}
}

// stamp is the restaurant's time for a command given at now. It never goes back, so that
// what was known as of an instant is a prefix of the stream.
func (s State) stamp(now domain.Instant) domain.Stamp {
	return domain.Stamp{At: max(now, s.ChangedAt)}
}

// allow refuses an actor who may not change the restaurant.
func (s State) allow(a domain.Actor) error {
	if a.Kind == domain.ActorSystem || a.Kind == domain.ActorImport || s.MayManage(a.User) {
		return nil
	}
	return domain.Reject(domain.CodeForbidden, "only the restaurant's own people may do that")
}

func (s State) register(c Register) ([]Event, error) {
	house := c.Actor.Kind == domain.ActorSystem || c.Actor.Kind == domain.ActorImport
	if !house && (c.Actor.User == "" || c.Actor.User != c.Owner) {
		return nil, domain.Reject(domain.CodeForbidden, "a restaurant is registered by its owner")
	}
	if s.Registered() {
		if s.ID == c.ID && s.Owner == c.Owner {
			return nil, nil
		}
		return nil, domain.Reject(domain.CodeForbidden, "the restaurant is registered by somebody else")
	}
	if _, err := domain.ParseRestaurantID(string(c.ID)); err != nil {
		return nil, domain.Invalid("restaurant_id", err.Error())
	}
	if c.Owner != "" {
		if _, err := domain.ParseUserID(string(c.Owner)); err != nil {
			return nil, domain.Invalid("owner", err.Error())
		}
	}
	if err := c.Profile.checkZone(c.Zone); err != nil {
		return nil, err
	}
	profile, err := c.Profile.tidied()
	if err != nil {
		return nil, err
	}
	policy := DefaultPolicy()
	if c.Actor.Kind == domain.ActorImport {
		// What was booked elsewhere was promised table by table.
		policy.Assignment = restaurantday.FirstFit
	}
	return []Event{Registered{
		Stamp: s.stamp(c.Now), ID: c.ID, Owner: c.Owner, Profile: profile,
		DayBoundary: DefaultDayBoundary, Policy: policy,
	}}, nil
}

func (s State) changeProfile(c ChangeProfile) ([]Event, error) {
	if err := s.allow(c.Actor); err != nil {
		return nil, err
	}
	changed := c.Changes.apply(s.Profile)
	if c.Changes.TimeZone != nil {
		if err := changed.checkZone(c.Zone); err != nil {
			return nil, err
		}
	}
	profile, err := changed.tidied()
	if err != nil {
		return nil, err
	}
	if profile.equal(s.Profile) {
		return nil, nil
	}
	if profile.TimeZone != s.Profile.TimeZone {
		if err := s.zoneFree(c); err != nil {
			return nil, err
		}
	}
	return []Event{ProfileChanged{Stamp: s.stamp(c.Now), Profile: profile}}, nil
}

func (s State) setHours(c SetHours) ([]Event, error) {
	if err := s.allow(c.Actor); err != nil {
		return nil, err
	}
	boundary := s.DayBoundary
	if c.DayBoundary != nil {
		boundary = *c.DayBoundary
	}
	shifts, err := checkedHours(c.Shifts, boundary)
	if err != nil {
		return nil, err
	}
	if err := s.blocksFit(boundary, c.Now); err != nil {
		return nil, err
	}
	var events []Event
	if boundary != s.DayBoundary || !slices.EqualFunc(shifts, s.Shifts, Shift.equal) {
		events = append(events, HoursSet{Stamp: s.stamp(c.Now), Shifts: shifts, DayBoundary: boundary})
	}
	if c.SpecialDays == nil {
		if err := s.specialDaysFit(boundary, c.Now); err != nil {
			return nil, err
		}
		return events, nil
	}
	days, err := s.setSpecialDays(*c.SpecialDays, boundary, c.Now)
	if err != nil {
		return nil, err
	}
	return append(events, days...), nil
}

func (s State) addTable(c AddTable) ([]Event, error) {
	if err := s.allow(c.Actor); err != nil {
		return nil, err
	}
	if _, err := domain.ParseTableID(string(c.Table.ID)); err != nil {
		return nil, domain.Invalid("table_id", err.Error())
	}
	if c.Table.Min == 0 {
		c.Table.Min = 1
	}
	table, err := checkedTable(c.Table)
	if err != nil {
		return nil, err
	}
	if old, ok := s.Table(table.ID); ok {
		if old == table {
			return nil, nil
		}
		return nil, domain.Invalid("table_id", "there is another table with this id")
	}
	if err := s.numberFree(table); err != nil {
		return nil, err
	}
	if len(s.Tables) >= maxTables {
		return nil, tooMany("tables", "a restaurant has at most %d tables", maxTables, len(s.Tables))
	}
	return []Event{TableAdded{Stamp: s.stamp(c.Now), Table: table}}, nil
}

func (s State) changeTable(c ChangeTable) ([]Event, error) {
	if err := s.allow(c.Actor); err != nil {
		return nil, err
	}
	old, ok := s.Table(c.ID)
	if !ok {
		return nil, domain.Reject(domain.CodeNotFound, "no such table")
	}
	table := old
	set(&table.Number, c.Number)
	set(&table.Min, c.Min)
	set(&table.Max, c.Max)
	set(&table.Area, c.Area)
	set(&table.OfflineOnly, c.OfflineOnly)
	table, err := checkedTable(table)
	if err != nil {
		return nil, err
	}
	if err := s.numberFree(table); err != nil {
		return nil, err
	}
	if table == old {
		return nil, nil
	}
	return []Event{TableChanged{Stamp: s.stamp(c.Now), Table: table}}, nil
}

// numberFree refuses a number that another table has. Cases are not told apart: the floor
// says them aloud.
func (s State) numberFree(table restaurantday.Table) error {
	for _, t := range s.Tables {
		if t.ID != table.ID && strings.EqualFold(t.Number, table.Number) {
			return domain.Reject(domain.CodeTableNumberUsed, fmt.Sprintf("there is a table %s already", t.Number),
				domain.Reason{Rule: "table_number", Blocked: []domain.Block{{Table: t.ID}}})
		}
	}
	return nil
}

func (s State) setPolicy(c SetPolicy) ([]Event, error) {
	if err := s.allow(c.Actor); err != nil {
		return nil, err
	}
	if c.KeepAssignment {
		c.Policy.Assignment = s.Policy.Assignment
	}
	policy, err := checkedPolicy(c.Policy)
	if err != nil {
		return nil, err
	}
	if policy.SameAs(s.Policy) {
		return nil, nil
	}
	return []Event{PolicySet{Stamp: s.stamp(c.Now), Policy: policy}}, nil
}

func (s State) publish(c Publish) ([]Event, error) {
	if err := s.allow(c.Actor); err != nil {
		return nil, err
	}
	if s.Status == StatusOpen {
		return nil, nil
	}
	var missing []domain.Reason
	var names []string
	if len(s.Tables) == 0 {
		missing, names = append(missing, domain.Reason{Rule: "tables", Limit: 1}), append(names, "a table")
	}
	if len(s.Shifts) == 0 {
		missing, names = append(missing, domain.Reason{Rule: "shifts", Limit: 1}), append(names, "a shift")
	}
	if missing != nil {
		return nil, domain.Reject(domain.CodeNotReady, "to take bookings the restaurant still needs "+strings.Join(names, " and "), missing...)
	}
	return []Event{Published{Stamp: s.stamp(c.Now)}}, nil
}
