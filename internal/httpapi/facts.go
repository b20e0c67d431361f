package httpapi

import (
	"daybook/domain"
	"daybook/domain/restaurantday"
)

// Conflict is one thing in which an imported booking contradicts the day's book or plan.
type Conflict struct {
	Code           string   `json:"code" doc:"table_taken or table_unknown for the tables it has in the other system, no_table where no other is free, blocked, party_too_large, pacing_full, outside_hours or closed"`
	Limit          int64    `json:"limit,omitempty" doc:"what the rule allows"`
	Actual         int64    `json:"actual,omitempty" doc:"what there is"`
	ReservationIDs []string `json:"reservationIds,omitempty" doc:"those in the way"`
}

// Imported is where a reservation was booked that was recorded as a fact.
type Imported struct {
	Batch      string   `json:"batch"`
	Source     string   `json:"source" doc:"the other system"`
	ExternalID string   `json:"externalId" doc:"its id there"`
	MadeAt     string   `json:"madeAt,omitempty" format:"date-time" doc:"when it was booked there"`
	Tables     []string `json:"tables,omitempty" doc:"the tables it has there, by number"`
}

// ofFact fills in what an imported reservation has besides.
func (f *Reservation) ofFact(r *restaurantday.Reservation) {
	if r.Fact == nil {
		return
	}
	restaurant, date, _ := domain.ReservationID(f.ReservationID).Day()
	f.Conflicts = ConflictsOf(restaurant, date, r.Open())
	f.Imported = &Imported{
		Batch: r.Fact.Batch, Source: r.Fact.Source, ExternalID: r.Fact.External, Tables: r.Fact.Named,
	}
	if r.Fact.MadeAt != 0 {
		f.Imported.MadeAt = r.Fact.MadeAt.String()
	}
}

// ConflictsOf is the form of conflicts on a day.
func ConflictsOf(restaurant domain.RestaurantID, date domain.ServiceDate, conflicts []restaurantday.Conflict) (list []Conflict) {
	for _, c := range conflicts {
		k := Conflict{Code: string(c.Code), Limit: c.Limit, Actual: c.Actual}
		for _, n := range c.Entries {
			k.ReservationIDs = append(k.ReservationIDs, string(domain.NewReservationID(restaurant, date, n)))
		}
		list = append(list, k)
	}
	return list
}
