package commands

import (
	"daybook/domain"
	"daybook/domain/restaurant"
	"daybook/domain/restaurantday"
)

// broughtInForm is a BringInRestaurant as a repeat must equal it. What came into it after
// ledgers were written is left out where it is empty, so that an import from before is
// still known for the same. Each part is converted as a whole: a field added to the domain
// does not compile until it is said here how it is told.
type broughtInForm struct {
	Key         string
	At          domain.Instant
	Owner       domain.UserID
	Profile     restaurant.Profile
	Shifts      []shiftForm
	DayBoundary *int
	Policy      policyForm
	Tables      []tableForm
}

type shiftForm struct {
	Days         restaurant.Weekdays
	Name         string
	Opens        int
	LastSeating  int
	Closes       int
	SlotMinutes  int
	Turns        []restaurantday.TurnTime `json:",omitempty"`
	PacingCovers int                      `json:",omitempty"`
}

type policyForm struct {
	HoldMinutes          int
	HorizonDays          int
	NoticeMinutes        int
	BufferMinutes        int
	PacingCovers         int
	Turns                []restaurantday.TurnTime
	CancelMinutes        int                      `json:",omitempty"`
	WaitlistOfferMinutes int                      `json:",omitempty"`
	Assignment           restaurantday.Assignment `json:",omitempty"`
}

type tableForm struct {
	ID          domain.TableID
	Number      string
	Min, Max    domain.PartySize
	Area        string
	OfflineOnly bool `json:",omitempty"`
}

func (b BringInRestaurant) form() broughtInForm {
	f := broughtInForm{
		Key: b.Key, At: b.At, Owner: b.Owner, Profile: b.Profile, DayBoundary: b.DayBoundary, Policy: policyForm(b.Policy),
	}
	// No list and an empty one are told apart, as they always were.
	if b.Shifts != nil {
		f.Shifts = make([]shiftForm, len(b.Shifts))
	}
	for i, s := range b.Shifts {
		f.Shifts[i] = shiftForm(s)
	}
	if b.Tables != nil {
		f.Tables = make([]tableForm, len(b.Tables))
	}
	for i, t := range b.Tables {
		f.Tables[i] = tableForm(t)
	}
	return f
}
