package storetest

import (
	"errors"
	"fmt"
	"strings"

	"daybook/eventstore"
)

// fill appends to several streams in turn, with types of two families, and returns
// the whole ledger as read back.
func (e *env) fill(s eventstore.Store, appends int) []eventstore.Record {
	e.Helper()
	types := []string{held, "reservation.confirmed", "restaurant.registered", "reservationist.hired"}
	count := 0
	for i := range appends {
		stream := eventstore.StreamName([]string{"day-1", "day-2", "restaurant-1", "days"}[i%4])
		events := newEvents(types[i%3], 1+i%3)
		events[0].Type = types[(i/4)%4]
		e.mustAppend(s, stream, eventstore.Any(), events...)
		count += len(events)
	}
	all := e.readAll(s)
	if len(all) != count {
		e.Fatalf("the ledger holds %d records, %d were appended", len(all), count)
	}
	e.ordered("ledger", all)
	return all
}

func checkReadStream(e *env) {
	s := e.store()
	events := newEvents(held, 10)
	e.mustAppend(s, "day-1", eventstore.NoStream(), events[:6]...)
	e.mustAppend(s, "day-2", eventstore.NoStream(), newEvents(held, 2)...)
	e.mustAppend(s, "day-1", eventstore.At(5), events[6:]...)
	for from := range eventstore.Revision(10) {
		got := e.mustCollect("read", s.ReadStream(e.context(), "day-1", from))
		e.sameEvents(fmt.Sprintf("stream from revision %d", from), got, "day-1", from, events[from:])
	}
	for _, past := range []eventstore.Revision{10, 11, 1 << 40} {
		if got := e.mustCollect("read past the end", s.ReadStream(e.context(), "day-1", past)); len(got) != 0 {
			e.Fatalf("reading from revision %d of 10 yielded %d records", past, len(got))
		}
	}
}

func checkReadStreamBackwards(e *env) {
	s := e.store()
	e.fill(s, 20)
	for _, stream := range []eventstore.StreamName{"day-1", "day-2", "restaurant-1", "days"} {
		got := e.mustCollect("read backwards", s.ReadStreamBackwards(e.context(), stream, eventstore.Last))
		all := e.readStream(s, stream)
		e.sameRecords("stream backwards", got, reversed(all))
		for i := range all {
			got := e.mustCollect("read backwards", s.ReadStreamBackwards(e.context(), stream, all[i].Revision))
			e.sameRecords(fmt.Sprintf("stream backwards from revision %d", all[i].Revision), got, reversed(all[:i+1]))
		}
		for _, past := range []eventstore.Revision{eventstore.Revision(len(all)), 1 << 40, eventstore.Last - 1} {
			got := e.mustCollect("read backwards", s.ReadStreamBackwards(e.context(), stream, past))
			e.sameRecords(fmt.Sprintf("stream backwards from revision %d", past), got, reversed(all))
		}
	}
}

func checkStreamNotFound(e *env) {
	s := e.store()
	e.fill(s, 8)
	for _, stream := range []eventstore.StreamName{"absent", "day-", "day-10"} {
		for _, from := range []eventstore.Revision{0, 3} {
			got, err := e.collect(s.ReadStream(e.context(), stream, from))
			if !errors.Is(err, eventstore.ErrStreamNotFound) || len(got) != 0 {
				e.Fatalf("read of stream %q: %d records, %v, want ErrStreamNotFound", stream, len(got), err)
			}
		}
		got, err := e.collect(s.ReadStreamBackwards(e.context(), stream, eventstore.Last))
		if !errors.Is(err, eventstore.ErrStreamNotFound) || len(got) != 0 {
			e.Fatalf("read of stream %q backwards: %d records, %v, want ErrStreamNotFound", stream, len(got), err)
		}
	}
}

func checkReadInvalidStream(e *env) {
	s := e.store()
	for _, stream := range []eventstore.StreamName{"", eventstore.StreamName(strings.Repeat("s", eventstore.MaxStreamName+1))} {
		if got, err := e.collect(s.ReadStream(e.context(), stream, 0)); !errors.Is(err, eventstore.ErrInvalid) || len(got) != 0 {
			e.Fatalf("read of a stream name of %d bytes: %d records, %v, want ErrInvalid", len(stream), len(got), err)
		}
		if got, err := e.collect(s.ReadStreamBackwards(e.context(), stream, eventstore.Last)); !errors.Is(err, eventstore.ErrInvalid) || len(got) != 0 {
			e.Fatalf("read backwards of a stream name of %d bytes: %d records, %v, want ErrInvalid", len(stream), len(got), err)
		}
	}
}

func checkReadAll(e *env) {
	s := e.store()
	if got := e.readAll(s); len(got) != 0 {
		e.Fatalf("an empty ledger yielded %d records", len(got))
	}
	all := e.fill(s, 30)
	for i, r := range all {
		got := e.mustCollect("read all", s.ReadAll(e.context(), r.Position, eventstore.Filter{}))
		e.sameRecords(fmt.Sprintf("all after record %d", i), got, all[i+1:])
	}
	past := 10 * all[len(all)-1].Position
	if got := e.mustCollect("read past the end", s.ReadAll(e.context(), past, eventstore.Filter{})); len(got) != 0 {
		e.Fatalf("reading after the end yielded %d records", len(got))
	}
	var streams []eventstore.Record
	for _, stream := range []eventstore.StreamName{"day-1", "day-2", "restaurant-1", "days"} {
		want := e.readStream(s, stream)
		e.sameRecords(fmt.Sprintf("stream %q against the ledger", stream), ofStream(all, stream), want)
		streams = append(streams, want...)
	}
	if len(streams) != len(all) {
		e.Fatalf("streams hold %d records, the ledger %d", len(streams), len(all))
	}
}

func ofStream(records []eventstore.Record, stream eventstore.StreamName) []eventstore.Record {
	var out []eventstore.Record
	for _, r := range records {
		if r.Stream == stream {
			out = append(out, r)
		}
	}
	return out
}

func checkReadAllBackwards(e *env) {
	s := e.store()
	if got := e.mustCollect("read backwards", s.ReadAllBackwards(e.context(), eventstore.End, eventstore.Filter{})); len(got) != 0 {
		e.Fatalf("an empty ledger yielded %d records backwards", len(got))
	}
	all := e.fill(s, 30)
	e.sameRecords("all backwards", e.mustCollect("read backwards", s.ReadAllBackwards(e.context(), eventstore.End, eventstore.Filter{})), reversed(all))
	for i, r := range all {
		got := e.mustCollect("read backwards", s.ReadAllBackwards(e.context(), r.Position, eventstore.Filter{}))
		e.sameRecords(fmt.Sprintf("all backwards from record %d", i), got, reversed(all[:i+1]))
	}
	if got := e.mustCollect("read backwards", s.ReadAllBackwards(e.context(), eventstore.Start, eventstore.Filter{})); len(got) != 0 {
		e.Fatalf("reading back from the start yielded %d records", len(got))
	}
	for i := 0; i < len(all); i += 7 {
		got := e.mustCollect("read backwards", s.ReadAllBackwards(e.context(), all[i].Position, eventstore.StreamPrefix("days")))
		e.sameRecords(fmt.Sprintf("filtered backwards from record %d", i), got, reversed(ofStream(all[:i+1], "days")))
	}
	past := 10 * all[len(all)-1].Position
	e.sameRecords("all backwards from past the end", e.mustCollect("read backwards", s.ReadAllBackwards(e.context(), past, eventstore.Filter{})), reversed(all))
}

func checkReadAllFiltered(e *env) {
	s := e.store()
	all := e.fill(s, 40)
	middle := len(all) / 2
	filters := []struct {
		name   string
		filter eventstore.Filter
	}{
		{"one stream prefix", eventstore.StreamPrefix("day-")},
		{"a prefix of several kinds of stream", eventstore.StreamPrefix("day")},
		{"two stream prefixes", eventstore.StreamPrefix("day-2", "restaurant-")},
		{"one type prefix", eventstore.TypePrefix("reservation.")},
		{"a prefix of several kinds of type", eventstore.TypePrefix("reservation")},
		{"two type prefixes", eventstore.TypePrefix("restaurant.", "reservation.confirmed")},
		{"a prefix that is no pattern", eventstore.StreamPrefix("day.", "d*", "^day")},
		{"nothing passes", eventstore.TypePrefix("absent.")},
		{"no filter", eventstore.Filter{}},
	}
	for _, f := range filters {
		want := passing(all, f.filter)
		e.sameRecords(f.name, e.mustCollect(f.name, s.ReadAll(e.context(), eventstore.Start, f.filter)), want)
		e.sameRecords(f.name+", backwards", e.mustCollect(f.name, s.ReadAllBackwards(e.context(), eventstore.End, f.filter)), reversed(want))
		after := e.mustCollect(f.name, s.ReadAll(e.context(), all[middle].Position, f.filter))
		e.sameRecords(f.name+", from the middle", after, passing(all[middle+1:], f.filter))
	}
}

func checkEarlyBreak(e *env) {
	s := e.store()
	all := e.fill(s, 60)
	// Often enough that a store which leaks what it reads with runs out of it.
	for range 200 {
		for range s.ReadAll(e.context(), eventstore.Start, eventstore.Filter{}) {
			break
		}
	}
	taken := 0
	for r, err := range s.ReadAll(e.context(), eventstore.Start, eventstore.Filter{}) {
		if err != nil {
			e.Fatalf("read: %v", err)
		}
		if !sameRecord(r, all[taken]) {
			e.Fatalf("record %d: %s, want %s", taken, show(r), show(all[taken]))
		}
		if taken++; taken == 5 {
			break
		}
	}
	for range s.ReadAllBackwards(e.context(), eventstore.End, eventstore.Filter{}) {
		break
	}
	for range s.ReadStream(e.context(), "day-1", 0) {
		break
	}
	for r, err := range s.ReadStreamBackwards(e.context(), "day-1", eventstore.Last) {
		if err != nil || r.Stream != "day-1" {
			e.Fatalf("read: %s, %v", show(r), err)
		}
		break
	}
	e.mustAppend(s, "day-1", eventstore.Exists(), newEvent(held, 1))
	if got := len(e.readAll(s)); got != len(all)+1 {
		e.Fatalf("the ledger holds %d records, want %d", got, len(all)+1)
	}
}

func checkSequenceTwice(e *env) {
	s := e.store()
	e.fill(s, 12)
	ctx := e.context()
	all := s.ReadAll(ctx, eventstore.Start, eventstore.Filter{})
	e.sameRecords("all, the second time", e.mustCollect("first", all), e.mustCollect("second", all))
	stream := s.ReadStream(ctx, "day-1", 1)
	e.sameRecords("stream, the second time", e.mustCollect("first", stream), e.mustCollect("second", stream))
}

// checkLongRead reads far more than any store takes in one go.
func checkLongRead(e *env) {
	s := e.store()
	var even, odd []eventstore.Event
	for i := range 24 {
		events := newEvents(held, 101)
		if i%2 == 0 {
			e.mustAppend(s, "even", eventstore.Any(), events...)
			even = append(even, events...)
		} else {
			e.mustAppend(s, "odd", eventstore.Any(), events...)
			odd = append(odd, events...)
		}
	}
	e.holds(s, "even", even...)
	e.holds(s, "odd", odd...)
	back := e.mustCollect("backwards", s.ReadStreamBackwards(e.context(), "odd", eventstore.Last))
	e.sameEvents("odd, backwards", reversed(back), "odd", 0, odd)
	all := e.readAll(s)
	e.ordered("ledger", all)
	e.sameEvents("even, of the ledger", ofStream(all, "even"), "even", 0, even)
	e.sameRecords("all backwards", e.mustCollect("backwards", s.ReadAllBackwards(e.context(), eventstore.End, eventstore.Filter{})), reversed(all))
}

// checkReadYourAppend requires that an acknowledged append is there for the next read
// of any kind, while others write.
func checkReadYourAppend(e *env) {
	s := e.store()
	ctx := e.context()
	const writers = 6
	errs := make([]error, writers)
	together(writers, func(w int) {
		stream := eventstore.StreamName(fmt.Sprintf("day-%d", w))
		errs[w] = func() error {
			before := eventstore.Start
			for n := range soak(30) {
				at, err := s.Append(ctx, stream, eventstore.Any(), newEvent(held, n))
				if err != nil {
					return err
				}
				for r, err := range s.ReadStreamBackwards(ctx, stream, eventstore.Last) {
					if err != nil || r.Position != at.Position || r.Revision != at.Revision {
						return fmt.Errorf("last record of %s is %s (%v), just appended at %+v", stream, show(r), err, at)
					}
					break
				}
				head, err := s.Head(ctx)
				if err != nil || head < at.Position {
					return fmt.Errorf("head %d (%v) after an append at %+v", head, err, at)
				}
				found := false
				for r, err := range s.ReadAll(ctx, before, eventstore.StreamPrefix(string(stream))) {
					if err != nil {
						return err
					}
					found = r.Position == at.Position
					break
				}
				before = at.Position
				if !found {
					return fmt.Errorf("an append at %+v was not in the ledger at once", at)
				}
			}
			return nil
		}()
	})
	if err := errors.Join(errs...); err != nil {
		e.Fatalf("%v", err)
	}
}

func checkHead(e *env) {
	s := e.store()
	if head, err := s.Head(e.context()); err != nil || head != eventstore.Start {
		e.Fatalf("head of an empty ledger is %d, %v", head, err)
	}
	for range 3 {
		at := e.mustAppend(s, "day-1", eventstore.Any(), newEvents(held, 2)...)
		if head, err := s.Head(e.context()); err != nil || head != at.Position {
			e.Fatalf("head is %d (%v) after an append at %+v", head, err, at)
		}
		_, _ = s.Append(e.context(), "day-1", eventstore.NoStream(), newEvent(held, 0))
		if head, err := s.Head(e.context()); err != nil || head != at.Position {
			e.Fatalf("head is %d (%v) after a conflict, was %d", head, err, at.Position)
		}
	}
}
