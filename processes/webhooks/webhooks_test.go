package webhooks

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"daybook/commands"
	"daybook/domain"
	"daybook/domain/webhook"
	"daybook/eventstore/codec"
	"daybook/projections/deliveries"
)

// total is how many events there are.
func total(streams map[string][]string) (n int) {
	for _, list := range streams {
		n += len(list)
	}
	return n
}

// TestEveryEventIsDelivered from the moment of creation on, in order, signed.
func TestEveryEventIsDelivered(t *testing.T) {
	w := newTown(t, "")
	r := receive(t, nil)
	from := w.head()
	id := w.create(r)
	w.start()
	w.bustle(24, 4)
	want := w.trade(from)
	w.until("all is taken", func() bool { return r.count() == total(want) })
	r.check(want)
	w.until("it stands at the end", func() bool { s := w.standing(id); return s.Pending == 0 && s.FailingSince == 0 && s.DeliveredAt != 0 })
}

// TestFromTheBeginningAndByType: a webhook can begin anywhere in the ledger, and be told of
// some types only.
func TestFromTheBeginningAndByType(t *testing.T) {
	w := newTown(t, "")
	w.bustle(4, 2)
	all, some := receive(t, nil), receive(t, nil)
	w.create(all, func(c *commands.CreateWebhook) { c.After = new(uint64) })
	w.create(some, func(c *commands.CreateWebhook) {
		c.After, c.Events = new(uint64), []string{"reservation.c", "restaurant.published"}
	})
	w.start()
	want := w.trade(0)
	w.until("all is taken", func() bool { return all.count() == total(want) })
	all.check(want)
	w.until("what is wanted is taken", func() bool { return some.count() == 9 })
	w.book(5)
	w.until("what comes later, too", func() bool { return all.count() == total(w.trade(0)) })
	for _, typ := range some.types() {
		if !strings.HasPrefix(typ, "reservation.c") && typ != "restaurant.published" {
			t.Errorf("it was told of %s", typ)
		}
	}
}

// TestWhatIsPersonal is sent to whom it was promised alone, and nobody hears of who was erased.
func TestWhatIsPersonal(t *testing.T) {
	w := newTown(t, "")
	plain, told := receive(t, nil), receive(t, nil)
	w.create(plain)
	id := w.create(told, func(c *commands.CreateWebhook) { c.Personal = true })
	w.start()
	reservation := w.book(0)
	w.until("both were told", func() bool { return plain.count() == 2 && told.count() == 2 })
	if raw := plain.held().raw; strings.Contains(raw, "Quill") || strings.Contains(raw, "personal") {
		t.Errorf("it was told of a person: %s", raw)
	}
	if m := told.held(); m.body.Data.Reservation.Personal == nil || m.body.Data.Reservation.Personal.Name != "Zoë Quill" {
		t.Errorf("it was not told: %s", m.raw)
	}
	must(t, w.codec.Forget(t.Context(), string(reservation)))
	_, err := w.app.ReplayWebhook(t.Context(), w.caller(), w.id, id, 0)
	must(t, err)
	w.until("it comes again", func() bool { return told.count() == 2+total(w.trade(0)) })
	last := told.held()
	if last.body.Data.Reservation.ID != string(reservation) || strings.Contains(last.raw, "Quill") {
		t.Errorf("who was erased is told of: %s", last.raw)
	}
}

// TestOrderWithinALane: while an event is not acknowledged the next of its day waits, and other
// days go on.
func TestOrderWithinALane(t *testing.T) {
	w := newTown(t, "")
	refused := make(chan bool) // closed when it may be taken
	stuck := w.date.String()
	r := receive(t, func(_ int, m received) int {
		select {
		case <-refused:
			return 200
		default:
			if m.body.Data.Date == stuck {
				return 500
			}
			return 200
		}
	})
	id := w.create(r)
	w.start(func(c *Config) { c.Schedule = webhook.Schedule{20 * time.Millisecond, time.Millisecond, time.Hour} })
	from := w.head()
	w.book(0)
	w.book(0)
	w.book(1)
	w.book(2)
	w.until("other days are told of", func() bool { return r.count() == 4 })
	for _, typ := range r.types() {
		if typ != "day.opened" && typ != "reservation.held" {
			t.Errorf("got %s", typ)
		}
	}
	w.until("three wait", func() bool { return w.standing(id).Pending == 3 })
	close(refused)
	_, err := w.app.PauseWebhook(t.Context(), w.caller(), w.id, id)
	must(t, err)
	_, err = w.app.ResumeWebhook(t.Context(), w.caller(), w.id, id)
	must(t, err)
	want := w.trade(from)
	w.until("all is taken", func() bool { return r.count() == total(want) })
	r.check(want)
}

// TestGivenUpWithItsPlaceKept: a receiver that fails for good has its webhook paused, on record;
// resumed, it goes on where it was.
func TestGivenUpWithItsPlaceKept(t *testing.T) {
	for name, c := range map[string]struct {
		status  int
		because webhook.Because
	}{"500": {500, webhook.BecauseFailing}, "410": {410, webhook.BecauseGone}, "302": {302, webhook.BecauseFailing}} {
		t.Run(name, func(t *testing.T) {
			w := newTown(t, "")
			well := make(chan bool)
			r := receive(t, func(int, received) int {
				select {
				case <-well:
					return 200
				default:
					return c.status
				}
			})
			id := w.create(r)
			schedule := soon[:3]
			if c.because == webhook.BecauseGone {
				schedule = webhook.Schedule{time.Hour}
			}
			p, stop := w.start(func(cfg *Config) { cfg.Schedule = schedule })
			from := w.head()
			w.book(0)
			w.until("it is paused", func() bool { s := w.standing(id); return s.Restaurant != "" && !s.Active })
			if s := w.standing(id); s.Pending != 2 {
				t.Errorf("outstanding: %+v", s)
			}
			if got := p.Stats(); got.Suspended != 1 || got.Delivered != 0 || got.Failures != got.Attempts {
				t.Errorf("stats: %+v", got)
			}
			state, err := w.app.PauseWebhook(t.Context(), w.caller(), w.id, id) // it is so already
			must(t, err)
			if state.Webhook.Because != c.because {
				t.Errorf("paused because %q, want %q", state.Webhook.Because, c.because)
			}
			w.book(1)
			stop()
			close(well)
			_, err = w.app.ResumeWebhook(t.Context(), w.caller(), w.id, id)
			must(t, err)
			w.start()
			want := w.trade(from)
			w.until("all is taken", func() bool { return r.count() == total(want) })
			r.check(want)
		})
	}
}

// TestReplay sends again what was sent, under the ids that it had; and a later place leaves out
// what is outstanding.
func TestReplay(t *testing.T) {
	w := newTown(t, "")
	r := receive(t, nil)
	from := w.head()
	id := w.create(r)
	w.start()
	w.bustle(6, 2)
	want := w.trade(from)
	w.until("all is taken", func() bool { return r.count() == total(want) })
	_, err := w.app.ReplayWebhook(t.Context(), w.caller(), w.id, id, uint64(from))
	must(t, err)
	w.until("all is taken again", func() bool { return r.count() == 2*total(want) })
	r.check(want)
	if _, err := w.app.ReplayWebhook(t.Context(), w.caller(), w.id, id, uint64(w.head())+1000); !rejected(err, domain.CodeInvalid) {
		t.Errorf("past the end: %v", err)
	}
	_, err = w.app.PauseWebhook(t.Context(), w.caller(), w.id, id)
	must(t, err)
	w.bustle(2, 1)
	_, err = w.app.ReplayWebhook(t.Context(), w.caller(), w.id, id, uint64(w.head()))
	must(t, err)
	_, err = w.app.ResumeWebhook(t.Context(), w.caller(), w.id, id)
	must(t, err)
	w.book(3)
	w.until("the last is taken", func() bool { return r.count() == 2*total(want)+2 })
	if got := r.types()[2*total(want):]; !reflect.DeepEqual(got, []string{"day.opened", "reservation.held"}) {
		t.Errorf("after the leap: %q", got)
	}
}

func rejected(err error, code domain.Code) bool {
	no, ok := domain.Rejected(err)
	return ok && no.Code == code
}

// TestTestMessage is sent once, to a paused webhook too, and past what is outstanding.
func TestTestMessage(t *testing.T) {
	w := newTown(t, "")
	r := receive(t, func(_ int, m received) int {
		if m.body.Type == testType {
			return 200
		}
		return 500
	})
	id := w.create(r)
	_, err := w.app.PauseWebhook(t.Context(), w.caller(), w.id, id)
	must(t, err)
	w.start()
	w.book(0)
	_, err = w.app.TestWebhook(t.Context(), w.caller(), w.id, id)
	must(t, err)
	w.until("the test is taken", func() bool { return r.count() == 1 })
	if got := r.types(); !reflect.DeepEqual(got, []string{testType}) {
		t.Errorf("got %q", got)
	}
}

// TestRotation signs with both secrets for a while.
func TestRotation(t *testing.T) {
	w := newTown(t, "")
	r := receive(t, nil)
	id := w.create(r) // it trusts the first secret
	made, err := w.app.RotateWebhookSecret(t.Context(), w.caller(), w.id, id, time.Hour)
	must(t, err)
	if len(made.Webhook.Secrets) != 2 || made.Webhook.Secrets[0].Value == made.Webhook.Secrets[1].Value {
		t.Fatalf("secrets: %+v", made.Webhook.Secrets)
	}
	w.start()
	w.book(0)
	w.until("it is taken by who knows the old one", func() bool { return r.count() == 2 })
	r.mu.Lock()
	r.secrets = []string{made.Webhook.Secrets[0].Value}
	r.mu.Unlock()
	w.book(1)
	w.until("it is taken by who knows the new one", func() bool { return r.count() == 4 })
	made, err = w.app.RotateWebhookSecret(t.Context(), w.caller(), w.id, id, 0)
	must(t, err)
	r.mu.Lock()
	r.secrets = []string{made.Webhook.Secrets[0].Value}
	r.mu.Unlock()
	if got := made.Webhook.Signing(made.Webhook.ChangedAt); len(got) != 1 {
		t.Errorf("without an overlap %d secrets sign", len(got))
	}
	w.book(2)
	w.until("it is taken with the last", func() bool { return r.count() == 6 })
}

// TestRemoval ends sending and destroys the secret.
func TestRemoval(t *testing.T) {
	w := newTown(t, "")
	r := receive(t, nil)
	id := w.create(r)
	p, _ := w.start()
	w.book(0)
	w.until("it is taken", func() bool { return r.count() == 2 })
	_, err := w.app.RemoveWebhook(t.Context(), w.caller(), w.id, id)
	must(t, err)
	w.until("it is gone", func() bool { return w.standing(id) == webhook.Standing{} && p.Stats().Webhooks == 0 })
	w.book(1)
	if _, err := w.keys.Get(t.Context(), string(id)); err == nil {
		t.Error("its key is still there")
	}
	if _, err := w.app.ResumeWebhook(t.Context(), w.caller(), w.id, id); !rejected(err, domain.CodeNotFound) {
		t.Errorf("got %v", err)
	}
	if r.count() != 2 {
		t.Errorf("%d were taken", r.count())
	}
}

// TestALargeLedgerInASmallWindow: what waits is in the ledger, not in memory or the tables.
func TestALargeLedgerInASmallWindow(t *testing.T) {
	w := newTown(t, "")
	w.bustle(60, 5)
	r := receive(t, nil)
	id := w.create(r, func(c *commands.CreateWebhook) { c.After = new(uint64) })
	most := 0
	r.answer = func(int, received) int {
		if s := w.standing(id); s.Pending > most {
			most = s.Pending
		}
		return 200
	}
	w.start(func(c *Config) { c.Window, c.Parallel = 8, 1 })
	want := w.trade(0)
	w.until("all is taken", func() bool { return r.count() == total(want) })
	r.check(want)
	if most > 8 {
		t.Errorf("%d were entered ahead", most)
	}
}

func TestConfigIsChecked(t *testing.T) {
	w := newTown(t, "")
	for name, spoil := range map[string]func(*Config){
		"store": func(c *Config) { c.Store = nil }, "codec": func(c *Config) { c.Codec = nil }, "lead": func(c *Config) { c.Lead = nil },
		"sender": func(c *Config) { c.Sender = nil }, "app": func(c *Config) { c.App = nil },
	} {
		if _, err := New(w.config(spoil)); err == nil {
			t.Errorf("without a %s", name)
		}
	}
	if _, err := w.app.CreateWebhook(t.Context(), commands.Caller{User: domain.NewUserID([16]byte{8}), Key: "k"}, w.id,
		commands.CreateWebhook{URL: "https://example.com"}); !rejected(err, domain.CodeForbidden) {
		t.Errorf("another's webhook: %v", err)
	}
}

// TestWhatIsNoLongerThere: a delivery of an event that a restored ledger does not hold is left
// out, and what comes after it is sent.
func TestWhatIsNoLongerThere(t *testing.T) {
	w := newTown(t, "")
	r := receive(t, nil)
	from := w.head()
	id := w.create(r)
	_, stop := w.start()
	w.until("it is known", func() bool { return w.standing(id).Webhook == id })
	stop()
	l, err := w.tables.Lead(t.Context())
	must(t, err)
	stands := w.standing(id).Position
	must(t, l.Enter(t.Context(), id, 1, stands, stands, []webhook.Delivery{
		{Webhook: id, Round: 1, Position: 1, Event: [16]byte{1}, Stream: string(codec.DayStream(w.id, w.date)), Revision: 0, Type: "day.opened"},
		{Webhook: id, Round: 1, Position: 2, Event: [16]byte{2}, Stream: string(codec.RestaurantStream(w.id)), Revision: 0, Type: "restaurant.registered"},
		{Webhook: id, Round: 1, Position: 3, Event: [16]byte{3}, Stream: string(codec.RestaurantStream(w.id)), Revision: 999, Type: "restaurant.published"},
	}))
	must(t, l.Close())
	w.start()
	w.until("they are left out", func() bool { return w.standing(id).Pending == 0 })
	w.book(0)
	want := w.trade(from)
	w.until("what there is is taken", func() bool { return r.count() == total(want) })
	r.check(want)
	left, err := w.tables.List(t.Context(), deliveries.Query{Webhook: id, Status: webhook.Superseded, Limit: 10})
	must(t, err)
	if s := w.standing(id); len(left) != 3 || s.FailingSince != 0 || left[0].Attempts != 0 {
		t.Errorf("left out: %+v; %+v", left, s)
	}
}
