package groups

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"daybook/eventstore"
)

// model is what a group has to be, told in sets instead of queues.
type model struct {
	t       *rapid.T
	m       *machine
	now     time.Time
	offered int // messages of the source, numbered from 0
	passed  map[int]bool
	done    map[int]bool // acknowledged, skipped or parked
	holders []*modelHolder
	last    cursor // the last checkpoint
	given   map[int]int
	// replays are numbered from 0 in the parked stream.
	parkedCount, replayed int
	replayDone            map[int]bool
}

type modelHolder struct {
	*holder
	has     []*message // taken and not answered
	highest map[string]int
}

// number is the place of a message in the source: position n+1 is the n-th.
func number(msg *message) int { return int(msg.after) - 1 }

func (w *model) start() {
	strategy := rapid.SampledFrom([]Strategy{RoundRobin, DispatchToSingle, Pinned, PinnedByCorrelation}).Draw(w.t, "strategy")
	settings := Settings{
		MessageTimeout:     time.Duration(rapid.IntRange(0, 3).Draw(w.t, "timeout")) * time.Second,
		MaxRetryCount:      rapid.IntRange(0, 3).Draw(w.t, "retries"),
		HistoryBufferSize:  rapid.IntRange(1, 20).Draw(w.t, "ahead"),
		CheckpointAfter:    time.Duration(rapid.IntRange(0, 3).Draw(w.t, "after")) * time.Second,
		MinCheckpointCount: rapid.IntRange(0, 5).Draw(w.t, "min"),
		MaxCheckpointCount: rapid.IntRange(0, 10).Draw(w.t, "max"),
		Strategy:           strategy,
	}
	w.m = newMachine(settings, w.last, cursor(w.replayed), w.now)
}

func (w *model) pick(label string) *modelHolder {
	if len(w.holders) == 0 {
		w.t.Skip("nobody is there")
	}
	return w.holders[rapid.IntRange(0, len(w.holders)-1).Draw(w.t, label)]
}

func (w *model) offer(*rapid.T) {
	if !w.m.room() {
		w.t.Skip("no room")
	}
	n := w.offered
	w.offered++
	if rapid.IntRange(0, 4).Draw(w.t, "passed over") == 0 {
		w.passed[n] = true
		w.m.pass(cursor(n+1), rapid.IntRange(0, 1).Draw(w.t, "counts"))
		return
	}
	// Few ids, so that several messages in flight have the same, as events of two streams may.
	id := eventstore.EventID{1, byte(rapid.IntRange(0, 5).Draw(w.t, "id"))}
	w.m.offer(&message{
		record: eventstore.Record{Event: eventstore.Event{ID: id}, Stream: eventstore.StreamName(fmt.Sprintf("s-%d", n%3)), Position: eventstore.Position(n + 1)},
		before: w.m.seen, after: cursor(n + 1),
	})
	w.m.dispatch(w.now)
}

func (w *model) replay(*rapid.T) {
	if !w.m.room() || w.replayed >= w.parkedCount {
		w.t.Skip("nothing to replay")
	}
	n := w.replayed
	w.replayed++
	w.m.replayUntil = cursor(w.parkedCount)
	w.m.offer(&message{
		record: eventstore.Record{Event: eventstore.Event{ID: eventstore.EventID{2, byte(n % 3)}}, Stream: "parked"},
		replay: true, before: cursor(n), after: cursor(n + 1),
	})
	w.m.dispatch(w.now)
}

func (w *model) join(*rapid.T) {
	h := &modelHolder{holder: &holder{buffer: rapid.IntRange(1, 4).Draw(w.t, "buffer"), serial: uint64(len(w.given) + len(w.holders))}, highest: map[string]int{}}
	w.m.join(h.holder)
	w.holders = append(w.holders, h)
	w.m.dispatch(w.now)
}

func (w *model) leave(*rapid.T) {
	h := w.pick("who leaves")
	for _, msg := range h.unsent {
		if !msg.replay {
			w.given[number(msg)]++ // handed out, if never seen: it may come late to another
		}
	}
	w.m.leave(h.holder)
	w.holders = slices.DeleteFunc(w.holders, func(o *modelHolder) bool { return o == h })
	w.m.dispatch(w.now)
}

// take checks what a consumer is given.
func (w *model) take(*rapid.T) {
	h := w.pick("who takes")
	msg, ok := w.m.take(h.holder, w.now)
	if !ok {
		w.t.Skip("nothing there")
	}
	for _, other := range w.holders {
		if slices.Contains(other.has, msg) {
			w.t.Fatalf("message %d is with two consumers, or twice with one", number(msg))
		}
	}
	h.has = append(h.has, msg)
	if msg.replay {
		if w.replayDone[number(msg)] {
			w.t.Fatalf("replayed message %d comes again after it was finished", number(msg))
		}
		return
	}
	n := number(msg)
	if w.done[n] {
		w.t.Fatalf("message %d comes again after it was finished", n)
	}
	w.given[n]++
	if msg.retries > 0 || w.given[n] > 1 {
		return
	}
	// New ones come in order to each consumer; where they are pinned, those of one stream.
	what := ""
	if w.m.pinned() {
		what = string(msg.record.Stream)
	}
	if n < h.highest[what] {
		w.t.Fatalf("message %d comes after %d to one consumer", n, h.highest[what])
	}
	h.highest[what] = n
}

func (w *model) answered(h *modelHolder, id eventstore.EventID, held bool, finished bool) {
	if !held {
		return
	}
	// The first that was sent with this id is the one that was answered.
	at := slices.IndexFunc(h.has, func(m *message) bool { return m.record.ID == id && (m.state != sent || m.holder != h.holder) })
	if at < 0 {
		// It was answered before it was taken: by an answer to an earlier try.
		return
	}
	msg := h.has[at]
	h.has = slices.Delete(h.has, at, at+1)
	if finished {
		w.finished(msg)
	}
}

func (w *model) finished(msg *message) {
	if msg.replay {
		w.replayDone[number(msg)] = true
	} else {
		w.done[number(msg)] = true
	}
}

func (w *model) answer(*rapid.T) {
	h := w.pick("who answers")
	id := eventstore.EventID{byte(rapid.IntRange(1, 2).Draw(w.t, "kind")), byte(rapid.IntRange(0, 5).Draw(w.t, "id"))}
	before := w.finishedOf(w.m)
	switch action := rapid.IntRange(-1, 4).Draw(w.t, "action"); action {
	case -1:
		w.answered(h, id, w.m.ack(h.holder, id, w.now), true)
	case int(Skip):
		w.answered(h, id, w.m.nack(h.holder, id, Skip, "", w.now), true)
	default:
		w.answered(h, id, w.m.nack(h.holder, id, Action(action), "because", w.now), false)
	}
	w.note(before)
	w.m.dispatch(w.now)
}

// finishedOf lists what the machine still keeps, so that note sees what it let go of.
func (w *model) finishedOf(m *machine) []*message {
	var out []*message
	for e := m.order.Front(); e != nil; e = e.Next() {
		out = append(out, e.Value.(*message))
	}
	for e := m.replays.Front(); e != nil; e = e.Next() {
		out = append(out, e.Value.(*message))
	}
	return out
}

func (w *model) note(before []*message) {
	for _, msg := range before {
		if msg.state == finished {
			w.finished(msg)
		}
	}
}

func (w *model) park(*rapid.T) {
	messages := w.m.toPark(rapid.IntRange(1, 3).Draw(w.t, "how many"))
	if len(messages) == 0 {
		w.t.Skip("nothing to park")
	}
	w.parkedCount += len(messages)
	w.m.parked(len(messages))
	for _, msg := range messages {
		w.finished(msg)
	}
	w.m.dispatch(w.now)
}

func (w *model) tick(*rapid.T) {
	w.now = w.now.Add(time.Duration(rapid.IntRange(1, 2000).Draw(w.t, "ms")) * time.Millisecond)
	var untaken []*message
	for _, h := range w.holders {
		untaken = append(untaken, h.unsent...)
	}
	w.m.expire(w.now)
	for _, msg := range untaken {
		if msg.state != sent && !msg.replay {
			w.given[number(msg)]++
		}
	}
	for _, h := range w.holders {
		h.has = slices.DeleteFunc(h.has, func(m *message) bool { return m.holder != h.holder })
	}
	w.m.dispatch(w.now)
}

func (w *model) checkpoint(*rapid.T) {
	at, due := w.m.checkpoint(w.now, rapid.Bool().Draw(w.t, "final"))
	if !due {
		w.t.Skip("not due")
	}
	w.m.checkpointed(at, w.m.since, w.now)
	if at <= w.last {
		w.t.Fatalf("a checkpoint at %d after one at %d", at, w.last)
	}
	w.last = at
}

// crash forgets what is not in the ledger: the machine and its holders.
func (w *model) crash(*rapid.T) {
	w.holders = nil
	w.offered = int(w.last)
	if to, due := w.m.trim(w.now, true); due {
		w.replayed = int(to)
	} else {
		w.replayed = int(w.m.trimmed)
	}
	// What was finished after the checkpoint may come again.
	for n := range w.done {
		if n >= int(w.last) {
			delete(w.done, n)
		}
	}
	for n := range w.replayDone {
		if n >= w.replayed {
			delete(w.replayDone, n)
		}
	}
	w.given = map[int]int{}
	w.start()
}

func (w *model) check(*rapid.T) {
	bytes, free := 0, 0
	unfinished := w.finishedOf(w.m)
	for _, msg := range unfinished {
		bytes += msg.size
		places := 0
		if slices.Contains(w.m.again, msg) {
			places++
		}
		if slices.Contains(w.m.fresh, msg) {
			places++
		}
		if slices.Contains(w.m.parkers, msg) {
			places++
		}
		if msg.state == sent {
			places++
			if !slices.Contains(msg.holder.held[msg.record.ID], msg) {
				w.t.Fatalf("message %d is not with its holder", number(msg))
			}
		}
		if places != 1 {
			w.t.Fatalf("message %d is at %d places", number(msg), places)
		}
	}
	if bytes != w.m.heldBytes {
		w.t.Fatalf("%d bytes are held, counted as %d", bytes, w.m.heldBytes)
	}
	if !slices.IsSortedFunc(w.m.again, inOrder) || !slices.IsSortedFunc(w.m.fresh, inOrder) {
		w.t.Fatal("what waits is out of order")
	}
	for _, h := range w.holders {
		if h.count > h.buffer || h.count < 0 {
			w.t.Fatalf("%d messages in a buffer of %d", h.count, h.buffer)
		}
		free += h.buffer - h.count
	}
	if free != w.m.free {
		w.t.Fatalf("%d places are free, counted as %d", free, w.m.free)
	}
	if pinned := w.m.pinned(); !pinned && w.m.free > 0 && len(w.m.again)+len(w.m.fresh) > 0 {
		w.t.Fatalf("%d messages wait though %d places are free", len(w.m.again)+len(w.m.fresh), w.m.free)
	}
	// The checkpoint: nothing unfinished before it.
	for n := range int(max(w.m.done(), w.last)) {
		if !w.done[n] && !w.passed[n] {
			w.t.Fatalf("done up to %d, written %d, but message %d is not finished", w.m.done(), w.last, n)
		}
	}
	if to, due := w.m.trim(w.now, true); due {
		for n := range int(to) {
			if !w.replayDone[n] {
				w.t.Fatalf("parked messages are hidden up to %d, but %d is not finished", to, n)
			}
		}
	}
}

// TestMachineKeepsItsPromises drives the machine at random, and at the end acknowledges all
// that is still there: then every message must have been given or parked.
func TestMachineKeepsItsPromises(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := &model{t: t, now: time.Unix(1_700_000_000, 0), passed: map[int]bool{}, done: map[int]bool{}, given: map[int]int{}, replayDone: map[int]bool{}}
		w.start()
		t.Repeat(map[string]func(*rapid.T){
			"offer": w.offer, "offer more": w.offer, "offer yet more": w.offer, "replay": w.replay,
			"join": w.join, "leave": w.leave, "take": w.take, "take more": w.take,
			"answer": w.answer, "answer more": w.answer, "answer yet more": w.answer,
			"park": w.park, "tick": w.tick, "checkpoint": w.checkpoint, "crash": w.crash, "": w.check,
		})
		w.holders = append(w.holders, &modelHolder{holder: &holder{buffer: 3, serial: 1 << 40}, highest: map[string]int{}})
		w.m.join(w.holders[len(w.holders)-1].holder)
		w.m.dispatch(w.now)
		for rounds := 0; len(w.finishedOf(w.m)) > 0; rounds++ {
			if rounds > 10_000 {
				t.Fatalf("%d messages are never given", len(w.finishedOf(w.m)))
			}
			before := w.finishedOf(w.m)
			for _, h := range w.holders {
				for msg, ok := w.m.take(h.holder, w.now); ok; msg, ok = w.m.take(h.holder, w.now) {
					w.m.ack(h.holder, msg.record.ID, w.now)
				}
				for id := range h.held {
					w.m.ack(h.holder, id, w.now)
				}
			}
			w.m.parked(len(w.m.toPark(10)))
			w.m.dispatch(w.now)
			w.note(before)
		}
		w.check(t)
		if w.m.done() != w.m.seen || int(w.m.seen) != w.offered {
			t.Fatalf("done up to %d of %d, offered %d", w.m.done(), w.m.seen, w.offered)
		}
	})
}
