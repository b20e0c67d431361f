package book

import (
	"context"
	"errors"
	"reflect"
	"testing"
	"time"

	"daybook/domain"
	"daybook/domain/restaurant"
	"daybook/domain/restaurantday"
	"daybook/eventstore"
	"daybook/eventstore/codec"
)

func (s *shelf) head() eventstore.Position {
	s.t.Helper()
	head, err := s.store.Head(s.t.Context())
	if err != nil {
		s.t.Fatal(err)
	}
	return head
}

// back looks back to a moment.
func (s *shelf) back(m Moment) *Past {
	s.t.Helper()
	p, err := s.book.AsOf(s.t.Context(), m, noon+1_000_000_000)
	if err != nil {
		s.t.Fatal(err)
	}
	return p
}

func confirmed(at domain.Instant) restaurantday.Confirmed {
	return restaurantday.Confirmed{Stamp: stamp(at), Number: 1}
}

// TestPastOfADay reads a day as of instants before, between and at its events, and as of the
// position of each.
func TestPastOfADay(t *testing.T) {
	s := newShelf(t)
	stream := codec.DayStream(ida, evening)
	before := s.head
	var positions []eventstore.Position
	h := held(1)
	h.At = noon + 10
	h.ExpiresAt = noon + 100
	later := held(2) // by whose instant the first has lapsed
	later.At, later.ExpiresAt = noon+200, noon+300
	for _, e := range []any{opened(), h, confirmed(noon + 50), later} {
		s.write(stream, e)
		positions = append(positions, before())
	}
	s.write(codec.RestaurantStream(ida), restaurant.Published{Stamp: stamp(noon + 500)}) // another stream's event is the newest
	last := s.head()
	type seen struct {
		Revision uint64
		At       domain.Instant
		Statuses []restaurantday.Status
		Position eventstore.Position
		Named    domain.Instant
	}
	const pending, firm, expired = restaurantday.StatusPending, restaurantday.StatusConfirmed, restaurantday.StatusExpired
	for _, c := range []struct {
		what string
		m    Moment
		want seen
	}{
		{"as it was opened", AtInstant(noon), seen{0, noon, []restaurantday.Status{}, positions[0], noon}},
		{"a moment before the hold", AtInstant(noon + 9), seen{0, noon + 9, []restaurantday.Status{}, positions[0], noon + 9}},
		{"at the hold", AtInstant(noon + 10), seen{1, noon + 10, []restaurantday.Status{pending}, positions[1], noon + 10}},
		{"when it was confirmed", AtInstant(noon + 50), seen{2, noon + 50, []restaurantday.Status{firm}, positions[2], noon + 50}},
		{"when the second hold has lapsed", AtInstant(noon + 300), seen{3, noon + 300, []restaurantday.Status{firm, expired}, positions[3], noon + 300}},
		{"up to the opening", AtPosition(positions[0]), seen{0, noon, []restaurantday.Status{}, positions[0], noon}},
		{"up to the hold", AtPosition(positions[1]), seen{1, noon + 10, []restaurantday.Status{pending}, positions[1], noon + 10}},
		{"up to the second hold", AtPosition(positions[3]), seen{3, noon + 200, []restaurantday.Status{firm, pending}, positions[3], noon + 200}},
		{"up to what came elsewhere, later", AtPosition(last), seen{3, noon + 500, []restaurantday.Status{firm, expired}, positions[3], noon + 200}},
	} {
		p := s.back(c.m)
		d, err := p.Day(t.Context(), ida, evening)
		if err != nil {
			t.Errorf("%s: %v", c.what, err)
			continue
		}
		got := seen{d.Revision, d.At, []restaurantday.Status{}, p.Position(), p.Named()}
		for _, r := range d.Reservations() {
			got.Statuses = append(got.Statuses, r.Status)
		}
		if !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: got %+v, want %+v", c.what, got, c.want)
		}
	}
	if _, err := s.back(AtInstant(noon-1)).Day(t.Context(), ida, evening); !errors.Is(err, ErrNotFound) {
		t.Errorf("before it was opened: %v", err)
	}
	present := s.book.Present(noon + 250)
	if d, err := present.Day(t.Context(), ida, evening); err != nil || d.Revision != 3 || d.At != noon+250 || present.At() != noon+250 {
		t.Errorf("now: %+v, %v", d, err)
	}
}

func TestMomentsThatCannotBeLookedBackTo(t *testing.T) {
	s := newShelf(t)
	if _, err := s.book.AsOf(t.Context(), AtPosition(0), noon); !errors.Is(err, ErrBeforeFirst) {
		t.Errorf("in an empty ledger: %v", err)
	}
	s.write(codec.DayStream(ida, evening), opened())
	for _, c := range []struct {
		m    Moment
		want error
	}{
		{AtInstant(noon + 1), ErrFuture}, {AtInstant(noon), nil}, {AtPosition(s.head() + 1), ErrPastHead},
		{AtPosition(eventstore.End), ErrPastHead}, {AtPosition(s.head()), nil}, {AtPosition(s.head() - 1), ErrNoPosition}, {AtPosition(0), ErrBeforeFirst},
	} {
		if _, err := s.book.AsOf(t.Context(), c.m, noon); !errors.Is(err, c.want) {
			t.Errorf("%+v: got %v, want %v", c.m, err, c.want)
		}
	}
}

// TestPastOfARestaurant reads a restaurant at each of its changes, by itself and at several
// instants together.
func TestPastOfARestaurant(t *testing.T) {
	s := newShelf(t)
	stream := codec.RestaurantStream(ida)
	profile := restaurant.Profile{Name: "Ida", TimeZone: "UTC"}
	s.write(stream,
		restaurant.Registered{Stamp: stamp(noon), ID: ida, Owner: owner, Profile: profile, DayBoundary: 300, Policy: restaurant.DefaultPolicy()},
		restaurant.Published{Stamp: stamp(noon + 100)},
	)
	p := s.back(AtInstant(noon + 99))
	state, revision, err := p.Restaurant(t.Context(), ida)
	if err != nil || revision != 0 || state.Status != restaurant.StatusDraft {
		t.Errorf("before it was published: %+v at %d, %v", state, revision, err)
	}
	if _, _, err := s.back(AtInstant(noon-1)).Restaurant(t.Context(), ida); !errors.Is(err, ErrNotFound) {
		t.Errorf("before it was registered: %v", err)
	}
	statuses := func(m Moment, at ...domain.Instant) (all []restaurant.Status) {
		versions, err := s.back(m).Versions(t.Context(), ida, at)
		if err != nil || len(versions) != len(at) {
			t.Fatalf("%+v, %v", versions, err)
		}
		for _, v := range versions {
			all = append(all, v.State.Status)
		}
		return all
	}
	const none, draft, open = restaurant.Status(""), restaurant.StatusDraft, restaurant.StatusOpen
	at := []domain.Instant{noon - 1, noon, noon + 99, noon + 100, noon + 5000}
	if got, want := statuses(AtInstant(noon+6000), at...), []restaurant.Status{none, draft, draft, open, open}; !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if got, want := statuses(AtInstant(noon+50), at...), []restaurant.Status{none, draft, draft, draft, draft}; !reflect.DeepEqual(got, want) {
		t.Errorf("as of before it was published: got %v, want %v", got, want)
	}
	// A day that nobody had asked for is as it would have been opened.
	_, err = Planned(state, 0, evening, time.UTC, noon)
	if no, ok := domain.Rejected(err); !ok || no.Code != domain.CodeClosed {
		t.Errorf("a draft's day: %v", err)
	}
	state.Status = restaurant.StatusOpen
	if d, err := Planned(state, 7, evening, time.UTC, noon); err != nil || d.Revision != 0 || d.At != noon || d.State.Plan.Revision != 7 || d.State.Date != evening {
		t.Errorf("planned %+v, %v", d, err)
	}
}

// TestPastOfAMove asks for a reservation under both of its ids before, during and after its
// move to the next day.
func TestPastOfAMove(t *testing.T) {
	s := newShelf(t)
	here, there := domain.NewReservationID(ida, evening, 1), domain.NewReservationID(ida, evening+1, 1)
	s.write(codec.DayStream(ida, evening), opened(), held(1), confirmed(noon+10),
		restaurantday.MoveStarted{Stamp: stamp(noon + 20), Number: 1, To: evening + 1, Time: "19:00", Party: 2, Move: "m"})
	o, h := opened(), held(1)
	o.At, o.Date, h.At, h.ExpiresAt, h.MovedFrom, h.Source = noon+30, evening+1, noon+30, noon+600, here, restaurantday.SourceMove
	s.write(codec.DayStream(ida, evening+1), o, h, confirmed(noon+40))
	s.write(codec.DayStream(ida, evening), restaurantday.Moved{Stamp: stamp(noon + 50), Number: 1, To: there})
	for _, c := range []struct {
		at          domain.Instant
		asked, want domain.ReservationID
		status      restaurantday.Status
	}{
		{noon + 15, here, here, restaurantday.StatusConfirmed},
		{noon + 15, there, here, restaurantday.StatusConfirmed}, // the id came later, the reservation was there
		{noon + 35, here, here, restaurantday.StatusConfirmed},
		{noon + 35, there, there, restaurantday.StatusPending}, // as it was answered then
		{noon + 45, there, there, restaurantday.StatusConfirmed},
		{noon + 50, here, there, restaurantday.StatusConfirmed},
		{noon + 50, there, there, restaurantday.StatusConfirmed},
	} {
		found, err := s.back(AtInstant(c.at)).Chain(t.Context(), c.asked, noon+100)
		if err != nil {
			t.Errorf("%+v: %v", c, err)
			continue
		}
		if last := found[len(found)-1]; last.ID != c.want || last.Reservation.Status != c.status {
			t.Errorf("%+v: got %s, %s", c, last.ID, last.Reservation.Status)
		}
	}
	if _, err := s.back(AtInstant(noon-1)).Chain(t.Context(), there, noon+100); !errors.Is(err, ErrNotFound) {
		t.Errorf("before it was made: %v", err)
	}
	if _, err := s.back(AtInstant(noon)).Chain(t.Context(), domain.NewReservationID(ida, evening, 2), noon); !errors.Is(err, ErrNotFound) {
		t.Errorf("of nobody: %v", err)
	}
}

// TestPastOfDemand: refusals go on record beside the answers, so not in their order.
func TestPastOfDemand(t *testing.T) {
	s := newShelf(t)
	stream := codec.DemandStream(ida, evening)
	refused := func(at domain.Instant, party domain.PartySize) restaurantday.Refused {
		return restaurantday.Refused{Stamp: stamp(at), Code: domain.CodeNoTable, Party: party, Time: "19:00"}
	}
	s.write(stream, refused(noon+20, 2))
	first := s.head()
	s.write(stream, refused(noon+10, 3))
	for what, c := range map[string]struct {
		m    Moment
		want []domain.PartySize
	}{
		"before both": {AtInstant(noon), nil}, "between": {AtInstant(noon + 10), []domain.PartySize{3}},
		"after both": {AtInstant(noon + 20), []domain.PartySize{2, 3}}, "up to the first": {AtPosition(first), []domain.PartySize{2}},
	} {
		list, err := s.back(c.m).Demand(t.Context(), ida, evening)
		var got []domain.PartySize
		for _, r := range list {
			got = append(got, r.Party)
		}
		if err != nil || !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: got %v, %v, want %v", what, got, err, c.want)
		}
	}
}

// TestPastOfSomebodyErased: what is erased is erased in every past.
func TestPastOfSomebodyErased(t *testing.T) {
	s := newShelf(t)
	s.write(codec.DayStream(ida, evening), opened(), held(1))
	id := domain.NewReservationID(ida, evening, 1)
	look := func() restaurantday.Details {
		e, err := s.back(AtInstant(noon)).Reservation(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		return e.Reservation.Details
	}
	if got := look(); got.Notes == "" {
		t.Errorf("before: %+v", got)
	}
	if err := s.keys.Drop(t.Context(), string(ada)); err != nil {
		t.Fatal(err)
	}
	s.book = New(s.store, codec.New(s.keys)) // a codec knows within a minute of what another process dropped
	if got := look(); got != (restaurantday.Details{}) {
		t.Errorf("after: %+v", got)
	}
}

// TestOfDays: days come in the order of their dates, those without a book too, and the first
// error ends it.
func TestOfDays(t *testing.T) {
	s := newShelf(t)
	var dates []domain.ServiceDate
	var want []string
	for n := range 20 {
		date := evening.AddDays(n)
		dates = append(dates, date)
		if n%3 == 0 {
			want = append(want, date.String()+" none")
			continue
		}
		o := opened()
		o.Date = date
		s.write(codec.DayStream(ida, date), o)
		want = append(want, date.String())
	}
	p := s.back(AtInstant(noon))
	got, err := OfDays(t.Context(), p, ida, dates, func(i int, d Day, opened bool) ([]string, error) {
		if !opened {
			return []string{dates[i].String() + " none"}, nil
		}
		return []string{d.State.Date.String()}, nil
	})
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, %v", got, err)
	}
	broken := errors.New("broken")
	if _, err := OfDays(t.Context(), p, ida, dates, func(int, Day, bool) ([]int, error) { return nil, broken }); !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
}

// TestFoldsAtOnce: who looks back waits for a place, and no longer than his context.
func TestFoldsAtOnce(t *testing.T) {
	s := newShelf(t)
	s.write(codec.DayStream(ida, evening), opened())
	p := s.back(AtInstant(noon))
	for range foldsAtOnce {
		s.book.folding <- struct{}{}
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := p.Day(gone, ida, evening); !errors.Is(err, context.Canceled) {
		t.Errorf("a day: %v", err)
	}
	if _, err := p.Demand(gone, ida, evening); !errors.Is(err, context.Canceled) {
		t.Errorf("demand: %v", err)
	}
	<-s.book.folding
	if _, err := p.Day(t.Context(), ida, evening); err != nil {
		t.Error(err)
	}
}

// TestPastThatCannotBeRead: nothing is shown with a part of its history left out.
func TestPastThatCannotBeRead(t *testing.T) {
	s := newShelf(t)
	stream := codec.DayStream(ida, evening)
	s.write(stream, opened())
	good := s.head()
	e := eventstore.Event{ID: eventstore.EventID{99}, Type: codec.TypeReservationConfirmed, Data: []byte("{"), Metadata: []byte(`{"v":1}`)}
	if _, err := s.store.Append(t.Context(), stream, eventstore.Any(), e); err != nil {
		t.Fatal(err)
	}
	if d, err := s.back(AtInstant(noon)).Day(t.Context(), ida, evening); err == nil || errors.Is(err, ErrNotFound) {
		t.Errorf("got %+v, %v", d, err)
	}
	if _, err := s.back(AtPosition(good)).Day(t.Context(), ida, evening); err != nil {
		t.Errorf("up to what can be read: %v", err)
	}
}
