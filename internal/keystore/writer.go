package keystore

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"sync"

	"daybook/eventstore/codec"
)

// maxKeysPerWrite bounds one write.
const maxKeysPerWrite = 256

// writer makes keys together: while one write waits for the disk, those who come ask
// for the next, so that many new guests cost few syncs.
type writer struct {
	insert func(context.Context, []string) (map[string]found, error)

	mu      sync.Mutex
	waiting map[string]*wish // by subject
	running bool
	closed  bool
	idle    sync.WaitGroup
}

// wish is the key of one subject, for all who wait for it.
type wish struct {
	done chan struct{}
	found
}

// errVanished says that a row just made is not there: somebody deletes rows by hand. No key
// may come of it, least of all one of zeros.
var errVanished = errors.New("keystore: the key made is gone again")

type found struct {
	key codec.Key
	err error
}

func (w *writer) init(insert func(context.Context, []string) (map[string]found, error)) {
	w.insert, w.waiting = insert, make(map[string]*wish)
}

func (w *writer) ensure(ctx context.Context, subject string) (codec.Key, error) {
	mine, err := w.join(subject)
	if err != nil {
		return codec.Key{}, err
	}
	select {
	case <-mine.done:
		return mine.key, mine.err
	case <-ctx.Done():
		return codec.Key{}, ctx.Err()
	}
}

func (w *writer) join(subject string) (*wish, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return nil, ErrClosed
	}
	mine, ok := w.waiting[subject]
	if !ok {
		mine = &wish{done: make(chan struct{})}
		w.waiting[subject] = mine
	}
	if !w.running {
		w.running = true
		w.idle.Add(1)
		go w.run()
	}
	return mine, nil
}

// run writes until nobody waits. It belongs to no caller, so it takes no caller's context:
// one who gives up must not fail the others.
func (w *writer) run() {
	defer w.idle.Done()
	for {
		batch := w.take()
		if len(batch) == 0 {
			return
		}
		subjects := make([]string, 0, len(batch))
		for subject := range batch {
			subjects = append(subjects, subject)
		}
		slices.Sort(subjects)
		all, err := w.insert(context.Background(), subjects)
		for subject, wish := range batch {
			var ok bool
			if wish.found, ok = all[subject]; err != nil {
				wish.err = err
			} else if !ok {
				wish.err = errVanished
			}
			close(wish.done)
		}
	}
}

// take returns who waits, and ends the running where nobody does.
func (w *writer) take() map[string]*wish {
	w.mu.Lock()
	defer w.mu.Unlock()
	batch := w.waiting
	w.waiting = make(map[string]*wish)
	if len(batch) <= maxKeysPerWrite {
		w.running = len(batch) > 0
		return batch
	}
	few := make(map[string]*wish, maxKeysPerWrite)
	for subject, wish := range batch {
		if len(few) < maxKeysPerWrite {
			few[subject] = wish
		} else {
			w.waiting[subject] = wish
		}
	}
	return few
}

func (w *writer) close() {
	w.mu.Lock()
	w.closed = true
	w.mu.Unlock()
	w.idle.Wait()
}

// rows writes n rows of SQL placeholders, each of width.
func rows(n, width int) string {
	var b strings.Builder
	for i := range n * width {
		switch {
		case i == 0:
			b.WriteByte('(')
		case i%width == 0:
			b.WriteString("), (")
		default:
			b.WriteString(", ")
		}
		b.WriteByte('$')
		b.WriteString(strconv.Itoa(i + 1))
	}
	b.WriteByte(')')
	return b.String()
}
