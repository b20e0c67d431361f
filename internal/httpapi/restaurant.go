package httpapi

import (
	"fmt"

	"daybook/domain"
	"daybook/domain/restaurant"
	"daybook/domain/restaurantday"
)

// Restaurant is a restaurant as every answer shows it.
type Restaurant struct {
	RestaurantID    string    `json:"restaurantId"`
	Status          string    `json:"status" enum:"draft,open"`
	Name            string    `json:"name"`
	Cuisine         string    `json:"cuisine"`
	Address         string    `json:"address"`
	City            string    `json:"city"`
	State           string    `json:"state,omitempty"`
	Zip             string    `json:"zip,omitempty"`
	Location        *Location `json:"location,omitempty"`
	TimeZone        string    `json:"timeZone"`
	PriceLevel      int       `json:"priceLevel,omitempty"`
	Features        []string  `json:"features"`
	Description     string    `json:"description,omitempty"`
	ContactEmail    string    `json:"contactEmail,omitempty"`
	ContactPhone    string    `json:"contactPhone,omitempty"`
	SeatingCapacity int       `json:"seatingCapacity" doc:"covers that can sit at once"`
	DayBoundary     string    `json:"dayBoundary" doc:"local time at which the service date turns"`
	Shifts          []Shift   `json:"shifts"`
	Tables          []Table   `json:"tables"`
	Policy          Policy    `json:"policy"`
	Calendar
	Revision uint64 `json:"revision"`
}

// Location is a position on the globe in degrees.
type Location struct {
	Lat float64 `json:"lat" minimum:"-90" maximum:"90"`
	Lng float64 `json:"lng" minimum:"-180" maximum:"180"`
}

// Shift is a stretch of service. Last seating and closing may be past midnight.
type Shift struct {
	Days        []string `json:"days" minItems:"1" maxItems:"7" doc:"mon, tue, wed, thu, fri, sat, sun"`
	Name        string   `json:"name" minLength:"1" maxLength:"60"`
	Opens       string   `json:"opens" maxLength:"5" doc:"HH:MM"`
	LastSeating string   `json:"lastSeating" maxLength:"5" doc:"HH:MM"`
	Closes      string   `json:"closes" maxLength:"5" doc:"HH:MM"`
	SlotMinutes int      `json:"slotMinutes,omitempty" minimum:"5" maximum:"240" doc:"30 by default"`
	OwnPace
}

// OwnPace is what a shift does otherwise than the policy.
type OwnPace struct {
	TurnMinutes  []TurnTime `json:"turnMinutes,omitempty" maxItems:"20" doc:"the policy's by default"`
	PacingCovers int        `json:"pacingCovers,omitempty" minimum:"0" maximum:"100000" doc:"covers that may start in one slot; 0 for the policy's"`
}

// Table is one table on the floor.
type Table struct {
	TableID     string `json:"tableId"`
	Number      string `json:"number"`
	MinCapacity int    `json:"minCapacity"`
	Capacity    int    `json:"capacity"`
	Area        string `json:"area,omitempty"`
	OfflineOnly bool   `json:"offlineOnly,omitempty" doc:"for walk-ins and what staff book; never promised online"`
}

// Policy is how a restaurant lets itself be booked.
type Policy struct {
	HoldMinutes   int        `json:"holdMinutes" minimum:"1" maximum:"60"`
	HorizonDays   int        `json:"horizonDays" minimum:"0" maximum:"730"`
	NoticeMinutes int        `json:"noticeMinutes" minimum:"0" maximum:"10080"`
	TurnMinutes   []TurnTime `json:"turnMinutes" minItems:"1" maxItems:"20"`
	BufferMinutes int        `json:"bufferMinutes" minimum:"0" maximum:"240"`
	PacingCovers  int        `json:"pacingCovers,omitempty" minimum:"0" maximum:"100000" doc:"covers that may start in one slot; 0 for no limit"`
	CancelMinutes int        `json:"cancelMinutes,omitempty" minimum:"0" maximum:"43200" doc:"a cancellation is free up to so long before the seating, and late after that; 0 for up to the seating"`

	WaitlistOfferMinutes int    `json:"waitlistOfferMinutes,omitempty" minimum:"1" maximum:"120" doc:"how long an offer to the waitlist stands; 10 by default"`
	TableBinding         string `json:"tableBinding,omitempty" enum:"late,first_fit" doc:"late: a party gets its table for good when it is seated, so until then it may be moved to let one more in; first_fit: when it books. Left as it is by default"`
}

// TurnTime is how long parties up to a size keep their table.
type TurnTime struct {
	UpToParty int `json:"upToParty" minimum:"1" maximum:"500"`
	Minutes   int `json:"minutes" minimum:"5" maximum:"720"`
}

// RestaurantOf is the form of a restaurant, for its staff or for everybody: why a table is
// blocked is the restaurant's own business.
func RestaurantOf(r restaurant.State, revision uint64, staff bool) Restaurant {
	p := r.Profile
	f := Restaurant{
		RestaurantID: string(r.ID), Status: string(r.Status), Name: p.Name, Cuisine: p.Cuisine, Address: p.Address,
		City: p.City, State: p.State, Zip: p.Zip, TimeZone: p.TimeZone, PriceLevel: p.PriceLevel,
		Features: append([]string{}, p.Features...), Description: p.Description, ContactEmail: p.ContactEmail,
		ContactPhone: p.ContactPhone, DayBoundary: domain.FormatClock(r.DayBoundary),
		Shifts: make([]Shift, len(r.Shifts)), Tables: make([]Table, len(r.Tables)), Policy: policyOf(r.Policy), Revision: revision,
		Calendar: calendarOf(r, staff),
	}
	if p.Location != nil {
		f.Location = &Location{Lat: p.Location.Lat, Lng: p.Location.Lng}
	}
	for i, s := range r.Shifts {
		f.Shifts[i] = Shift{
			Days: s.Days.Names(), Name: s.Name, Opens: domain.FormatClock(s.Opens),
			LastSeating: domain.FormatClock(s.LastSeating), Closes: domain.FormatClock(s.Closes), SlotMinutes: s.SlotMinutes,
			OwnPace: paceOf(s),
		}
	}
	for i, t := range r.Tables {
		f.Tables[i] = Table{TableID: string(t.ID), Number: t.Number, MinCapacity: int(t.Min), Capacity: int(t.Max), Area: t.Area, OfflineOnly: t.OfflineOnly}
		f.SeatingCapacity += int(t.Max)
	}
	return f
}

func policyOf(p restaurantday.Policy) Policy {
	f := Policy{
		HoldMinutes: p.HoldMinutes, HorizonDays: p.HorizonDays, NoticeMinutes: p.NoticeMinutes,
		BufferMinutes: p.BufferMinutes, PacingCovers: p.PacingCovers, TurnMinutes: turnsOf(p.Turns),
		CancelMinutes: p.CancelMinutes, WaitlistOfferMinutes: p.OfferMinutes(), TableBinding: bindingFirstFit,
	}
	if p.Assignment == restaurantday.LateBinding {
		f.TableBinding = bindingLate
	}
	return f
}

// The names of assignments outside.
const (
	bindingLate     = "late"
	bindingFirstFit = "first_fit"
)

func turnsOf(turns []restaurantday.TurnTime) []TurnTime {
	f := make([]TurnTime, len(turns))
	for i, t := range turns {
		f[i] = TurnTime{UpToParty: int(t.UpToParty), Minutes: t.Minutes}
	}
	return f
}

func turns(forms []TurnTime) []restaurantday.TurnTime {
	if len(forms) == 0 {
		return nil
	}
	list := make([]restaurantday.TurnTime, len(forms))
	for i, t := range forms {
		list[i] = restaurantday.TurnTime{UpToParty: domain.PartySize(t.UpToParty), Minutes: t.Minutes}
	}
	return list
}

func paceOf(s restaurant.Shift) OwnPace {
	if len(s.Turns) == 0 {
		return OwnPace{PacingCovers: s.PacingCovers}
	}
	return OwnPace{TurnMinutes: turnsOf(s.Turns), PacingCovers: s.PacingCovers}
}

// Domain is the policy a form asks for; the restaurant's own rules judge it. One that does
// not say how tables are bound asks for first fit: see Binds.
func (f Policy) Domain() restaurantday.Policy {
	p := restaurantday.Policy{
		HoldMinutes: f.HoldMinutes, HorizonDays: f.HorizonDays, NoticeMinutes: f.NoticeMinutes,
		BufferMinutes: f.BufferMinutes, PacingCovers: f.PacingCovers, Turns: turns(f.TurnMinutes),
		CancelMinutes: f.CancelMinutes, WaitlistOfferMinutes: f.WaitlistOfferMinutes,
	}
	if f.TableBinding == bindingLate {
		p.Assignment = restaurantday.LateBinding
	}
	return p
}

// Binds reports whether the form says how tables are bound.
func (f Policy) Binds() bool { return f.TableBinding != "" }

// Domain is the shift a form asks for.
func (f Shift) Domain() (s restaurant.Shift, err error) {
	days, err := restaurant.ParseWeekdays(f.Days)
	if err != nil {
		return s, fmt.Errorf("days: %w", err)
	}
	s, err = DayShift{f.Name, f.Opens, f.LastSeating, f.Closes, f.SlotMinutes, f.OwnPace}.Domain()
	s.Days = days
	return s, err
}

// Domain is the shift a form asks for, on no day of the week.
func (f DayShift) Domain() (s restaurant.Shift, err error) {
	s.Name, s.SlotMinutes, s.Turns, s.PacingCovers = f.Name, f.SlotMinutes, turns(f.TurnMinutes), f.PacingCovers
	if s.Opens, err = domain.ParseClock(f.Opens); err != nil {
		return s, fmt.Errorf("opens: %w", err)
	}
	if s.LastSeating, err = domain.ParseClock(f.LastSeating); err != nil {
		return s, fmt.Errorf("lastSeating: %w", err)
	}
	if s.Closes, err = domain.ParseClock(f.Closes); err != nil {
		return s, fmt.Errorf("closes: %w", err)
	}
	return s, nil
}
