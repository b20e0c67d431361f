package groups_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"daybook/eventstore"
	"daybook/eventstore/esdbserver/groups"
)

func link(n int, data string) eventstore.Event {
	return eventstore.Event{ID: eventstore.EventID{0x11, byte(n)}, Type: eventstore.LinkType, Data: []byte(data), Binary: true}
}

func TestLinksAreResolved(t *testing.T) {
	f := newFixture(t)
	f.write("target", 0, 2)
	f.write("gone", 3, 3)
	f.put("links", link(0, "1@target"), link(1, "0@gone"), link(2, "nonsense"), link(3, "7@target"))
	f.write("links", 4, 4)
	if _, err := f.engine.Tombstone(within(t), "gone", eventstore.Any()); err != nil {
		t.Fatalf("tombstone: %v", err)
	}
	type seen struct {
		record, resolved string
		link             bool
	}
	for _, c := range []struct {
		resolve bool
		want    []seen
	}{
		{true, []seen{{"0@links", "1@target", true}, {"1@links", "", true}, {"2@links", "", true}, {"3@links", "", true}, {"4@links", "", false}}},
		{false, []seen{{"0@links", "", false}, {"1@links", "", false}, {"2@links", "", false}, {"3@links", "", false}, {"4@links", "", false}}},
	} {
		g := group("links", fmt.Sprintf("resolve %v", c.resolve))
		g.ResolveLinks = c.resolve
		f.create(g)
		consumer := f.connect(g.Key, 10)
		look := func(action groups.Action) []seen {
			var got []seen
			for range c.want {
				d := next(t, consumer)
				s := seen{record: fmt.Sprintf("%d@%s", d.Record.Revision, d.Record.Stream), link: d.Link}
				if d.Resolved != nil {
					s.resolved = fmt.Sprintf("%d@%s", d.Resolved.Revision, d.Resolved.Stream)
				}
				got = append(got, s)
				nack(t, consumer, action, d)
			}
			return got
		}
		if got := look(groups.Park); !slices.Equal(got, c.want) {
			t.Errorf("resolve %v: given %v, want %v", c.resolve, got, c.want)
		}
		eventually(t, "all are parked", func() bool { return f.info(g.Key).Parked == int64(len(c.want)) })
		if err := f.groups.Replay(within(t), g.Key, eventstore.Last); err != nil {
			t.Fatalf("replay: %v", err)
		}
		if got := look(groups.Skip); !slices.Equal(got, c.want) {
			t.Errorf("resolve %v: replayed %v, want %v", c.resolve, got, c.want)
		}
	}
}

func TestAReplayPassesOverWhatIsGone(t *testing.T) {
	f := newFixture(t)
	f.write(day, 0, 3)
	g := group(day, "g")
	f.create(g)
	c := f.connect(g.Key, 10)
	for range 4 {
		nack(t, c, groups.Park, next(t, c))
	}
	eventually(t, "all are parked", func() bool { return f.info(g.Key).Parked == 4 })
	f.put(eventstore.MetadataOf(day), eventstore.Event{ID: eventstore.EventID{9}, Type: "$metadata", Data: []byte(`{"$tb":2}`)})
	if err := f.groups.Replay(within(t), g.Key, eventstore.Last); err != nil {
		t.Fatalf("replay: %v", err)
	}
	wantNumbers(t, "replay", taken(t, c, 2), []int{2, 3})
	nothing(t, c)
	eventually(t, "nothing is shown as parked", func() bool { return len(f.parked(g.Key)) == 0 })
}

func TestAStreamIsShortenedAndEnded(t *testing.T) {
	f := newFixture(t)
	f.write(day, 0, 29)
	g := group(day, "g")
	g.HistoryBufferSize, g.ReadBatchSize = 5, 5
	f.create(g)
	c := f.connect(g.Key, 1)
	first := next(t, c)
	f.put(eventstore.MetadataOf(day), eventstore.Event{ID: eventstore.EventID{9}, Type: "$metadata", Data: []byte(`{"$tb":25}`)})
	ack(t, c, first)
	got := []int{}
	for len(got) == 0 || got[len(got)-1] != 29 {
		got = append(got, taken(t, c, 1)...)
	}
	// What had been read is given; what is hidden is passed over; what is left comes.
	if tail := got[len(got)-5:]; !slices.Equal(tail, numbers(25, 29)) || len(got) > 25 {
		t.Fatalf("given %v, want few of the hidden and then 25 to 29", got)
	}
	if _, err := f.engine.Delete(within(t), day, eventstore.Any()); err != nil {
		t.Fatalf("delete: %v", err)
	}
	nothing(t, c)
	f.write(day, 30, 31)
	wantNumbers(t, "after a delete", taken(t, c, 2), []int{30, 31})
	if _, err := f.engine.Tombstone(within(t), day, eventstore.Any()); err != nil {
		t.Fatalf("tombstone: %v", err)
	}
	nothing(t, c)
	if _, err := f.groups.List(within(t), day); err != nil {
		t.Errorf("list of an ended stream: %v", err)
	}
	f.restart()
	nothing(t, f.connect(g.Key, 1))
}

func TestGroupsOverTheWholeLedger(t *testing.T) {
	for _, c := range []struct {
		name   string
		filter *groups.Filter
		want   []string
	}{
		{"all", nil, []string{"0@day-1", "1@day-1", "0@other", "0@$engine", "0@$$day-1"}},
		{"prefixes of streams", &groups.Filter{Prefixes: []string{"day-", "oth"}}, []string{"0@day-1", "1@day-1", "0@other"}},
		{"expression of streams", &groups.Filter{Regex: `^[^$].*1$`}, []string{"0@day-1", "1@day-1"}},
		{"prefixes of types", &groups.Filter{Types: true, Prefixes: []string{"$"}}, []string{"0@$$day-1"}},
		{"expression of types", &groups.Filter{Types: true, Regex: `held$`}, []string{"0@day-1", "1@day-1", "0@other", "0@$engine"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := newFixture(t)
			g := group(groups.All, "g")
			g.Filter = c.filter
			f.create(g)
			consumer := f.connect(g.Key, 3)
			f.write(day, 0, 1)
			f.write("other", 2, 2)
			f.write("$engine", 3, 3)
			f.put(eventstore.MetadataOf(day), eventstore.Event{ID: eventstore.EventID{9}, Type: "$metadata", Data: []byte(`{"$maxCount":5}`)})
			read := func(n int) []string {
				var got []string
				for range n {
					d := next(t, consumer)
					got = append(got, fmt.Sprintf("%d@%s", d.Record.Revision, d.Record.Stream))
					ack(t, consumer, d)
				}
				return got
			}
			if got := read(len(c.want)); !slices.Equal(got, c.want) {
				t.Fatalf("given %v, want %v", got, c.want)
			}
			nothing(t, consumer)
			f.restart()
			consumer = f.connect(g.Key, 3)
			nothing(t, consumer)
			f.write(day, 10, 10)
			if c.filter == nil || !strings.HasPrefix(c.want[0], "0@$$") {
				if got := read(1); got[0] != "2@day-1" {
					t.Errorf("given %v live, want 2@day-1", got)
				}
			}
		})
	}
}

func TestWhereAGroupOverAllStarts(t *testing.T) {
	f := newFixture(t)
	f.write(day, 0, 3)
	var third eventstore.Position
	for r, err := range f.engine.ReadStream(within(t), day, 2) {
		if err != nil {
			t.Fatal(err)
		}
		third = r.Position
		break
	}
	at, end := group(groups.All, "at"), group(groups.All, "end")
	at.From = groups.From{At: uint64(third) - 1}
	at.Filter = &groups.Filter{Prefixes: []string{"day-"}}
	end.From = groups.From{End: true}
	f.create(at)
	f.create(end)
	f.write(day, 4, 4)
	f.restart()
	wantNumbers(t, "from a position", taken(t, f.connect(at.Key, 5), 3), []int{2, 3, 4})
	wantNumbers(t, "from the end", taken(t, f.connect(end.Key, 5), 1), []int{4})
	want := []string{fmt.Sprintf("C:%d/P:%d", third-1, third-1), "C:-1/P:-1"}
	if got := []string{f.info(at.Key).StartFrom, f.info(end.Key).StartFrom}; !slices.Equal(got, want) {
		t.Errorf("start from %v, want %v", got, want)
	}
}

// TestAnIdleLedgerStaysAsItIs would hang where a checkpoint was itself a message that asks
// for the next checkpoint.
func TestAnIdleLedgerStaysAsItIs(t *testing.T) {
	f := newFixture(t)
	for _, name := range []string{"a", "b"} {
		g := group(groups.All, name)
		g.MaxCheckpointCount = 1
		if name == "b" {
			g.Filter = &groups.Filter{Prefixes: []string{"nothing"}}
		}
		f.create(g)
		defer f.connect(g.Key, 10).Close()
		if name == "a" {
			f.write(day, 0, 3)
			c := f.connect(g.Key, 10)
			defer c.Close()
		}
	}
	// The first consumer of a holds what it was given; b passes over all.
	last, since := eventstore.Position(0), time.Now()
	eventually(t, "nothing is written for a while", func() bool {
		head, err := f.engine.Head(within(t))
		if err != nil {
			t.Fatal(err)
		}
		if head != last {
			last, since = head, time.Now()
		}
		return time.Since(since) > 100*time.Millisecond
	})
}

func TestReadingAheadIsBounded(t *testing.T) {
	f := newFixture(t)
	const size, events = 512 << 10, 45
	for n := range events {
		e := eventstore.Event{ID: eventID(n), Type: "large", Data: make([]byte, size), Binary: true}
		f.put(day, e)
	}
	g := group(day, "g")
	g.HistoryBufferSize, g.ReadBatchSize = 1000, 1000
	f.create(g)
	c := f.connect(g.Key, 1)
	held := func() int { return f.info(g.Key).Buffered * size }
	eventually(t, "much is read ahead", func() bool { return held() > 14<<20 })
	for range 20 {
		time.Sleep(time.Millisecond) // what would go on reading has the time to
		if held() > 17<<20 {
			t.Fatalf("%d bytes are read ahead", held())
		}
	}
	wantNumbers(t, "all", taken(t, c, events), numbers(0, events-1))
}

func TestStrategies(t *testing.T) {
	for _, c := range []struct {
		strategy groups.Strategy
		streams  int
		same     func(groups.Delivery) string // what must go to one consumer
		all      bool                         // whether both consumers must be given something
	}{
		{groups.RoundRobin, 1, nil, true},
		{groups.DispatchToSingle, 1, func(groups.Delivery) string { return "" }, false},
		{groups.Pinned, 40, func(d groups.Delivery) string { return string(d.Record.Stream) }, true},
		{groups.PinnedByCorrelation, 1, func(d groups.Delivery) string { return string(d.Record.Metadata) }, false},
	} {
		t.Run(string(c.strategy), func(t *testing.T) {
			f := newFixture(t)
			const events = 80
			g := group(groups.All, "g")
			g.Strategy, g.Filter, g.HistoryBufferSize = c.strategy, &groups.Filter{Prefixes: []string{"day-"}}, 1000
			f.create(g)
			consumers := []*groups.Consumer{f.connect(g.Key, events), f.connect(g.Key, events)}
			for n := range events {
				f.write(eventstore.StreamName(fmt.Sprintf("day-%d", n%c.streams)), n, n)
			}
			whose, counts := map[string]int{}, make([]int, 2)
			eventually(t, "all are in flight", func() bool { return f.info(g.Key).InFlight == events })
			for i, connection := range f.info(g.Key).Connections {
				for range connection.InFlight {
					d := next(t, consumers[i])
					counts[i]++
					if c.same == nil {
						continue
					}
					what := c.same(d)
					if first, known := whose[what]; known && first != i {
						t.Fatalf("%q goes to both consumers", what)
					}
					whose[what] = i
				}
			}
			if c.all && (counts[0] == 0 || counts[1] == 0) {
				t.Errorf("the consumers are given %v, want both some", counts)
			}
		})
	}
}

func TestRefusals(t *testing.T) {
	f := newFixture(t)
	good := group(day, "g")
	for _, c := range []struct {
		name  string
		spoil func(*groups.Config)
	}{
		{"no group name", func(c *groups.Config) { c.Group = "" }},
		{"no stream name", func(c *groups.Config) { c.Stream = "" }},
		{"names too long", func(c *groups.Config) { c.Group = strings.Repeat("g", 480) }},
		{"a name that is no text", func(c *groups.Config) { c.Group = "\xff" }},
		{"no strategy", func(c *groups.Config) { c.Strategy = "" }},
		{"a strategy nobody knows", func(c *groups.Config) { c.Strategy = "Best" }},
		{"a negative timeout", func(c *groups.Config) { c.MessageTimeout = -1 }},
		{"an endless timeout", func(c *groups.Config) { c.MessageTimeout = 1000 * time.Hour }},
		{"negative retries", func(c *groups.Config) { c.MaxRetryCount = -1 }},
		{"a negative buffer", func(c *groups.Config) { c.HistoryBufferSize = -1 }},
		{"a start past all", func(c *groups.Config) { c.From.At = 1 << 63 }},
		{"a filter of a stream", func(c *groups.Config) { c.Filter = &groups.Filter{Regex: "a"} }},
		{"an empty filter", func(c *groups.Config) { c.Stream, c.Filter = groups.All, &groups.Filter{} }},
		{"a filter of both kinds", func(c *groups.Config) {
			c.Stream, c.Filter = groups.All, &groups.Filter{Regex: "a", Prefixes: []string{"a"}}
		}},
		{"a broken expression", func(c *groups.Config) { c.Stream, c.Filter = groups.All, &groups.Filter{Regex: "("} }},
		{"an expression that repeats too much", func(c *groups.Config) {
			c.Stream, c.Filter = groups.All, &groups.Filter{Regex: "(" + strings.Repeat("ab", 100) + "){900}"}
		}},
		{"too many prefixes", func(c *groups.Config) {
			c.Stream, c.Filter = groups.All, &groups.Filter{Prefixes: make([]string, 257)}
		}},
		{"a huge filter", func(c *groups.Config) {
			c.Stream, c.Filter = groups.All, &groups.Filter{Regex: strings.Repeat("a", 5000)}
		}},
	} {
		bad := good
		c.spoil(&bad)
		if err := f.groups.Create(within(t), bad, "tester"); !errors.Is(err, eventstore.ErrInvalid) {
			t.Errorf("%s: %v, want ErrInvalid", c.name, err)
		}
	}
	f.create(good)
	limited := group(day, "limited")
	limited.MaxConsumers = 1
	f.create(limited)
	f.connect(limited.Key, 1)
	if _, err := f.groups.Connect(within(t), limited.Key, 1, groups.Peer{}); !errors.Is(err, groups.ErrTooManyConsumers) {
		t.Errorf("a second consumer of one: %v, want ErrTooManyConsumers", err)
	}
	if _, err := f.groups.Connect(within(t), good.Key, 0, groups.Peer{}); !errors.Is(err, eventstore.ErrInvalid) {
		t.Errorf("a consumer without a buffer: %v, want ErrInvalid", err)
	}
	// The names of its streams would be another group's.
	f.create(group("a::b", "c"))
	if err := f.groups.Create(within(t), group("a", "b::c"), "tester"); !errors.Is(err, groups.ErrExists) {
		t.Errorf("a group with another's streams: %v, want ErrExists", err)
	}
	if _, err := f.groups.Info(within(t), groups.Key{Stream: "a", Group: "b::c"}); !errors.Is(err, groups.ErrNotFound) {
		t.Errorf("info of a group with another's streams: %v, want ErrNotFound", err)
	}
	list := func(stream eventstore.StreamName) []string {
		infos, err := f.groups.List(within(t), stream)
		if err != nil && !errors.Is(err, groups.ErrNotFound) {
			t.Fatalf("list: %v", err)
		}
		var out []string
		for _, info := range infos {
			out = append(out, info.Config.Group)
		}
		return out
	}
	f.restart()
	for stream, want := range map[eventstore.StreamName][]string{"": {"c", "g", "limited"}, day: {"g", "limited"}, groups.All: nil} {
		if got := list(stream); !slices.Equal(got, want) {
			t.Errorf("groups of %q: %v, want %v", stream, got, want)
		}
	}
}

func TestDamageIsSaid(t *testing.T) {
	f := newFixture(t)
	g := group(day, "g")
	f.create(g)
	f.put("$persistentsubscription-day-1::g-checkpoint", eventstore.Event{ID: eventID(1), Type: "$SubscriptionCheckpoint", Data: []byte(`"soon"`)})
	if _, err := f.groups.Connect(within(t), g.Key, 1, groups.Peer{}); !errors.Is(err, groups.ErrDamaged) {
		t.Errorf("connect with a checkpoint that cannot be read: %v, want ErrDamaged", err)
	}
	f.put("$persistentsubscription-day-1::g-checkpoint", eventstore.Event{ID: eventID(2), Type: "$SubscriptionCheckpoint", Data: []byte(`1`)})
	f.write(day, 0, 2)
	wantNumbers(t, "after a checkpoint of older versions", taken(t, f.connect(g.Key, 1), 1), []int{2})
	f.put("$persistentSubscriptionConfig", eventstore.Event{ID: eventID(3), Type: "$PersistentConfig", Data: []byte(`{`), Binary: true})
	f.restart()
	if _, err := f.groups.List(within(t), ""); !errors.Is(err, groups.ErrDamaged) {
		t.Errorf("list with a configuration that cannot be read: %v, want ErrDamaged", err)
	}
}
