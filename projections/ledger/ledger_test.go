package ledger

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"daybook/domain"
	"daybook/eventstore"
	"daybook/eventstore/canon"
	"daybook/eventstore/codec"
	"daybook/eventstore/embedded"
)

func openStore(t *testing.T) *embedded.Store {
	t.Helper()
	s, err := embedded.Open("ledger", embedded.Options{
		FS: vfs.NewMem(), Logger: slog.New(slog.DiscardHandler), CacheBytes: 1 << 20, MemTableBytes: 1 << 20,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

var written byte

func write(t *testing.T, s eventstore.Store, stream eventstore.StreamName, types ...string) {
	t.Helper()
	for _, eventType := range types {
		written++
		e := eventstore.Event{ID: eventstore.EventID{1, written}, Type: eventType, Data: []byte(`{}`), Metadata: []byte(`{"v":1}`)}
		if _, err := s.Append(t.Context(), stream, eventstore.Any(), e); err != nil {
			t.Fatal(err)
		}
	}
}

var (
	here  = domain.NewRestaurantID([16]byte{1})
	there = domain.NewRestaurantID([16]byte{2})
	date  = domain.ServiceDateAt(domain.InstantOf(time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)), time.UTC, 0)
)

// town writes eight events of two restaurants and a user.
func town(t *testing.T) *embedded.Store {
	s := openStore(t)
	write(t, s, codec.RestaurantStream(here), codec.TypeRestaurantRegistered)
	write(t, s, codec.RestaurantStream(there), codec.TypeRestaurantRegistered)
	write(t, s, codec.DayStream(here, date), codec.TypeDayOpened, codec.TypeReservationHeld)
	write(t, s, codec.UserStream(domain.NewUserID([16]byte{3})), codec.TypeUserRegistered)
	write(t, s, codec.DayStream(there, date), codec.TypeDayOpened)
	write(t, s, codec.DemandStream(here, date), codec.TypeDemandRefused)
	write(t, s, codec.WebhooksStream(here), codec.TypeWebhookCreated)
	return s
}

// of reads lines back: stream, a blank, type.
func of(t *testing.T, lines []byte) (all []string) {
	t.Helper()
	for line := range bytes.Lines(lines) {
		l, err := canon.FromLine(line)
		if err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		all = append(all, string(l.Stream)+" "+l.Type)
	}
	return all
}

func page(t *testing.T, s Store, after eventstore.Position, c Choice, limit int) (all []string) {
	t.Helper()
	err := New(s).Page(t.Context(), after, c, limit, func(p Piece) error {
		all = append(all, of(t, p.Lines)...)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestChoices(t *testing.T) {
	s := town(t)
	all := page(t, s, 0, Choice{}, 100)
	if len(all) != 8 {
		t.Fatalf("%d events: %q", len(all), all)
	}
	ofHere := []string{all[0], all[2], all[3], all[6], all[7]}
	for name, c := range map[string]struct {
		choice Choice
		want   []string
	}{
		"a restaurant":              {Choice{Restaurants: []domain.RestaurantID{here}}, ofHere},
		"two restaurants":           {Choice{Restaurants: []domain.RestaurantID{there, here}}, slices.Concat(all[:4], all[5:])},
		"a type":                    {Choice{Types: []string{codec.TypeDayOpened}}, []string{all[2], all[5]}},
		"a type is no beginning":    {Choice{Types: []string{"day.open"}}, nil},
		"types by beginning":        {Choice{Types: []string{"restaurant.", codec.TypeUserRegistered}}, []string{all[0], all[1], all[4]}},
		"a stream":                  {Choice{Stream: string(codec.DayStream(here, date))}, all[2:4]},
		"a stream is no beginning":  {Choice{Stream: "day"}, nil},
		"streams by beginning":      {Choice{Stream: codec.DayPrefix}, []string{all[2], all[3], all[5]}},
		"no such stream":            {Choice{Stream: "nowhere"}, nil},
		"another's stream":          {Choice{Stream: string(codec.DayStream(there, date)), Restaurants: []domain.RestaurantID{here}}, nil},
		"all three":                 {Choice{Stream: codec.DayPrefix, Restaurants: []domain.RestaurantID{here}, Types: []string{"reservation."}}, all[3:4]},
		"everything of one that is": {Choice{Restaurants: []domain.RestaurantID{domain.NewRestaurantID([16]byte{9})}}, nil},
	} {
		if got := page(t, s, 0, c.choice, 100); !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s:\ngot  %q\nwant %q", name, got, c.want)
		}
		// The same by pages of one, each from where the one before ended.
		var got []string
		for after := eventstore.Start; ; {
			n := 0
			err := New(s).Page(t.Context(), after, c.choice, 1, func(p Piece) error {
				n += p.Events
				got = append(got, of(t, p.Lines)...)
				after = p.Position
				return nil
			})
			if err != nil || n > 1 {
				t.Fatalf("%s: %d events, %v", name, n, err)
			}
			if n == 0 {
				break
			}
		}
		if !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s, one by one:\ngot  %q\nwant %q", name, got, c.want)
		}
		// And as they come.
		got = nil
		tail, err := New(s).Tail(t.Context(), 0, c.choice)
		if err != nil {
			t.Fatal(err)
		}
		for at := eventstore.Start; at < 8; {
			p, err := tail.Next(t.Context(), 1)
			if err != nil || p.Events > 1 || p.Position < at {
				t.Fatalf("%s: %d events at %d after %d, %v", name, p.Events, p.Position, at, err)
			}
			at = p.Position
			got = append(got, of(t, p.Lines)...)
		}
		if err := tail.Close(); err != nil {
			t.Error(err)
		}
		if !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s, as they come:\ngot  %q\nwant %q", name, got, c.want)
		}
	}
}

func TestUnknownTypes(t *testing.T) {
	for asked, known := range map[string]bool{
		"reservation.held": true, "reservation.": true, "user.": true, "reservation": false, "": false, ".": false, "reservation.hel": false, "$x": false,
	} {
		if err := (Choice{Types: []string{codec.TypeDayOpened, asked}}).Check(); (err == nil) != known || err != nil && !errors.Is(err, ErrUnknownType) {
			t.Errorf("%q: %v", asked, err)
		}
	}
}

func TestOwner(t *testing.T) {
	for stream, want := range map[eventstore.StreamName]domain.RestaurantID{
		codec.DayStream(here, date): here, codec.DemandStream(there, date): there, codec.RestaurantStream(here): here, codec.WebhooksStream(here): here,
		"day-": "", "": "", codec.UserStream(domain.NewUserID([16]byte{3})): "", "restaurant-x": "", "day-" + codec.RestaurantStream(here): "",
	} {
		if got, ok := Owner(string(stream)); got != want || ok != (want != "") {
			t.Errorf("%q is of %q, %t; want %q", stream, got, ok, want)
		}
	}
}

// TestPieces: however much there is, a piece is bounded, and an error of the one who takes
// them ends the page.
func TestPieces(t *testing.T) {
	s := openStore(t)
	large := []byte(`"` + strings.Repeat("x", 100<<10) + `"`)
	for i := range 7 {
		e := eventstore.Event{ID: eventstore.EventID{2, byte(i)}, Type: "large", Data: large, Metadata: []byte(`{}`)}
		if _, err := s.Append(t.Context(), "streams", eventstore.Any(), e); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 3 {
		events := make([]eventstore.Event, 900)
		for k := range events {
			events[k] = eventstore.Event{ID: eventstore.EventID{3, byte(i), byte(k), byte(k >> 8)}, Type: "small", Data: []byte(`{}`), Metadata: []byte(`{}`)}
		}
		if _, err := s.Append(t.Context(), "streams", eventstore.Any(), events...); err != nil {
			t.Fatal(err)
		}
	}
	const most = pieceBytes + 101<<10
	for _, c := range []Choice{{}, {Stream: "streams"}} {
		n := 0
		err := New(s).Page(t.Context(), 0, c, 1e6, func(p Piece) error {
			if n += p.Events; p.Events > pieceEvents || len(p.Lines) > most || p.Position != eventstore.Position(n) {
				t.Errorf("%d events, %d bytes, at %d", p.Events, len(p.Lines), p.Position)
			}
			return nil
		})
		if err != nil || n != 7+2700 {
			t.Errorf("%d events, %v", n, err)
		}
	}
	full := errors.New("full")
	if err := New(s).Page(t.Context(), 0, Choice{}, 1e6, func(Piece) error { return full }); !errors.Is(err, full) {
		t.Errorf("got %v", err)
	}
	tail, err := New(s).Tail(t.Context(), 5, Choice{})
	if err != nil {
		t.Fatal(err)
	}
	defer tail.Close()
	n := 0
	for n < 2702 {
		p, err := tail.Next(t.Context(), 0)
		if err != nil {
			t.Fatal(err)
		}
		if n += p.Events; p.Events > pieceEvents || len(p.Lines) > most {
			t.Errorf("%d events, %d bytes", p.Events, len(p.Lines))
		}
	}
	write(t, s, "streams", "later")
	p, err := tail.Next(t.Context(), 0)
	for err == nil && p.Events == 0 {
		p, err = tail.Next(t.Context(), 0)
	}
	if got := of(t, p.Lines); err != nil || !reflect.DeepEqual(got, []string{"streams later"}) || p.Position != 7+2700+1 {
		t.Errorf("%q at %d, %v", got, p.Position, err)
	}
}

// TestPageGivenUp: a page that finds little in a large ledger ends in time, and says where the
// next one goes on; together they find all.
func TestPageGivenUp(t *testing.T) {
	s := openStore(t)
	write(t, s, codec.RestaurantStream(here), codec.TypeRestaurantRegistered)
	for i := range 2 { // more than a subscription looks at in one step
		events := make([]eventstore.Event, 4096)
		for k := range events {
			events[k] = eventstore.Event{ID: eventstore.EventID{4, byte(i), byte(k), byte(k >> 8)}, Type: "small", Data: []byte(`{}`), Metadata: []byte(`{}`)}
		}
		if _, err := s.Append(t.Context(), codec.RestaurantStream(there), eventstore.Any(), events...); err != nil {
			t.Fatal(err)
		}
	}
	write(t, s, codec.RestaurantStream(here), codec.TypeRestaurantPublished)
	l := New(s)
	l.within = 0
	var got []string
	pages := 0
	for after, on := eventstore.Start, true; on; pages++ {
		on = false
		err := l.Page(t.Context(), after, Choice{Restaurants: []domain.RestaurantID{here}}, 100, func(p Piece) error {
			if p.Position < after {
				t.Errorf("at %d after %d", p.Position, after)
			}
			got, after, on = append(got, of(t, p.Lines)...), p.Position, p.Events == 0
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	stream := string(codec.RestaurantStream(here))
	if want := []string{stream + " " + codec.TypeRestaurantRegistered, stream + " " + codec.TypeRestaurantPublished}; pages < 3 || !reflect.DeepEqual(got, want) {
		t.Errorf("%d pages, %q", pages, got)
	}
}

// TestReadersTakeTurns: few look at what was there before they came at once; who waits for
// what is to come takes no place.
func TestReadersTakeTurns(t *testing.T) {
	s := town(t)
	l := New(s)
	tail, err := l.Tail(t.Context(), 0, Choice{})
	if err != nil {
		t.Fatal(err)
	}
	defer tail.Close()
	for range readersAtOnce {
		l.reading <- struct{}{}
	}
	gone, stop := context.WithCancel(t.Context())
	stop()
	if _, err := tail.Next(gone, 0); !errors.Is(err, context.Canceled) {
		t.Fatalf("without a place: %v", err)
	}
	<-l.reading
	if p, err := tail.Next(t.Context(), 0); err != nil || p.Events != 8 {
		t.Fatalf("%d events, %v", p.Events, err)
	}
	l.reading <- struct{}{}
	write(t, s, codec.RestaurantStream(here), codec.TypeRestaurantPublished)
	if p, err := tail.Next(t.Context(), 0); err != nil || p.Events != 1 {
		t.Errorf("what comes: %d events, %v", p.Events, err)
	}
}
