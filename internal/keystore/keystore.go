// Package keystore keeps the keys that personal data in the ledger is encrypted with, and
// the house's own secrets. It is a source of truth: it cannot be rebuilt from the events,
// and is backed up apart from them, since the two together tell everything.
//
// What belongs here: making, wrapping, keeping and destroying keys, in a file of the data
// folder or in Postgres, by one SQL text. What is encrypted with them, and how, is
// eventstore/codec's; when a person is erased is decided by commands.
//
// Every key and secret is wrapped (AES-256-GCM) by a master key, which the store itself
// never holds: who has the database alone has nothing.
//
// Keys are not remembered here: codec does that, so that there is one memory only in which
// a dropped key may linger.
package keystore

import (
	"context"
	"crypto/cipher"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"daybook/eventstore/codec"
)

var (
	// ErrMasterKey says that the master key is missing, has the wrong form, or is not the one
	// the store was begun with.
	ErrMasterKey = errors.New("keystore: wrong master key")
	// ErrClosed answers calls on a closed store.
	ErrClosed = errors.New("keystore: closed")
)

// limit bounds any one call to the database, whatever the caller's context allows.
const limit = 15 * time.Second

// Store is a key store over SQL. It is safe for concurrent use, also by several processes
// on one database.
type Store struct {
	db     *sql.DB
	master cipher.AEAD
	// afterDrop rids the database of what a dropped key leaves behind; nil for nothing.
	afterDrop func(context.Context) error

	writer writer
}

var _ codec.Keys = (*Store)(nil)

// schema is what both ends hold; binary stands for the end's type of bytes.
func schema(binary string) []string {
	return []string{
		// wrapped is NULL once the key was dropped.
		`CREATE TABLE IF NOT EXISTS keystore_subjects (subject TEXT NOT NULL PRIMARY KEY, wrapped ` + binary + `)`,
		`CREATE TABLE IF NOT EXISTS keystore_secrets (name TEXT NOT NULL PRIMARY KEY, wrapped ` + binary + ` NOT NULL)`,
	}
}

// checkSecret is the secret by which a store knows its master key.
const checkSecret = "keystore.check"

// begin takes over db, whose tables exist, and closes it if the master key is wrong.
func begin(ctx context.Context, db *sql.DB, master MasterKey, afterDrop func(context.Context) error) (*Store, error) {
	aead, err := newAEAD(master)
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	s := &Store{db: db, master: aead, afterDrop: afterDrop}
	s.writer.init(s.insert)
	if _, err := s.Secret(ctx, checkSecret); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return s, nil
}

// Get returns a subject's key. Errors: codec.ErrNoKey, codec.ErrErased, else the
// database's, which say nothing about the key.
func (s *Store) Get(ctx context.Context, subject string) (codec.Key, error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	var wrapped []byte
	err := s.db.QueryRowContext(ctx, `SELECT wrapped FROM keystore_subjects WHERE subject = $1`, subject).Scan(&wrapped)
	if errors.Is(err, sql.ErrNoRows) {
		return codec.Key{}, fmt.Errorf("keystore: %s: %w", subject, codec.ErrNoKey)
	}
	if err != nil {
		return codec.Key{}, fmt.Errorf("keystore: read the key of %s: %w", subject, err)
	}
	return s.key(subject, wrapped)
}

// key unwraps what the database holds for a subject.
func (s *Store) key(subject string, wrapped []byte) (codec.Key, error) {
	if wrapped == nil {
		return codec.Key{}, fmt.Errorf("keystore: %s: %w", subject, codec.ErrErased)
	}
	plain, err := unwrap(s.master, subjectLabel+subject, wrapped)
	return codec.Key(plain), err
}

// Ensure returns a subject's key, and makes it first if there is none. It returns after
// the key is durable. Errors: codec.ErrErased, ErrClosed, else the database's; then a key
// may have been made, and is found by the next call.
func (s *Store) Ensure(ctx context.Context, subject string) (codec.Key, error) {
	key, err := s.Get(ctx, subject)
	if !errors.Is(err, codec.ErrNoKey) {
		return key, err
	}
	return s.writer.ensure(ctx, subject)
}

// insert makes the keys that are missing, in one write, and returns what stands there then.
// The subjects are sorted, so that two stores that make the same keys wait for each other
// in one order.
func (s *Store) insert(ctx context.Context, subjects []string) (map[string]found, error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	made := make([]any, 0, 2*len(subjects))
	asked := make([]any, 0, len(subjects))
	for _, subject := range subjects {
		wrapped, err := s.fresh(subjectLabel + subject)
		if err != nil {
			return nil, err
		}
		made = append(made, subject, wrapped)
		asked = append(asked, subject)
	}
	_, err := s.db.ExecContext(ctx, `INSERT INTO keystore_subjects (subject, wrapped) VALUES `+ //nolint:gosec // placeholders alone are added
		rows(len(subjects), 2)+` ON CONFLICT (subject) DO NOTHING`, made...)
	if err != nil {
		return nil, fmt.Errorf("keystore: make keys: %w", err)
	}
	// Another store may have been first: only what stands there counts.
	result, err := s.db.QueryContext(ctx, `SELECT subject, wrapped FROM keystore_subjects WHERE subject IN `+ //nolint:gosec // see above
		rows(1, len(subjects)), asked...)
	if err != nil {
		return nil, fmt.Errorf("keystore: read keys: %w", err)
	}
	defer func() { _ = result.Close() }()
	all := make(map[string]found, len(subjects))
	for result.Next() {
		var subject string
		var wrapped []byte
		if err := result.Scan(&subject, &wrapped); err != nil {
			return nil, fmt.Errorf("keystore: read keys: %w", err)
		}
		key, err := s.key(subject, wrapped)
		all[subject] = found{key, err}
	}
	if err := result.Err(); err != nil {
		return nil, fmt.Errorf("keystore: read keys: %w", err)
	}
	return all, nil
}

// Drop destroys a subject's key for ever; Ensure refuses from now on. Dropping twice, or
// what never was, succeeds. An error leaves it open whether the key is gone: drop it again.
//
// What the database's own history still holds of it is up to the operator: a Postgres
// keeps it until the table is vacuumed, and backups keep it as long as they are kept.
func (s *Store) Drop(ctx context.Context, subject string) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	_, err := s.db.ExecContext(ctx, `INSERT INTO keystore_subjects (subject, wrapped) VALUES ($1, NULL)
		ON CONFLICT (subject) DO UPDATE SET wrapped = NULL`, subject)
	if err != nil {
		return fmt.Errorf("keystore: drop the key of %s: %w", subject, err)
	}
	if s.afterDrop != nil {
		if err := s.afterDrop(ctx); err != nil {
			return fmt.Errorf("keystore: wipe the key of %s: %w", subject, err)
		}
	}
	return nil
}

// Secret returns the house's secret of this name: 32 random bytes, made when first asked
// for and the same for every process on this store from then on. Keep it: each call asks
// the database.
func (s *Store) Secret(ctx context.Context, name string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	wrapped, err := s.secret(ctx, name)
	if errors.Is(err, sql.ErrNoRows) {
		var own []byte
		if own, err = s.fresh(secretLabel + name); err != nil {
			return nil, err
		}
		_, err = s.db.ExecContext(ctx, `INSERT INTO keystore_secrets (name, wrapped) VALUES ($1, $2)
			ON CONFLICT (name) DO NOTHING`, name, own)
		if err == nil {
			wrapped, err = s.secret(ctx, name)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("keystore: secret %s: %w", name, err)
	}
	plain, err := unwrap(s.master, secretLabel+name, wrapped)
	if err != nil {
		return nil, err
	}
	return plain[:], nil
}

func (s *Store) secret(ctx context.Context, name string) (wrapped []byte, err error) {
	err = s.db.QueryRowContext(ctx, `SELECT wrapped FROM keystore_secrets WHERE name = $1`, name).Scan(&wrapped)
	return wrapped, err
}

// fresh makes 32 random bytes and wraps them.
func (s *Store) fresh(label string) ([]byte, error) {
	var plain [32]byte
	if _, err := rand.Read(plain[:]); err != nil {
		return nil, err
	}
	return wrap(s.master, label, plain)
}

// Close waits for the keys being made and closes the database.
func (s *Store) Close() error {
	s.writer.close()
	return s.db.Close()
}
