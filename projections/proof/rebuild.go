package proof

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"iter"
	"strconv"

	"github.com/cockroachdb/pebble/v2"

	"daybook/eventstore"
	"daybook/eventstore/feed"
	"daybook/projections"
)

// format is that of the folder. Another one is not read: the folder is removed by hand and
// the log built again.
const format = 1

// generations says which logs are in the folder. 0 stands for none.
type generations struct {
	live   uint32
	kept   uint32 // what the last swap replaced
	beside uint32 // under construction
	build  string // by this build
}

var generationsKey = []byte{0, 0, 0, 0, 'g'}

// readGenerations reads it; pebble.ErrNotFound from a folder that is new.
func readGenerations(db *pebble.DB) (g generations, err error) {
	value, closer, err := db.Get(generationsKey)
	if err != nil {
		return g, err
	}
	defer closer.Close()
	if len(value) < 16 || binary.BigEndian.Uint32(value) != format {
		return g, fmt.Errorf("%w: want format %d, found %x; remove the folder and it is built again", ErrFormat, format, value)
	}
	g.live, g.kept, g.beside = binary.BigEndian.Uint32(value[4:]), binary.BigEndian.Uint32(value[8:]), binary.BigEndian.Uint32(value[12:])
	g.build = string(value[16:])
	return g, nil
}

func (g generations) value() []byte {
	b := make([]byte, 0, 64)
	for _, n := range []uint32{format, g.live, g.kept, g.beside} {
		b = binary.BigEndian.AppendUint32(b, n)
	}
	return append(b, g.build...)
}

// write puts it in the folder and removes logs, all together.
func (g generations) write(db *pebble.DB, remove ...uint32) error {
	w := db.NewBatch()
	defer w.Close() //nolint:errcheck // it was committed, or is not wanted
	err := w.Set(generationsKey, g.value(), nil)
	for _, n := range remove {
		if n != 0 {
			err = errors.Join(err, w.DeleteRange(binary.BigEndian.AppendUint32(nil, n), binary.BigEndian.AppendUint32(nil, n+1), nil))
		}
	}
	if err != nil {
		return err
	}
	return w.Commit(pebble.Sync)
}

// Rebuild implements projections.Rebuildable: another log in the same folder.
func (v *View) Rebuild(_ context.Context, build string) (projections.Rebuilding, error) {
	v.feeding.Lock()
	defer v.feeding.Unlock()
	at, err := readGenerations(v.db)
	if err != nil {
		return projections.Rebuilding{}, err
	}
	if v.beside != nil {
		v.beside.gone.Store(true)
	}
	if at.beside == 0 || at.build != build {
		dropped := at.beside
		at.beside, at.build = max(at.live, at.kept, at.beside)+1, build
		if err := at.write(v.db, dropped); err != nil {
			return projections.Rebuilding{}, err
		}
	}
	if v.beside, err = openBuilder(v.db, at.beside); err != nil {
		return projections.Rebuilding{}, err
	}
	return v.rebuilding(v.beside), nil
}

// Kept implements projections.Rebuildable.
func (v *View) Kept(context.Context) (projections.Rebuilding, error) {
	v.feeding.Lock()
	defer v.feeding.Unlock()
	at, err := readGenerations(v.db)
	if err != nil {
		return projections.Rebuilding{}, err
	}
	if at.kept == 0 {
		return projections.Rebuilding{}, fmt.Errorf("proof: %w", projections.ErrNothingKept)
	}
	b, err := openBuilder(v.db, at.kept)
	if err != nil {
		return projections.Rebuilding{}, err
	}
	return v.rebuilding(b), nil
}

func (v *View) rebuilding(b *builder) projections.Rebuilding {
	fresh := &rebuilding{b}
	return projections.Rebuilding{
		View: fresh,
		Compare: func(ctx context.Context) ([]projections.Compared, error) {
			live := v.live.Load()
			if err := v.follow(ctx, fresh, live.position()); err != nil {
				return nil, err
			}
			return compareLogs(live.log, b.log)
		},
		Swap:    func(ctx context.Context) error { return v.swap(ctx, fresh) },
		Abandon: func(context.Context) error { return v.abandon(b) },
	}
}

// follow brings a log to a position, if it is not that far.
func (v *View) follow(ctx context.Context, fresh *rebuilding, to eventstore.Position) error {
	if fresh.position() >= to {
		return nil
	}
	if v.store == nil {
		return errors.New("proof: a log that is behind has no ledger to follow")
	}
	return projections.Follow(ctx, v.store, fresh, fresh.position(), to)
}

// compareLogs holds the leaves of two logs against each other, as far as both go.
func compareLogs(live, fresh *Log) ([]projections.Compared, error) {
	c := projections.Compared{What: "leaves", Entries: fresh.Size()}
	was, stop := iter.Pull2(live.Entries())
	defer stop()
	common := min(live.Size(), c.Entries)
	for e, err := range fresh.Entries() {
		if err != nil {
			return nil, err
		}
		if e.Index >= common {
			break
		}
		old, err, _ := was()
		if err != nil {
			return nil, err
		}
		if old.Leaf != e.Leaf {
			c.OnlyLive++
			c.OnlyCopy++
		}
	}
	c.OnlyLive += live.Size() - common
	c.OnlyCopy += fresh.Size() - common
	return []projections.Compared{c}, nil
}

// swap puts a log in the live one's place, which is kept until the next swap.
func (v *View) swap(ctx context.Context, fresh *rebuilding) error {
	v.feeding.Lock() // the live one stands still from here on
	defer v.feeding.Unlock()
	if err := v.follow(ctx, fresh, v.live.Load().position()); err != nil {
		return err
	}
	at, err := readGenerations(v.db)
	if err != nil {
		return err
	}
	to := fresh.log.generation
	if to == at.live {
		return nil
	}
	remove := uint32(0)
	if at.kept != to {
		remove = at.kept
	}
	at.live, at.kept = to, at.live
	if at.beside == to {
		at.beside, at.build = 0, ""
	}
	if err := at.write(v.db, remove); err != nil {
		return err
	}
	v.mu.Lock()
	v.live.Store(fresh.builder)
	v.agreed, v.fault, v.moved = false, nil, true
	v.mu.Unlock()
	return v.judge(fresh.builder, true)
}

// abandon drops a log that is not wanted.
func (v *View) abandon(b *builder) error {
	v.feeding.Lock()
	defer v.feeding.Unlock()
	b.gone.Store(true)
	at, err := readGenerations(v.db)
	if err != nil || at.live == b.log.generation {
		return err
	}
	if at.beside == b.log.generation {
		at.beside, at.build = 0, ""
	}
	if at.kept == b.log.generation {
		at.kept = 0
	}
	return at.write(v.db, b.log.generation)
}

// rebuilding is a log that is not live.
type rebuilding struct{ *builder }

func (r *rebuilding) Name() string { return Name }

func (r *rebuilding) Checkpoint(context.Context) (feed.Place, error) { return r.place() }

func (r *rebuilding) Apply(_ context.Context, b eventstore.Batch) error { return r.apply(b) }

// Version implements projections.Rebuildable: it is that of the folder's format.
func (v *View) Version() string { return strconv.Itoa(format) }
