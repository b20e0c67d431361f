package webhooks

import (
	"context"
	"errors"
	"testing"

	"daybook/domain"
	"daybook/domain/webhook"
	"daybook/eventstore/transfer"
	"daybook/internal/enginetest"
)

// TestALedgerThatWasPutBack and has grown past where the webhooks were: what came since is sent,
// nothing is sent twice, and the webhooks are again as the ledger has them.
func TestALedgerThatWasPutBack(t *testing.T) {
	for end, url := range map[string]func(*testing.T) string{
		"sqlite":   func(*testing.T) string { return "" },
		"postgres": func(t *testing.T) string { return enginetest.Postgres(t) },
	} {
		t.Run(end, func(t *testing.T) {
			w := newTown(t, url(t))
			kept, paused, lost := receive(t, nil), receive(t, nil), receive(t, nil)
			from := w.head()
			one, two := w.create(kept), w.create(paused)
			w.book(0)
			restored := w.restored()
			_, stop := w.start()
			w.until("what there is is taken", func() bool {
				return kept.count() == total(w.trade(from)) && paused.count() == kept.count()
			})
			before := paused.count()
			_, err := w.app.PauseWebhook(t.Context(), w.caller(), w.id, two)
			must(t, err)
			w.until("it is paused", func() bool { return !w.standing(two).Active })
			three := w.create(lost)
			w.book(1)
			w.until("what will be lost is taken", func() bool {
				return kept.count() == total(w.trade(from)) && lost.count() > 0 && w.standing(three).Pending == 0
			})
			stop()
			taken, reached := kept.count(), w.head()

			for n := 0; restored.head() <= reached; n++ {
				restored.book(n % 3)
			}
			want := restored.trade(from)
			since := total(want) - before
			_, stop = restored.start()
			restored.until("what came since is taken", func() bool {
				return kept.count() >= taken+since && paused.count() >= before+since
			})
			restored.book(0)
			want = restored.trade(from)
			since = total(want) - before
			restored.until("and what comes", func() bool {
				return kept.count() >= taken+since && paused.count() >= before+since
			})
			stop()
			for r, sent := range map[*receiver]int{kept: taken + since, paused: before + since} {
				r.check(want)
				if r.count() != sent || r.distinct() != sent {
					t.Errorf("%d messages of %d events were taken, want %d", r.count(), r.distinct(), sent)
				}
			}
			if s := restored.standing(three); s != (webhook.Standing{}) {
				t.Errorf("a webhook that the ledger does not know stands at %+v", s)
			}
			if s := restored.standing(one); !s.Active || s.Pending != 0 {
				t.Errorf("it stands at %+v", s)
			}
		})
	}
}

// breaking is a lead whose database is away while webhooks are brought to what the ledger says.
type breaking struct{ Lead }

var errAway = errors.New("the database is away")

func (breaking) Restate(context.Context, domain.WebhookID, *webhook.Webhook) error { return errAway }

// TestTakingBackIsBrokenOff, and done by the next run.
func TestTakingBackIsBrokenOff(t *testing.T) {
	w := newTown(t, "")
	restored := w.restored()
	r := receive(t, nil)
	id := w.create(r)
	_, stop := w.start()
	w.book(0)
	w.until("what will be lost is taken", func() bool { return r.count() > 0 && w.standing(id).Pending == 0 })
	stop()
	p, err := New(restored.config(func(c *Config) {
		c.Lead = func(ctx context.Context) (Lead, error) {
			l, err := w.tables.Lead(ctx)
			return breaking{l}, err
		}
	}))
	must(t, err)
	if err := p.Run(t.Context()); !errors.Is(err, errAway) {
		t.Fatal(err)
	}
	_, stop = restored.start()
	restored.until("the webhook is gone", func() bool { return restored.standing(id) == webhook.Standing{} })
	stop()
}

// TestACopyOfTheLedger has other positions and times: a webhook is sent what came since it was
// created once more, and not what came before.
func TestACopyOfTheLedger(t *testing.T) {
	w := newTown(t, "")
	w.book(0)
	from := w.head()
	r := receive(t, nil)
	id := w.create(r)
	_, stop := w.start()
	w.book(1)
	w.until("what there is is taken", func() bool { return r.count() > 0 && w.standing(id).Pending == 0 })
	stop()
	once := r.count()

	copied, _ := openStore(t)
	c := w.on(copied)
	_, err := transfer.Copy(t.Context(), w.store, c.store, transfer.Options{})
	must(t, err)
	_, stop = c.start()
	c.until("it is taken again", func() bool { return r.count() >= 2*once })
	c.book(2)
	want := c.trade(from)
	c.until("and what comes", func() bool { return r.distinct() >= total(want) })
	stop()
	r.check(want)
	if r.count() != once+total(want) || r.distinct() != total(want) {
		t.Errorf("%d messages of %d events were taken, want %d of %d", r.count(), r.distinct(), once+total(want), total(want))
	}
}
