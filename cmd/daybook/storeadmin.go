package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"time"

	"daybook/eventstore/embedded"
)

// The process that has a data folder takes orders at a socket in it: what only that
// process can do, because the folder is locked. Who may enter the folder admin may give
// them; that is the user whom the process runs as, and root.
const (
	adminFolder = "admin"
	adminSocket = "socket"
	// maxSocketPath is what every system takes; Linux takes 107 bytes, others 103.
	maxSocketPath = 100
	maxOrder      = 64 << 10
	orderTimeout  = 10 * time.Second // to send an order, not to carry it out
)

// backupOrder asks for a backup.
type backupOrder struct {
	To string // absolute, as the process that has the data folder sees it
}

// backupAnswer is what came of it.
type backupAnswer struct {
	Done  *backupDone `json:",omitempty"`
	Error string      `json:",omitempty"`
}

// storeAdmin takes orders.
type storeAdmin struct {
	server *http.Server
	folder string
	under  context.CancelFunc // ends the orders under way
	done   chan struct{}
}

// takeOrders lets backups of a store be ordered. Where that cannot be, the process goes on
// without, and says so.
func takeOrders(data string, store *embedded.Store) io.Closer {
	a, err := serveAdmin(data, func(ctx context.Context, to string) (backupDone, error) { return backupInto(ctx, store, data, to) })
	if err != nil {
		slog.Warn("no backup can be made while this process runs", "error", err)
		return nobody{}
	}
	return a
}

// nobody takes orders.
type nobody struct{}

// Close implements io.Closer.
func (nobody) Close() error { return nil }

// serveAdmin takes orders for the store of a data folder that this process has locked.
func serveAdmin(data string, backup func(ctx context.Context, to string) (backupDone, error)) (*storeAdmin, error) {
	folder := filepath.Join(data, adminFolder)
	if err := os.Mkdir(folder, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, err
	}
	// The folder keeps others out, whatever the socket's own mode is while it is made.
	if err := os.Chmod(folder, 0o700); err != nil { //nolint:gosec // a folder needs its execute bit
		return nil, err
	}
	socket := filepath.Join(folder, adminSocket)
	// One that is there was left by a process that was killed: this one has the lock.
	if err := os.Remove(socket); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	addr, release, err := socketAddress(socket)
	if err != nil {
		return nil, err
	}
	defer release()
	listener, err := net.ListenUnix("unix", &net.UnixAddr{Name: addr, Net: "unix"})
	if err != nil {
		return nil, err
	}
	listener.SetUnlinkOnClose(false) // by a name that may be gone by then; close does it
	if err := os.Chmod(socket, 0o600); err != nil {
		return nil, errors.Join(err, listener.Close())
	}
	a := &storeAdmin{folder: folder, done: make(chan struct{})}
	ctx, cancel := context.WithCancel(context.Background())
	a.under = cancel
	mux := http.NewServeMux()
	mux.Handle("POST /backup", takeBackups(backup))
	a.server = &http.Server{
		Handler: mux, ReadTimeout: orderTimeout, MaxHeaderBytes: 16 << 10,
		BaseContext: func(net.Listener) context.Context { return ctx },
		ErrorLog:    slog.NewLogLogger(slog.Default().Handler(), slog.LevelDebug),
	}
	go func() {
		defer close(a.done)
		if err := a.server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			slog.Warn("no backups can be asked for any more", "error", err)
		}
	}()
	return a, nil
}

// Close ends the orders under way and takes no more.
func (a *storeAdmin) Close() error {
	a.under()
	end, cancel := context.WithTimeout(context.Background(), stopTimeout)
	defer cancel()
	err := a.server.Shutdown(end)
	<-a.done
	err = errors.Join(err, os.Remove(filepath.Join(a.folder, adminSocket)))
	_ = os.Remove(a.folder) // unless somebody has put something there
	return err
}

// takeBackups makes one backup at a time.
func takeBackups(backup func(ctx context.Context, to string) (backupDone, error)) http.HandlerFunc {
	var one sync.Mutex
	return func(w http.ResponseWriter, r *http.Request) {
		var order backupOrder
		answer := backupAnswer{}
		status := http.StatusOK
		switch err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxOrder)).Decode(&order); {
		case err != nil || !filepath.IsAbs(order.To):
			status, answer.Error = http.StatusBadRequest, "this is no order for a backup"
		case !one.TryLock():
			status, answer.Error = http.StatusConflict, "another backup is being made"
		default:
			defer one.Unlock()
			done, err := backup(r.Context(), order.To)
			if err != nil {
				status, answer.Error = http.StatusInternalServerError, err.Error()
				slog.Warn("a backup failed", "to", order.To, "error", err)
				break
			}
			answer.Done = &done
			slog.Info("backup made", "to", order.To, "position", done.Position)
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode(answer) // whoever asked may have gone
	}
}

// errNobodyTakesOrders says that no process takes orders at a data folder.
var errNobodyTakesOrders = errors.New("no process takes orders there")

// orderBackup asks the process that has a data folder to make a backup, and waits for it.
func orderBackup(ctx context.Context, data, to string) (backupDone, error) {
	addr, release, err := socketAddress(filepath.Join(data, adminFolder, adminSocket))
	if err != nil {
		return backupDone{}, fmt.Errorf("%w: %w", errNobodyTakesOrders, err)
	}
	defer release()
	conn, err := (&net.Dialer{}).DialContext(ctx, "unix", addr)
	if err != nil {
		return backupDone{}, fmt.Errorf("%w: %w", errNobodyTakesOrders, err)
	}
	defer func() { _ = conn.Close() }() // the answer has been read by then
	transport := &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) { return conn, nil }}
	defer transport.CloseIdleConnections()
	body, err := json.Marshal(backupOrder{To: to})
	if err != nil {
		return backupDone{}, err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://daybook/backup", bytes.NewReader(body))
	if err != nil {
		return backupDone{}, err
	}
	reply, err := (&http.Client{Transport: transport}).Do(request)
	if err != nil {
		return backupDone{}, err
	}
	defer reply.Body.Close()
	var answer backupAnswer
	if err := json.NewDecoder(io.LimitReader(reply.Body, maxOrder)).Decode(&answer); err != nil {
		return backupDone{}, fmt.Errorf("the process that has the data folder answers %s: %w", reply.Status, err)
	}
	if answer.Done == nil {
		return backupDone{}, errors.New(answer.Error)
	}
	return *answer.Done, nil
}

// socketAddress is a name for a socket's path that is short enough for the system. It is
// good until release is called.
func socketAddress(path string) (addr string, release func(), err error) {
	if len(path) <= maxSocketPath {
		return path, func() {}, nil
	}
	folder, err := os.Open(filepath.Dir(path))
	if err != nil {
		return "", nil, err
	}
	addr = fmt.Sprintf("/proc/self/fd/%d/%s", folder.Fd(), filepath.Base(path))
	if _, err := os.Stat(filepath.Dir(addr)); err != nil {
		return "", nil, errors.Join(fmt.Errorf("the path %s is too long for a socket", path), folder.Close())
	}
	return addr, func() { _ = folder.Close() }, nil
}
