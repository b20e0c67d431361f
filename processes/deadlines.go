package processes

import (
	"container/heap"
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"daybook/commands"
	"daybook/domain"
	"daybook/eventstore"
	"daybook/eventstore/codec"
	"daybook/eventstore/feed"
)

// Deadlines is a process that waits: whenever an event sets a deadline that no other event
// settles before it is over, then something is done. What was done settles it through the
// feed; until then it is done again, ever more seldom.
//
// It keeps what is open in memory. Its checkpoint stands before the oldest of it, so after
// a restart it finds all of it again.
type Deadlines struct {
	name    string
	cfg     Config
	rule    rule
	open    map[key]*deadline
	due     dueHeap
	at      feed.Place // all up to here has been read
	saved   feed.Place
	reading eventstore.EventID // the record that see is shown, and its metadata
	beside  codec.Metadata
	live    atomic.Bool
	waiting atomic.Int64
}

// Ledger is what a process reads.
type Ledger interface {
	eventstore.Reader
	eventstore.Subscriber
}

// Config is what every process needs. All but Clock and Log must be set.
type Config struct {
	Store       Ledger
	Codec       *codec.Codec
	Checkpoints Checkpoints
	Clock       func() time.Time
	Log         *slog.Logger
}

// rule is what tells one process from another.
type rule struct {
	types map[string]bool // of events that set or settle a deadline
	// see sets and settles deadlines by an event.
	see func(d *Deadlines, stream eventstore.StreamName, event any)
	// act does what is to be done about a deadline that is over.
	act func(context.Context, key) error
	// once says that acting on one deadline acts on all of its stream.
	once bool
}

const (
	saveEvery      = 5 * time.Second
	retryAfter     = time.Second // doubles with each attempt to act,
	retryDoublings = 6           // so often at most
	actTimeout     = 20 * time.Second
)

// key names what a deadline is about.
type key struct {
	stream eventstore.StreamName
	kind   kind
	number uint32 // of the kind's, in the stream
}

type kind uint8

const (
	aHold kind = iota
	aWait
	aMove
	aRollout
)

type deadline struct {
	key
	at    domain.Instant
	after feed.Place // the record before the one that set it
	tries int
	index int // in the heap
	// cause is the record that set it, correlation what that shares with all that followed
	// from the same request.
	cause       eventstore.EventID
	correlation string
}

func newDeadlines(name string, cfg Config, r rule) (*Deadlines, error) {
	if cfg.Store == nil || cfg.Codec == nil || cfg.Checkpoints == nil || r.act == nil {
		return nil, errors.New("processes: Store, Codec, Checkpoints and what is to be done must be set")
	}
	if cfg.Clock == nil {
		cfg.Clock = time.Now
	}
	if cfg.Log == nil {
		cfg.Log = slog.Default()
	}
	cfg.Log = cfg.Log.With("process", name)
	return &Deadlines{name: name, cfg: cfg, rule: r}, nil
}

// Name tells the process from others, in logs and checkpoints.
func (d *Deadlines) Name() string { return d.name }

// Live reports whether all that was in the ledger has been read.
func (d *Deadlines) Live() bool { return d.live.Load() }

// Waiting is how many deadlines are open.
func (d *Deadlines) Waiting() int { return int(d.waiting.Load()) }

// Run reads the feed and acts until ctx ends, or returns why it could not begin. It ends with
// feed.ErrEstranged where the ledger does not hold what was read: what is open may be open no
// longer, and what was settled may be open again. So the next Run reads all of it; what was
// done already is decided again, to no effect.
func (d *Deadlines) Run(ctx context.Context) error {
	d.live.Store(false)
	at, err := d.cfg.Checkpoints.Load(ctx, d.name)
	if err != nil {
		return err
	}
	d.at, d.saved = at, at
	d.open, d.due = map[key]*deadline{}, nil
	estranged := make(chan error, 1)
	start := func(ctx context.Context, _ string) (eventstore.Position, error) {
		err := d.at.Check(ctx, d.cfg.Store)
		if errors.Is(err, feed.ErrEstranged) {
			select {
			case estranged <- err:
			default:
			}
		}
		return d.at.Position, err
	}
	subscriber, err := feed.New(feed.Config{Store: d.cfg.Store, Logger: d.cfg.Log, Start: start})
	if err != nil {
		return err
	}
	defer subscriber.Close()
	messages, err := subscriber.Subscribe(ctx, d.name)
	if err != nil {
		return err
	}
	alarm := time.NewTimer(time.Hour)
	defer alarm.Stop()
	save := time.NewTicker(saveEvery)
	defer save.Stop()
	defer d.save(context.WithoutCancel(ctx))
	for {
		alarm.Reset(d.untilNext())
		select {
		case msg, open := <-messages:
			if !open {
				return ctx.Err()
			}
			d.read(msg)
		case <-alarm.C:
			d.act(ctx)
		case <-save.C:
			d.save(ctx)
		case err := <-estranged:
			d.cfg.Log.Error("the ledger is not the one that was read; it is read again from its beginning, nothing else has to be done", "error", err)
			subscriber.Close() // it looks at the place
			d.at, d.saved, d.open, d.due = feed.Place{}, feed.Place{}, nil, nil
			return errors.Join(err, d.cfg.Checkpoints.Reset(ctx, d.name))
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (d *Deadlines) read(msg *message.Message) {
	b, _ := feed.BatchOf(msg)
	before := d.at
	for _, r := range b.Records {
		if err := d.see(msg.Context(), r); err != nil && !d.passOver(msg.Context(), r, err) {
			d.at = before
			msg.Nack() // and the batch comes again
			return
		}
		d.at = feed.PlaceOf(r)
	}
	d.live.Store(b.Live)
	d.waiting.Store(int64(len(d.open)))
	msg.Ack()
}

// passOver goes on without a record that can never be read. For one that cannot be read
// now, because the key store is away, it waits and returns false.
func (d *Deadlines) passOver(ctx context.Context, r eventstore.Record, err error) bool {
	if ctx.Err() != nil {
		return false
	}
	at := []any{"stream", r.Stream, "revision", r.Revision, "error", err}
	if errors.Is(err, codec.ErrCorrupt) || errors.Is(err, codec.ErrUnknownType) || errors.Is(err, codec.ErrNewerVersion) {
		d.cfg.Log.Error("a record cannot be read; what it sets off is not done by itself", at...)
		return true
	}
	d.cfg.Log.Warn("a record could not be read; trying again", at...)
	pause := time.NewTimer(retryAfter)
	defer pause.Stop()
	select {
	case <-pause.C:
	case <-ctx.Done():
	}
	return false
}

func (d *Deadlines) see(ctx context.Context, r eventstore.Record) error {
	if !d.rule.types[r.Type] {
		return nil
	}
	decoded, err := d.cfg.Codec.Decode(ctx, r)
	if err != nil {
		return err
	}
	d.reading, d.beside = r.ID, decoded.Meta
	d.rule.see(d, r.Stream, decoded.Event)
	return nil
}

// await sets a deadline, in place of the one that was set before: the same record may come
// twice.
func (d *Deadlines) await(k key, at domain.Instant) {
	after := d.at
	if before, ok := d.open[k]; ok {
		after = before.after
		d.settle(k)
	}
	p := &deadline{key: k, at: at, after: after, cause: d.reading, correlation: d.beside.CorrelationID()}
	d.open[k] = p
	heap.Push(&d.due, p)
}

func (d *Deadlines) settle(k key) {
	if p, ok := d.open[k]; ok {
		heap.Remove(&d.due, p.index)
		delete(d.open, k)
	}
}

// untilNext is how long nothing is due. What was not read yet may settle a deadline, so
// before the end of the ledger nothing is.
func (d *Deadlines) untilNext() time.Duration {
	if !d.live.Load() || len(d.due) == 0 {
		return time.Hour
	}
	return min(max(d.due[0].at.Time().Sub(d.cfg.Clock()), 0)+time.Millisecond, time.Hour)
}

// act does what is due.
func (d *Deadlines) act(ctx context.Context) {
	now := domain.InstantOf(d.cfg.Clock())
	acted := map[eventstore.StreamName]bool{}
	for len(d.due) > 0 && d.due[0].at <= now && ctx.Err() == nil {
		p := d.due[0]
		p.at = now.Add(retryAfter << min(p.tries, retryDoublings))
		p.tries++
		heap.Fix(&d.due, 0)
		if d.rule.once && acted[p.stream] {
			continue
		}
		acted[p.stream] = true
		actx, cancel := context.WithTimeout(commands.From(ctx, commands.Origin{
			Process: d.name, Cause: p.cause.String(), Correlation: p.correlation,
		}), actTimeout)
		err := d.rule.act(actx, p.key)
		cancel()
		switch {
		case errors.Is(err, errSettled):
			d.settle(p.key)
			d.waiting.Store(int64(len(d.open)))
		case err != nil && ctx.Err() == nil:
			d.cfg.Log.Warn("not done yet", "stream", p.stream, "number", p.number, "error", err)
		}
	}
}

// errSettled says that nothing is left to do about a deadline, though no event will say so.
var errSettled = errors.New("processes: settled")

// save keeps the place before the oldest deadline that is open.
func (d *Deadlines) save(ctx context.Context) {
	at := d.at
	for _, p := range d.open {
		if p.after.Position < at.Position {
			at = p.after
		}
	}
	if at == d.saved {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, saveEvery)
	defer cancel()
	if err := d.cfg.Checkpoints.Save(ctx, d.name, at); err != nil {
		d.cfg.Log.Warn("checkpoint not saved; a restart reads from the last one", "error", err)
		return
	}
	d.saved = at
}

// dueHeap has the first deadline on top.
type dueHeap []*deadline

func (h dueHeap) Len() int           { return len(h) }
func (h dueHeap) Less(i, j int) bool { return h[i].at < h[j].at }
func (h dueHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].index, h[j].index = i, j
}
func (h *dueHeap) Push(x any) {
	p := x.(*deadline)
	p.index = len(*h)
	*h = append(*h, p)
}
func (h *dueHeap) Pop() any {
	old := *h
	p := old[len(old)-1]
	old[len(old)-1] = nil
	*h = old[:len(old)-1]
	return p
}
