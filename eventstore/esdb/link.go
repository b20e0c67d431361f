package esdb

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	client "github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"daybook/eventstore"
)

// A link is one client object and the calls under way on it. It serves until the
// first call that finds the server unreachable; then it is set aside, the next call
// makes a new one, and it is closed when its last call has ended.
//
// Nothing less will do. After such a failure the client object looks for the server
// anew at the next call that starts: it then forgets the connection it had without
// closing it, and if it finds no server it ends the goroutine that all its calls talk
// to, and those wait for ever. So no call may start once a failure has been told to
// the client object: see unreachable.
//
// A server that does not lead is another matter. It names the leader, and the client
// object goes there by itself and closes the connection it had; the calls that were under
// way on it fail as if it had broken. Only if the leader is not there to be reached does
// it leave something behind, one connection each time, and nothing here can prevent it.
type link struct {
	client *client.Client
	// starting counts the calls that hold the link and may not have their connection
	// from the client object yet.
	starting sync.WaitGroup

	// Under links.mu.
	uses    int
	aside   bool
	drained chan struct{} // closed when set aside and without uses
}

// use is one call on a link. It is released when the call has ended.
type use struct {
	*link
	links *links
	begun sync.Once
}

// context is ctx in a form that tells when the client object has given the call its
// connection: the first it does after that is to ask for the context's deadline.
//
// It also carries what the client means to say and does not: that only a leader may
// answer. A server that leads no longer would else go on showing an old ledger.
func (u *use) context(ctx context.Context) context.Context {
	if u.links.config.NodePreference == client.NodePreferenceLeader {
		ctx = metadata.AppendToOutgoingContext(ctx, "requires-leader", "true")
	}
	return starting{ctx, u}
}

type starting struct {
	context.Context
	use *use
}

func (s starting) Deadline() (time.Time, bool) {
	s.use.started()
	return s.Context.Deadline()
}

func (u *use) started() { u.begun.Do(u.starting.Done) }

func (u *use) release() {
	u.started() // if the client never got that far
	u.links.mu.Lock()
	defer u.links.mu.Unlock()
	u.uses--
	if u.aside && u.uses == 0 {
		close(u.drained)
	}
}

// links keeps the link in use.
type links struct {
	config   client.Configuration
	grace    time.Duration // for the calls of a link that was set aside
	counters *counters

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

func newLinks(config client.Configuration, grace time.Duration, counters *counters) *links {
	return &links{config: config, grace: grace, counters: counters}
}

// acquire lets the caller make one call on the link in use, or on a new one. Errors:
// ctx's, ErrClosed, ErrUnavailable.
func (c *links) acquire(ctx context.Context) (*use, error) {
	for {
		c.mu.Lock()
		if c.closed {
			c.mu.Unlock()
			return nil, eventstore.ErrClosed
		}
		if l := c.current; l != nil {
			l.uses++
			l.starting.Add(1)
			c.mu.Unlock()
			return &use{link: l, links: c}, nil
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
	l, err := c.connect()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.dialing = nil
	switch {
	case err != nil:
		c.counters.failures.Add(1)
		d.err = err
	case c.closed:
		_ = l.client.Close()
		d.err = eventstore.ErrClosed
	default:
		c.counters.connections.Add(1)
		c.current = l
	}
}

func (c *links) connect() (*link, error) {
	l := &link{drained: make(chan struct{})}
	config := c.config
	config.Logger = func(level client.LogLevel, format string, args ...any) {
		c.config.Logger(level, format, args...)
		c.listen(l, level, args)
	}
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
	l.client = made
	return l, nil
}

// listen overhears the client: a call that fails logs its error, and nothing beside
// it, before it tells the client object. That is the one moment at which other calls
// can still be kept from starting.
func (c *links) listen(l *link, level client.LogLevel, args []any) {
	if level != client.LogError || len(args) != 1 {
		return // not of a call, but of the goroutine that gives calls their connection
	}
	if err, ok := args[0].(error); ok && status.Code(err) == codes.Unavailable {
		c.unreachable(l)
	}
}

// unreachable sets l aside and waits for the calls that are just starting on it. They
// get there at once: the client object still holds its connection.
func (c *links) unreachable(l *link) {
	c.fail(l)
	l.starting.Wait()
}

func olderThan(v client.ServerVersion, major, minor int) bool {
	return v.Major < major || v.Major == major && v.Minor < minor
}

// fail sets l aside.
func (c *links) fail(l *link) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.retire(l, c.grace)
}

// retire closes l once its uses have ended, or after grace: reads and subscriptions may
// go on for long on a connection that no one else wants. A call that is closed under
// while it talks to the client object panics, see guarded.
func (c *links) retire(l *link, grace time.Duration) {
	if l.aside {
		return
	}
	l.aside = true
	if c.current == l {
		c.current = nil
	}
	if l.uses == 0 {
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
