package readapi

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"

	"daybook/domain"
	"daybook/domain/restaurant"
	"daybook/internal/httpapi"
	"daybook/projections/book"
)

// importDetail is a batch with what of it waits for staff.
type importDetail struct {
	httpapi.Import
	Open    []openConflict `json:"open" doc:"its reservations from today on that stand in conflict, by time; 500 at most"`
	LeftOut int            `json:"openLeftOut,omitempty"`
}

type openConflict struct {
	ReservationID string             `json:"reservationId"`
	ExternalID    string             `json:"externalId"`
	Date          string             `json:"date"`
	Time          string             `json:"time"`
	StartsAt      string             `json:"startsAt" format:"date-time"`
	Party         int                `json:"party"`
	TableIDs      []string           `json:"tableIds" doc:"that it has all the same"`
	Conflicts     []httpapi.Conflict `json:"conflicts"`

	at domain.Instant
}

// maxOpen bounds how many conflicts an answer lists.
const maxOpen = 500

// importDaysAtOnce is how many days are looked at together.
const importDaysAtOnce = 8

func (r *reads) imports(api *httpapi.API) {
	all := get("list-imports", "/restaurants/{id}/imports", "The batches of bookings of other systems, the last first", "Imports")
	all.Security, all.Errors = httpapi.LoggedIn, append(all.Errors, http.StatusNotFound, http.StatusForbidden)
	httpapi.Handle(api, all, func(ctx context.Context, in *struct {
		After
		ID string `path:"id" doc:"the restaurant's id, rst_…"`
	}) (*body[page[httpapi.Import]], error) {
		state, err := r.managed(ctx, in.After, in.ID)
		if err != nil {
			return nil, err
		}
		list := page[httpapi.Import]{Items: make([]httpapi.Import, 0, len(state.Imports))}
		for _, m := range slices.Backward(state.Imports) {
			list.Items = append(list.Items, httpapi.ImportOf(m, state.Profile.TimeZone))
		}
		return &body[page[httpapi.Import]]{list}, nil
	})

	one := get("read-import", "/restaurants/{id}/imports/{batch}", "A batch, and what of it stands in conflict", "Imports")
	one.Description = "Always current: conflicts are read off the days' own streams."
	one.Security, one.Errors = httpapi.LoggedIn, append(one.Errors, http.StatusNotFound, http.StatusForbidden)
	httpapi.Handle(api, one, func(ctx context.Context, in *struct {
		After
		ID    string `path:"id" doc:"the restaurant's id, rst_…"`
		Batch string `path:"batch" maxLength:"64" doc:"what the batch is called"`
	}) (*body[importDetail], error) {
		state, err := r.managed(ctx, in.After, in.ID)
		if err != nil {
			return nil, err
		}
		m, ok := state.Import(in.Batch)
		if !ok {
			return nil, notFound("batch")
		}
		open, err := r.openConflicts(ctx, state, m)
		if err != nil {
			return nil, err
		}
		detail := importDetail{Import: httpapi.ImportOf(m, state.Profile.TimeZone), Open: open, LeftOut: max(0, len(open)-maxOpen)}
		detail.Open = detail.Open[:len(open)-detail.LeftOut]
		return &body[importDetail]{detail}, nil
	})
}

// managed is a restaurant as it stands, for those who work there.
func (r *reads) managed(ctx context.Context, after After, id string) (restaurant.State, error) {
	state, _, err := r.restaurant(ctx, after, id)
	if err == nil && !state.MayManage(httpapi.User(ctx)) {
		err = domain.Reject(domain.CodeForbidden, "only those who work at the restaurant see its imports")
	}
	return state, err
}

// openConflicts lists what stands in conflict on a batch's days from today on.
func (r *reads) openConflicts(ctx context.Context, state restaurant.State, m restaurant.Import) ([]openConflict, error) {
	zone, err := httpapi.Zone(state.Profile.TimeZone)
	if err != nil {
		return nil, err
	}
	now := r.now()
	today := domain.ServiceDateAt(now, zone, state.DayBoundary)
	list := []openConflict{}
	var mu sync.Mutex
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(importDaysAtOnce)
	for _, date := range m.Dates {
		if date < today {
			continue
		}
		group.Go(func() error {
			d, err := r.Book.Day(ctx, state.ID, date, now)
			if errors.Is(err, book.ErrNotFound) {
				return nil // the run was broken off before it
			}
			if err != nil {
				return err
			}
			mu.Lock()
			defer mu.Unlock()
			list = append(list, conflictsOn(d, m.Batch)...)
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	slices.SortFunc(list, func(a, b openConflict) int {
		return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.ReservationID, b.ReservationID))
	})
	return list, nil
}

func conflictsOn(d book.Day, batch string) (list []openConflict) {
	at := httpapi.InZone(d.State.Plan.Zone)
	for _, n := range d.State.Facts() {
		e, ok := d.State.Reservation(n)
		if !ok || e.Fact.Batch != batch || len(e.Open()) == 0 {
			continue
		}
		list = append(list, openConflict{
			ReservationID: string(d.State.ID(n)), ExternalID: e.Fact.External, Date: d.State.Date.String(), Time: e.Slot.Time,
			StartsAt: at(e.Turn.From), Party: int(e.Party), TableIDs: idsOf(e.Tables),
			Conflicts: httpapi.ConflictsOf(d.State.Restaurant, d.State.Date, e.Open()), at: e.Turn.From,
		})
	}
	return list
}
