// Package groups lets several consumers share the messages of one stream, or of the whole
// ledger: EventStoreDB's persistent subscriptions, over any eventstore.Engine. Each message
// goes to one consumer of the group; one that is not acknowledged goes to another, and after
// too many tries it is parked in a stream of its own, from where it can be replayed.
//
// What belongs here: who is given what and when again, how far a group is done, and the
// "$" streams that keep this in the ledger. What does not: the wire (look in esdbserver) and
// keeping events (an Engine does).
//
// # What is promised
//
// Every message is given at least once. A checkpoint covers only messages that were
// acknowledged, skipped, or durably parked, so after a crash all others come again, and some
// that had been acknowledged since the last checkpoint. A message is with one consumer at a
// time; new ones are given out in order, those given again are not. Replayed messages stay
// in the parked stream until they are finished.
//
// # What is kept in the ledger
//
// The configuration of all groups is the newest event of $persistentSubscriptionConfig. The
// checkpoint of a group is the newest of $persistentsubscription-STREAM::GROUP-checkpoint;
// its parked messages are links in $persistentsubscription-STREAM::GROUP-parked. The names
// and forms are EventStoreDB's. How often a message was tried is kept in memory alone.
//
// # Where EventStoreDB does otherwise
//
// It hides a replayed message from the parked stream when it reads it, and loses it in a
// crash; a consumer that says Stop there skips the message; a message that cannot be parked
// is dropped after some tries. A group over the whole ledger is not given what groups write.
// History and what is new share one buffer, so LiveBufferSize changes nothing; a group
// without consumers reads nothing ahead. Buffers, consumers, groups and the bytes held in
// memory have limits of their own. Expressions of filters are those of RE2.
package groups

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"daybook/eventstore"
)

var (
	// ErrExists refuses to create a group that is there.
	ErrExists = errors.New("groups: the group exists")
	// ErrNotFound answers for a group that is not there, or was deleted.
	ErrNotFound = errors.New("groups: no such group")
	// ErrTooManyConsumers refuses a consumer beyond the group's limit.
	ErrTooManyConsumers = errors.New("groups: the group has as many consumers as it takes")
	// ErrTooManyGroups refuses a group beyond MaxGroups.
	ErrTooManyGroups = errors.New("groups: there are as many groups as there can be")
	// ErrDropped ends consumers when their group is updated or restarted, or when they asked
	// for it. They may connect again.
	ErrDropped = errors.New("groups: the consumer was dropped")
	// ErrClosed answers after Close.
	ErrClosed = errors.New("groups: closed")
	// ErrDamaged says that what the ledger holds about groups cannot be read.
	ErrDamaged = errors.New("groups: the ledger's record of a group cannot be read")
)

// Options of Groups. The zero value is fit for use.
type Options struct {
	// Now is the clock; time.Now if nil.
	Now func() time.Time
	// Logger is told of what fails without a caller; slog's default if nil.
	Logger *slog.Logger
}

// Groups are all groups of one ledger. One process at a time may have them: two would give
// each message twice. Safe for concurrent use.
type Groups struct {
	engine eventstore.Engine
	now    func() time.Time
	log    *slog.Logger
	hub    *hub
	held   atomic.Int64 // bytes that all groups hold

	// changing is held while the set of groups is loaded or changed, writes included.
	changing sync.Mutex

	mu     sync.Mutex
	groups map[string]*group // by Key.id; replaced, never changed
	loaded bool
	closed bool
}

// New returns the groups of a ledger, which is read when they are first asked for. Close
// them before the engine.
func New(engine eventstore.Engine, options Options) *Groups {
	if options.Now == nil {
		options.Now = time.Now
	}
	if options.Logger == nil {
		options.Logger = slog.Default()
	}
	return &Groups{
		engine: engine, now: options.Now, log: options.Logger,
		hub: &hub{engine: engine, log: options.Logger, watchers: map[eventstore.StreamName]map[*group]struct{}{}},
	}
}

func (gs *Groups) newGroup(c Config, begin cursor) (*group, error) {
	passes, err := c.Filter.matcher()
	if err != nil {
		return nil, err
	}
	return &group{
		owner: gs, config: c, begin: begin, passes: passes,
		readable: make(chan struct{}, 1), workable: make(chan struct{}, 1),
		consumers: map[*Consumer]struct{}{}, measured: gs.now(),
	}, nil
}

func sorted(groups map[string]*group) []*group {
	return slices.SortedFunc(maps.Values(groups), func(a, b *group) int {
		return strings.Compare(a.config.id(), b.config.id())
	})
}

// all returns the groups there are. It reads the ledger the first time.
func (gs *Groups) all(ctx context.Context) (map[string]*group, error) {
	if groups, ok, err := gs.current(); ok || err != nil {
		return groups, err
	}
	gs.changing.Lock()
	defer gs.changing.Unlock()
	return gs.allChanging(ctx)
}

// allChanging is all for who holds changing.
func (gs *Groups) allChanging(ctx context.Context) (map[string]*group, error) {
	if groups, ok, err := gs.current(); ok || err != nil {
		return groups, err
	}
	if err := gs.load(ctx); err != nil {
		return nil, err
	}
	groups, _, err := gs.current()
	return groups, err
}

func (gs *Groups) current() (map[string]*group, bool, error) {
	gs.mu.Lock()
	defer gs.mu.Unlock()
	if gs.closed {
		return nil, false, ErrClosed
	}
	return gs.groups, gs.loaded, nil
}

func (gs *Groups) find(ctx context.Context, key Key) (*group, error) {
	groups, err := gs.all(ctx)
	if err != nil {
		return nil, err
	}
	g := groups[key.id()]
	if g == nil || g.config.Key != key {
		return nil, ErrNotFound
	}
	return g, nil
}

// replace writes and then shows a changed set of groups: g in the place of what has its
// key, or nothing there if g is nil. The caller holds changing.
func (gs *Groups) replace(ctx context.Context, groups map[string]*group, key Key, g *group, by string) error {
	changed := maps.Clone(groups)
	if g == nil {
		delete(changed, key.id())
	} else {
		changed[key.id()] = g
	}
	if err := gs.save(ctx, changed, by); err != nil {
		return err
	}
	gs.show(changed)
	return nil
}

func (gs *Groups) show(groups map[string]*group) {
	gs.mu.Lock()
	defer gs.mu.Unlock()
	gs.groups = groups
}

// Create makes a group. by is the user's name, for the record. Errors: ErrExists,
// ErrTooManyGroups, eventstore.ErrInvalid, and those of the engine.
func (gs *Groups) Create(ctx context.Context, c Config, by string) error {
	if err := c.check(); err != nil {
		return err
	}
	gs.changing.Lock()
	defer gs.changing.Unlock()
	groups, err := gs.allChanging(ctx)
	switch {
	case err != nil:
		return err
	case groups[c.id()] != nil:
		return ErrExists
	case len(groups) >= MaxGroups:
		return ErrTooManyGroups
	}
	begin, err := gs.begin(ctx, c)
	if err != nil {
		return err
	}
	g, err := gs.newGroup(c, begin)
	if err != nil {
		return err
	}
	// What a group of this name left when it was deleted must not be this one's.
	if err := gs.forget(ctx, c.Key); err != nil {
		return err
	}
	return gs.replace(ctx, groups, c.Key, g, by)
}

// begin is the cursor that a group without a checkpoint starts at.
func (gs *Groups) begin(ctx context.Context, c Config) (cursor, error) {
	switch {
	case !c.From.End:
		return cursor(c.From.At), nil
	case c.Stream == All:
		head, err := gs.engine.Head(ctx)
		return cursor(head), err
	}
	at, err := gs.engine.Look(ctx, c.Stream)
	if err != nil || !at.Shown {
		return 0, err
	}
	return cursor(at.Last) + 1, nil
}

// Update gives a group new settings, and a new start if it has no checkpoint; its filter
// stays. Its consumers are dropped. Errors: ErrNotFound, eventstore.ErrInvalid, and those of
// the engine.
func (gs *Groups) Update(ctx context.Context, c Config, by string) error {
	gs.changing.Lock()
	defer gs.changing.Unlock()
	groups, err := gs.allChanging(ctx)
	if err != nil {
		return err
	}
	old := groups[c.id()]
	if old == nil || old.config.Key != c.Key {
		return ErrNotFound
	}
	c.Filter = old.config.Filter
	if err := c.check(); err != nil {
		return err
	}
	begin, err := gs.begin(ctx, c)
	if err != nil {
		return err
	}
	g, err := gs.newGroup(c, begin)
	if err != nil {
		return err
	}
	// How far the old one is has to be written before the new one is: without a checkpoint it
	// would begin at its own start, and "the end" would leave out what nobody was given yet.
	err = old.stop(ctx, ErrDropped, true)
	if err == nil {
		err = gs.replace(ctx, groups, c.Key, g, by)
	}
	if err == nil {
		return nil
	}
	// Nothing was changed, but what has stopped cannot go on.
	again, failed := gs.newGroup(old.config, old.begin)
	if failed != nil {
		return errors.Join(err, failed)
	}
	groups = maps.Clone(groups)
	groups[c.id()] = again
	gs.show(groups)
	return err
}

// Delete ends a group and hides its checkpoint and its parked messages. Errors: ErrNotFound,
// and those of the engine.
func (gs *Groups) Delete(ctx context.Context, key Key, by string) error {
	gs.changing.Lock()
	defer gs.changing.Unlock()
	groups, err := gs.allChanging(ctx)
	if err != nil {
		return err
	}
	g := groups[key.id()]
	if g == nil || g.config.Key != key {
		return ErrNotFound
	}
	if err := gs.replace(ctx, groups, key, nil, by); err != nil {
		return err
	}
	if err := g.stop(ctx, ErrNotFound, false); err != nil {
		return err
	}
	return gs.forget(ctx, key)
}

// Connect adds a consumer that can hold buffer messages unanswered, 1 to MaxBuffer. Errors:
// ErrNotFound, ErrTooManyConsumers, ErrDamaged, eventstore.ErrInvalid, and those of the engine.
func (gs *Groups) Connect(ctx context.Context, key Key, buffer int, peer Peer) (*Consumer, error) {
	if buffer < 1 {
		return nil, invalid("a consumer with a buffer of %d messages, want 1 to %d", buffer, MaxBuffer)
	}
	for {
		g, err := gs.find(ctx, key)
		if err != nil {
			return nil, err
		}
		c, err := g.connect(ctx, min(buffer, MaxBuffer), peer)
		if !errors.Is(err, ErrDropped) || ctx.Err() != nil {
			return c, err
		}
		// The group was updated or restarted between the two calls. Whoever did that shows
		// the new one before it ends, and ends before the next one can begin.
		gs.changing.Lock()
		gs.changing.Unlock() //nolint:staticcheck // to wait is all that is wanted
	}
}

// Replay gives out again what the group has parked, up to but not including revision until
// of its parked stream. It returns at once. Errors: ErrNotFound, and those of the engine.
func (gs *Groups) Replay(ctx context.Context, key Key, until eventstore.Revision) error {
	g, err := gs.find(ctx, key)
	if err != nil {
		return err
	}
	g.starting.Lock()
	defer g.starting.Unlock()
	if err := g.start(ctx); err != nil {
		return err
	}
	parked, err := gs.engine.Look(ctx, key.parked())
	if err != nil || !parked.Shown {
		return err
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.stopped != nil {
		return g.stopped
	}
	g.m.replayUntil = max(g.m.replayUntil, min(cursor(until), cursor(parked.Last)+1))
	g.settle(gs.now())
	return nil
}

// Restart drops all consumers and reads the groups from the ledger again.
func (gs *Groups) Restart(ctx context.Context) error {
	gs.changing.Lock()
	defer gs.changing.Unlock()
	groups, err := gs.allChanging(ctx)
	if err != nil {
		return err
	}
	stopped := stopAll(ctx, groups, ErrDropped)
	// Also if a last checkpoint failed: a group that stopped can only be replaced. Where that
	// fails as well, whoever asks next tries again.
	gs.mu.Lock()
	gs.loaded = false
	gs.mu.Unlock()
	return errors.Join(stopped, gs.load(ctx))
}

// Close ends all consumers and writes last checkpoints, for which it has until ctx ends.
func (gs *Groups) Close(ctx context.Context) error {
	// Not changing: whoever holds it may wait for the ledger longer than ctx allows, and what
	// it adds can no longer start.
	gs.mu.Lock()
	closed, groups := gs.closed, gs.groups
	gs.closed = true
	gs.mu.Unlock()
	if closed {
		return nil
	}
	return stopAll(ctx, groups, ErrClosed)
}

func stopAll(ctx context.Context, groups map[string]*group, reason error) error {
	failed := make([]error, len(groups))
	var running sync.WaitGroup
	for i, g := range sorted(groups) {
		running.Go(func() {
			if err := g.stop(ctx, reason, true); err != nil {
				failed[i] = fmt.Errorf("group %q of stream %q: %w", g.config.Group, g.config.Stream, err)
			}
		})
	}
	running.Wait()
	return errors.Join(failed...)
}
