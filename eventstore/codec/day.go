package codec

import (
	"fmt"

	"daybook/domain"
	"daybook/domain/restaurantday"
	"daybook/eventstore"
)

// The forms below have the domain's fields under JSON names. Where a domain struct is
// converted as a whole, a field added to it does not compile until its form has it too;
// for the events themselves a test sees to that.

type slotV1 struct {
	Time     string         `json:"time"`
	StartsAt domain.Instant `json:"startsAt"`
	Closes   domain.Instant `json:"closes"`
	Shift    string         `json:"shift,omitempty"`
}

type intervalV1 struct {
	From domain.Instant `json:"from"`
	To   domain.Instant `json:"to"`
}

type planTableV1 struct {
	ID          domain.TableID   `json:"id"`
	Number      string           `json:"number"`
	Min         domain.PartySize `json:"min"`
	Max         domain.PartySize `json:"max"`
	Area        string           `json:"area,omitempty"`
	OfflineOnly bool             `json:"offlineOnly,omitempty"`
}

type policyV1 struct {
	HoldMinutes          int                      `json:"holdMinutes"`
	HorizonDays          int                      `json:"horizonDays"`
	NoticeMinutes        int                      `json:"noticeMinutes"`
	BufferMinutes        int                      `json:"bufferMinutes"`
	PacingCovers         int                      `json:"pacingCovers,omitempty"`
	Turns                []turnTimeV1             `json:"turns,omitempty"`
	CancelMinutes        int                      `json:"cancelMinutes,omitempty"`
	WaitlistOfferMinutes int                      `json:"waitlistOfferMinutes,omitempty"`
	Assignment           restaurantday.Assignment `json:"assignment,omitempty"`
}

type turnTimeV1 struct {
	UpToParty domain.PartySize `json:"upToParty"`
	Minutes   int              `json:"minutes"`
}

func turnsToV1(turns []restaurantday.TurnTime) []turnTimeV1 {
	return each(turns, func(t restaurantday.TurnTime) turnTimeV1 { return turnTimeV1(t) })
}

func turnsFromV1(turns []turnTimeV1) []restaurantday.TurnTime {
	return each(turns, func(t turnTimeV1) restaurantday.TurnTime { return restaurantday.TurnTime(t) })
}

func policyToV1(p restaurantday.Policy) policyV1 {
	return policyV1{
		HoldMinutes: p.HoldMinutes, HorizonDays: p.HorizonDays, NoticeMinutes: p.NoticeMinutes,
		BufferMinutes: p.BufferMinutes, PacingCovers: p.PacingCovers, Turns: turnsToV1(p.Turns),
		CancelMinutes: p.CancelMinutes, WaitlistOfferMinutes: p.WaitlistOfferMinutes, Assignment: p.Assignment,
	}
}

func policyFromV1(p policyV1) restaurantday.Policy {
	return restaurantday.Policy{
		HoldMinutes: p.HoldMinutes, HorizonDays: p.HorizonDays, NoticeMinutes: p.NoticeMinutes,
		BufferMinutes: p.BufferMinutes, PacingCovers: p.PacingCovers, Turns: turnsFromV1(p.Turns),
		CancelMinutes: p.CancelMinutes, WaitlistOfferMinutes: p.WaitlistOfferMinutes, Assignment: p.Assignment,
	}
}

type shiftPlanV1 struct {
	Name         string       `json:"name,omitempty"`
	Turns        []turnTimeV1 `json:"turns,omitempty"`
	PacingCovers int          `json:"pacingCovers,omitempty"`
}

type combinationV1 struct {
	ID     domain.CombinationID `json:"id"`
	Tables []domain.TableID     `json:"tables,omitempty"`
	Min    domain.PartySize     `json:"min"`
	Max    domain.PartySize     `json:"max"`
}

type planBlockV2 struct {
	ID     domain.BlockID   `json:"id"`
	Tables []domain.TableID `json:"tables,omitempty"`
	During intervalV1       `json:"during"`
}

type planV2 struct {
	Revision     uint64          `json:"revision"`
	Zone         string          `json:"zone"`
	Slots        []slotV1        `json:"slots,omitempty"`
	Tables       []planTableV1   `json:"tables,omitempty"`
	Policy       policyV1        `json:"policy"`
	BookableFrom domain.Instant  `json:"bookableFrom"`
	Shifts       []shiftPlanV1   `json:"shifts,omitempty"`
	Combinations []combinationV1 `json:"combinations,omitempty"`
	Blocks       []planBlockV2   `json:"blocks,omitempty"`
	Closure      string          `json:"closure,omitempty"`
}

func planToV2(p restaurantday.Plan) planV2 {
	return planV2{
		Revision: p.Revision, Zone: p.Zone,
		Slots:  each(p.Slots, func(s restaurantday.Slot) slotV1 { return slotV1(s) }),
		Tables: each(p.Tables, func(t restaurantday.Table) planTableV1 { return planTableV1(t) }),
		Policy: policyToV1(p.Policy), BookableFrom: p.BookableFrom,
		Shifts: each(p.Shifts, func(s restaurantday.ShiftPlan) shiftPlanV1 {
			return shiftPlanV1{Name: s.Name, Turns: turnsToV1(s.Turns), PacingCovers: s.PacingCovers}
		}),
		Combinations: each(p.Combinations, func(c restaurantday.Combination) combinationV1 { return combinationV1(c) }),
		Blocks:       blocksToV2(p.Blocks),
		Closure:      p.Closure,
	}
}

func planFromV2(p planV2, reasons blockReasons) restaurantday.Plan {
	return restaurantday.Plan{
		Revision: p.Revision, Zone: p.Zone,
		Slots:  each(p.Slots, func(s slotV1) restaurantday.Slot { return restaurantday.Slot(s) }),
		Tables: each(p.Tables, func(t planTableV1) restaurantday.Table { return restaurantday.Table(t) }),
		Policy: policyFromV1(p.Policy), BookableFrom: p.BookableFrom,
		Shifts: each(p.Shifts, func(s shiftPlanV1) restaurantday.ShiftPlan {
			return restaurantday.ShiftPlan{Name: s.Name, Turns: turnsFromV1(s.Turns), PacingCovers: s.PacingCovers}
		}),
		Combinations: each(p.Combinations, func(c combinationV1) restaurantday.Combination { return restaurantday.Combination(c) }),
		Blocks:       blocksFromV2(p.Blocks, reasons),
		Closure:      p.Closure,
	}
}

func blocksToV2(blocks []restaurantday.Block) []planBlockV2 {
	return each(blocks, func(b restaurantday.Block) planBlockV2 {
		return planBlockV2{ID: b.ID, Tables: b.Tables, During: intervalV1(b.During)}
	})
}

func blocksFromV2(blocks []planBlockV2, reasons blockReasons) []restaurantday.Block {
	return reasons.into(each(blocks, func(b planBlockV2) restaurantday.Block {
		return restaurantday.Block{ID: b.ID, Tables: b.Tables, During: domain.Interval(b.During)}
	}))
}

type dayOpenedV2 struct {
	Restaurant domain.RestaurantID `json:"restaurant"`
	Date       domain.ServiceDate  `json:"date,omitzero"`
	Plan       planV2              `json:"plan"`
	sealed
}

var dayOpened = &kind[restaurantday.Opened, dayOpenedV2, blockReasons]{
	name: TypeDayOpened, upcasts: []upcaster{planReasonsInClear},
	to: func(e restaurantday.Opened) (dayOpenedV2, blockReasons) {
		return dayOpenedV2{Restaurant: e.Restaurant, Date: e.Date, Plan: planToV2(e.Plan)}, reasonsOf(e.Plan.Blocks)
	},
	from: func(f dayOpenedV2, p blockReasons, s domain.Stamp) restaurantday.Opened {
		return restaurantday.Opened{Stamp: s, Restaurant: f.Restaurant, Date: f.Date, Plan: planFromV2(f.Plan, p)}
	},
	subject: func(s eventstore.StreamName, _ restaurantday.Opened) (string, error) { return restaurantSubject(s) },
	box:     func(f *dayOpenedV2) *sealed { return &f.sealed },
}

type heldV2 struct {
	Number    uint32           `json:"number"`
	Diner     domain.UserID    `json:"diner,omitempty"`
	Party     domain.PartySize `json:"party"`
	Slot      slotV1           `json:"slot"`
	Turn      intervalV1       `json:"turn"`
	Occupied  intervalV1       `json:"occupied"`
	Tables    []domain.TableID `json:"tables,omitempty"`
	ExpiresAt domain.Instant   `json:"expiresAt"`
	Code      string           `json:"code,omitempty"`

	Wish      wishV1               `json:"wish,omitzero"`
	Bound     bool                 `json:"bound,omitempty"`
	Online    bool                 `json:"online,omitempty"`
	Source    restaurantday.Source `json:"source,omitempty"`
	Entry     uint32               `json:"entry,omitempty"`
	MovedFrom domain.ReservationID `json:"movedFrom,omitempty"`
	Override  domain.Code          `json:"override,omitempty"`
	sealed
}

// heldPersonal is what a party told of itself.
type heldPersonal struct {
	Name            string `json:"name,omitempty"`
	Email           string `json:"email,omitempty"`
	Phone           string `json:"phone,omitempty"`
	Notes           string `json:"notes,omitempty"`
	SpecialRequests string `json:"specialRequests,omitempty"`
	Occasion        string `json:"occasion,omitempty"`
	OverrideReason  string `json:"overrideReason,omitempty"`
}

var reservationHeld = &kind[restaurantday.Held, heldV2, heldPersonal]{
	name: TypeReservationHeld, upcasts: []upcaster{nowPersonal("occasion")},
	to: func(e restaurantday.Held) (heldV2, heldPersonal) {
		return heldV2{
			Number: e.Number, Diner: e.Diner, Party: e.Party, Slot: slotV1(e.Slot), Turn: intervalV1(e.Turn),
			Occupied: intervalV1(e.Occupied), Tables: e.Tables, ExpiresAt: e.ExpiresAt, Code: e.Code,
			Wish: wishV1(e.Wish), Bound: e.Bound, Online: e.Online, Source: e.Source, Entry: e.Entry, MovedFrom: e.MovedFrom,
			Override: e.Override.Rule,
		}, personalOf(e.Details, e.Override.Reason)
	},
	from: func(f heldV2, p heldPersonal, s domain.Stamp) restaurantday.Held {
		return restaurantday.Held{
			Stamp: s, Number: f.Number, Diner: f.Diner, Party: f.Party, Slot: restaurantday.Slot(f.Slot),
			Turn: domain.Interval(f.Turn), Occupied: domain.Interval(f.Occupied), Tables: f.Tables,
			ExpiresAt: f.ExpiresAt, Code: f.Code, Details: p.details(),
			Wish: restaurantday.Wish(f.Wish), Bound: f.Bound, Online: f.Online, Source: f.Source, Entry: f.Entry, MovedFrom: f.MovedFrom,
			Override: restaurantday.Override{Rule: f.Override, Reason: p.OverrideReason},
		}
	},
	subject: func(s eventstore.StreamName, e restaurantday.Held) (string, error) {
		return ReservationSubject(s, e.Diner, e.Number)
	},
	box:   func(f *heldV2) *sealed { return &f.sealed },
	write: writeHeld,
	scan:  scanHeld,
}

type reassignedV1 struct {
	Number uint32           `json:"number"`
	Tables []domain.TableID `json:"tables,omitempty"`
	For    uint32           `json:"for"`
}

var reservationReassigned = open(TypeReservationReassigned,
	func(e restaurantday.Reassigned) reassignedV1 {
		return reassignedV1{Number: e.Number, Tables: e.Tables, For: e.For}
	},
	func(f reassignedV1, s domain.Stamp) restaurantday.Reassigned {
		return restaurantday.Reassigned{Stamp: s, Number: f.Number, Tables: f.Tables, For: f.For}
	})

type confirmedV1 struct {
	Number uint32 `json:"number"`
	Staff  bool   `json:"staff,omitempty"`
}

var reservationConfirmed = open(TypeReservationConfirmed,
	func(e restaurantday.Confirmed) confirmedV1 { return confirmedV1{Number: e.Number, Staff: e.Staff} },
	func(f confirmedV1, s domain.Stamp) restaurantday.Confirmed {
		return restaurantday.Confirmed{Stamp: s, Number: f.Number, Staff: f.Staff}
	}).fast(writeConfirmed, scanConfirmed)

type cancelledV1 struct {
	Number uint32                    `json:"number"`
	Diner  domain.UserID             `json:"diner,omitempty"`
	By     restaurantday.CancelledBy `json:"by"`
	Late   bool                      `json:"late,omitempty"`
	Change string                    `json:"change,omitempty"`
	sealed
}

type cancelledPersonal struct {
	Reason string `json:"reason,omitempty"`
}

var reservationCancelled = &kind[restaurantday.Cancelled, cancelledV1, cancelledPersonal]{
	name: TypeReservationCancelled,
	to: func(e restaurantday.Cancelled) (cancelledV1, cancelledPersonal) {
		return cancelledV1{Number: e.Number, Diner: e.Diner, By: e.By, Late: e.Late, Change: e.Change}, cancelledPersonal{Reason: e.Reason}
	},
	from: func(f cancelledV1, p cancelledPersonal, s domain.Stamp) restaurantday.Cancelled {
		return restaurantday.Cancelled{
			Stamp: s, Number: f.Number, Diner: f.Diner, By: f.By, Reason: p.Reason, Late: f.Late, Change: f.Change,
		}
	},
	subject: func(s eventstore.StreamName, e restaurantday.Cancelled) (string, error) {
		return ReservationSubject(s, e.Diner, e.Number)
	},
	box:   func(f *cancelledV1) *sealed { return &f.sealed },
	write: writeCancelled,
	scan:  scanCancelled,
}

type expiredV1 struct {
	Number   uint32         `json:"number"`
	LapsedAt domain.Instant `json:"lapsedAt"`
}

var reservationExpired = open(TypeReservationExpired,
	func(e restaurantday.Expired) expiredV1 { return expiredV1{Number: e.Number, LapsedAt: e.LapsedAt} },
	func(f expiredV1, s domain.Stamp) restaurantday.Expired {
		return restaurantday.Expired{Stamp: s, Number: f.Number, LapsedAt: f.LapsedAt}
	})

type refusedV1 struct {
	Code     domain.Code      `json:"code"`
	Party    domain.PartySize `json:"party"`
	Time     string           `json:"time,omitempty"`
	StartsAt domain.Instant   `json:"startsAt,omitempty"`
	Seen     uint64           `json:"seen"`
	Wish     wishV1           `json:"wish,omitzero"`
	By       domain.ActorKind `json:"by,omitempty"`
	Skip     domain.Code      `json:"skip,omitempty"`
	Slot     slotV1           `json:"slot,omitzero"`
}

var demandRefused = open(TypeDemandRefused,
	func(e restaurantday.Refused) refusedV1 {
		return refusedV1{
			Code: e.Code, Party: e.Party, Time: e.Time, StartsAt: e.StartsAt, Seen: e.Seen, Wish: wishV1(e.Wish), By: e.By, Skip: e.Skip,
			Slot: slotV1(e.Slot),
		}
	},
	func(f refusedV1, s domain.Stamp) restaurantday.Refused {
		return restaurantday.Refused{
			Stamp: s, Code: f.Code, Party: f.Party, Time: f.Time, StartsAt: f.StartsAt, Seen: f.Seen,
			Wish: restaurantday.Wish(f.Wish), By: f.By, Skip: f.Skip, Slot: restaurantday.Slot(f.Slot),
		}
	})

// ReservationSubject says whose key protects what a reservation in a day's stream tells of
// a person: the diner's, else, for a guest without an account, the reservation's own.
func ReservationSubject(stream eventstore.StreamName, diner domain.UserID, number uint32) (string, error) {
	if diner != "" {
		return string(diner), nil
	}
	r, date, ok := ParseDayStream(stream)
	if !ok {
		return "", fmt.Errorf("%w: %q is no day's stream, so its reservation %d has no id", eventstore.ErrInvalid, stream, number)
	}
	return string(domain.NewReservationID(r, date, number)), nil
}
