package esdb

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	client "github.com/EventStore/EventStore-Client-Go/v4/esdb"

	"daybook/eventstore"
)

// A link is one client object and the calls under way on it. It serves until the
// first call that finds the server unreachable; then it is set aside, the next call
// makes a new one, and it is closed when its last call has ended.
//
// Nothing less will do. A client object that meets an unreachable server looks for it
// anew at its next call, forgets the connection it had without closing it, and if it
// finds none ends the goroutine that all its calls talk to: those then wait for ever.
type link struct {
	client *client.Client

	// Under links.mu.
	calls   int
	aside   bool
	drained chan struct{} // closed when set aside and without calls
}

// links keeps the link in use.
type links struct {
	config client.Configuration
	grace  time.Duration // for the calls of a link that was set aside

	mu      sync.Mutex
	current *link
	dialing *dialing
	closed  bool
	// retiring is the client objects that are being closed, which close waits for.
	retiring sync.WaitGroup
}

// dialing is the first call of a new client object, which all callers wait for.
type dialing struct {
	done chan struct{}
	err  error // set before done is closed
}

// closingGrace is how long close waits for reads whose consumer is busy elsewhere.
const closingGrace = time.Second

func newLinks(config client.Configuration, grace time.Duration) *links {
	return &links{config: config, grace: grace}
}

// acquire returns the link in use, or connects. Errors: ctx's, ErrClosed,
// ErrUnavailable. Whoever gets a link releases it.
func (c *links) acquire(ctx context.Context) (*link, error) {
	for {
		c.mu.Lock()
		if c.closed {
			c.mu.Unlock()
			return nil, eventstore.ErrClosed
		}
		if l := c.current; l != nil {
			l.calls++
			c.mu.Unlock()
			return l, nil
		}
		d := c.dialing
		if d == nil {
			d = &dialing{done: make(chan struct{})}
			c.dialing = d
			go c.dial(d)
		}
		c.mu.Unlock()
		select {
		case <-d.done:
			if d.err != nil {
				return nil, d.err
			}
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// dial makes a client object and its first call, alone: that call discovers the
// server, cannot be cancelled, and fails every other that waits for it.
func (c *links) dial(d *dialing) {
	defer close(d.done)
	l, err := connect(c.config)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.dialing = nil
	switch {
	case err != nil:
		d.err = err
	case c.closed:
		_ = l.client.Close()
		d.err = eventstore.ErrClosed
	default:
		c.current = l
	}
}

func connect(config client.Configuration) (*link, error) {
	made, err := client.NewClient(&config)
	if err != nil {
		return nil, fmt.Errorf("%w: %v", eventstore.ErrUnavailable, err)
	}
	version, err := made.GetServerVersion()
	if err == nil && olderThan(*version, 23, 10) {
		err = fmt.Errorf("the server is version %d.%d, want 23.10 or later", version.Major, version.Minor)
	}
	if err != nil {
		_ = made.Close()
		return nil, fmt.Errorf("%w: %v", eventstore.ErrUnavailable, err)
	}
	return &link{client: made, drained: make(chan struct{})}, nil
}

func olderThan(v client.ServerVersion, major, minor int) bool {
	return v.Major < major || v.Major == major && v.Minor < minor
}

func (c *links) release(l *link) {
	c.mu.Lock()
	defer c.mu.Unlock()
	l.calls--
	if l.aside && l.calls == 0 {
		close(l.drained)
	}
}

// fail sets l aside. Its caller still holds it.
func (c *links) fail(l *link) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.retire(l, c.grace)
}

// retire closes l once its calls have ended, or after grace. Closing under a call is
// the only way to free one that hangs, see link; the call then panics, see guarded.
func (c *links) retire(l *link, grace time.Duration) {
	if l.aside {
		return
	}
	l.aside = true
	if c.current == l {
		c.current = nil
	}
	if l.calls == 0 {
		close(l.drained)
	}
	c.retiring.Add(1)
	go func() {
		defer c.retiring.Done()
		timer := time.NewTimer(grace)
		defer timer.Stop()
		select {
		case <-l.drained:
		case <-timer.C:
		}
		_ = l.client.Close()
	}()
}

// close disconnects and waits until all client objects are closed, but for one that is
// looking for its server: it cannot be stopped, and closes itself when it has ended.
func (c *links) close() {
	c.mu.Lock()
	c.closed = true
	if c.current != nil {
		c.retire(c.current, min(c.grace, closingGrace))
	}
	c.mu.Unlock()
	c.retiring.Wait()
}

// errClientPanic is a call that its client object was closed under, or that met an
// answer the client does not expect and panics on.
var errClientPanic = errors.New("the client panicked")

// guarded calls the client and turns its panics into errors.
func guarded[T any](call func() (T, error)) (result T, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%w: %v", errClientPanic, p)
		}
	}()
	return call()
}
