package baseline

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"daybook/domain"
	"daybook/internal/httpapi"
	"daybook/internal/problem"
)

// dayKey names a day's row.
type dayKey struct {
	restaurant int64
	date       domain.ServiceDate
}

// day is the locked row.
type day struct {
	entries  int
	revision uint64
}

// request is a write as it came in.
type request struct {
	user      domain.UserID
	key       [32]byte // of caller, route, what is addressed, and the idempotency key
	body      [32]byte
	requestID string
}

func newRequest(ctx context.Context, route, addressed, key string, body any) (request, error) {
	if key == "" {
		return request{}, problem.New(problem.KeyMissing, "send an Idempotency-Key header")
	}
	canonical, err := json.Marshal(body)
	if err != nil {
		return request{}, err
	}
	r := request{user: httpapi.User(ctx), body: sha256.Sum256(canonical), requestID: httpapi.RequestID(ctx)}
	r.key = sha256.Sum256([]byte(string(r.user) + "\x00" + route + "\x00" + addressed + "\x00" + key))
	return r, nil
}

// written is what a write came to.
type written struct {
	answer   httpapi.Reservation
	position int64 // of the audit entry; 0 for an answer given again
	replayed bool
}

// transact is every write's one transaction, in two round trips. The first locks the day,
// looks the key up and asks what read adds; as each statement sees what was committed
// before it began, all after the lock is current. The second does what decide queues,
// stores answer and audit entry, and commits.
func (s *Service) transact(
	ctx context.Context, key dayKey, r request,
	read func(*pgx.Batch), decide func(day, *pgx.Batch) (httpapi.Reservation, change, error),
) (w written, err error) {
	conn, err := s.pool.Acquire(ctx)
	if err != nil {
		return w, err
	}
	defer conn.Release()
	var d day
	var first struct {
		body   []byte
		answer []byte
	}
	locked := false
	batch := &pgx.Batch{}
	batch.Queue("BEGIN")
	batch.Queue("SELECT entries, revision FROM days WHERE restaurant = $1 AND service_date = $2 FOR UPDATE", key.restaurant, key.date).
		QueryRow(func(row pgx.Row) error {
			err := row.Scan(&d.entries, &d.revision)
			locked = err == nil
			if errors.Is(err, pgx.ErrNoRows) {
				return nil
			}
			return err
		})
	batch.Queue("SELECT body_hash, answer FROM idempotency WHERE key = $1", r.key[:]).QueryRow(func(row pgx.Row) error {
		err := row.Scan(&first.body, &first.answer)
		if errors.Is(err, pgx.ErrNoRows) {
			return nil
		}
		return err
	})
	read(batch)
	err = conn.SendBatch(ctx, batch).Close()
	switch {
	case err != nil:
	case !locked:
		err = s.open(ctx, conn, key)
		if err == nil {
			conn.Release()
			return s.transact(ctx, key, r, read, decide)
		}
	case first.body != nil && string(first.body) != string(r.body[:]):
		err = problem.New(problem.KeyReused, "take a new Idempotency-Key for a new request")
	case first.body != nil:
		w.replayed = true
		err = json.Unmarshal(first.answer, &w.answer)
	}
	if err == nil && !w.replayed {
		err = s.write(ctx, conn, key, r, d, decide, &w)
		if err == nil {
			return w, nil
		}
	}
	// A connection that cannot roll back is closed by the pool.
	_, _ = conn.Exec(context.WithoutCancel(ctx), "ROLLBACK")
	return w, err
}

// open puts the day's row there. Others may do so at the same time.
func (s *Service) open(ctx context.Context, conn *pgxpool.Conn, key dayKey) error {
	if _, err := conn.Exec(ctx, "ROLLBACK"); err != nil {
		return err
	}
	_, err := conn.Exec(ctx, "INSERT INTO days (restaurant, service_date) VALUES ($1, $2) ON CONFLICT DO NOTHING", key.restaurant, key.date)
	return err
}

// change is what the audit entry tells. Without a kind nothing changed: it was so already.
type change struct {
	number        int
	kind          string
	before, after string
	entries       int // added to the day's
}

func (s *Service) write(
	ctx context.Context, conn *pgxpool.Conn, key dayKey, r request, d day,
	decide func(day, *pgx.Batch) (httpapi.Reservation, change, error), w *written,
) error {
	batch := &pgx.Batch{}
	answer, c, err := decide(d, batch)
	if err != nil {
		return err
	}
	stored, err := json.Marshal(answer)
	if err != nil {
		return err
	}
	now := s.now()
	batch.Queue("INSERT INTO idempotency (key, body_hash, answer, created_at) VALUES ($1, $2, $3, $4)",
		r.key[:], r.body[:], stored, now)
	if c.kind != "" {
		s.record(batch, key, r, d, c, now, w)
	}
	batch.Queue("COMMIT")
	if err := conn.SendBatch(ctx, batch).Close(); err != nil {
		return err
	}
	w.answer = answer
	return nil
}

// record moves the day on and adds the audit entry.
func (s *Service) record(batch *pgx.Batch, key dayKey, r request, d day, c change, now domain.Instant, w *written) {
	batch.Queue("UPDATE days SET entries = entries + $3, revision = $4 WHERE restaurant = $1 AND service_date = $2",
		key.restaurant, key.date, c.entries, d.revision+1)
	batch.Queue(`INSERT INTO audit (restaurant, service_date, number, type, actor, request_id, at, before, after)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) RETURNING id`,
		key.restaurant, key.date, c.number, c.kind, r.user, r.requestID, now, c.before, c.after).
		QueryRow(func(row pgx.Row) error { return row.Scan(&w.position) })
}
