package codec

import (
	"fmt"

	"daybook/domain"
	"daybook/domain/restaurantday"
	"daybook/eventstore"
)

type waitlistJoinedV2 struct {
	Entry  uint32           `json:"entry"`
	Diner  domain.UserID    `json:"diner,omitempty"`
	Party  domain.PartySize `json:"party"`
	From   domain.Instant   `json:"from"`
	To     domain.Instant   `json:"to"`
	Wish   wishV1           `json:"wish,omitzero"`
	Online bool             `json:"online,omitempty"`
	WalkIn bool             `json:"walkIn,omitempty"`
	Quoted domain.Instant   `json:"quoted,omitempty"`
	Code   string           `json:"code,omitempty"`
	sealed
}

var waitlistJoined = &kind[restaurantday.WaitlistJoined, waitlistJoinedV2, heldPersonal]{
	name: TypeWaitlistJoined, upcasts: []upcaster{nowPersonal("occasion")},
	to: func(e restaurantday.WaitlistJoined) (waitlistJoinedV2, heldPersonal) {
		return waitlistJoinedV2{
			Entry: e.Entry, Diner: e.Diner, Party: e.Party, From: e.From, To: e.To, Wish: wishV1(e.Wish), Online: e.Online,
			WalkIn: e.WalkIn, Quoted: e.Quoted, Code: e.Code,
		}, personalOf(e.Details, "")
	},
	from: func(f waitlistJoinedV2, p heldPersonal, s domain.Stamp) restaurantday.WaitlistJoined {
		return restaurantday.WaitlistJoined{
			Stamp: s, Entry: f.Entry, Diner: f.Diner, Party: f.Party, From: f.From, To: f.To, Wish: restaurantday.Wish(f.Wish),
			Online: f.Online, WalkIn: f.WalkIn, Quoted: f.Quoted, Code: f.Code, Details: p.details(),
		}
	},
	subject: func(s eventstore.StreamName, e restaurantday.WaitlistJoined) (string, error) {
		return WaitlistSubject(s, e.Diner, e.Entry)
	},
	box: func(f *waitlistJoinedV2) *sealed { return &f.sealed },
}

// WaitlistSubject says whose key protects what an entry of a day's waitlist tells of a
// person: the diner's, else, for a guest without an account, the entry's own.
func WaitlistSubject(stream eventstore.StreamName, diner domain.UserID, entry uint32) (string, error) {
	if diner != "" {
		return string(diner), nil
	}
	r, date, ok := ParseDayStream(stream)
	if !ok {
		return "", fmt.Errorf("%w: %q is no day's stream, so entry %d of its waitlist has no id", eventstore.ErrInvalid, stream, entry)
	}
	return string(domain.NewWaitlistID(r, date, entry)), nil
}

type waitlistOfferedV1 struct {
	Entry     uint32         `json:"entry"`
	Number    uint32         `json:"number"`
	ExpiresAt domain.Instant `json:"expiresAt"`
}

var waitlistOffered = open(TypeWaitlistOffered,
	func(e restaurantday.WaitlistOffered) waitlistOfferedV1 {
		return waitlistOfferedV1{Entry: e.Entry, Number: e.Number, ExpiresAt: e.ExpiresAt}
	},
	func(f waitlistOfferedV1, s domain.Stamp) restaurantday.WaitlistOffered {
		return restaurantday.WaitlistOffered{Stamp: s, Entry: f.Entry, Number: f.Number, ExpiresAt: f.ExpiresAt}
	})

type waitlistPassedOverV1 struct {
	Entry uint32      `json:"entry"`
	For   uint32      `json:"for"`
	Code  domain.Code `json:"code"`
}

var waitlistPassedOver = open(TypeWaitlistPassedOver,
	func(e restaurantday.WaitlistPassedOver) waitlistPassedOverV1 {
		return waitlistPassedOverV1{Entry: e.Entry, For: e.For, Code: e.Code}
	},
	func(f waitlistPassedOverV1, s domain.Stamp) restaurantday.WaitlistPassedOver {
		return restaurantday.WaitlistPassedOver{Stamp: s, Entry: f.Entry, For: f.For, Code: f.Code}
	})

type waitlistLeftV1 struct {
	Entry  uint32                    `json:"entry"`
	By     restaurantday.CancelledBy `json:"by"`
	Reason restaurantday.LeftBecause `json:"reason"`
}

var waitlistLeft = open(TypeWaitlistLeft,
	func(e restaurantday.WaitlistLeft) waitlistLeftV1 {
		return waitlistLeftV1{Entry: e.Entry, By: e.By, Reason: e.Reason}
	},
	func(f waitlistLeftV1, s domain.Stamp) restaurantday.WaitlistLeft {
		return restaurantday.WaitlistLeft{Stamp: s, Entry: f.Entry, By: f.By, Reason: f.Reason}
	})
