package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"
)

// The process that has a data folder takes orders at a socket in it: what only that
// process can do, because the folder is locked. Who may enter the folder admin may give
// them; that is the user whom the process runs as, and root.
const (
	adminFolder = "admin"
	adminSocket = "socket"
	// maxSocketPath is what every system takes; Linux takes 107 bytes, others 103.
	maxSocketPath = 100
	orderTimeout  = 10 * time.Second // to send an order, not to carry it out
)

// admin takes orders.
type admin struct {
	server *http.Server
	mux    *http.ServeMux
	folder string
	under  context.CancelFunc // ends the orders under way
	done   chan struct{}
}

// takeOrders lets the process that has a data folder be asked for what only it can do.
// Where that cannot be, the process goes on without, and says so: nil takes no orders.
func takeOrders(data string) *admin {
	a, err := serveAdmin(data)
	if err != nil {
		slog.Warn("nothing can be ordered of this process while it runs, no backup and no rebuild", "error", err)
		return nil
	}
	return a
}

// serveAdmin takes orders at a data folder that this process has locked.
func serveAdmin(data string) (*admin, error) {
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
	a := &admin{folder: folder, mux: http.NewServeMux(), done: make(chan struct{})}
	ctx, cancel := context.WithCancel(context.Background())
	a.under = cancel
	a.server = &http.Server{
		Handler: a.mux, ReadTimeout: orderTimeout, MaxHeaderBytes: 16 << 10,
		BaseContext: func(net.Listener) context.Context { return ctx },
		ErrorLog:    slog.NewLogLogger(slog.Default().Handler(), slog.LevelDebug),
	}
	go func() {
		defer close(a.done)
		if err := a.server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			slog.Warn("no orders can be given any more", "error", err)
		}
	}()
	return a, nil
}

// Close ends the orders under way and takes no more.
func (a *admin) Close() error {
	if a == nil {
		return nil
	}
	a.under()
	end, cancel := context.WithTimeout(context.Background(), stopTimeout)
	defer cancel()
	err := a.server.Shutdown(end)
	<-a.done
	err = errors.Join(err, os.Remove(filepath.Join(a.folder, adminSocket)))
	_ = os.Remove(a.folder) // unless somebody has put something there
	return err
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
