package proof

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"time"

	"daybook/eventstore"
	"daybook/eventstore/canon"
	"daybook/eventstore/feed"
)

// Item is an event of a ledger that is verified.
type Item struct {
	Leaf     Hash
	ID       eventstore.EventID
	Stream   eventstore.StreamName
	Revision eventstore.Revision
	Type     string
	Position eventstore.Position // 0 where it is not known
}

// Source reads a ledger from its first event to its last, each time it is called.
type Source func() iter.Seq2[Item, error]

// FromStore reads a ledger's events off its store, or off whatever reads like one.
func FromStore(ctx context.Context, store eventstore.Reader) Source {
	return func() iter.Seq2[Item, error] {
		return side(store.ReadAll(ctx, eventstore.Start, eventstore.Filter{}), sizeOf, itemOf)
	}
}

// judgedWithin is how long a ledger has to say what stands where the log ends.
const judgedWithin = 10 * time.Second

// estranged is the error that says that the ledger does not hold what the log ends with. Such
// a log must not be asked for a head: what is lost would be signed. So it is not left to the
// runner, which would have it answer until another is built. A ledger that cannot be read is
// not judged.
func (v *View) estranged(b *builder) error {
	if v.store == nil {
		return nil
	}
	at, err := b.place()
	if err != nil {
		return nil // who reads the log is told
	}
	ctx, cancel := context.WithTimeout(context.Background(), judgedWithin)
	defer cancel()
	if err = at.Check(ctx, v.store); err == nil || errors.Is(err, feed.ErrEstranged) {
		return err
	}
	v.log.Warn("proof: whether the log is that of the ledger could not be found out", "error", err)
	return nil
}

func sizeOf(r eventstore.Record) int { return len(r.Data) + len(r.Metadata) }

func itemOf(r eventstore.Record) (Item, error) {
	form, err := canon.Form(r)
	if err != nil {
		return Item{}, err
	}
	return Item{Leaf: Hash(canon.Leaf(form)), ID: r.ID, Stream: r.Stream, Revision: r.Revision, Type: r.Type, Position: r.Position}, nil
}

// LineError says which line of an export cannot be taken for an event.
type LineError struct {
	Line int // from 1
	Err  error
}

func (e *LineError) Error() string { return fmt.Sprintf("line %d: %v", e.Line, e.Err) }

func (e *LineError) Unwrap() error { return e.Err }

// maxLine bounds a line: an event's data and metadata as they are, and what stands around.
const maxLine = eventstore.MaxEventSize + 16<<10

// FromLines reads a ledger's events off lines that canon wrote. Each call of open is a
// fresh reader of all of them, closed when it has been read. Error: *LineError.
func FromLines(open func() (io.ReadCloser, error)) Source {
	return func() iter.Seq2[Item, error] {
		return side(lines(open), numbered.size, func(l numbered) (Item, error) {
			e, err := l.event()
			if err != nil {
				return Item{}, err
			}
			return Item{Leaf: Hash(canon.Leaf(e.Form)), ID: e.ID, Stream: e.Stream, Revision: e.Revision, Type: e.Type, Position: e.Position}, nil
		})
	}
}

// Events yields the events of lines that canon wrote. Error: *LineError.
func Events(open func() (io.ReadCloser, error)) iter.Seq2[canon.Line, error] {
	return side(lines(open), numbered.size, numbered.event)
}

// numbered is a line and its number, from 1.
type numbered struct {
	text   []byte
	number int
}

func (l numbered) size() int { return len(l.text) }

func (l numbered) event() (canon.Line, error) {
	e, err := canon.FromLine(l.text)
	if err != nil {
		return canon.Line{}, &LineError{l.number, err}
	}
	return e, nil
}

// lines yields the lines of a text that are not empty.
func lines(open func() (io.ReadCloser, error)) iter.Seq2[numbered, error] {
	return func(yield func(numbered, error) bool) {
		in, err := open()
		if err != nil {
			yield(numbered{}, err)
			return
		}
		defer in.Close()
		lines := bufio.NewScanner(in)
		lines.Buffer(make([]byte, 64<<10), maxLine)
		number := 0
		for lines.Scan() {
			number++
			if len(lines.Bytes()) == 0 {
				continue
			}
			// The scanner's own bytes are gone with the next line.
			if !yield(numbered{append([]byte(nil), lines.Bytes()...), number}, nil) {
				return
			}
		}
		err = lines.Err()
		if errors.Is(err, bufio.ErrTooLong) {
			err = &LineError{number + 1, fmt.Errorf("%w: more than %d bytes", canon.ErrForm, maxLine)}
		}
		if err != nil {
			yield(numbered{}, err)
		}
	}
}

// Hashing is worth a goroutine of its own: so many at a time, or as many as have so many
// bytes, and so many such chunks ahead of whoever takes them.
const (
	chunkSize   = 512
	chunkBytes  = 1 << 20
	chunksAhead = 8
)

// side does work on what seq yields, in chunks beside each other, and yields the results in
// the order of seq. The first error ends it. size is in bytes.
func side[T, R any](seq iter.Seq2[T, error], size func(T) int, work func(T) (R, error)) iter.Seq2[R, error] {
	type chunk struct {
		done []R
		err  error // behind them
	}
	return func(yield func(R, error) bool) {
		ahead := make(chan chan chunk, chunksAhead)
		stop := make(chan struct{})
		ended := make(chan struct{})
		defer func() { close(stop); <-ended }()
		go func() {
			defer close(ended)
			defer close(ahead)
			var some []T
			bytes := 0
			hand := func(end error) bool {
				in, out := some, make(chan chunk, 1)
				some, bytes = nil, 0
				select {
				case ahead <- out:
				case <-stop:
					return false
				}
				go func() {
					c := chunk{done: make([]R, 0, len(in)), err: end}
					for _, t := range in {
						r, err := work(t)
						if err != nil {
							c.err = err
							break
						}
						c.done = append(c.done, r)
					}
					out <- c
				}()
				return true
			}
			for t, err := range seq {
				if err != nil {
					hand(err)
					return
				}
				some, bytes = append(some, t), bytes+size(t)
				if (len(some) == chunkSize || bytes >= chunkBytes) && !hand(nil) {
					return
				}
			}
			if len(some) > 0 {
				hand(nil)
			}
		}()
		var none R
		for out := range ahead {
			c := <-out
			for _, r := range c.done {
				if !yield(r, nil) {
					return
				}
			}
			if c.err != nil {
				yield(none, c.err)
				return
			}
		}
	}
}
