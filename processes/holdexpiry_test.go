package processes

import (
	"context"
	"errors"
	"reflect"
	"sync/atomic"
	"testing"
	"time"

	"daybook/commands"
	"daybook/domain"
	"daybook/domain/restaurantday"
	"daybook/eventstore"
	"daybook/eventstore/codec"
	"daybook/eventstore/feed"
)

func TestLapsesAreRecordedOnce(t *testing.T) {
	h := newHouse(t)
	var at checkpoints
	var told atomic.Int64
	p, stop := h.start(&at, func(c *expiryConfig) {
		record := c.Record
		c.Record = func(ctx context.Context, r domain.RestaurantID, d domain.ServiceDate) (eventstore.Position, error) {
			told.Add(1)
			return record(ctx, r, d)
		}
	})
	one, two := h.hold(h.date), h.hold(h.date)
	confirmed, cancelled := h.hold(h.date), h.hold(h.date)
	elsewhere := h.hold(h.date + 1)
	if _, err := h.app.ConfirmReservation(t.Context(), h.caller(), confirmed.ID); err != nil {
		t.Fatal(err)
	}
	if _, err := h.app.CancelReservation(t.Context(), h.caller(), cancelled.ID, ""); err != nil {
		t.Fatal(err)
	}
	h.read(p, 3)
	h.moveTo(one.Reservation.ExpiresAt - 1)
	h.stir()
	if n := told.Load(); n != 0 {
		t.Errorf("told %d times before the first lapse", n)
	}
	h.moveTo(one.Reservation.ExpiresAt)
	h.read(p, 0)
	for date, want := range map[domain.ServiceDate][]uint32{
		h.date: {one.Reservation.Number, two.Reservation.Number}, h.date + 1: {elsewhere.Reservation.Number},
	} {
		if got := h.lapsed(date); !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %v are recorded as lapsed, want %v", date, got, want)
		}
	}
	if n := told.Load(); n != 2 {
		t.Errorf("told %d times of lapses on two days", n)
	}
	stop()
	head, err := h.store.Head(t.Context())
	if err != nil || at.at.Position != head {
		t.Errorf("the checkpoint is %d, the ledger ends at %d, %v", at.at.Position, head, err)
	}
}

func TestTheCheckpointStandsBeforeTheOldestHold(t *testing.T) {
	h := newHouse(t)
	var at checkpoints
	p, stop := h.start(&at)
	before, err := h.app.OpenDay(t.Context(), h.id, h.date)
	if err != nil {
		t.Fatal(err)
	}
	first := h.hold(h.date)
	last := h.hold(h.date + 1)
	h.read(p, 2)
	stop()
	if at.at.Position != before {
		t.Errorf("the checkpoint is %d, the record before the hold stands at %d", at.at.Position, before)
	}
	// While it is away one is confirmed and another is held.
	if _, err := h.app.ConfirmReservation(t.Context(), h.caller(), last.ID); err != nil {
		t.Fatal(err)
	}
	late := h.hold(h.date + 2)
	h.now.Store(int64(first.Reservation.ExpiresAt))
	for name, at := range map[string]*checkpoints{"its checkpoint": &at, "no checkpoint": {}} {
		p, stop := h.start(at)
		h.read(p, 0)
		stop()
		for date, want := range map[domain.ServiceDate][]uint32{
			h.date: {first.Reservation.Number}, h.date + 1: nil, h.date + 2: {late.Reservation.Number},
		} {
			if got := h.lapsed(date); !reflect.DeepEqual(got, want) {
				t.Errorf("from %s, %s: %v are recorded as lapsed, want %v", name, date, got, want)
			}
		}
	}
}

// behind is a feed that stops short of its end until it is let go.
type behind struct {
	eventstore.Store
	release chan struct{}
}

func (b behind) Subscribe(ctx context.Context, after eventstore.Position, f eventstore.Filter) (eventstore.Subscription, error) {
	s, err := b.Store.Subscribe(ctx, after, f)
	return &shortOf{Subscription: s, release: b.release}, err
}

type shortOf struct {
	eventstore.Subscription
	release chan struct{}
	kept    *eventstore.Batch
	last    eventstore.Position
}

func (s *shortOf) Next(ctx context.Context) (eventstore.Batch, error) {
	if s.kept != nil {
		select {
		case <-s.release:
		case <-ctx.Done():
			return eventstore.Batch{}, ctx.Err()
		}
		b := *s.kept
		s.kept = nil
		return b, nil
	}
	b, err := s.Subscription.Next(ctx)
	if n := len(b.Records); err == nil && b.Live && n > 1 && s.last == 0 {
		whole := b
		s.last, s.kept = b.Position, &eventstore.Batch{Records: whole.Records[n-1:], Position: b.Position, Live: true}
		b = eventstore.Batch{Records: whole.Records[:n-1], Position: whole.Records[n-2].Position}
	}
	return b, err
}

// Until the feed is read to its end a hold may turn out to be settled.
func TestNothingIsRecordedBeforeTheFeedIsLive(t *testing.T) {
	h := newHouse(t)
	b := h.hold(h.date)
	if _, err := h.app.ConfirmReservation(t.Context(), h.caller(), b.ID); err != nil {
		t.Fatal(err)
	}
	h.now.Store(int64(b.Reservation.ExpiresAt))
	var told atomic.Int64
	release := make(chan struct{})
	var at checkpoints
	p, stop := h.start(&at, func(c *expiryConfig) {
		c.Store = behind{h.store, release}
		c.Record = func(context.Context, domain.RestaurantID, domain.ServiceDate) (eventstore.Position, error) {
			told.Add(1)
			return 0, nil
		}
	})
	h.until("the hold is pending", func() bool { return p.Waiting() == 1 })
	if p.Live() || p.untilNext() != time.Hour {
		t.Errorf("live: %t, and looks again in %s", p.Live(), p.untilNext())
	}
	close(release)
	h.read(p, 0)
	stop()
	if n := told.Load(); n != 0 {
		t.Errorf("told %d times", n)
	}
	// A process that is run again is not live before it has read again.
	at.fail = errors.New("the database is away")
	if err := p.Run(t.Context()); !errors.Is(err, at.fail) || p.Live() {
		t.Errorf("got %v, live: %t", err, p.Live())
	}
}

func TestRecordingIsTriedAgain(t *testing.T) {
	h := newHouse(t)
	var at checkpoints
	var told atomic.Int64
	p, stop := h.start(&at, func(c *expiryConfig) {
		record := c.Record
		c.Record = func(ctx context.Context, r domain.RestaurantID, d domain.ServiceDate) (eventstore.Position, error) {
			if told.Add(1) < 4 {
				return 0, eventstore.ErrUnavailable
			}
			return record(ctx, r, d)
		}
	})
	b := h.hold(h.date)
	h.read(p, 1)
	// Each attempt is made twice as long after the one before.
	due, wait := b.Reservation.ExpiresAt, retryAfter
	for n := range int64(4) {
		h.moveTo(due - 1)
		h.moveTo(due)
		h.until("it is tried", func() bool { return told.Load() == n+1 })
		due, wait = due.Add(wait), 2*wait
	}
	h.read(p, 0)
	stop()
	if got, want := h.lapsed(h.date), []uint32{b.Reservation.Number}; !reflect.DeepEqual(got, want) || told.Load() != 4 {
		t.Errorf("%v are recorded as lapsed after %d attempts", got, told.Load())
	}
}

func TestTwoAtOnce(t *testing.T) {
	h := newHouse(t)
	var list []*Deadlines
	for range 2 {
		p, _ := h.start(&checkpoints{})
		list = append(list, p)
	}
	var want []uint32
	var last domain.Instant
	for range 12 {
		b := h.hold(h.date)
		want, last = append(want, b.Reservation.Number), b.Reservation.ExpiresAt
	}
	for _, p := range list {
		h.read(p, len(want))
	}
	h.moveTo(last)
	for _, p := range list {
		h.read(p, 0)
	}
	if got := h.lapsed(h.date); !reflect.DeepEqual(got, want) {
		t.Errorf("%v are recorded as lapsed, want %v", got, want)
	}
}

// flaky is a key store that is away for a while.
type flaky struct {
	codec.Keys
	left atomic.Int64
}

func (f *flaky) Get(ctx context.Context, subject string) (codec.Key, error) {
	if f.left.Add(-1) >= 0 {
		return codec.Key{}, errors.New("the key store is away")
	}
	return f.Keys.Get(ctx, subject)
}

// A hold that cannot be read for now is neither passed over nor read twice.
func TestAKeyStoreThatIsAway(t *testing.T) {
	h := newHouse(t)
	before, err := h.app.OpenDay(t.Context(), h.id, h.date)
	if err != nil {
		t.Fatal(err)
	}
	first := h.hold(h.date)
	_, err = h.app.HoldTable(t.Context(), h.caller(), commands.HoldTable{
		Restaurant: h.id, Date: h.date, Time: "19:00", Party: 2, Details: restaurantday.Details{Notes: "by the window"},
	})
	if err != nil {
		t.Fatal(err)
	}
	keys := &flaky{Keys: h.keys}
	keys.left.Store(1)
	at := checkpoints{at: feed.Place{Position: before}} // so that the hold begins the batch that comes twice
	p, stop := h.start(&at, func(c *expiryConfig) { c.Codec = codec.New(keys) })
	h.read(p, 2)
	stop()
	if at.at.Position != before || keys.left.Load() >= 0 {
		t.Errorf("the checkpoint is %d, the record before the first hold stands at %d", at.at.Position, before)
	}
	if len(p.due) != 2 || p.due[0] != p.open[key{codec.DayStream(h.id, h.date), aHold, first.Reservation.Number}] {
		t.Errorf("%d lapses are due", len(p.due))
	}
}

// forged is a ledger in which one record's bytes are not what was written.
type forged struct {
	eventstore.Store
	eventType string
}

func (f forged) Subscribe(ctx context.Context, after eventstore.Position, filter eventstore.Filter) (eventstore.Subscription, error) {
	s, err := f.Store.Subscribe(ctx, after, filter)
	return forgedFeed{s, f.eventType}, err
}

type forgedFeed struct {
	eventstore.Subscription
	eventType string
}

func (f forgedFeed) Next(ctx context.Context) (eventstore.Batch, error) {
	b, err := f.Subscription.Next(ctx)
	records := append([]eventstore.Record(nil), b.Records...)
	for i := range records {
		if records[i].Type == f.eventType {
			records[i].Data = []byte("{")
		}
	}
	b.Records = records
	return b, err
}

// A record that can never be read is passed over: what comes after it is still seen.
func TestACorruptRecordIsPassedOver(t *testing.T) {
	h := newHouse(t)
	b := h.hold(h.date)
	if _, err := h.app.CancelReservation(t.Context(), h.caller(), b.ID, ""); err != nil {
		t.Fatal(err)
	}
	h.hold(h.date + 1)
	p, _ := h.start(&checkpoints{}, func(c *expiryConfig) { c.Store = forged{h.store, codec.TypeReservationCancelled} })
	h.read(p, 2)
}

func TestConfigIsChecked(t *testing.T) {
	h := newHouse(t)
	for name, spoil := range map[string]func(*expiryConfig){
		"store": func(c *expiryConfig) { c.Store = nil }, "codec": func(c *expiryConfig) { c.Codec = nil },
		"checkpoints": func(c *expiryConfig) { c.Checkpoints = nil }, "record": func(c *expiryConfig) { c.Record = nil },
	} {
		cfg := expiryConfig{h.config(&checkpoints{}), h.app.RecordLapses}
		spoil(&cfg)
		if _, err := NewHoldExpiry(cfg.Config, cfg.Record); err == nil {
			t.Errorf("without a %s", name)
		}
	}
}

// What a process records says which one it was, and what it followed from.
func TestLapsesSayWhatTheyFollow(t *testing.T) {
	h := newHouse(t)
	c := h.caller()
	c.RequestID = "req-1"
	b, err := h.app.HoldTable(t.Context(), c, commands.HoldTable{Restaurant: h.id, Date: h.date, Time: "19:00", Party: 2})
	if err != nil {
		t.Fatal(err)
	}
	p, _ := h.start(&checkpoints{})
	h.read(p, 1)
	h.moveTo(b.Reservation.ExpiresAt)
	h.read(p, 0)
	var held eventstore.EventID
	for r, err := range h.store.ReadStream(t.Context(), codec.DayStream(h.id, h.date), 0) {
		if err != nil {
			t.Fatal(err)
		}
		switch r.Type {
		case codec.TypeReservationHeld:
			held = r.ID
		case codec.TypeReservationExpired:
			got, err := codec.DecodeMetadata(r)
			want := codec.Metadata{
				DecidedAt: b.Reservation.ExpiresAt, Actor: domain.System(), Process: p.Name(), Cause: held.String(), Correlation: "req-1",
			}
			if err != nil || !reflect.DeepEqual(got, want) {
				t.Errorf("got %+v, %v\nwant %+v", got, err, want)
			}
		}
	}
}
