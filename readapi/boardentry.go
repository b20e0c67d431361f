package readapi

import (
	"daybook/domain/restaurantday"
	"daybook/internal/httpapi"
	"daybook/projections/book"
)

// boardEntry is a reservation with what the floor wants to know of it beside what its diner
// does.
type boardEntry struct {
	httpapi.Reservation
	Number        uint32 `json:"number" doc:"in the day's book"`
	DinerID       string `json:"dinerId,omitempty" doc:"missing for a guest without an account"`
	Online        bool   `json:"online" doc:"it cannot be given a table that is offline only"`
	HeldAt        string `json:"heldAt" format:"date-time"`
	ChangedAt     string `json:"changedAt" format:"date-time"`
	OccupiedFrom  string `json:"occupiedFrom" format:"date-time" doc:"from when on no other party can have its tables"`
	OccupiedUntil string `json:"occupiedUntil" format:"date-time" doc:"and until when, the buffer included"`
}

func boardEntryOf(d book.Day, r *restaurantday.Reservation) boardEntry {
	at := httpapi.InZone(d.State.Plan.Zone)
	return boardEntry{
		Reservation: httpapi.ReservationOf(d.State.ID(r.Number), r, d.State.Plan.Zone, d.Revision).ForStaff(r),
		Number:      r.Number, DinerID: string(r.Diner), Online: r.Online, HeldAt: at(r.HeldAt), ChangedAt: at(r.ChangedAt),
		OccupiedFrom: at(r.Occupied.From), OccupiedUntil: at(r.Occupied.To),
	}
}
