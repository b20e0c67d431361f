package fairness

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"testing"

	"daybook/domain"
	"daybook/domain/restaurantday"
	"daybook/eventstore"
	"daybook/eventstore/canon"
	"daybook/eventstore/codec"
)

const (
	minute  = domain.Instant(60_000)
	hour    = 60 * minute
	evening = domain.Instant(1_763_744_400_000)
)

var (
	restaurant = domain.RestaurantID("rst_04000000000000000000000000")
	date       = domain.ServiceDate(20000)
	stream     = codec.DayStream(restaurant, date)
	host       = domain.Staff("usr_0900000000000000000000000a")
)

func plan(late bool) *restaurantday.Plan {
	p := &restaurantday.Plan{
		Revision: 1, Zone: "Europe/Berlin",
		Policy: restaurantday.Policy{
			HoldMinutes: 5, HorizonDays: 30, BufferMinutes: 10, PacingCovers: 12, WaitlistOfferMinutes: 10,
			Turns: []restaurantday.TurnTime{{UpToParty: 2, Minutes: 60}, {UpToParty: 8, Minutes: 90}},
		},
		BookableFrom: evening - 30*24*hour,
	}
	if late {
		p.Policy.Assignment = restaurantday.LateBinding
	}
	for i, seats := range []domain.PartySize{2, 2, 4, 4} {
		p.Tables = append(p.Tables, restaurantday.Table{
			ID: domain.TableID(fmt.Sprintf("tbl_0%d000000000000000000000000", i)), Number: fmt.Sprint(i), Min: 1, Max: seats,
		})
	}
	for i := range domain.Instant(6) {
		p.Slots = append(p.Slots, restaurantday.Slot{
			Time: domain.FormatClock(18*60 + int(i)*30), StartsAt: evening + i*30*minute, Closes: evening + 5*hour, Shift: "dinner",
		})
	}
	return p
}

// decided is the events of one decision.
type decided struct {
	command [16]byte
	events  []restaurantday.Event
}

func diner(n int) domain.UserID { return domain.UserID(fmt.Sprintf("usr_%026d", n)) }

// life draws an evening with many who wait, and what was decided.
func life(t *testing.T, seed uint64) (all []decided) {
	t.Helper()
	rng := rand.New(rand.NewPCG(seed, 5))
	d := restaurantday.Decider()
	s := d.Initial()
	p := plan(seed%2 == 0)
	now := evening - 3*hour
	for step := range 90 {
		now += domain.Instant(rng.IntN(6)) * minute
		number, entry := uint32(1+rng.IntN(max(1, s.Reservations()))), uint32(1+rng.IntN(max(1, s.WaitlistEntries())))
		open := &restaurantday.Open{Now: now, Restaurant: restaurant, Date: date, Plan: p}
		who := diner(step)
		party := domain.PartySize(1 + rng.IntN(5))
		slot := p.Slots[rng.IntN(len(p.Slots))]
		var c restaurantday.Command
		switch rng.IntN(12) {
		case 0, 1, 2:
			c = restaurantday.Hold{Now: now, Opening: open, Actor: domain.Diner(who), Diner: who, Party: party, Time: slot.Time, Code: "CODE", Confirm: rng.IntN(2) == 0}
		case 3, 4, 5:
			c = restaurantday.JoinWaitlist{
				Now: now, Opening: open, Actor: domain.Diner(who), Diner: who, Party: party, FromTime: slot.Time, ToTime: p.Slots[len(p.Slots)-1].Time, Code: "WAIT",
				Details: restaurantday.Details{Notes: "by the window"},
			}
		case 6, 7:
			c = restaurantday.Cancel{Now: now, Actor: host, Number: number}
		case 8:
			if w, ok := s.WaitlistEntry(entry); ok {
				c = restaurantday.AcceptOffer{Now: now, Actor: domain.Diner(w.Diner), Entry: entry}
			}
		case 9:
			c = restaurantday.LeaveWaitlist{Now: now, Actor: host, Entry: entry}
		case 10:
			c = restaurantday.JoinWaitlist{Now: now, Opening: open, Actor: host, Party: party, WalkIn: true, Code: "DOOR"}
		default:
			c = restaurantday.WalkIn{Now: now, Opening: open, Actor: host, Entry: entry, Code: "WALK"}
		}
		if c == nil {
			continue
		}
		events, err := d.Decide(s, c)
		if _, no := domain.Rejected(err); no || len(events) == 0 {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, decided{command: [16]byte{1, byte(step >> 8), byte(step)}, events: events})
		s = d.Fold(s, events...)
	}
	return all
}

// keys has the same key for everybody.
type keys struct{}

func (keys) Ensure(context.Context, string) (codec.Key, error) { return codec.Key{7}, nil }
func (keys) Get(context.Context, string) (codec.Key, error)    { return codec.Key{7}, nil }
func (keys) Drop(context.Context, string) error                { return nil }

// check writes the decisions down, exports them without personal data, and checks what
// the export tells.
func check(t *testing.T, all []decided) (found []Finding, counts Counts) {
	t.Helper()
	day, err := NewDay(stream, func(f Finding) { found = append(found, f) })
	if err != nil {
		t.Fatal(err)
	}
	c := codec.New(keys{})
	revision := eventstore.Revision(0)
	for _, d := range all {
		for _, e := range d.events {
			id := eventstore.EventID{1: byte(revision >> 8), 2: byte(revision), 3: 1}
			event, err := c.Encode(t.Context(), stream, id, e, codec.Metadata{CommandID: d.command})
			if err != nil {
				t.Fatal(err)
			}
			form, err := canon.Form(eventstore.Record{Event: event, Stream: stream, Revision: revision})
			if err != nil {
				t.Fatal(err)
			}
			line, err := canon.FromLine(form)
			if err != nil {
				t.Fatal(err)
			}
			r, err := line.Record()
			if err != nil {
				t.Fatal(err)
			}
			day.Add(t.Context(), r)
			revision++
		}
	}
	return found, day.End()
}

func seeds() uint64 {
	if os.Getenv("DAYBOOK_SOAK") == "1" {
		return 5000
	}
	return 60
}

func TestWhatTheDeciderDoesIsFair(t *testing.T) {
	var sum Counts
	for seed := range seeds() {
		found, counts := check(t, life(t, seed))
		for _, f := range found {
			t.Errorf("seed %d: %s", seed, f)
		}
		sum.Entries += counts.Entries
		sum.Offers += counts.Offers
		sum.Passed += counts.Passed
	}
	t.Logf("%d lives: %+v", seeds(), sum)
	if n := int(seeds()); sum.Offers < n || sum.Passed < n {
		t.Errorf("too little happened: %+v", sum)
	}
}

// tampering changes a copy of what was decided, and says what is to be found; it reports
// false where this life has nothing to change so.
type tampering func(rng *rand.Rand, all []decided) (kinds []Kind, done bool)

// places finds the events of one type.
func places[E restaurantday.Event](all []decided, fits func(E) bool) (at [][2]int) {
	for i, d := range all {
		for j, e := range d.events {
			if e, ok := e.(E); ok && (fits == nil || fits(e)) {
				at = append(at, [2]int{i, j})
			}
		}
	}
	return at
}

func anyOf(rng *rand.Rand, at [][2]int) (i, j int, some bool) {
	if len(at) == 0 {
		return 0, 0, false
	}
	p := at[rng.IntN(len(at))]
	return p[0], p[1], true
}

var tamperings = map[string]tampering{
	"a pass-over is left out": func(rng *rand.Rand, all []decided) ([]Kind, bool) {
		i, j, some := anyOf(rng, places[restaurantday.WaitlistPassedOver](all, nil))
		if some {
			all[i].events = slices.Delete(all[i].events, j, j+1)
		}
		return []Kind{Skipped}, some
	},
	"a reason is left out": func(rng *rand.Rand, all []decided) ([]Kind, bool) {
		i, j, some := anyOf(rng, places[restaurantday.WaitlistPassedOver](all, nil))
		if some {
			e := all[i].events[j].(restaurantday.WaitlistPassedOver)
			e.Code = ""
			all[i].events[j] = e
		}
		return []Kind{Skipped}, some
	},
	"another reason is given": func(rng *rand.Rand, all []decided) ([]Kind, bool) {
		i, j, some := anyOf(rng, places(all, func(e restaurantday.WaitlistPassedOver) bool { return e.Code == domain.CodeNoTable }))
		if some {
			for _, later := range all[i].events[j:] { // those at the door are passed over for other reasons
				if h, ok := later.(restaurantday.Held); ok && h.Source != restaurantday.SourceWaitlist {
					return nil, false
				}
			}
			e := all[i].events[j].(restaurantday.WaitlistPassedOver)
			e.Code = domain.CodePacingFull
			all[i].events[j] = e
		}
		return []Kind{False}, some
	},
	"an offer is made to somebody who came later": func(rng *rand.Rand, all []decided) ([]Kind, bool) {
		i, j, some := anyOf(rng, places[restaurantday.WaitlistOffered](all, nil))
		if !some {
			return nil, false
		}
		e := all[i].events[j].(restaurantday.WaitlistOffered)
		at := slices.IndexFunc(all[i].events, func(h restaurantday.Event) bool {
			held, ok := h.(restaurantday.Held)
			return ok && held.Number == e.Number
		})
		h := all[i].events[at].(restaurantday.Held)
		joined := joinedBefore(all[:i])
		for _, w := range joined {
			if w.Entry > e.Entry && !w.WalkIn && w.Party == h.Party && w.From <= h.Slot.StartsAt && h.Slot.StartsAt <= w.To && !endedBefore(all[:i+1], w.Entry) {
				was := e.Entry
				e.Entry, h.Entry, h.Diner = w.Entry, w.Entry, w.Diner
				all[i].events[j], all[i].events[at] = e, h
				all[i].events = slices.DeleteFunc(all[i].events, func(p restaurantday.Event) bool {
					passed, ok := p.(restaurantday.WaitlistPassedOver)
					return ok && passed.For == was
				})
				return []Kind{Skipped, Preferred}, true
			}
		}
		return nil, false
	},
	"an offer is made without joining": func(rng *rand.Rand, all []decided) ([]Kind, bool) {
		i, j, some := anyOf(rng, places[restaurantday.WaitlistOffered](all, nil))
		if some {
			e := all[i].events[j].(restaurantday.WaitlistOffered)
			e.Entry = 1000
			all[i].events[j] = e
		}
		return []Kind{Unjoined}, some
	},
	"an offer for a larger party": func(rng *rand.Rand, all []decided) ([]Kind, bool) {
		i, j, some := anyOf(rng, places(all, func(h restaurantday.Held) bool { return h.Source == restaurantday.SourceWaitlist }))
		if some {
			h := all[i].events[j].(restaurantday.Held)
			h.Party++
			all[i].events[j] = h
		}
		return []Kind{Unbacked}, some
	},
	"an offer is suppressed": func(rng *rand.Rand, all []decided) ([]Kind, bool) {
		i, j, some := anyOf(rng, places[restaurantday.WaitlistOffered](all, nil))
		if some {
			e := all[i].events[j].(restaurantday.WaitlistOffered)
			all[i].events = slices.DeleteFunc(all[i].events, func(x restaurantday.Event) bool {
				switch x := x.(type) {
				case restaurantday.WaitlistOffered:
					return x == e
				case restaurantday.Held:
					return x.Number == e.Number
				case restaurantday.WaitlistPassedOver:
					return x.For == e.Entry
				default:
					return false
				}
			})
		}
		return []Kind{Withheld, Preferred}, some
	},
	"an entry is put before another": func(rng *rand.Rand, all []decided) ([]Kind, bool) {
		at := places[restaurantday.WaitlistJoined](all, nil)
		if len(at) < 2 {
			return nil, false
		}
		n := rng.IntN(len(at) - 1)
		a, b := at[n], at[n+1]
		x, y := all[a[0]].events[a[1]].(restaurantday.WaitlistJoined), all[b[0]].events[b[1]].(restaurantday.WaitlistJoined)
		x.Entry, y.Entry = y.Entry, x.Entry
		all[a[0]].events[a[1]], all[b[0]].events[b[1]] = x, y
		return []Kind{Misnumber}, true
	},
}

func joinedBefore(all []decided) (joined []restaurantday.WaitlistJoined) {
	for _, at := range places[restaurantday.WaitlistJoined](all, nil) {
		joined = append(joined, all[at[0]].events[at[1]].(restaurantday.WaitlistJoined))
	}
	return joined
}

func endedBefore(all []decided, entry uint32) bool {
	return len(places(all, func(e restaurantday.WaitlistLeft) bool { return e.Entry == entry })) > 0 ||
		len(places(all, func(e restaurantday.WaitlistOffered) bool { return e.Entry == entry })) > 0
}

func TestWhatIsNotFairIsNamed(t *testing.T) {
	for what, tamper := range tamperings {
		done := 0
		for seed := range seeds() {
			all := life(t, seed)
			for i := range all {
				all[i].events = slices.Clone(all[i].events)
			}
			kinds, changed := tamper(rand.New(rand.NewPCG(seed, 9)), all)
			if !changed {
				continue
			}
			done++
			found, counts := check(t, all)
			if !slices.ContainsFunc(found, func(f Finding) bool { return slices.Contains(kinds, f.Kind) }) || counts.Findings != len(found) {
				t.Errorf("%s, seed %d: want one of %v, found %v", what, seed, kinds, found)
			}
		}
		if done == 0 {
			t.Errorf("%s: no life had anything to change so", what)
		}
		t.Logf("%s: %d", what, done)
	}
}

func TestADayThatCannotBeRead(t *testing.T) {
	all := life(t, 3)
	var found []Finding
	day, _ := NewDay(stream, func(f Finding) { found = append(found, f) })
	c := codec.New(keys{})
	for i, revision := range []eventstore.Revision{0, 2} {
		e, err := c.Encode(t.Context(), stream, eventstore.EventID{1}, all[0].events[i%len(all[0].events)], codec.Metadata{})
		if err != nil {
			t.Fatal(err)
		}
		day.Add(t.Context(), eventstore.Record{Event: e, Stream: stream, Revision: revision})
	}
	if len(found) != 1 || found[0].Kind != Unreadable || day.End().Findings != 1 {
		t.Errorf("a gap: %v", found)
	}
	if _, err := NewDay("user-1", nil); err == nil {
		t.Error("a stream that is no day's is checked")
	}
}
