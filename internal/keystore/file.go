package keystore

import (
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/base64"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"

	_ "modernc.org/sqlite" // the driver "sqlite"
)

// The names of the file store's files in its folder.
const (
	databaseFile = "keys.db"
	masterFile   = "master.key"
)

// OpenFile opens the key store in folder dir and makes it if there is none. Where master
// is nil, the master key is the one in the file master.key, made together with the store;
// keep a copy of it apart. ErrMasterKey if it is not the store's.
func OpenFile(ctx context.Context, dir string, master *MasterKey) (*Store, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("keystore: %w", err)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("keystore: %w", err)
	}
	if master == nil {
		own, err := ownMasterKey(dir)
		if err != nil {
			return nil, err
		}
		master = &own
	}
	path := filepath.Join(dir, databaseFile)
	// SQLite gives its other files the rights of this one.
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("keystore: %w", err)
	}
	if err := errors.Join(f.Close(), syncFolder(dir)); err != nil {
		return nil, fmt.Errorf("keystore: %w", err)
	}
	db, err := openSQLite(ctx, (&url.URL{Scheme: "file", Path: path}).String()+
		"?_pragma=busy_timeout(10000)&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_pragma=secure_delete(ON)", 4)
	if err != nil {
		return nil, err
	}
	return begin(ctx, db, *master, func(ctx context.Context) error {
		// secure_delete wiped the page; this puts the wiped page in the place of the old one and
		// empties the log. Where a reader is in the way, the next checkpoint does it.
		_, err := db.ExecContext(ctx, `PRAGMA wal_checkpoint(TRUNCATE)`)
		return err
	})
}

// Memory makes a key store that is gone when it is closed, under a master key of its own.
// It is for tests of others and for trying Daybook out.
func Memory(ctx context.Context) (*Store, error) {
	var master MasterKey
	if _, err := rand.Read(master[:]); err != nil {
		return nil, err
	}
	// Every connection would be a database of its own: there is one, and it stays.
	db, err := openSQLite(ctx, "file::memory:", 1)
	if err != nil {
		return nil, err
	}
	return begin(ctx, db, master, nil)
}

func openSQLite(ctx context.Context, dsn string, connections int) (*sql.DB, error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	db, err := sql.Open("sqlite", dsn)
	if err != nil {
		return nil, fmt.Errorf("keystore: %w", err)
	}
	db.SetMaxOpenConns(connections)
	db.SetMaxIdleConns(connections)
	for _, statement := range schema("BLOB") {
		if _, err := db.ExecContext(ctx, statement); err != nil {
			return nil, errors.Join(fmt.Errorf("keystore: make the tables: %w", err), db.Close())
		}
	}
	return db, nil
}

// ownMasterKey reads the folder's master key and makes it for a store that is yet to be.
func ownMasterKey(dir string) (MasterKey, error) {
	path := filepath.Join(dir, masterFile)
	// The key is made before the database: looked for in this order, a store that another
	// process is just making does not look like one that lost its key.
	_, database := os.Stat(filepath.Join(dir, databaseFile))
	text, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		if database == nil { // a new key would open nothing in it
			return MasterKey{}, fmt.Errorf("%w: %s is missing, though %s is there: put it back, or give the key by other means",
				ErrMasterKey, path, databaseFile)
		}
		if err := makeMasterKey(dir, path); err != nil {
			return MasterKey{}, fmt.Errorf("keystore: %w", err)
		}
		text, err = os.ReadFile(path)
	}
	if err != nil {
		return MasterKey{}, fmt.Errorf("keystore: %w", err)
	}
	key, err := ParseMasterKey(string(text))
	if err != nil {
		return MasterKey{}, fmt.Errorf("%s: %w", path, err)
	}
	return key, nil
}

// makeMasterKey puts a whole, durable file at path, unless another process was first.
func makeMasterKey(dir, path string) (err error) {
	var key MasterKey
	if _, err := rand.Read(key[:]); err != nil {
		return err
	}
	f, err := os.CreateTemp(dir, masterFile+".*") // with mode 0600
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.Remove(f.Name())) }()
	_, err = f.WriteString(base64.StdEncoding.EncodeToString(key[:]) + "\n")
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Link(f.Name(), path); err != nil && !errors.Is(err, os.ErrExist) {
		return err
	}
	return syncFolder(dir)
}

// syncFolder makes the names in a folder durable.
func syncFolder(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
