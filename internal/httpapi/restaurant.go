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
	Revision        uint64    `json:"revision"`
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
}

// Table is one table on the floor.
type Table struct {
	TableID     string `json:"tableId"`
	Number      string `json:"number"`
	MinCapacity int    `json:"minCapacity"`
	Capacity    int    `json:"capacity"`
	Area        string `json:"area,omitempty"`
}

// Policy is how a restaurant lets itself be booked.
type Policy struct {
	HoldMinutes   int        `json:"holdMinutes" minimum:"1" maximum:"60"`
	HorizonDays   int        `json:"horizonDays" minimum:"0" maximum:"730"`
	NoticeMinutes int        `json:"noticeMinutes" minimum:"0" maximum:"10080"`
	TurnMinutes   []TurnTime `json:"turnMinutes" minItems:"1" maxItems:"20"`
	BufferMinutes int        `json:"bufferMinutes" minimum:"0" maximum:"240"`
	PacingCovers  int        `json:"pacingCovers,omitempty" minimum:"0" maximum:"100000" doc:"covers that may start in one slot; 0 for no limit"`
}

// TurnTime is how long parties up to a size keep their table.
type TurnTime struct {
	UpToParty int `json:"upToParty" minimum:"1" maximum:"500"`
	Minutes   int `json:"minutes" minimum:"5" maximum:"720"`
}

// RestaurantOf is the form of a restaurant.
func RestaurantOf(r restaurant.State, revision uint64) Restaurant {
	p := r.Profile
	f := Restaurant{
		RestaurantID: string(r.ID), Status: string(r.Status), Name: p.Name, Cuisine: p.Cuisine, Address: p.Address,
		City: p.City, State: p.State, Zip: p.Zip, TimeZone: p.TimeZone, PriceLevel: p.PriceLevel,
		Features: append([]string{}, p.Features...), Description: p.Description, ContactEmail: p.ContactEmail,
		ContactPhone: p.ContactPhone, DayBoundary: domain.FormatClock(r.DayBoundary),
		Shifts: make([]Shift, len(r.Shifts)), Tables: make([]Table, len(r.Tables)), Policy: policyOf(r.Policy), Revision: revision,
	}
	if p.Location != nil {
		f.Location = &Location{Lat: p.Location.Lat, Lng: p.Location.Lng}
	}
	for i, s := range r.Shifts {
		f.Shifts[i] = Shift{
			Days: s.Days.Names(), Name: s.Name, Opens: domain.FormatClock(s.Opens),
			LastSeating: domain.FormatClock(s.LastSeating), Closes: domain.FormatClock(s.Closes), SlotMinutes: s.SlotMinutes,
		}
	}
	for i, t := range r.Tables {
		f.Tables[i] = Table{TableID: string(t.ID), Number: t.Number, MinCapacity: int(t.Min), Capacity: int(t.Max), Area: t.Area}
		f.SeatingCapacity += int(t.Max)
	}
	return f
}

func policyOf(p restaurantday.Policy) Policy {
	f := Policy{
		HoldMinutes: p.HoldMinutes, HorizonDays: p.HorizonDays, NoticeMinutes: p.NoticeMinutes,
		BufferMinutes: p.BufferMinutes, PacingCovers: p.PacingCovers, TurnMinutes: make([]TurnTime, len(p.Turns)),
	}
	for i, t := range p.Turns {
		f.TurnMinutes[i] = TurnTime{UpToParty: int(t.UpToParty), Minutes: t.Minutes}
	}
	return f
}

// Domain is the policy a form asks for; the restaurant's own rules judge it.
func (f Policy) Domain() restaurantday.Policy {
	p := restaurantday.Policy{
		HoldMinutes: f.HoldMinutes, HorizonDays: f.HorizonDays, NoticeMinutes: f.NoticeMinutes,
		BufferMinutes: f.BufferMinutes, PacingCovers: f.PacingCovers, Turns: make([]restaurantday.TurnTime, len(f.TurnMinutes)),
	}
	for i, t := range f.TurnMinutes {
		p.Turns[i] = restaurantday.TurnTime{UpToParty: domain.PartySize(t.UpToParty), Minutes: t.Minutes}
	}
	return p
}

// Domain is the shift a form asks for.
func (f Shift) Domain() (s restaurant.Shift, err error) {
	s.Name, s.SlotMinutes = f.Name, f.SlotMinutes
	if s.Days, err = restaurant.ParseWeekdays(f.Days); err != nil {
		return s, fmt.Errorf("days: %w", err)
	}
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
