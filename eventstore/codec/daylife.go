package codec

import (
	"daybook/domain"
	"daybook/domain/restaurantday"
	"daybook/eventstore"
)

// The forms of what happens after a table was promised, and of the waitlist.

type holdExtendedV1 struct {
	Number    uint32         `json:"number"`
	ExpiresAt domain.Instant `json:"expiresAt"`
}

var reservationHoldExtended = open(TypeReservationHoldExtended,
	func(e restaurantday.HoldExtended) holdExtendedV1 {
		return holdExtendedV1{Number: e.Number, ExpiresAt: e.ExpiresAt}
	},
	func(f holdExtendedV1, s domain.Stamp) restaurantday.HoldExtended {
		return restaurantday.HoldExtended{Stamp: s, Number: f.Number, ExpiresAt: f.ExpiresAt}
	})

type wishV1 struct {
	Table domain.TableID `json:"table,omitempty"`
	Area  string         `json:"area,omitempty"`
}

type amendedV2 struct {
	Number   uint32           `json:"number"`
	Diner    domain.UserID    `json:"diner,omitempty"`
	Party    domain.PartySize `json:"party"`
	Slot     slotV1           `json:"slot"`
	Turn     intervalV1       `json:"turn"`
	Occupied intervalV1       `json:"occupied"`
	Tables   []domain.TableID `json:"tables,omitempty"`
	Wish     wishV1           `json:"wish,omitzero"`
	Bound    bool             `json:"bound,omitempty"`
	Told     bool             `json:"told,omitempty"`
	Staff    bool             `json:"staff,omitempty"`
	Override domain.Code      `json:"override,omitempty"`

	Conflicts []conflictV1 `json:"conflicts,omitempty"`
	sealed
}

func personalOf(d restaurantday.Details, override string) heldPersonal {
	return heldPersonal{
		Name: d.Guest.Name, Email: d.Guest.Email, Phone: d.Guest.Phone, Notes: d.Notes, SpecialRequests: d.SpecialRequests,
		Occasion: d.Occasion, OverrideReason: override,
	}
}

func (p heldPersonal) details() restaurantday.Details {
	return restaurantday.Details{
		Guest: restaurantday.Guest{Name: p.Name, Email: p.Email, Phone: p.Phone},
		Notes: p.Notes, SpecialRequests: p.SpecialRequests, Occasion: p.Occasion,
	}
}

var reservationAmended = &kind[restaurantday.Amended, amendedV2, heldPersonal]{
	name: TypeReservationAmended, upcasts: []upcaster{nowPersonal("occasion")},
	to: func(e restaurantday.Amended) (amendedV2, heldPersonal) {
		return amendedV2{
			Number: e.Number, Diner: e.Diner, Party: e.Party, Slot: slotV1(e.Slot), Turn: intervalV1(e.Turn),
			Occupied: intervalV1(e.Occupied), Tables: e.Tables, Wish: wishV1(e.Wish), Bound: e.Bound, Told: e.Told,
			Staff: e.Staff, Override: e.Override.Rule, Conflicts: conflictsToV1(e.Conflicts),
		}, personalOf(e.Details, e.Override.Reason)
	},
	from: func(f amendedV2, p heldPersonal, s domain.Stamp) restaurantday.Amended {
		return restaurantday.Amended{
			Stamp: s, Number: f.Number, Diner: f.Diner, Party: f.Party, Slot: restaurantday.Slot(f.Slot),
			Turn: domain.Interval(f.Turn), Occupied: domain.Interval(f.Occupied), Tables: f.Tables,
			Wish: restaurantday.Wish(f.Wish), Bound: f.Bound, Told: f.Told, Details: p.details(), Staff: f.Staff,
			Override: restaurantday.Override{Rule: f.Override, Reason: p.OverrideReason}, Conflicts: conflictsFromV1(f.Conflicts),
		}
	},
	subject: func(s eventstore.StreamName, e restaurantday.Amended) (string, error) {
		return ReservationSubject(s, e.Diner, e.Number)
	},
	box: func(f *amendedV2) *sealed { return &f.sealed },
}

type tablesMovedV1 struct {
	Number uint32           `json:"number"`
	Tables []domain.TableID `json:"tables,omitempty"`
}

var reservationTablesMoved = open(TypeReservationTablesMoved,
	func(e restaurantday.TablesMoved) tablesMovedV1 {
		return tablesMovedV1{Number: e.Number, Tables: e.Tables}
	},
	func(f tablesMovedV1, s domain.Stamp) restaurantday.TablesMoved {
		return restaurantday.TablesMoved{Stamp: s, Number: f.Number, Tables: f.Tables}
	})

type numberV1 struct {
	Number uint32 `json:"number"`
}

var reservationPinned = open(TypeReservationPinned,
	func(e restaurantday.Pinned) numberV1 { return numberV1{e.Number} },
	func(f numberV1, s domain.Stamp) restaurantday.Pinned {
		return restaurantday.Pinned{Stamp: s, Number: f.Number}
	})

var reservationUnpinned = open(TypeReservationUnpinned,
	func(e restaurantday.Unpinned) numberV1 { return numberV1{e.Number} },
	func(f numberV1, s domain.Stamp) restaurantday.Unpinned {
		return restaurantday.Unpinned{Stamp: s, Number: f.Number}
	})

type seatedV1 struct {
	Number   uint32           `json:"number"`
	Covers   domain.PartySize `json:"covers"`
	Tables   []domain.TableID `json:"tables,omitempty"`
	Occupied intervalV1       `json:"occupied"`
}

var reservationSeated = open(TypeReservationSeated,
	func(e restaurantday.Seated) seatedV1 {
		return seatedV1{Number: e.Number, Covers: e.Covers, Tables: e.Tables, Occupied: intervalV1(e.Occupied)}
	},
	func(f seatedV1, s domain.Stamp) restaurantday.Seated {
		return restaurantday.Seated{Stamp: s, Number: f.Number, Covers: f.Covers, Tables: f.Tables, Occupied: domain.Interval(f.Occupied)}
	})

type completedV1 struct {
	Number  uint32         `json:"number"`
	FreedAt domain.Instant `json:"freedAt"`
}

var reservationCompleted = open(TypeReservationCompleted,
	func(e restaurantday.Completed) completedV1 {
		return completedV1{Number: e.Number, FreedAt: e.FreedAt}
	},
	func(f completedV1, s domain.Stamp) restaurantday.Completed {
		return restaurantday.Completed{Stamp: s, Number: f.Number, FreedAt: f.FreedAt}
	})

var reservationNoShow = open(TypeReservationNoShow,
	func(e restaurantday.NoShow) numberV1 { return numberV1{e.Number} },
	func(f numberV1, s domain.Stamp) restaurantday.NoShow {
		return restaurantday.NoShow{Stamp: s, Number: f.Number}
	})

type reinstatedV1 struct {
	Number    uint32               `json:"number"`
	From      restaurantday.Status `json:"from"`
	To        restaurantday.Status `json:"to"`
	Covers    domain.PartySize     `json:"covers,omitempty"`
	Tables    []domain.TableID     `json:"tables,omitempty"`
	Bound     bool                 `json:"bound,omitempty"`
	Turn      intervalV1           `json:"turn"`
	Occupied  intervalV1           `json:"occupied"`
	ExpiresAt domain.Instant       `json:"expiresAt,omitempty"`
	Conflicts []conflictV1         `json:"conflicts,omitempty"`
}

var reservationReinstated = open(TypeReservationReinstated,
	func(e restaurantday.Reinstated) reinstatedV1 {
		return reinstatedV1{
			Number: e.Number, From: e.From, To: e.To, Covers: e.Covers, Tables: e.Tables, Bound: e.Bound,
			Turn: intervalV1(e.Turn), Occupied: intervalV1(e.Occupied), ExpiresAt: e.ExpiresAt, Conflicts: conflictsToV1(e.Conflicts),
		}
	},
	func(f reinstatedV1, s domain.Stamp) restaurantday.Reinstated {
		return restaurantday.Reinstated{
			Stamp: s, Number: f.Number, From: f.From, To: f.To, Covers: f.Covers, Tables: f.Tables, Bound: f.Bound,
			Turn: domain.Interval(f.Turn), Occupied: domain.Interval(f.Occupied), ExpiresAt: f.ExpiresAt, Conflicts: conflictsFromV1(f.Conflicts),
		}
	})

type undoneV1 struct {
	Number uint32                   `json:"number"`
	Action uint32                   `json:"action"`
	Kind   restaurantday.ActionKind `json:"kind"`
}

var actionUndone = open(TypeActionUndone,
	func(e restaurantday.Undone) undoneV1 {
		return undoneV1{Number: e.Number, Action: e.Action, Kind: e.Kind}
	},
	func(f undoneV1, s domain.Stamp) restaurantday.Undone {
		return restaurantday.Undone{Stamp: s, Number: f.Number, Action: f.Action, Kind: f.Kind}
	})

type moveStartedV1 struct {
	Number   uint32             `json:"number"`
	To       domain.ServiceDate `json:"to,omitzero"`
	Time     string             `json:"time,omitempty"`
	StartsAt domain.Instant     `json:"startsAt,omitzero"`
	Party    domain.PartySize   `json:"party"`
	Move     string             `json:"move"`
}

var reservationMoveStarted = open(TypeReservationMoveStarted,
	func(e restaurantday.MoveStarted) moveStartedV1 {
		return moveStartedV1{Number: e.Number, To: e.To, Time: e.Time, StartsAt: e.StartsAt, Party: e.Party, Move: e.Move}
	},
	func(f moveStartedV1, s domain.Stamp) restaurantday.MoveStarted {
		return restaurantday.MoveStarted{
			Stamp: s, Number: f.Number, To: f.To, Time: f.Time, StartsAt: f.StartsAt, Party: f.Party, Move: f.Move,
		}
	})

type movedV1 struct {
	Number uint32               `json:"number"`
	To     domain.ReservationID `json:"to"`
}

var reservationMoved = open(TypeReservationMoved,
	func(e restaurantday.Moved) movedV1 { return movedV1{Number: e.Number, To: e.To} },
	func(f movedV1, s domain.Stamp) restaurantday.Moved {
		return restaurantday.Moved{Stamp: s, Number: f.Number, To: f.To}
	})

type moveAbortedV1 struct {
	Number uint32      `json:"number"`
	Move   string      `json:"move"`
	Reason domain.Code `json:"reason,omitempty"`
}

var reservationMoveAborted = open(TypeReservationMoveAborted,
	func(e restaurantday.MoveAborted) moveAbortedV1 {
		return moveAbortedV1{Number: e.Number, Move: e.Move, Reason: e.Reason}
	},
	func(f moveAbortedV1, s domain.Stamp) restaurantday.MoveAborted {
		return restaurantday.MoveAborted{Stamp: s, Number: f.Number, Move: f.Move, Reason: f.Reason}
	})

type planFencedV2 struct {
	Change       string                 `json:"change"`
	Revision     uint64                 `json:"revision,omitempty"`
	Slots        []domain.Instant       `json:"slots,omitempty"`
	Blocks       []planBlockV2          `json:"blocks,omitempty"`
	Combinations []domain.CombinationID `json:"combinations,omitempty"`
	sealed
}

var dayPlanFenced = &kind[restaurantday.PlanFenced, planFencedV2, blockReasons]{
	name: TypeDayPlanFenced, upcasts: []upcaster{blockReasonsInClear},
	to: func(e restaurantday.PlanFenced) (planFencedV2, blockReasons) {
		return planFencedV2{
			Change: e.Change, Revision: e.Revision, Slots: e.Slots, Blocks: blocksToV2(e.Blocks), Combinations: e.Combinations,
		}, reasonsOf(e.Blocks)
	},
	from: func(f planFencedV2, p blockReasons, s domain.Stamp) restaurantday.PlanFenced {
		return restaurantday.PlanFenced{
			Stamp: s, Change: f.Change, Revision: f.Revision, Slots: f.Slots, Blocks: blocksFromV2(f.Blocks, p), Combinations: f.Combinations,
		}
	},
	subject: func(s eventstore.StreamName, _ restaurantday.PlanFenced) (string, error) { return restaurantSubject(s) },
	box:     func(f *planFencedV2) *sealed { return &f.sealed },
}

type planChangedV2 struct {
	Change  string         `json:"change"`
	Plan    planV2         `json:"plan"`
	Kept    []uint32       `json:"kept,omitempty"`
	Settled []settlementV1 `json:"settled,omitempty"`
	sealed
}

type settlementV1 struct {
	Number  uint32                   `json:"number"`
	Asked   restaurantday.Resolution `json:"asked,omitempty"`
	Done    restaurantday.Resolution `json:"done"`
	Code    domain.Code              `json:"code"`
	NoTable bool                     `json:"noTable,omitempty"`
}

var dayPlanChanged = &kind[restaurantday.PlanChanged, planChangedV2, blockReasons]{
	name: TypeDayPlanChanged, upcasts: []upcaster{planReasonsInClear},
	to: func(e restaurantday.PlanChanged) (planChangedV2, blockReasons) {
		return planChangedV2{
			Change: e.Change, Plan: planToV2(e.Plan), Kept: e.Kept,
			Settled: each(e.Settled, func(s restaurantday.Settlement) settlementV1 { return settlementV1(s) }),
		}, reasonsOf(e.Plan.Blocks)
	},
	from: func(f planChangedV2, p blockReasons, s domain.Stamp) restaurantday.PlanChanged {
		return restaurantday.PlanChanged{
			Stamp: s, Change: f.Change, Plan: planFromV2(f.Plan, p), Kept: f.Kept,
			Settled: each(f.Settled, func(s settlementV1) restaurantday.Settlement { return restaurantday.Settlement(s) }),
		}
	},
	subject: func(s eventstore.StreamName, _ restaurantday.PlanChanged) (string, error) {
		return restaurantSubject(s)
	},
	box: func(f *planChangedV2) *sealed { return &f.sealed },
}
