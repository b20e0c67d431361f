package restaurantday

import (
	"flag"
	"fmt"
	"os"
	"testing"

	"pgregory.net/rapid"

	"daybook/domain"
)

// TestMain looks longer when asked to soak; -rapid.checks has the last word.
func TestMain(m *testing.M) {
	checks := "120"
	if os.Getenv("DAYBOOK_SOAK") == "1" {
		checks = "20000"
	}
	if err := flag.Set("rapid.checks", checks); err != nil {
		panic(err)
	}
	flag.Parse()
	os.Exit(m.Run())
}

// anyPlan draws a small floor, so that parties meet.
func anyPlan(t *rapid.T) *Plan {
	p := &Plan{
		BookableFrom: evening - 2*24*hour,
		Policy: Policy{
			HoldMinutes: rapid.SampledFrom([]int{1, 5, 20}).Draw(t, "hold minutes"), HorizonDays: 2,
			NoticeMinutes: rapid.SampledFrom([]int{0, 0, 60}).Draw(t, "notice"),
			BufferMinutes: rapid.SampledFrom([]int{0, 10}).Draw(t, "buffer"),
			PacingCovers:  rapid.SampledFrom([]int{0, 0, 5}).Draw(t, "pacing"),
			Turns:         []TurnTime{{UpToParty: 2, Minutes: 60}, {UpToParty: 4, Minutes: 75}, {UpToParty: 500, Minutes: 100}},
		},
	}
	var most domain.PartySize
	for i := range rapid.IntRange(1, 4).Draw(t, "tables") {
		most += domain.PartySize(rapid.IntRange(0, 2).Draw(t, "larger by"))
		p.Tables = append(p.Tables, Table{
			ID: domain.TableID(fmt.Sprintf("tbl_%d", i)), Number: fmt.Sprint(i),
			Min: 1 + rapid.SampledFrom([]domain.PartySize{0, 0, most / 2}).Draw(t, "min"), Max: max(1, most) + most/2, Area: []string{"", "bar"}[i%2],
		})
	}
	for i := range domain.Instant(8) {
		shift, closes := "early", evening+2*hour+15*minute
		if i >= 4 {
			shift, closes = "late", evening+6*hour
		}
		p.Slots = append(p.Slots, Slot{
			Time: domain.FormatClock(18*60 + int(i)*30), StartsAt: evening + i*30*minute, Closes: closes, Shift: shift,
		})
	}
	return p
}

// anyCommand draws what a process whose clock shows now could be asked for.
func anyCommand(t *rapid.T, w *world, now domain.Instant) Command {
	someone := rapid.SampledFrom([]domain.UserID{"usr_1", "usr_2"}).Draw(t, "diner")
	actor := rapid.SampledFrom([]domain.Actor{domain.System(), domain.Diner(someone), domain.Staff("usr_9")}).Draw(t, "actor")
	// Mostly one of the last few, which may still be waiting; sometimes none there is.
	number := uint32(max(1, len(w.entries)-rapid.IntRange(-1, 5).Draw(t, "back")))
	switch rapid.SampledFrom([]string{"hold", "hold", "hold", "hold", "confirm", "confirm", "cancel", "lapse"}).Draw(t, "command") {
	case "confirm":
		return Confirm{Now: now, Actor: actor, Number: number}
	case "cancel":
		return Cancel{Now: now, Actor: actor, Number: number}
	case "lapse":
		return Lapse{Now: now}
	}
	h := Hold{
		Now: now, Opening: &Open{Now: now, Restaurant: restaurant, Date: 20000, Plan: w.plan}, Actor: actor, Diner: someone,
		Party:   domain.PartySize(rapid.IntRange(1, int(w.plan.LargestParty())+1).Draw(t, "party")),
		Wish:    rapid.SampledFrom([]Wish{{}, {}, {}, {}, {Table: "tbl_0"}, {Area: "bar"}}).Draw(t, "wish"),
		Confirm: rapid.Bool().Draw(t, "confirm"), InOrder: rapid.IntRange(0, 9).Draw(t, "in order") == 0,
	}
	slot := w.plan.Slots[rapid.IntRange(0, len(w.plan.Slots)-1).Draw(t, "slot")]
	if h.Time = slot.Time; rapid.Bool().Draw(t, "by instant") {
		h.StartsAt = slot.StartsAt + rapid.SampledFrom([]domain.Instant{0, 0, 0, 0, 0, 0, 1}).Draw(t, "off")
	}
	return h
}

// anyStep draws how far time goes on: often to the edge of something.
func anyStep(t *rapid.T, w *world, now domain.Instant) domain.Instant {
	next := now + rapid.SampledFrom([]domain.Instant{0, 0, 1, 10_000, minute, minute, 5 * minute}).Draw(t, "step")
	if w.s.Opened() && rapid.SampledFrom([]bool{false, false, false, true}).Draw(t, "to an edge") {
		// Seldom far: time that is gone leaves nothing to ask for.
		edge := w.s.HoldsUntil(now)
		if edge != 0 && (edge-now <= 20*minute || rapid.IntRange(0, 7).Draw(t, "far") == 7) {
			next = max(now, edge+domain.Instant(rapid.IntRange(-1, 1).Draw(t, "beside the edge")))
		}
	}
	return next
}

// Whatever is asked, in whatever order, of processes whose clocks differ, the rules hold.
func TestRulesHold(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld(anyRules(t), Decider())
		skews := []domain.Instant{0, domain.Instant(rapid.IntRange(-120_000, 0).Draw(t, "slow")), domain.Instant(rapid.IntRange(0, 120_000).Draw(t, "fast"))}
		real := evening - rapid.SampledFrom([]domain.Instant{3 * hour, 24 * hour, 48*hour + minute, hour}).Draw(t, "begin")
		for range rapid.SampledFrom([]int{60, 30, 90}).Draw(t, "commands") {
			real = anyStep(t, w, real)
			now := real + rapid.SampledFrom(skews).Draw(t, "skew")
			if _, broken := w.do(anyCommand(t, w, now)); broken != nil {
				t.Fatal(broken)
			}
			party := domain.PartySize(rapid.IntRange(1, int(w.plan.LargestParty())+1).Draw(t, "onlooker's party"))
			if err := w.viewAgrees(party, now); err != nil {
				t.Fatal(err)
			}
			later := now + domain.Instant(rapid.Int64Range(1, int64(30*hour)).Draw(t, "later"))
			if err := w.viewHolds(party, now, now+1, now+minute, later); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.keptAsTheyWere(); err != nil {
			t.Fatal(err)
		}
		if again := Decider().Fold(State{}, w.log...); w.log != nil && !sameMemory(again, w.s) {
			t.Fatalf("read again the log gives\n%+v\nnot\n%+v", remember(again), remember(w.s))
		}
	})
}
