package codec

import (
	"daybook/domain"
	"daybook/domain/restaurant"
	"daybook/domain/restaurantday"
	"daybook/eventstore"
)

// The forms of bookings of other systems, recorded as facts, and of the batches in which
// they come.

type conflictV1 struct {
	Code    domain.Code `json:"code"`
	Limit   int64       `json:"limit,omitempty"`
	Actual  int64       `json:"actual,omitempty"`
	Entries []uint32    `json:"entries,omitempty"`
}

func conflictsToV1(list []restaurantday.Conflict) []conflictV1 {
	return each(list, func(c restaurantday.Conflict) conflictV1 { return conflictV1(c) })
}

func conflictsFromV1(list []conflictV1) []restaurantday.Conflict {
	return each(list, func(c conflictV1) restaurantday.Conflict { return restaurantday.Conflict(c) })
}

type factV1 struct {
	Batch    string         `json:"batch"`
	Run      uint32         `json:"run"`
	Source   string         `json:"source"`
	External string         `json:"external"`
	Digest   string         `json:"digest,omitempty"`
	MadeAt   domain.Instant `json:"madeAt,omitempty"`
	Named    []string       `json:"named,omitempty"`
}

type recordedV2 struct {
	Number    uint32               `json:"number"`
	Fact      factV1               `json:"fact"`
	Status    restaurantday.Status `json:"status"`
	Party     domain.PartySize     `json:"party"`
	Slot      slotV1               `json:"slot"`
	Turn      intervalV1           `json:"turn"`
	Occupied  intervalV1           `json:"occupied"`
	Tables    []domain.TableID     `json:"tables,omitempty"`
	Bound     bool                 `json:"bound,omitempty"`
	FreedAt   domain.Instant       `json:"freedAt,omitempty"`
	Code      string               `json:"code,omitempty"`
	Conflicts []conflictV1         `json:"conflicts,omitempty"`
	sealed
}

// What the party told of itself is sealed with a key of the reservation's own: whoever
// booked elsewhere has no account here.
var reservationRecorded = &kind[restaurantday.Recorded, recordedV2, heldPersonal]{
	name: TypeReservationRecorded, upcasts: []upcaster{nowPersonal("occasion")},
	to: func(e restaurantday.Recorded) (recordedV2, heldPersonal) {
		return recordedV2{
			Number: e.Number, Fact: factV1(e.Fact), Status: e.Status, Party: e.Party, Slot: slotV1(e.Slot), Turn: intervalV1(e.Turn),
			Occupied: intervalV1(e.Occupied), Tables: e.Tables, Bound: e.Bound, FreedAt: e.FreedAt, Code: e.Code,
			Conflicts: conflictsToV1(e.Conflicts),
		}, personalOf(e.Details, "")
	},
	from: func(f recordedV2, p heldPersonal, s domain.Stamp) restaurantday.Recorded {
		return restaurantday.Recorded{
			Stamp: s, Number: f.Number, Fact: restaurantday.Fact(f.Fact), Status: f.Status, Party: f.Party, Slot: restaurantday.Slot(f.Slot),
			Turn: domain.Interval(f.Turn), Occupied: domain.Interval(f.Occupied), Tables: f.Tables, Bound: f.Bound, FreedAt: f.FreedAt,
			Code: f.Code, Details: p.details(), Conflicts: conflictsFromV1(f.Conflicts),
		}
	},
	subject: func(s eventstore.StreamName, e restaurantday.Recorded) (string, error) {
		return ReservationSubject(s, "", e.Number)
	},
	box: func(f *recordedV2) *sealed { return &f.sealed },
}

type withdrawnV1 struct {
	Number uint32 `json:"number"`
	Batch  string `json:"batch"`
	Forced bool   `json:"forced,omitempty"`
}

var reservationWithdrawn = open(TypeReservationWithdrawn,
	func(e restaurantday.Withdrawn) withdrawnV1 {
		return withdrawnV1{Number: e.Number, Batch: e.Batch, Forced: e.Forced}
	},
	func(f withdrawnV1, s domain.Stamp) restaurantday.Withdrawn {
		return restaurantday.Withdrawn{Stamp: s, Number: f.Number, Batch: f.Batch, Forced: f.Forced}
	})

type importBegunV1 struct {
	Batch  string               `json:"batch"`
	Source string               `json:"source"`
	Digest string               `json:"digest"`
	Run    uint32               `json:"run"`
	Rows   int                  `json:"rows"`
	Dates  []domain.ServiceDate `json:"dates,omitempty"`
}

var restaurantImportBegun = open(TypeRestaurantImportBegun,
	func(e restaurant.ImportBegun) importBegunV1 {
		return importBegunV1{Batch: e.Batch, Source: e.Source, Digest: e.Digest, Run: e.Run, Rows: e.Rows, Dates: e.Dates}
	},
	func(f importBegunV1, s domain.Stamp) restaurant.ImportBegun {
		return restaurant.ImportBegun{Stamp: s, Batch: f.Batch, Source: f.Source, Digest: f.Digest, Run: f.Run, Rows: f.Rows, Dates: f.Dates}
	})

type importCountsV1 struct {
	Recorded  int               `json:"recorded"`
	Known     int               `json:"known,omitempty"`
	Changed   int               `json:"changed,omitempty"`
	Bad       int               `json:"bad,omitempty"`
	Skipped   int               `json:"skipped,omitempty"`
	Conflicts []conflictCountV1 `json:"conflicts,omitempty"`
}

type conflictCountV1 struct {
	Code domain.Code `json:"code"`
	N    int         `json:"n"`
}

func countsToV1(c restaurant.ImportCounts) importCountsV1 {
	return importCountsV1{
		Recorded: c.Recorded, Known: c.Known, Changed: c.Changed, Bad: c.Bad, Skipped: c.Skipped,
		Conflicts: each(c.Conflicts, func(n restaurant.ConflictCount) conflictCountV1 { return conflictCountV1(n) }),
	}
}

func countsFromV1(c importCountsV1) restaurant.ImportCounts {
	return restaurant.ImportCounts{
		Recorded: c.Recorded, Known: c.Known, Changed: c.Changed, Bad: c.Bad, Skipped: c.Skipped,
		Conflicts: each(c.Conflicts, func(n conflictCountV1) restaurant.ConflictCount { return restaurant.ConflictCount(n) }),
	}
}

type importEndedV1 struct {
	Batch  string         `json:"batch"`
	Run    uint32         `json:"run"`
	Counts importCountsV1 `json:"counts"`
}

var restaurantImportEnded = open(TypeRestaurantImportEnded,
	func(e restaurant.ImportEnded) importEndedV1 {
		return importEndedV1{Batch: e.Batch, Run: e.Run, Counts: countsToV1(e.Counts)}
	},
	func(f importEndedV1, s domain.Stamp) restaurant.ImportEnded {
		return restaurant.ImportEnded{Stamp: s, Batch: f.Batch, Run: f.Run, Counts: countsFromV1(f.Counts)}
	})

type importUndoBegunV1 struct {
	Batch string `json:"batch"`
	Force bool   `json:"force,omitempty"`
}

var restaurantImportUndoBegun = open(TypeRestaurantImportUndoBegun,
	func(e restaurant.ImportUndoBegun) importUndoBegunV1 {
		return importUndoBegunV1{Batch: e.Batch, Force: e.Force}
	},
	func(f importUndoBegunV1, s domain.Stamp) restaurant.ImportUndoBegun {
		return restaurant.ImportUndoBegun{Stamp: s, Batch: f.Batch, Force: f.Force}
	})

type importUndoneV1 struct {
	Batch     string `json:"batch"`
	Withdrawn int    `json:"withdrawn"`
	Kept      int    `json:"kept,omitempty"`
}

var restaurantImportUndone = open(TypeRestaurantImportUndone,
	func(e restaurant.ImportUndone) importUndoneV1 {
		return importUndoneV1{Batch: e.Batch, Withdrawn: e.Withdrawn, Kept: e.Kept}
	},
	func(f importUndoneV1, s domain.Stamp) restaurant.ImportUndone {
		return restaurant.ImportUndone{Stamp: s, Batch: f.Batch, Withdrawn: f.Withdrawn, Kept: f.Kept}
	})
