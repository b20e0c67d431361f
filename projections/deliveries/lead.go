package deliveries

import (
	"context"
	"database/sql"
	"fmt"
	"sync"

	"daybook/domain"
	"daybook/domain/webhook"
	"daybook/eventstore"
	"daybook/eventstore/feed"
)

// Lead is the right to write, until it is closed or lost. Safe for concurrent use.
type Lead struct {
	store   *Store
	epoch   int64
	place   uint64
	release func()

	mu      sync.Mutex
	reached feed.Place
	lost    <-chan struct{}
}

// Lead waits until no other process delivers, and takes the lead.
func (s *Store) Lead(ctx context.Context) (*Lead, error) {
	release, lost, err := s.lock(ctx)
	if err != nil {
		return nil, fmt.Errorf("deliveries: take the lead: %w", err)
	}
	l := &Lead{store: s, release: sync.OnceFunc(release), lost: lost}
	err = s.write(ctx, func(ctx context.Context, tx *sql.Tx) error {
		var place int64
		var record string
		err := tx.QueryRowContext(ctx, "UPDATE lead SET epoch = epoch + 1 WHERE name = 'webhooks' RETURNING epoch, position, record").
			Scan(&l.epoch, &place, &record)
		if err != nil {
			return err
		}
		l.place = uint64(place)
		l.reached.Record, err = feed.ParseMark(record)
		l.reached.Position = l.reached.Record.Position
		return err
	})
	if err != nil {
		l.release()
		return nil, fmt.Errorf("deliveries: take the lead: %w", err)
	}
	return l, nil
}

// Close gives the lead back.
func (l *Lead) Close() error {
	l.release()
	return nil
}

// Lost is closed when the lead is gone, though it was not closed.
func (l *Lead) Lost() <-chan struct{} { return l.lost }

// Place is the position up to which the events of webhooks were worked in when the lead was
// taken.
func (l *Lead) Place() uint64 { return l.place }

// Reached names the newest record that anything written rests on. As long as that is in the
// ledger, all of it is. Zero where nothing was written since this is put down.
func (l *Lead) Reached() feed.Place {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.reached
}

// Reach tells, before what rests on it is written, up to where the ledger was read. It is put
// down with that.
func (l *Lead) Reach(to feed.Place) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if to.Position > l.reached.Position {
		l.reached = to
	}
}

// write runs fn as the leader, or fails with webhook.ErrLeadLost.
func (l *Lead) write(ctx context.Context, what string, fn func(context.Context, *sql.Tx) error) error {
	err := l.store.write(ctx, func(ctx context.Context, tx *sql.Tx) error {
		// Takes the row: who takes the lead next waits for this write.
		r, err := tx.ExecContext(ctx, "UPDATE lead SET writes = writes + 1, record = $2 WHERE name = 'webhooks' AND epoch = $1", l.epoch, l.Reached().Record.String())
		if err != nil {
			return err
		}
		if n, err := r.RowsAffected(); err != nil || n != 1 {
			return errorOr(err, webhook.ErrLeadLost)
		}
		return fn(ctx, tx)
	})
	if err != nil {
		return fmt.Errorf("deliveries: %s: %w", what, err)
	}
	return nil
}

func errorOr(err, otherwise error) error {
	if err != nil {
		return err
	}
	return otherwise
}

// Note works events of webhooks in, in order, and moves the place to at. Those up to the place
// were worked in before, and are passed over.
func (l *Lead) Note(ctx context.Context, at uint64, notes []webhook.Note, now domain.Instant) error {
	return l.write(ctx, "note", func(ctx context.Context, tx *sql.Tx) error {
		var place int64
		if err := tx.QueryRowContext(ctx, "SELECT position FROM lead WHERE name = 'webhooks'").Scan(&place); err != nil {
			return err
		}
		for _, n := range notes {
			if n.Position <= uint64(place) {
				continue
			}
			if err := note(ctx, tx, n, now); err != nil {
				return err
			}
		}
		_, err := tx.ExecContext(ctx, "UPDATE lead SET position = $1 WHERE name = 'webhooks' AND position < $1", int64(at))
		return err
	})
}

func note(ctx context.Context, tx *sql.Tx, n webhook.Note, now domain.Instant) error {
	id := string(webhook.IDOf(n.Event))
	exec := func(text string, args ...any) error {
		_, err := tx.ExecContext(ctx, text, args...)
		return err
	}
	switch e := n.Event.(type) {
	case webhook.Created:
		from := n.Position
		if e.After != nil {
			from = *e.After
		}
		return exec(`INSERT INTO webhooks (webhook_id, restaurant_id, active, active_since, round, position, entries, failing_since, delivered_at)
			VALUES ($1, $2, $3, $4, 1, $5, 0, 0, 0) ON CONFLICT (webhook_id) DO NOTHING`, id, string(n.Restaurant), true, int64(e.At), int64(from))
	case webhook.Paused:
		return exec("UPDATE webhooks SET active = $2 WHERE webhook_id = $1", id, false)
	case webhook.Resumed:
		// The schedule begins anew.
		if err := exec("UPDATE webhooks SET active = $2, active_since = $3, failing_since = 0 WHERE webhook_id = $1", id, true, int64(e.At)); err != nil {
			return err
		}
		return exec("UPDATE deliveries SET attempts = 0, next_at = $2 WHERE webhook_id = $1 AND status = 'pending'", id, int64(now))
	case webhook.Replayed:
		if err := exec("UPDATE deliveries SET status = 'superseded', next_at = 0 WHERE webhook_id = $1 AND status = 'pending' AND round > 0", id); err != nil {
			return err
		}
		return exec("UPDATE webhooks SET round = round + 1, position = $2, failing_since = 0 WHERE webhook_id = $1", id, int64(e.After))
	case webhook.TestRequested:
		return enter(ctx, tx, id, []webhook.Delivery{{
			Position: n.Position, Event: n.ID, Stream: n.Stream, Revision: n.Revision, Type: n.Type, DecidedAt: e.At, NextAt: now,
		}})
	case webhook.Removed:
		return remove(ctx, tx, id)
	}
	return nil // its address, secrets and wishes are read from the ledger
}

// Enter adds deliveries of a webhook's round, which stand in the ledger after from and up to
// to, and moves the webhook from the one to the other. Their entries and statuses are given
// here. webhook.ErrMoved where the webhook stands before from, or is in another round.
func (l *Lead) Enter(ctx context.Context, id domain.WebhookID, round uint32, from, to uint64, list []webhook.Delivery) error {
	return l.write(ctx, "enter", func(ctx context.Context, tx *sql.Tx) error {
		// It may have been moved past what it does not want meanwhile, never past what it does.
		r, err := tx.ExecContext(ctx, "UPDATE webhooks SET position = $4 WHERE webhook_id = $1 AND round = $2 AND position >= $3 AND position <= $4",
			string(id), int64(round), int64(from), int64(to))
		if err != nil {
			return err
		}
		if n, err := r.RowsAffected(); err != nil || n != 1 {
			return errorOr(err, webhook.ErrMoved)
		}
		return enter(ctx, tx, string(id), list)
	})
}

const deliveryColumns = `webhook_id, entry, round, position, event_id, stream, revision, type, decided_at, status, attempts, next_at,
	last_at, took, code, failure, answer`

// enter writes deliveries as pending, and leaves out what is too old to be shown.
func enter(ctx context.Context, tx *sql.Tx, id string, list []webhook.Delivery) error {
	if len(list) == 0 {
		return nil
	}
	var entries int64
	err := tx.QueryRowContext(ctx, "UPDATE webhooks SET entries = entries + $2 WHERE webhook_id = $1 RETURNING entries", id, len(list)).Scan(&entries)
	if err == sql.ErrNoRows { //nolint:errorlint // the driver returns the very value
		return nil // the webhook is gone, and whatever it asked for
	}
	if err != nil {
		return err
	}
	const columns = 17
	args := make([]any, 0, columns*len(list))
	for i, d := range list {
		args = append(args, id, entries-int64(len(list)-1-i), int64(d.Round), int64(d.Position), eventstore.EventID(d.Event).String(), d.Stream,
			int64(d.Revision), d.Type, int64(d.DecidedAt), string(webhook.Pending), 0, int64(d.NextAt), 0, 0, 0, "", "")
	}
	if _, err := tx.ExecContext(ctx, "INSERT INTO deliveries ("+deliveryColumns+") VALUES "+ //nolint:gosec // placeholders alone are added
		placeholders(len(list), columns), args...); err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, "DELETE FROM deliveries WHERE webhook_id = $1 AND entry <= $2 AND status <> 'pending'", id, entries-Kept)
	return err
}

// Advance moves webhooks forward, past what they do not want. One that is further, or in
// another round, is left as it is.
func (l *Lead) Advance(ctx context.Context, moves []webhook.Move) error {
	return l.write(ctx, "advance", func(ctx context.Context, tx *sql.Tx) error {
		for _, m := range moves {
			if _, err := tx.ExecContext(ctx, "UPDATE webhooks SET position = $3 WHERE webhook_id = $1 AND round = $2 AND position < $3",
				string(m.Webhook), int64(m.Round), int64(m.To)); err != nil {
				return err
			}
		}
		return nil
	})
}

// Rewind takes back what is past a place, as the ledger was restored to an earlier state: places,
// and deliveries of what is no longer there. It reports whether there was any.
func (l *Lead) Rewind(ctx context.Context, to feed.Place) (rewound bool, err error) {
	l.mu.Lock()
	if to.Position < l.reached.Position {
		l.reached = to
	}
	l.mu.Unlock()
	head := uint64(to.Position)
	err = l.write(ctx, "rewind", func(ctx context.Context, tx *sql.Tx) error {
		for _, text := range []string{
			"UPDATE lead SET position = $1 WHERE name = 'webhooks' AND position > $1",
			"UPDATE webhooks SET position = $1 WHERE position > $1",
			"UPDATE deliveries SET status = 'superseded', next_at = 0 WHERE status = 'pending' AND position > $1",
		} {
			r, err := tx.ExecContext(ctx, text, int64(head))
			if err != nil {
				return err
			}
			n, err := r.RowsAffected()
			if err != nil {
				return err
			}
			rewound = rewound || n > 0
		}
		return nil
	})
	l.place = min(l.place, head)
	return rewound, err
}

// Restate brings a webhook to what the ledger says of it, where events of it were lost: nil for
// one that it knows no longer.
func (l *Lead) Restate(ctx context.Context, id domain.WebhookID, is *webhook.Webhook) error {
	return l.write(ctx, "restate", func(ctx context.Context, tx *sql.Tx) error {
		if is != nil {
			_, err := tx.ExecContext(ctx, "UPDATE webhooks SET active = $2, active_since = $3 WHERE webhook_id = $1",
				string(id), is.Status == webhook.StatusActive, int64(is.ActiveSince))
			return err
		}
		return remove(ctx, tx, string(id))
	})
}

func remove(ctx context.Context, tx *sql.Tx, id string) error {
	if _, err := tx.ExecContext(ctx, "DELETE FROM deliveries WHERE webhook_id = $1", id); err != nil {
		return err
	}
	_, err := tx.ExecContext(ctx, "DELETE FROM webhooks WHERE webhook_id = $1", id)
	return err
}

// Record writes down what became of deliveries that were sent: their Status, Attempts, NextAt
// and Last. One that is not pending any more, as another round was begun meanwhile, is left as
// it is.
func (l *Lead) Record(ctx context.Context, list []webhook.Delivery) error {
	return l.write(ctx, "record", func(ctx context.Context, tx *sql.Tx) error {
		for _, d := range list {
			if _, err := tx.ExecContext(ctx, `UPDATE deliveries SET status = $3, attempts = $4, next_at = $5, last_at = $6, took = $7, code = $8,
				failure = $9, answer = $10 WHERE webhook_id = $1 AND entry = $2 AND status = 'pending'`,
				string(d.Webhook), int64(d.Entry), string(d.Status), d.Attempts, int64(d.NextAt), int64(d.Last.At), d.Last.Took, d.Last.Code,
				string(d.Last.Failure), d.Last.Answer); err != nil {
				return err
			}
			if d.Test() || d.Status == webhook.Superseded {
				continue // it says nothing of how what counts is taken
			}
			text := "UPDATE webhooks SET failing_since = CASE WHEN failing_since = 0 THEN $2 ELSE failing_since END WHERE webhook_id = $1"
			if d.Last.Taken() {
				text = "UPDATE webhooks SET failing_since = 0, delivered_at = $2 WHERE webhook_id = $1"
			}
			if _, err := tx.ExecContext(ctx, text, string(d.Webhook), int64(d.Last.At)); err != nil {
				return err
			}
		}
		return nil
	})
}

// Hasten makes all that a webhook has pending due at an instant at the latest.
func (l *Lead) Hasten(ctx context.Context, id domain.WebhookID, at domain.Instant) error {
	return l.write(ctx, "hasten", func(ctx context.Context, tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, "UPDATE deliveries SET next_at = $2 WHERE webhook_id = $1 AND status = 'pending' AND next_at > $2",
			string(id), int64(at))
		return err
	})
}

// Webhooks lists where all webhooks stand.
func (l *Lead) Webhooks(ctx context.Context) ([]webhook.Standing, error) {
	return l.store.standings(ctx, "")
}

// Standing is where one webhook stands; ok is false where there is none of that id.
func (l *Lead) Standing(ctx context.Context, id domain.WebhookID) (s webhook.Standing, ok bool, err error) {
	list, err := l.store.standings(ctx, " WHERE w.webhook_id = $1", string(id))
	if err != nil || len(list) == 0 {
		return s, false, err
	}
	return list[0], true, nil
}

// Pending lists what is on its way to a receiver, by entry.
func (l *Lead) Pending(ctx context.Context, id domain.WebhookID) ([]webhook.Delivery, error) {
	return l.store.list(ctx, "WHERE webhook_id = $1 AND status = 'pending' ORDER BY entry", string(id))
}
