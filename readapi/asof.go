package readapi

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"daybook/domain"
	"daybook/domain/restaurant"
	"daybook/eventstore"
	"daybook/internal/httpapi"
	"daybook/projections/availability"
	"daybook/projections/book"
)

// AsOf is a request that may ask for the past. Who may see an answer is judged by today's
// roles, whatever moment it is about.
type AsOf struct {
	AsOf string `query:"asOf" maxLength:"40" doc:"answer as it was then: an RFC 3339 instant, or a position of the ledger"`
}

// Moment is what an answer about the past tells of it.
type Moment struct {
	AsOf     string `json:"asOf,omitempty" format:"date-time" doc:"the instant it tells of, where asOf was sent; as of a position, when the newest event in it was decided"`
	Position uint64 `json:"position,omitempty" doc:"of the newest event in it, where asOf was sent"`
}

// lookBack bounds an answer about the past.
const lookBack = 10 * time.Second

// past is the book as of what was asked for; nil where that is now.
func (r *reads) past(ctx context.Context, a AsOf) (*book.Past, error) {
	if a.AsOf == "" {
		return nil, nil
	}
	m, err := readMoment(a.AsOf)
	if err != nil {
		return nil, err
	}
	p, err := r.Book.AsOf(ctx, m, r.now())
	switch {
	case errors.Is(err, book.ErrFuture):
		return nil, badQuery("asOf", "that instant is still to come")
	case errors.Is(err, book.ErrPastHead):
		return nil, badQuery("asOf", "the ledger has no such position yet")
	case errors.Is(err, book.ErrBeforeFirst):
		return nil, badQuery("asOf", "nothing stands in the ledger up to that position")
	case errors.Is(err, book.ErrNoPosition):
		return nil, badQuery("asOf", "no event has that position")
	}
	return p, err
}

func readMoment(text string) (book.Moment, error) {
	if strings.Trim(text, "0123456789") == "" {
		p, err := strconv.ParseUint(text, 10, 64)
		if err != nil || p > uint64(1)<<63-1 {
			return book.Moment{}, badQuery("asOf", "the ledger has no such position yet")
		}
		return book.AtPosition(eventstore.Position(p)), nil
	}
	// A + that was not escaped comes as a space.
	t, err := time.Parse(time.RFC3339, strings.Replace(text, " ", "+", 1))
	if err != nil {
		return book.Moment{}, badQuery("asOf", "want an instant with its offset, such as 2026-11-21T19:30:00+01:00, or a position of the ledger")
	}
	return book.AtInstant(domain.InstantOf(t)), nil
}

// momentOf tells of p, after it was read; nothing of now.
func momentOf(p *book.Past, zone string) Moment {
	if p == nil {
		return Moment{}
	}
	return Moment{AsOf: exactly(p.Named(), zone), Position: uint64(p.Position())}
}

// exactly writes an instant with its milliseconds, as asOf takes it.
func exactly(at domain.Instant, zone string) string {
	loc, err := httpapi.Zone(zone)
	if err != nil {
		loc = time.UTC
	}
	return at.Time().In(loc).Format("2006-01-02T15:04:05.000Z07:00")
}

// restaurantThen is a restaurant as it was.
func restaurantThen(ctx context.Context, p *book.Past, id domain.RestaurantID) (restaurant.State, uint64, error) {
	ctx, cancel := context.WithTimeout(ctx, lookBack)
	defer cancel()
	state, revision, err := p.Restaurant(ctx, id)
	if errors.Is(err, book.ErrNotFound) {
		err = notFound("restaurant as of then")
	}
	return state, revision, err
}

// chainThen is a reservation as it was, with all that it had been moved from and to.
func chainThen(ctx context.Context, p *book.Past, id domain.ReservationID, now domain.Instant) ([]book.Entry, error) {
	ctx, cancel := context.WithTimeout(ctx, lookBack)
	defer cancel()
	found, err := p.Chain(ctx, id, now)
	if errors.Is(err, book.ErrNotFound) {
		err = notFound("reservation as of then")
	}
	return found, err
}

// dayThen is a day as it was, and whether it had no book yet: then it is as it would have
// been opened, and refused where it could not have been.
func dayThen(ctx context.Context, p *book.Past, id domain.RestaurantID, date domain.ServiceDate) (d book.Day, planned bool, err error) {
	d, err = p.Day(ctx, id, date)
	if !errors.Is(err, book.ErrNotFound) {
		return d, false, err
	}
	state, revision, err := restaurantThen(ctx, p, id)
	if err != nil {
		return d, true, err
	}
	zone, err := httpapi.Zone(state.Profile.TimeZone)
	if err != nil {
		return d, true, err
	}
	if d, err = book.Planned(state, revision, date, zone, p.At()); err != nil {
		return d, true, err
	}
	return d, true, state.MayOpen(date, d.State.Plan, zone, p.At())
}

// offersThen tells what a day offered a party.
func offersThen(ctx context.Context, p *book.Past, asked dayAsked) (b availabilityBody, zone string, err error) {
	d, _, err := dayThen(ctx, p, asked.restaurant, asked.date)
	if no, ok := domain.Rejected(err); ok && no.Code != domain.CodeNotFound {
		state, _, err := restaurantThen(ctx, p, asked.restaurant)
		return offersOf(asked, availability.Answer{}, no.Code), state.Profile.TimeZone, err
	}
	if err != nil {
		return b, "", err
	}
	answer := answerOf(d, asked.party)
	var code domain.Code
	if len(answer.Slots) == 0 {
		code = domain.CodeClosed
	}
	return offersOf(asked, answer, code), d.State.Plan.Zone, nil
}

// availabilityThen answers for what a day offered a party.
func (r *reads) availabilityThen(ctx context.Context, a After, p *book.Past, asked dayAsked, alternatives bool) (*body[availabilityBody], error) {
	if err := r.reached(ctx, a); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, lookBack)
	defer cancel()
	answer, zone, err := offersThen(ctx, p, asked)
	if err == nil && alternatives && answer.full() {
		answer.AlternativeDates, err = r.aroundThen(ctx, p, asked)
	}
	if err != nil {
		return nil, err
	}
	answer.Moment = momentOf(p, zone)
	return &body[availabilityBody]{answer}, nil
}

// answerOf is what the availability view would have answered with.
func answerOf(d book.Day, party domain.PartySize) availability.Answer {
	return availability.Answer{Opened: true, Revision: d.Revision, Plan: d.State.Plan, Slots: d.State.Slots(party, d.At)}
}

// aroundThen finds the days around one that had free slots: see around.
func (r *reads) aroundThen(ctx context.Context, p *book.Past, asked dayAsked) ([]calendarDay, error) {
	state, revision, err := restaurantThen(ctx, p, asked.restaurant)
	if err != nil {
		return nil, err
	}
	days, err := daysThen(ctx, p, state, revision, datesAround(asked.date), asked.party)
	return withSlots(days), err
}

// daysThen tells of each date what it offered, in the order of dates: see days.
func daysThen(
	ctx context.Context, p *book.Past, state restaurant.State, revision uint64, dates []domain.ServiceDate, party domain.PartySize,
) ([]calendarDay, error) {
	zone, err := httpapi.Zone(state.Profile.TimeZone)
	if err != nil {
		return nil, err
	}
	today, last := bookable(state, zone, p.At())
	ctx, cancel := context.WithTimeout(ctx, lookBack)
	defer cancel()
	days := make([]calendarDay, len(dates))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(askedAtOnce)
	for i, date := range dates {
		group.Go(func() error {
			d, err := book.Day{}, book.ErrNotFound
			if today <= date && date <= last {
				d, err = p.Day(ctx, state.ID, date)
			}
			if errors.Is(err, book.ErrNotFound) {
				d, err = book.Planned(state, revision, date, zone, p.At())
			}
			no, refused := domain.Rejected(err)
			switch {
			case refused:
				days[i] = calendarDayOf(state, date, availability.Answer{}, no.Code)
			case err == nil:
				days[i] = calendarDayOf(state, date, answerOf(d, party), "")
			default:
				return err
			}
			return nil
		})
	}
	return days, group.Wait()
}
