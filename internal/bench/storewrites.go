package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	official "github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"github.com/cockroachdb/pebble/v2"
	"github.com/google/uuid"

	"daybook/eventstore"
)

const hotStream = "hot"

// The contestants, as they are printed, and in that order.
const (
	rawDisk    = "fdatasync of the disk"
	bareEngine = "Pebble alone, one key"
	bareIndex  = "Pebble alone, the store's keys"
	storeOwn   = "store, own streams"
	storeHot   = "store, one hot stream"
	clientOwn  = "client, own streams"
	clientHot  = "client, one hot stream"
)

var contestants = []string{rawDisk, bareEngine, bareIndex, storeOwn, storeHot, clientOwn, clientHot}

// writeCell is one contestant's durable writes at one width.
type writeCell struct {
	what    string
	writers int
	rates   []float64 // writes a second, by round
}

// measureWrites runs every contestant at every width, round by round, so that what drifts
// hits all of them. Within a width they begin one further in each round.
func (b *storeBench) measureWrites(ctx context.Context, progress io.Writer) (cells []*writeCell, err error) {
	for _, n := range b.settings.store.writers {
		fmt.Fprintf(progress, "durable appends, %d writers ...\n", n)
		var width []*writeCell
		for _, what := range contestants {
			if what == rawDisk && n > 1 {
				continue // one sync at a time is what the disk does; sharing them is the engines' art
			}
			width = append(width, &writeCell{what: what, writers: n})
		}
		for round := range b.settings.store.rounds {
			for k := range width {
				cell := width[(k+round)%len(width)]
				rate, err := b.writeFor(ctx, cell.what, n)
				if err != nil {
					return nil, fmt.Errorf("%s, %d writers: %w", cell.what, n, err)
				}
				cell.rates = append(cell.rates, rate)
			}
		}
		cells = append(cells, width...)
	}
	return cells, nil
}

// settleIn is how long a contestant runs in each round before it is counted.
const settleIn = 100 * time.Millisecond

// writeFor lets n writers write, each as soon as its last write is durable, and returns how
// many were acknowledged a second.
func (b *storeBench) writeFor(ctx context.Context, what string, n int) (float64, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var counted atomic.Int64
	var failed atomic.Pointer[error]
	var wg sync.WaitGroup
	began := time.Now()
	from := began.Add(settleIn)
	to := from.Add(b.aRound())
	for w := range n {
		write := b.writer(what, w)
		wg.Go(func() {
			for ctx.Err() == nil {
				if err := write(ctx); err != nil {
					failed.CompareAndSwap(nil, &err)
					cancel()
					return
				}
				switch now := time.Now(); {
				case now.After(to):
					return
				case now.After(from):
					counted.Add(1)
				}
			}
		})
	}
	wg.Wait()
	if err := failed.Load(); err != nil {
		return 0, *err
	}
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	if counted.Load() == 0 {
		return 0, errors.New("nothing was written: -duration is too short")
	}
	return float64(counted.Load()) / b.aRound().Seconds(), nil
}

// writer returns what writer w does again and again.
func (b *storeBench) writer(what string, w int) func(context.Context) error {
	switch what {
	case rawDisk:
		return b.rawWriter()
	case bareEngine:
		return b.pebbleWriter(0)
	case bareIndex:
		return b.pebbleWriter(indexKeys)
	case storeOwn:
		next := b.revision(what, w)
		stream := eventstore.StreamName(fmt.Sprintf("own-%d", w))
		return func(ctx context.Context) error {
			expected := eventstore.NoStream()
			if *next > 0 {
				expected = eventstore.At(eventstore.Revision(*next - 1))
			}
			_, err := b.store.Append(ctx, stream, expected, b.event())
			*next++
			return err
		}
	case storeHot:
		return func(ctx context.Context) error {
			_, err := b.store.Append(ctx, hotStream, eventstore.Exists(), b.event())
			return err
		}
	case clientOwn:
		next := b.revision(what, w)
		stream := fmt.Sprintf("client-%d", w)
		return func(ctx context.Context) error {
			var expected official.ExpectedRevision = official.NoStream{}
			if *next > 0 {
				expected = official.Revision(*next - 1)
			}
			*next++
			return b.clientAppend(ctx, stream, expected)
		}
	default:
		return func(ctx context.Context) error { return b.clientAppend(ctx, hotStream, official.StreamExists{}) }
	}
}

func (b *storeBench) clientAppend(ctx context.Context, stream string, expected official.ExpectedRevision) error {
	_, err := b.client.AppendToStream(ctx, stream, official.AppendToStreamOptions{ExpectedRevision: expected}, b.eventData())
	return err
}

func (b *storeBench) eventData() official.EventData {
	return official.EventData{
		EventID: uuid.UUID(spread(b.ids.Add(1))), EventType: holdType, ContentType: official.ContentTypeJson, Data: holdData, Metadata: holdMetadata,
	}
}

// revision is the next one of an own stream, kept from round to round.
func (b *storeBench) revision(what string, w int) *uint64 {
	if b.next[what] == nil {
		b.next[what] = make([]uint64, slices.Max(b.settings.store.writers))
	}
	return &b.next[what][w]
}

// rawWriter overwrites one block after the other and syncs each.
func (b *storeBench) rawWriter() func(context.Context) error {
	const block = 4096
	buffer, at := make([]byte, block), int64(0)
	return func(context.Context) error {
		copy(buffer, holdData)
		if _, err := b.disk.WriteAt(buffer, at); err != nil {
			return err
		}
		at = (at + block) % preallocated
		return datasync(b.disk)
	}
}

// indexKeys is how many keys the store writes beside an event's own: one finds the event by
// its revision in the stream, the other by its id.
const indexKeys = 2

// pebbleWriter commits an event's payload under one key, and so many small keys with it.
func (b *storeBench) pebbleWriter(more int) func(context.Context) error {
	payload := slices.Concat(holdData, holdMetadata)
	return func(context.Context) error {
		id := spread(b.ids.Add(1))
		batch := b.pebble.NewBatch()
		err := batch.Set(append([]byte{'r'}, id[8:]...), payload, nil)
		for k := range more {
			// Scattered, as ids and streams are.
			err = errors.Join(err, batch.Set(append([]byte{'s' + byte(k)}, id[:]...), id[:], nil))
		}
		return errors.Join(err, batch.Commit(pebble.Sync), batch.Close())
	}
}
