package readapi

import (
	"context"
	"errors"
	"net/http"

	"daybook/domain"
	"daybook/domain/restaurantday"
	"daybook/internal/httpapi"
	"daybook/projections/book"
)

// waitingParty is an entry of a waitlist with what it was offered.
type waitingParty struct {
	httpapi.WaitlistEntry
	QuotedMinutes   int           `json:"quotedMinutes,omitempty" doc:"the wait that a party at the door was told, from when it joined"`
	Offer           *waitingOffer `json:"offer,omitempty" doc:"what it was offered last, or what it accepted"`
	SpecialRequests string        `json:"specialRequests,omitempty"`
	Occasion        string        `json:"occasion,omitempty"`
}

// waitingOffer is the hold that keeps what an entry is offered.
type waitingOffer struct {
	ReservationID string   `json:"reservationId"`
	Status        string   `json:"status" doc:"of the reservation"`
	ExpiresAt     string   `json:"expiresAt,omitempty" format:"date-time" doc:"until when it can be accepted"`
	Time          string   `json:"time" doc:"local, HH:MM"`
	StartsAt      string   `json:"startsAt" format:"date-time"`
	EndsAt        string   `json:"endsAt" format:"date-time" doc:"of the turn"`
	TableIDs      []string `json:"tableIds"`
}

func (r *reads) waitlist(api *httpapi.API) {
	op := get("read-waitlist-entry", "/waitlist/{id}", "Where an entry of a waitlist stands", "Waitlist")
	op.Security, op.Errors = httpapi.LoggedIn, append(op.Errors, http.StatusNotFound)
	httpapi.Handle(api, op, func(ctx context.Context, in *struct {
		After
		ID string `path:"id" doc:"the entry's id, wtl_…"`
	}) (*body[waitingParty], error) {
		w, staff, err := r.waiting(ctx, in.After, in.ID)
		if err != nil {
			return nil, err
		}
		return &body[waitingParty]{waitingOf(w, staff)}, nil
	})
}

// waiting reads an entry of a waitlist for those who may see it: whose it is, and the
// restaurant's staff. To everybody else it is not there.
func (r *reads) waiting(ctx context.Context, a After, text string) (w book.Waiting, staff bool, err error) {
	id, err := domain.ParseWaitlistID(text)
	if err != nil {
		return w, false, notFound("entry of a waitlist")
	}
	if err := r.reached(ctx, a); err != nil {
		return w, false, err
	}
	w, err = r.Book.WaitlistEntry(ctx, id, r.now())
	if errors.Is(err, book.ErrNotFound) {
		err = notFound("entry of a waitlist")
	}
	if err != nil {
		return w, false, err
	}
	restaurant, _, _ := id.Day()
	own, staff, err := r.whose(ctx, w.Entry.Diner, restaurant)
	if err == nil && !own && !staff {
		err = notFound("entry of a waitlist")
	}
	return w, staff, err
}

// whose tells whether something is the caller's own, or of the restaurant he works at.
func (r *reads) whose(ctx context.Context, diner domain.UserID, at domain.RestaurantID) (own, staff bool, err error) {
	user := httpapi.User(ctx)
	state, _, err := r.Book.Restaurant(ctx, at)
	if err != nil && !errors.Is(err, book.ErrNotFound) {
		return false, false, err
	}
	return diner != "" && diner == user, state.MayManage(user), nil
}

func waitingOf(w book.Waiting, staff bool) waitingParty {
	e, at := w.Entry, httpapi.InZone(w.Zone)
	out := waitingParty{SpecialRequests: e.Details.SpecialRequests, Occasion: e.Details.Occasion}
	var expires domain.Instant
	if o := w.Offer; o != nil {
		out.Offer = &waitingOffer{
			ReservationID: string(w.OfferID()), Status: string(o.Status), Time: o.Slot.Time,
			StartsAt: at(o.Turn.From), EndsAt: at(o.Turn.To), TableIDs: idsOf(o.Tables),
		}
		if o.Status == restaurantday.StatusPending {
			expires = o.ExpiresAt
			out.Offer.ExpiresAt = at(expires)
		}
	}
	out.WaitlistEntry = httpapi.WaitlistEntryOf(w.ID, e, w.Zone, w.Place, expires, w.Revision)
	if staff {
		out.WaitlistEntry = out.WaitlistEntry.ForStaff(w.ID, e)
	}
	if e.Quoted > e.JoinedAt {
		const minute = domain.Instant(60_000)
		out.QuotedMinutes = int((e.Quoted - e.JoinedAt + minute - 1) / minute)
	}
	return out
}

// keptGone is how many who no longer wait a board shows of each list.
const keptGone = 100

// lastWaiting puts those who wait, or are offered a table, before those who do not any more, and
// of the latter keeps the last.
func lastWaiting(all []waitingParty) []waitingParty {
	now, gone := make([]waitingParty, 0, len(all)), []waitingParty{}
	for _, w := range all {
		switch restaurantday.WaitlistStatus(w.Status) {
		case restaurantday.WaitlistWaiting, restaurantday.WaitlistOffering:
			now = append(now, w)
		case restaurantday.WaitlistAccepted, restaurantday.WaitlistGone:
			gone = append(gone, w)
		}
	}
	return append(now, gone[max(0, len(gone)-keptGone):]...)
}
