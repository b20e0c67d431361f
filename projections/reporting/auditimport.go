package reporting

import (
	"daybook/domain"
	"daybook/domain/restaurant"
)

// importSnapshot is a batch of bookings of another system. Its entries are told of one by one.
type importSnapshot struct {
	Batch     string             `json:"batch"`
	Source    string             `json:"source"`
	Status    string             `json:"status"`
	Run       uint32             `json:"run"`
	Rows      int                `json:"rows"`
	From      domain.ServiceDate `json:"from,omitzero"`
	To        domain.ServiceDate `json:"to,omitzero"`
	Recorded  int                `json:"recorded,omitempty"`
	Known     int                `json:"known,omitempty"`
	Changed   int                `json:"changed,omitempty"`
	Bad       int                `json:"bad,omitempty"`
	Skipped   int                `json:"skipped,omitempty"`
	Conflicts []conflictSnapshot `json:"conflicts,omitempty"`
	Forced    bool               `json:"forced,omitempty"`
	Withdrawn int                `json:"withdrawn,omitempty"`
	Kept      int                `json:"kept,omitempty"`
}

type conflictSnapshot struct {
	Code domain.Code `json:"code"`
	N    int         `json:"n"`
}

// importSnapshotOf is nil where there is no such batch.
func importSnapshotOf(s restaurant.State, batch string) any {
	m, ok := s.Import(batch)
	if !ok {
		return nil
	}
	shot := importSnapshot{
		Batch: m.Batch, Source: m.Source, Status: string(m.Status), Run: m.Run, Rows: m.Rows, Recorded: m.Counts.Recorded,
		Known: m.Counts.Known, Changed: m.Counts.Changed, Bad: m.Counts.Bad, Skipped: m.Counts.Skipped,
		Forced: m.Forced, Withdrawn: m.Withdrawn, Kept: m.Kept,
	}
	if n := len(m.Dates); n > 0 {
		shot.From, shot.To = m.Dates[0], m.Dates[n-1]
	}
	for _, c := range m.Counts.Conflicts {
		shot.Conflicts = append(shot.Conflicts, conflictSnapshot(c))
	}
	return shot
}
