package writeapi

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"reflect"

	"github.com/danielgtaylor/huma/v2"

	"daybook/commands"
	"daybook/domain"
	"daybook/domain/restaurant"
	"daybook/domain/restaurantday"
	"daybook/internal/httpapi"
	"daybook/internal/problem"
)

// Planned is a request that changes what days are opened with.
type Planned struct {
	About
	Preview bool `query:"preview" doc:"true: tell what the change would do to the days that are open, and change nothing; needs no Idempotency-Key"`
}

type seenDay struct {
	Date     string `json:"date" maxLength:"10" doc:"service date, YYYY-MM-DD"`
	Revision int64  `json:"revision" minimum:"0" maximum:"9007199254740991" doc:"as the preview told it"`
}

type bookingDecision struct {
	ReservationID string `json:"reservationId" maxLength:"60" doc:"rsv_…"`
	Do            string `json:"do" enum:"keep,move,cancel" doc:"keep it as an exception, move it to other tables at the same time, or cancel it"`
	Message       string `json:"message,omitempty" maxLength:"500" doc:"to the guest, with cancel"`
}

type onOpenDays struct {
	Seen      []seenDay         `json:"seen,omitempty" maxItems:"731" doc:"the days as they were previewed; those with decisions must be among them"`
	Decisions []bookingDecision `json:"decisions,omitempty" maxItems:"1000" doc:"what becomes of reservations that the change touches"`
	Default   string            `json:"default,omitempty" enum:"keep,move,cancel" doc:"for those without a decision, such as were made since the preview"`
}

// OpenDaysBody is the part of a body that says what becomes of days that are open.
type OpenDaysBody struct {
	OnOpenDays *onOpenDays `json:"onOpenDays,omitempty" doc:"what becomes of reservations that the change touches on days that are open; without it a change that touches any is refused with decision_needed"`
}

// orNil is the body as a repeat must equal it: the same for none as before there was one.
func (b *OpenDaysBody) orNil() any {
	if b == nil || b.OnOpenDays == nil {
		return nil
	}
	return b
}

func (b *OpenDaysBody) domain() (on commands.OnOpenDays, err error) {
	if b == nil || b.OnOpenDays == nil {
		return on, nil
	}
	for i, s := range b.OnOpenDays.Seen {
		date, err := domain.ParseServiceDate(s.Date)
		if err != nil {
			return on, field(fmt.Sprintf("body.onOpenDays.seen[%d].date", i), err)
		}
		on.Seen = append(on.Seen, restaurant.DaySeen{Date: date, Revision: uint64(s.Revision)})
	}
	for i, d := range b.OnOpenDays.Decisions {
		place := fmt.Sprintf("body.onOpenDays.decisions[%d]", i)
		id, err := domain.ParseReservationID(d.ReservationID)
		if err != nil {
			return on, field(place+".reservationId", err)
		}
		message, err := domain.Prose("message", d.Message, maxReason)
		if err != nil {
			return on, within(place+".message", err)
		}
		if message != "" && d.Do != string(restaurantday.CallOff) {
			return on, field(place+".message", fmt.Errorf("a message goes with cancel"))
		}
		on.Decisions = append(on.Decisions, commands.BookingDecision{Reservation: id, Do: restaurantday.Resolution(d.Do), Message: message})
	}
	on.Default = restaurantday.Resolution(b.OnOpenDays.Default)
	return on, nil
}

// planPreview is what a change would do to the days that are open.
type planPreview struct {
	Days []previewedDay `json:"days" doc:"every open day from today on"`
}

type previewedDay struct {
	Date     string           `json:"date"`
	Revision uint64           `json:"revision" doc:"to be sent in onOpenDays.seen"`
	Touched  []touchedBooking `json:"touched" doc:"reservations that the change would not have as they are"`
}

type touchedBooking struct {
	ReservationID string   `json:"reservationId"`
	Time          string   `json:"time" doc:"local time of the slot, HH:MM"`
	Party         int      `json:"party"`
	Name          string   `json:"name,omitempty" doc:"of the guest, where it was told"`
	Reasons       []misfit `json:"reasons"`
	Can           []string `json:"can" doc:"what can become of it: keep, move, cancel"`
}

type misfit struct {
	Code    string `json:"code" doc:"with which the same would be refused"`
	Rule    string `json:"rule"`
	TableID string `json:"tableId,omitempty"`
	BlockID string `json:"blockId,omitempty"`
}

func previewOf(p commands.PlanPreview) *planPreview {
	answer := planPreview{Days: make([]previewedDay, len(p.Days))}
	for i, d := range p.Days {
		day := previewedDay{Date: d.Date.String(), Revision: d.Revision, Touched: make([]touchedBooking, len(d.Touched))}
		for j, t := range d.Touched {
			b := touchedBooking{ReservationID: string(t.ID), Time: t.Time, Party: int(t.Party), Name: t.Name}
			for _, m := range t.Misfits {
				b.Reasons = append(b.Reasons, misfit{Code: string(m.Code), Rule: m.Rule, TableID: string(m.Table), BlockID: string(m.Block)})
			}
			for _, do := range t.Can {
				b.Can = append(b.Can, string(do))
			}
			day.Touched[j] = b
		}
		answer.Days[i] = day
	}
	return &answer
}

// planned is the answer to a change that may have been a preview.
type planned[B any] struct {
	Status int
	Written
	Body doneOrPreview[B]
}

// doneOrPreview is one of two bodies.
type doneOrPreview[B any] struct {
	done    B
	preview *planPreview
}

// MarshalJSON writes the one that there is.
func (b doneOrPreview[B]) MarshalJSON() ([]byte, error) {
	if b.preview != nil {
		return json.Marshal(b.preview)
	}
	return json.Marshal(b.done)
}

// Schema describes both.
func (doneOrPreview[B]) Schema(r huma.Registry) *huma.Schema {
	return &huma.Schema{AnyOf: []*huma.Schema{
		r.Schema(reflect.TypeFor[B](), true, ""), r.Schema(reflect.TypeFor[planPreview](), true, ""),
	}}
}

// asked makes the caller of a planned request; a preview needs no key.
func (p *Planned) asked(ctx context.Context, op *huma.Operation, body any) (commands.Caller, domain.RestaurantID, error) {
	about := p.About
	if p.Preview && about.Key == "" {
		about.Key = "preview"
	}
	c, id, err := about.address(ctx, op, body)
	if p.Preview {
		c.Key = "" // it is nothing to be recognised again
	}
	return c, id, err
}

// plan handles a change, or its preview.
func plan[B any](
	ctx context.Context, w *writes, in *Planned, c commands.Caller, id domain.RestaurantID, op *huma.Operation,
	change commands.PlanChange, open *OpenDaysBody, done func(commands.Receipt[restaurant.State], string) B,
) (*planned[B], error) {
	on, err := open.domain()
	if err != nil {
		return nil, refused(err)
	}
	if in.Preview {
		p, err := w.app.PreviewPlan(ctx, c, id, change)
		if err != nil {
			return nil, refused(err)
		}
		return &planned[B]{Status: http.StatusOK, Body: doneOrPreview[B]{preview: previewOf(p)}}, nil
	}
	r, made, err := w.app.ChangePlan(ctx, c, id, change, on)
	if err != nil {
		return nil, undecided(id, r.State.Profile.TimeZone, err)
	}
	return &planned[B]{Status: op.DefaultStatus, Written: wrote(r.Position, r.Replayed), Body: doneOrPreview[B]{done: done(r, made)}}, nil
}

// wholeRestaurant is the answer to changes that add nothing.
func wholeRestaurant(r commands.Receipt[restaurant.State], _ string) httpapi.Restaurant {
	return httpapi.RestaurantOf(r.State, r.Revision, true)
}

// undecided names the reservations of which it was not said what becomes of them, and tells
// times by the restaurant's clocks.
func undecided(id domain.RestaurantID, zone string, err error) error {
	no, ok := domain.Rejected(err)
	if !ok || no.Code != domain.CodeDecisionNeeded {
		return refused(err)
	}
	p := problem.FromRejection(no, httpapi.InZone(zone), nil)
	for i, why := range no.Reasons {
		for j, b := range why.Blocked {
			p.Reasons[i].Entries[j].ReservationID = string(domain.NewReservationID(id, why.Date, b.Number))
		}
	}
	return p
}
