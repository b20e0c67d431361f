package groups

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"daybook/eventstore"
)

// Event types, as EventStoreDB writes them.
const (
	checkpointType = "$SubscriptionCheckpoint"
	metadataType   = "$metadata"
)

func newID() eventstore.EventID { return eventstore.EventID(uuid.New()) }

// last returns the newest record that stream shows.
func (gs *Groups) last(ctx context.Context, stream eventstore.StreamName) (eventstore.Record, bool, error) {
	for r, err := range gs.engine.ReadStreamBackwards(ctx, stream, eventstore.Last) {
		if errors.Is(err, eventstore.ErrStreamNotFound) || errors.Is(err, eventstore.ErrStreamDeleted) {
			break
		}
		return r, err == nil, err
	}
	return eventstore.Record{}, false, nil
}

// loadCheckpoint returns where the group goes on. The caller holds starting.
func (g *group) loadCheckpoint(ctx context.Context) (cursor, error) {
	at, found, err := g.readCheckpoint(ctx)
	if err != nil || !found {
		return g.begin, err
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.checkpointed = at
	return at, nil
}

func (g *group) readCheckpoint(ctx context.Context) (cursor, bool, error) {
	r, found, err := g.owner.last(ctx, g.config.checkpoints())
	if err != nil || !found {
		return 0, false, err
	}
	at, err := parseCheckpoint(r.Data, g.config.Stream == All)
	if err != nil {
		return 0, false, fmt.Errorf("%w: revision %d of %s: %w", ErrDamaged, r.Revision, r.Stream, err)
	}
	return at, true, nil
}

// parseCheckpoint reads what EventStoreDB writes: a JSON text with the last finished
// revision, or position; a bare number in its older versions.
func parseCheckpoint(data []byte, all bool) (cursor, error) {
	var text string
	if json.Unmarshal(data, &text) != nil {
		text = strings.TrimSpace(string(data))
	}
	if all {
		commit, _, ok := strings.Cut(strings.TrimPrefix(text, "C:"), "/P:")
		if !ok {
			return 0, fmt.Errorf("%.64q is no position", text)
		}
		text = commit
	}
	at, err := strconv.ParseUint(text, 10, 63)
	if err != nil {
		return 0, fmt.Errorf("%.64q is no place: %w", text, err)
	}
	return cursor(at) + 1, nil
}

// placeText is how EventStoreDB writes the last place before at; empty if there is none.
func placeText(at cursor, all bool) string {
	switch {
	case at == 0:
		return ""
	case all:
		return positionText(uint64(at) - 1)
	default:
		return strconv.FormatUint(uint64(at)-1, 10)
	}
}

func positionText(at uint64) string { return fmt.Sprintf("C:%d/P:%d", at, at) }

// writeProgress writes a checkpoint and hides what of the parked stream is finished, if
// either is due. final asks for both whatever the time.
func (g *group) writeProgress(ctx context.Context, final bool) error {
	now := g.owner.now()
	g.mu.Lock()
	at, due := g.m.checkpoint(now, final)
	covered := g.m.since
	to, trim := g.m.trim(now, final)
	g.mu.Unlock()
	if due {
		if err := g.writeCheckpoint(ctx, at); err != nil {
			return fmt.Errorf("write a checkpoint: %w", err)
		}
		g.mu.Lock()
		g.m.checkpointed(at, covered, g.owner.now())
		g.checkpointed = at
		g.mu.Unlock()
	}
	if trim {
		err := g.owner.amend(ctx, g.config.parked(), func(m metadata) bool {
			m["$tb"] = json.RawMessage(strconv.FormatUint(uint64(to), 10))
			return true
		})
		if err != nil {
			return fmt.Errorf("hide parked messages that were replayed: %w", err)
		}
		g.mu.Lock()
		g.m.trimmedTo(to, g.owner.now())
		g.mu.Unlock()
	}
	return nil
}

func (g *group) writeCheckpoint(ctx context.Context, at cursor) error {
	stream := g.config.checkpoints()
	if !g.short {
		// Without this a checkpoint would cost its stream's whole length to read, and to keep.
		err := g.owner.amend(ctx, stream, func(m metadata) bool {
			if _, set := m["$maxCount"]; set {
				return false
			}
			m["$maxCount"] = json.RawMessage("2")
			return true
		})
		if err != nil {
			return err
		}
		g.short = true
	}
	data, err := json.Marshal(placeText(at, g.config.Stream == All))
	if err != nil {
		return err
	}
	_, err = g.owner.engine.Write(ctx, stream, eventstore.Any(), eventstore.Event{ID: newID(), Type: checkpointType, Data: data})
	return err
}

// parkBatch is how many messages are parked with one write.
const parkBatch = 64

// park writes the messages that wait for it to the parked stream, each as a link. A message
// is finished once that is durable; a write that failed is tried again as it was.
func (g *group) park(ctx context.Context) error {
	for {
		g.mu.Lock()
		if len(g.parking) == 0 {
			g.parking = g.linksTo(g.m.toPark(parkBatch))
		}
		g.mu.Unlock()
		if len(g.parking) == 0 {
			return nil
		}
		if _, err := g.owner.engine.Write(ctx, g.config.parked(), eventstore.Any(), g.parking...); err != nil {
			return fmt.Errorf("park %d messages: %w", len(g.parking), err)
		}
		g.mu.Lock()
		g.m.parked(len(g.parking))
		g.parking = nil
		g.settle(g.owner.now())
		g.mu.Unlock()
	}
}

// linksTo are the events that park messages: links to what the source holds, so that a
// replay gives a message just as it was given first.
func (g *group) linksTo(messages []*message) []eventstore.Event {
	events := make([]eventstore.Event, len(messages))
	for i, msg := range messages {
		about, err := json.Marshal(struct {
			Added  time.Time `json:"added"`
			Reason string    `json:"reason"`
			Number uint64    `json:"subscriptionEventNumber"`
		}{g.owner.now().UTC(), msg.reason, uint64(msg.record.Revision)})
		if err != nil {
			about = nil // a time and two plain values have a JSON form
		}
		events[i] = eventstore.Event{
			ID: newID(), Type: eventstore.LinkType, Binary: true, Metadata: about,
			Data: fmt.Appendf(nil, "%d@%s", msg.record.Revision, msg.record.Stream),
		}
	}
	return events
}

// metadata of a stream, with the fields that nobody here knows.
type metadata map[string]json.RawMessage

// amend changes the metadata of stream, unless change says that there is nothing to.
func (gs *Groups) amend(ctx context.Context, stream eventstore.StreamName, change func(metadata) bool) error {
	const tries = 5
	for try := 1; ; try++ {
		r, found, err := gs.last(ctx, eventstore.MetadataOf(stream))
		if err != nil {
			return err
		}
		m, expected := metadata{}, eventstore.NoStream()
		if found {
			expected = eventstore.At(r.Revision)
			if err := json.Unmarshal(r.Data, &m); err != nil || m == nil {
				m = metadata{} // the engine does not heed it either
			}
		}
		if !change(m) {
			return nil
		}
		data, err := json.Marshal(m)
		if err != nil {
			return err
		}
		_, err = gs.engine.Write(ctx, eventstore.MetadataOf(stream), expected, eventstore.Event{ID: newID(), Type: metadataType, Data: data})
		if !eventstore.IsConflict(err) || try == tries {
			return err
		}
	}
}

// forget hides what a group left behind: its checkpoint and its parked messages.
func (gs *Groups) forget(ctx context.Context, key Key) error {
	for _, stream := range []eventstore.StreamName{key.checkpoints(), key.parked()} {
		at, err := gs.engine.Look(ctx, stream)
		if err != nil {
			return err
		}
		if !at.Shown {
			continue
		}
		if _, err := gs.engine.Delete(ctx, stream, eventstore.Any()); err != nil && !errors.Is(err, eventstore.ErrStreamNotFound) {
			return err
		}
	}
	return nil
}
