package httpapi

import (
	"daybook/domain"
	"daybook/domain/restaurant"
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
	id, date, _ := domain.ReservationID(f.ReservationID).Day()
	f.Conflicts = ConflictsOf(id, date, r.Open())
	f.Imported = &Imported{
		Batch: r.Fact.Batch, Source: r.Fact.Source, ExternalID: r.Fact.External, Tables: r.Fact.Named,
	}
	if r.Fact.MadeAt != 0 {
		f.Imported.MadeAt = r.Fact.MadeAt.String()
	}
}

// ConflictsOf is the form of conflicts on a day.
func ConflictsOf(id domain.RestaurantID, date domain.ServiceDate, conflicts []restaurantday.Conflict) (list []Conflict) {
	for _, c := range conflicts {
		k := Conflict{Code: string(c.Code), Limit: c.Limit, Actual: c.Actual}
		for _, n := range c.Entries {
			k.ReservationIDs = append(k.ReservationIDs, string(domain.NewReservationID(id, date, n)))
		}
		list = append(list, k)
	}
	return list
}

// Import is a batch of bookings of another system, and what became of it.
type Import struct {
	Batch     string       `json:"batch"`
	Source    string       `json:"source" doc:"the other system"`
	Status    string       `json:"status" enum:"running,done,undoing,undone" doc:"running and undoing, too, where that was broken off: send it again to go on"`
	Run       int          `json:"run" doc:"how often it was begun anew"`
	Rows      int          `json:"rows" doc:"of the last run, that could be read"`
	From      string       `json:"from,omitempty" doc:"the first service date that it reaches"`
	To        string       `json:"to,omitempty" doc:"the last"`
	BegunAt   string       `json:"begunAt,omitempty" format:"date-time"`
	EndedAt   string       `json:"endedAt,omitempty" format:"date-time"`
	UndoneAt  string       `json:"undoneAt,omitempty" format:"date-time"`
	Counts    ImportCounts `json:"counts" doc:"of the last run that ended"`
	Forced    bool         `json:"forced,omitempty" doc:"the last undoing took back what was changed, too"`
	Withdrawn int          `json:"withdrawn,omitempty" doc:"reservations of the batch that were taken back"`
	Kept      int          `json:"kept,omitempty" doc:"and that were not, as somebody acted on them"`
}

// ImportCounts is what came of the rows of a run.
type ImportCounts struct {
	Recorded  int             `json:"recorded"`
	Known     int             `json:"known" doc:"recorded by an earlier run, and the same"`
	Changed   int             `json:"changed" doc:"recorded by an earlier run, and told otherwise now: not applied"`
	Bad       int             `json:"bad"`
	Skipped   int             `json:"skipped" doc:"left out because the mapping says so"`
	Conflicts []ConflictCount `json:"conflicts" doc:"of those recorded, by rule"`
}

// ConflictCount is how many reservations stand in conflict by one rule.
type ConflictCount struct {
	Code  string `json:"code"`
	Count int    `json:"count"`
}

// ImportOf is the form of a batch.
func ImportOf(m restaurant.Import, zone string) Import {
	at := InZone(zone)
	f := Import{
		Batch: m.Batch, Source: m.Source, Status: string(m.Status), Run: int(m.Run), Rows: m.Rows, Counts: ImportCountsOf(m.Counts),
		BegunAt: at(m.BegunAt), EndedAt: at(m.EndedAt), UndoneAt: at(m.UndoneAt), Forced: m.Forced, Withdrawn: m.Withdrawn, Kept: m.Kept,
	}
	if n := len(m.Dates); n > 0 {
		f.From, f.To = m.Dates[0].String(), m.Dates[n-1].String()
	}
	return f
}

// ImportCountsOf is the form of a run's counts.
func ImportCountsOf(c restaurant.ImportCounts) ImportCounts {
	f := ImportCounts{
		Recorded: c.Recorded, Known: c.Known, Changed: c.Changed, Bad: c.Bad, Skipped: c.Skipped, Conflicts: make([]ConflictCount, len(c.Conflicts)),
	}
	for i, k := range c.Conflicts {
		f.Conflicts[i] = ConflictCount{string(k.Code), k.N}
	}
	return f
}
