package groups_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"go.uber.org/goleak"

	"daybook/eventstore"
	"daybook/eventstore/esdbserver/groups"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestWhereAGroupStarts(t *testing.T) {
	for _, c := range []struct {
		name          string
		before, after int // events before and after the group is made
		from          groups.From
		want          []int
		text          string
	}{
		{"the beginning", 3, 5, groups.From{}, numbers(0, 4), "0"},
		{"the end", 3, 5, groups.From{End: true}, numbers(3, 4), "-1"},
		{"a revision", 3, 5, groups.From{At: 2}, numbers(2, 4), "2"},
		{"a revision to come", 3, 6, groups.From{At: 4}, numbers(4, 5), "4"},
		{"the beginning of a stream to come", 0, 3, groups.From{}, numbers(0, 2), "0"},
		{"the end of a stream to come", 0, 3, groups.From{End: true}, numbers(0, 2), "-1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := newFixture(t)
			if c.before > 0 {
				f.write(day, 0, c.before-1)
			}
			g := group(day, "g")
			g.From = c.from
			f.create(g)
			f.write(day, c.before, c.after-1)
			f.restart() // which must not move "the end"
			if got := f.info(g.Key).StartFrom; got != c.text {
				t.Errorf("starts from %q, want %q", got, c.text)
			}
			consumer := f.connect(g.Key, 10)
			wantNumbers(t, "from "+c.name, taken(t, consumer, len(c.want)), c.want)
			nothing(t, consumer)
			f.write(day, c.after, c.after)
			wantNumbers(t, "live", taken(t, consumer, 1), []int{c.after})
		})
	}
}

func TestBufferHoldsBackMessages(t *testing.T) {
	f := newFixture(t)
	f.write(day, 0, 9)
	g := group(day, "g")
	f.create(g)
	c := f.connect(g.Key, 2)
	first, second := next(t, c), next(t, c)
	nothing(t, c)
	nack(t, c, groups.Skip, second)
	if third := next(t, c); third.Record.Revision != 2 {
		t.Fatalf("given revision %d, want 2", third.Record.Revision)
	}
	nothing(t, c)
	// Of a message that it does not hold, a consumer can say what it wants.
	nack(t, c, groups.Park, second)
	nothing(t, c)
	ack(t, c, first)
	if fourth := next(t, c); fourth.Record.Revision != 3 {
		t.Fatalf("given revision %d, want 3", fourth.Record.Revision)
	}
	if info := f.info(g.Key); info.Total != 4 || info.InFlight != 2 || len(info.Connections) != 1 || info.Connections[0].Free != 0 {
		t.Errorf("info %+v, want 4 given and 2 in flight on one connection", info)
	}
}

func TestLostConsumersMessagesGoToOthers(t *testing.T) {
	f := newFixture(t)
	f.write(day, 0, 4)
	g := group(day, "g")
	f.create(g)
	lost, other := f.connect(g.Key, 3), f.connect(g.Key, 10)
	ack(t, lost, next(t, lost))
	held := next(t, lost)
	lost.Close()
	if _, err := lost.Next(within(t)); !errors.Is(err, groups.ErrClosed) {
		t.Errorf("a closed consumer's next: %v, want ErrClosed", err)
	}
	got := map[eventstore.Revision]int{}
	for range 4 {
		d := next(t, other)
		got[d.Record.Revision] = d.Retries
		ack(t, other, d)
	}
	if got[held.Record.Revision] != 1 {
		t.Errorf("given %v, want revision %d with one retry", got, held.Record.Revision)
	}
	nothing(t, other)
}

func TestTimeoutsRetryAndThenPark(t *testing.T) {
	f := newFixture(t)
	f.write(day, 0, 1)
	g := group(day, "g")
	g.MessageTimeout, g.MaxRetryCount = 10*time.Millisecond, 2
	f.create(g)
	c := f.connect(g.Key, 1)
	for try := range 3 {
		if d := next(t, c); d.Record.Revision != 0 || d.Retries != try {
			t.Fatalf("given revision %d for the %d. time, want revision 0 for the %d.", d.Record.Revision, d.Retries, try)
		}
	}
	if d := next(t, c); d.Record.Revision != 1 {
		t.Fatalf("given revision %d, want 1", d.Record.Revision)
	}
	eventually(t, "revision 0 is parked", func() bool { return slices.Equal(f.parked(g.Key), []string{"0@day-1"}) })
}

// parked lists what a group has parked, as far as it is shown.
func (f *fixture) parked(key groups.Key) []string {
	f.t.Helper()
	var out []string
	stream := eventstore.StreamName("$persistentsubscription-" + string(key.Stream) + "::" + key.Group + "-parked")
	for r, err := range f.engine.ReadStream(within(f.t), stream, 0) {
		if errors.Is(err, eventstore.ErrStreamNotFound) {
			break
		}
		if err != nil {
			f.t.Fatalf("read what is parked: %v", err)
		}
		if r.Type != eventstore.LinkType {
			f.t.Errorf("parked as %q, want a link", r.Type)
		}
		out = append(out, string(r.Data))
	}
	return out
}

func TestParkedMessagesAreReplayed(t *testing.T) {
	f := newFixture(t)
	f.write(day, 0, 4)
	g := group(day, "g")
	f.create(g)
	c := f.connect(g.Key, 10)
	for range 5 {
		nack(t, c, groups.Park, next(t, c))
	}
	eventually(t, "all are parked", func() bool { return f.info(g.Key).Parked == 5 })
	if err := f.groups.Replay(within(t), g.Key, 3); err != nil {
		t.Fatalf("replay: %v", err)
	}
	first := next(t, c)
	if first.Record.Stream != day || first.Record.Revision != 0 || first.Retries != 0 {
		t.Fatalf("replayed as %+v, want revision 0 of %s as at first", first, day)
	}
	second, third := next(t, c), next(t, c)
	nothing(t, c) // 3 and 4 are to stay
	ack(t, c, second)
	nack(t, c, groups.Park, third)
	eventually(t, "one is parked again", func() bool { return f.info(g.Key).Parked == 3 })

	// What was not finished is still parked after a restart.
	f.restart()
	if got := f.info(g.Key).Parked; got != 6 {
		t.Errorf("%d parked after a restart, want 6: the first three, of which one is unfinished, and three more", got)
	}
	c = f.connect(g.Key, 10)
	nothing(t, c)
	if err := f.groups.Replay(within(t), g.Key, eventstore.Last); err != nil {
		t.Fatalf("replay: %v", err)
	}
	wantNumbers(t, "replay", taken(t, c, 6), []int{0, 1, 2, 3, 4, 2})
	eventually(t, "nothing is shown as parked", func() bool { return len(f.parked(g.Key)) == 0 })
	if got := f.info(g.Key).Parked; got != 0 {
		t.Errorf("%d parked, want none", got)
	}
}

func TestStopEndsAConsumerAndLosesNothing(t *testing.T) {
	f := newFixture(t)
	f.write(day, 0, 0)
	g := group(day, "g")
	f.create(g)
	c := f.connect(g.Key, 10)
	nack(t, c, groups.Stop, next(t, c))
	if _, err := c.Next(within(t)); !errors.Is(err, groups.ErrDropped) {
		t.Fatalf("after a stop: %v, want ErrDropped", err)
	}
	wantNumbers(t, "after a stop", taken(t, f.connect(g.Key, 10), 1), []int{0})
}

func TestCheckpointSurvivesARestart(t *testing.T) {
	f := newFixture(t)
	f.write(day, 0, 9)
	g := group(day, "g")
	g.MinCheckpointCount, g.MaxCheckpointCount = 100, 1000 // so that only Close writes one
	f.create(g)
	c := f.connect(g.Key, 10)
	wantNumbers(t, "before", taken(t, c, 4), numbers(0, 3))
	held := next(t, c)
	wantNumbers(t, "before", taken(t, c, 2), numbers(5, 6))
	if got := f.info(g.Key).Checkpointed; got != "" {
		t.Errorf("checkpoint %q before its time", got)
	}
	f.restart()
	if got := f.info(g.Key).Checkpointed; got != "3" {
		t.Errorf("checkpoint %q, want 3: revision %d was not answered", got, held.Record.Revision)
	}
	wantNumbers(t, "after", taken(t, f.connect(g.Key, 10), 6), numbers(4, 9))
}

func TestAnUpdateDropsConsumersAndKeepsThePlace(t *testing.T) {
	f := newFixture(t)
	f.write(day, 0, 4)
	g := group(day, "g")
	f.create(g)
	c := f.connect(g.Key, 10)
	wantNumbers(t, "before", taken(t, c, 3), numbers(0, 2))
	g.MaxRetryCount = 7
	if err := f.groups.Update(within(t), g, "tester"); err != nil {
		t.Fatalf("update: %v", err)
	}
	if _, err := c.Next(within(t)); !errors.Is(err, groups.ErrDropped) {
		t.Errorf("after an update: %v, want ErrDropped", err)
	}
	if got := f.info(g.Key).Config; got.Settings != g.Settings {
		t.Errorf("settings %+v, want %+v", got.Settings, g.Settings)
	}
	wantNumbers(t, "after", taken(t, f.connect(g.Key, 10), 2), numbers(3, 4))
	if err := f.groups.Update(within(t), group(day, "another"), "tester"); !errors.Is(err, groups.ErrNotFound) {
		t.Errorf("update of a group that is not there: %v", err)
	}
}

// TestAnUpdateLeavesNothingOut: a new start is only for who has none, and "the end" would be
// behind what nobody was given yet.
func TestAnUpdateLeavesNothingOut(t *testing.T) {
	f := newFixture(t)
	f.write(day, 0, 9)
	g := group(day, "g")
	g.MinCheckpointCount, g.MaxCheckpointCount = 100, 1000 // so that there is no checkpoint yet
	f.create(g)
	wantNumbers(t, "before", taken(t, f.connect(g.Key, 3), 2), []int{0, 1})
	g.From = groups.From{End: true}
	if err := f.groups.Update(within(t), g, "tester"); err != nil {
		t.Fatalf("update: %v", err)
	}
	f.restart()
	wantNumbers(t, "after", taken(t, f.connect(g.Key, 10), 8), numbers(2, 9))
}

func TestADeletedGroupLeavesNothingToItsSuccessor(t *testing.T) {
	f := newFixture(t)
	f.write(day, 0, 4)
	g := group(day, "g")
	f.create(g)
	c := f.connect(g.Key, 10)
	wantNumbers(t, "before", taken(t, c, 2), numbers(0, 1))
	nack(t, c, groups.Park, next(t, c))
	eventually(t, "one is parked", func() bool { return f.info(g.Key).Parked == 1 })
	if err := f.groups.Create(within(t), g, "tester"); !errors.Is(err, groups.ErrExists) {
		t.Errorf("a second group of one name: %v, want ErrExists", err)
	}
	if err := f.groups.Delete(within(t), g.Key, "tester"); err != nil {
		t.Fatalf("delete: %v", err)
	}
	if _, err := c.Next(within(t)); !errors.Is(err, groups.ErrNotFound) {
		t.Errorf("after a delete: %v, want ErrNotFound", err)
	}
	if err := f.groups.Delete(within(t), g.Key, "tester"); !errors.Is(err, groups.ErrNotFound) {
		t.Errorf("a second delete: %v, want ErrNotFound", err)
	}
	if _, err := f.groups.Connect(within(t), g.Key, 10, groups.Peer{}); !errors.Is(err, groups.ErrNotFound) {
		t.Errorf("connect to what was deleted: %v, want ErrNotFound", err)
	}
	f.restart()
	f.create(g)
	if info := f.info(g.Key); info.Parked != 0 || info.Checkpointed != "" {
		t.Errorf("the successor has %d parked and a checkpoint at %q", info.Parked, info.Checkpointed)
	}
	wantNumbers(t, "the successor", taken(t, f.connect(g.Key, 10), 5), numbers(0, 4))
	f.restart()
	if got := f.info(g.Key).Checkpointed; got != "4" {
		t.Errorf("the successor's checkpoint is %q, want 4", got)
	}
}

// TestLeftoversAreNotInherited: a server that was killed while it deleted a group leaves the
// group's streams behind.
func TestLeftoversAreNotInherited(t *testing.T) {
	f := newFixture(t)
	f.write(day, 0, 4)
	f.put("$persistentsubscription-day-1::g-checkpoint", eventstore.Event{ID: eventID(100), Type: "$SubscriptionCheckpoint", Data: []byte(`"3"`)})
	f.put("$persistentsubscription-day-1::g-parked", eventstore.Event{ID: eventID(101), Type: eventstore.LinkType, Data: []byte("2@day-1"), Binary: true})
	g := group(day, "g")
	f.create(g)
	if info := f.info(g.Key); info.Parked != 0 || info.Checkpointed != "" {
		t.Errorf("a new group has %d parked and a checkpoint at %q", info.Parked, info.Checkpointed)
	}
	wantNumbers(t, "a new group", taken(t, f.connect(g.Key, 10), 5), numbers(0, 4))
}

func TestRestartReadsTheGroupsAgain(t *testing.T) {
	f := newFixture(t)
	f.write(day, 0, 4)
	g := group(day, "g")
	f.create(g)
	c := f.connect(g.Key, 10)
	wantNumbers(t, "before", taken(t, c, 2), numbers(0, 1))
	if err := f.groups.Restart(within(t)); err != nil {
		t.Fatalf("restart: %v", err)
	}
	if _, err := c.Next(within(t)); !errors.Is(err, groups.ErrDropped) {
		t.Errorf("after a restart: %v, want ErrDropped", err)
	}
	wantNumbers(t, "after", taken(t, f.connect(g.Key, 10), 3), numbers(2, 4))
}
