package reports

import (
	"bytes"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"daybook/domain"
	"daybook/domain/restaurantday"
)

const (
	noon   = domain.Instant(1_793_000_000_000)
	minute = domain.Instant(60_000)
	hour   = 60 * minute
)

var (
	date = domain.ServiceDate(20_778)
	two  = restaurantday.Table{ID: domain.NewTableID([16]byte{1}), Number: "1", Min: 1, Max: 2}
	four = restaurantday.Table{ID: domain.NewTableID([16]byte{2}), Number: "2", Min: 1, Max: 4}
)

func slotAt(hours int, local, shift string, closes domain.Instant) restaurantday.Slot {
	return restaurantday.Slot{Time: local, StartsAt: noon + domain.Instant(hours)*hour, Closes: closes, Shift: shift}
}

// evening is a day of two shifts, the second of which is cut in two by a break, and what
// became of six parties.
func evening() restaurantday.State {
	plan := restaurantday.Plan{
		Zone: "UTC", Tables: []restaurantday.Table{two, four},
		Slots: []restaurantday.Slot{
			slotAt(0, "12:00", "lunch", noon+2*hour), slotAt(1, "13:00", "lunch", noon+2*hour),
			slotAt(6, "18:00", "dinner", noon+8*hour), slotAt(10, "00:00", "dinner", noon+11*hour),
		},
		Blocks: []restaurantday.Block{
			{Tables: []domain.TableID{four.ID}, During: domain.Interval{From: noon + 7*hour, To: noon + 9*hour}},
			{During: domain.Interval{From: noon + 7*hour + 30*minute, To: noon + 8*hour}},
		},
	}
	at := func(i domain.Instant) domain.Stamp { return domain.Stamp{At: i} }
	d := restaurantday.Decider()
	s := d.Fold(d.Initial(), restaurantday.Opened{Stamp: at(noon - 100*hour), Date: date, Plan: plan})
	held := func(number uint32, party domain.PartySize, slot int, before domain.Instant, source restaurantday.Source) restaurantday.Event {
		from := plan.Slots[slot].StartsAt
		return restaurantday.Held{
			Stamp: at(from - before), Number: number, Party: party, Slot: plan.Slots[slot], Source: source,
			Turn: domain.Interval{From: from, To: from + 90*minute}, Occupied: domain.Interval{From: from, To: from + 90*minute},
			Tables: []domain.TableID{two.ID}, ExpiresAt: from,
		}
	}
	return d.Fold(s,
		held(1, 2, 0, 59*minute, ""), held(2, 4, 1, 61*minute, ""), held(3, 3, 2, 50*hour, ""), held(4, 2, 2, 0, restaurantday.SourceWalkIn),
		held(5, 6, 3, 2*hour, ""), held(6, 1, 3, hour, ""), held(7, 5, 3, hour, ""),
		restaurantday.Confirmed{Number: 1}, restaurantday.Confirmed{Number: 2}, restaurantday.Confirmed{Number: 3},
		restaurantday.Confirmed{Number: 4}, restaurantday.Confirmed{Number: 5}, restaurantday.Confirmed{Number: 6},
		restaurantday.Seated{Number: 1, Covers: 1, Tables: []domain.TableID{two.ID}}, restaurantday.Completed{Number: 1},
		restaurantday.NoShow{Number: 2}, restaurantday.Cancelled{Number: 3, Late: true},
		restaurantday.Seated{Number: 4, Covers: 2, Tables: []domain.TableID{two.ID}},
	) // 5 and 6 are expected, 7 is a hold
}

func TestReports(t *testing.T) {
	s := evening()
	entries, times := OfDay(s), SeatTimeOf(s)
	scope := func(by GroupBy) Scope { return Scope{By: by, DayBoundary: 300} }
	for what, c := range map[string]struct{ got, want any }{
		"covers": {Covers(scope(BySlot), entries), Report[CoversRow]{
			Rows: []CoversRow{
				{Group: "12:00", BookedParties: 1, BookedCovers: 2, SeatedParties: 1, SeatedCovers: 1},
				{Group: "13:00", BookedParties: 1, BookedCovers: 4, NoShowParties: 1, NoShowCovers: 4},
				{Group: "18:00", SeatedParties: 1, SeatedCovers: 2, WalkInParties: 1, WalkInCovers: 2, CancelledParties: 1, CancelledCovers: 3},
				{Group: "00:00", BookedParties: 2, BookedCovers: 7},
			},
			Total: CoversRow{
				BookedParties: 4, BookedCovers: 13, SeatedParties: 2, SeatedCovers: 3, WalkInParties: 1, WalkInCovers: 2,
				CancelledParties: 1, CancelledCovers: 3, NoShowParties: 1, NoShowCovers: 4,
			},
		}},
		"no-shows": {NoShows(scope(ByShift), entries), Report[NoShowsRow]{
			Rows: []NoShowsRow{
				{Group: "dinner", OpenParties: 2, LateCancelledParties: 1},
				{Group: "lunch", DueParties: 2, NoShowParties: 1, NoShowCovers: 4, RateBasisPoints: 5000},
			},
			Total: NoShowsRow{DueParties: 2, NoShowParties: 1, NoShowCovers: 4, RateBasisPoints: 5000, OpenParties: 2, LateCancelledParties: 1},
		}},
		"lead times": {LeadTimes(scope(ByMonth), entries).Total, LeadTimesRow{
			// 59, 61, 120 and 60 minutes; the cancelled, the walk-in and the hold do not count.
			Parties: 4, MeanMinutes: 75, MedianMinutes: 60, P90Minutes: 120, UpTo1h: 2, UpTo6h: 2,
		}},
		"utilisation": {Utilisation(scope(ByShift), times), Report[UtilisationRow]{
			Rows: []UtilisationRow{
				// Two hours and one; of the first the four lose one, and the two half of one.
				{Group: "dinner", OfferedSeatMinutes: 2*(120-30) + 4*(120-60) + 6*60, SoldSeatMinutes: (2 + 6 + 1) * 90, UtilisationBasisPoints: 10385},
				{Group: "lunch", OfferedSeatMinutes: 6 * 120, SoldSeatMinutes: 90, UtilisationBasisPoints: 1250},
			},
			Total: UtilisationRow{OfferedSeatMinutes: 780 + 720, SoldSeatMinutes: 900, UtilisationBasisPoints: 6000},
		}},
		"refusals": {
			RefusalsBy(scope(BySlot), OfDemand(date, []restaurantday.Refused{
				{Code: domain.CodeNoTable, Party: 2, Time: "19:00"}, {Code: domain.CodeNoTable, Party: 3, StartsAt: noon + 7*hour + 13*minute},
				{Code: domain.CodeClosed, Party: 5, Time: "19:00"}, {Code: domain.CodeNoTable, Party: 1, Time: "00:30"},
			}, time.UTC)),
			Report[RefusalsRow]{
				Rows: []RefusalsRow{
					{Group: "14:46", Code: "no_table", Requests: 1, Covers: 3},
					{Group: "19:00", Code: "closed", Requests: 1, Covers: 5}, {Group: "19:00", Code: "no_table", Requests: 1, Covers: 2},
					{Group: "00:30", Code: "no_table", Requests: 1, Covers: 1},
				},
				Total: RefusalsRow{Requests: 4, Covers: 11},
			},
		},
		"nothing": {Covers(scope(ByDay), nil), Report[CoversRow]{Rows: []CoversRow{}}},
	} {
		if !reflect.DeepEqual(c.got, c.want) {
			t.Errorf("%s: got\n%+v\nwant\n%+v", what, c.got, c.want)
		}
	}
}

// TestSeatTimeBehindAFence: a day offers what its plan says until the change has reached it.
func TestSeatTimeBehindAFence(t *testing.T) {
	s := evening()
	fenced := restaurantday.Decider().Fold(s, restaurantday.PlanFenced{Stamp: domain.Stamp{At: s.Clock()}, Change: "2", Revision: 2,
		Slots: []domain.Instant{noon, noon + hour}})
	if len(fenced.Plan.Slots) == len(s.Plan.Slots) {
		t.Fatal("nothing was fenced")
	}
	if got, want := SeatTimeOf(fenced), SeatTimeOf(s); !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

// TestGroups names the groups of one date, and puts them in order.
func TestGroups(t *testing.T) {
	d := Dimensions{Date: 20_819, Shift: "late", Slot: "01:30", Party: 12, Code: "closed"} // 2027-01-01, a Friday
	for by, want := range map[GroupBy]string{
		ByDay: "2027-01-01", ByWeek: "2026-W53", ByMonth: "2027-01", ByWeekday: "fri", ByShift: "late", BySlot: "01:30", ByParty: "12", ByCode: "closed",
	} {
		if got := by.of(d, 0).name; got != want {
			t.Errorf("%s: got %q, want %q", by, got, want)
		}
	}
	names := func(by GroupBy, all ...Dimensions) (names []string) {
		slices.SortFunc(all, func(a, b Dimensions) int { return compareGroups(by.of(a, 300), by.of(b, 300)) })
		for _, d := range all {
			names = append(names, by.of(d, 300).name)
		}
		return names
	}
	for by, want := range map[GroupBy][]string{
		ByParty: {"2", "10"}, BySlot: {"05:00", "23:30", "00:00", "04:59"}, ByWeekday: {"mon", "sat", "sun"},
	} {
		got := map[GroupBy]func() []string{
			ByParty: func() []string { return names(by, Dimensions{Party: 10}, Dimensions{Party: 2}) },
			BySlot: func() []string {
				return names(by, Dimensions{Slot: "00:00"}, Dimensions{Slot: "04:59"}, Dimensions{Slot: "23:30"}, Dimensions{Slot: "05:00"})
			},
			ByWeekday: func() []string {
				return names(by, Dimensions{Date: 20_821}, Dimensions{Date: 20_820}, Dimensions{Date: 20_822})
			},
		}[by]()
		if !slices.Equal(got, want) {
			t.Errorf("%s: got %v, want %v", by, got, want)
		}
	}
}

// TestCountedTogether: whoever counts alike entries together comes to the same report as who
// tells them one by one, in whatever order.
func TestCountedTogether(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	statuses := []restaurantday.Status{
		restaurantday.StatusPending, restaurantday.StatusConfirmed, restaurantday.StatusSeated, restaurantday.StatusCompleted,
		restaurantday.StatusCancelled, restaurantday.StatusExpired, restaurantday.StatusNoShow, restaurantday.StatusMoved,
	}
	for range 200 {
		var one []Entries
		for range r.IntN(60) {
			party := 1 + r.Int64N(6)
			one = append(one, Entries{
				Dimensions: Dimensions{Date: date.AddDays(r.IntN(40)), Shift: []string{"a", "b"}[r.IntN(2)], Slot: []string{"18:00", "01:00"}[r.IntN(2)], Party: domain.PartySize(party)},
				Status:     statuses[r.IntN(len(statuses))], WalkIn: r.IntN(5) == 0, Late: r.IntN(2) == 0, Lead: r.Int64N(60_000),
				Parties: 1, Covers: party, Seated: r.Int64N(party + 1),
			})
		}
		for _, by := range ForEntries {
			together := map[Entries]*Entries{}
			var counted []Entries
			for _, i := range r.Perm(len(one)) {
				key := one[i]
				key.Dimensions, key.Parties, key.Covers, key.Seated = by.Of(key.Dimensions), 0, 0, 0
				sum, ok := together[key]
				if !ok {
					counted = append(counted, key)
					sum = &Entries{}
					together[key] = sum
				}
				sum.Parties, sum.Covers, sum.Seated = sum.Parties+1, sum.Covers+one[i].Covers, sum.Seated+one[i].Seated
			}
			for i, k := range counted {
				sum := together[k]
				counted[i].Parties, counted[i].Covers, counted[i].Seated = sum.Parties, sum.Covers, sum.Seated
			}
			scope := Scope{By: by, DayBoundary: 300}
			for what, same := range map[string]bool{
				"covers":     reflect.DeepEqual(Covers(scope, one), Covers(scope, counted)),
				"no-shows":   reflect.DeepEqual(NoShows(scope, one), NoShows(scope, counted)),
				"lead times": reflect.DeepEqual(LeadTimes(scope, one), LeadTimes(scope, counted)),
			} {
				if !same {
					t.Fatalf("seed %d: %s by %s are not the same", seed, what, by)
				}
			}
		}
	}
}

func TestCSV(t *testing.T) {
	var out bytes.Buffer
	report := RefusalsBy(Scope{By: ByCode}, []Refusals{{Dimensions{Code: "no_table"}, 2, 7}})
	if err := report.WriteCSV(&out); err != nil || out.String() != "group,code,requests,covers\nno_table,no_table,2,7\n" {
		t.Errorf("got %q, %v", out.String(), err)
	}
	// A shift has the name that somebody gave it.
	out.Reset()
	report = Report[RefusalsRow]{Rows: []RefusalsRow{{Group: "=1+1", Code: "closed", Requests: -1}}}
	if err := report.WriteCSV(&out); err != nil || out.String() != "group,code,requests,covers\n'=1+1,closed,-1,0\n" {
		t.Errorf("got %q, %v", out.String(), err)
	}
	want := "group,parties,meanMinutes,medianMinutes,p90Minutes,upTo1h,upTo6h,upTo24h,upTo3d,upTo7d,upTo14d,upTo30d,over30d"
	if got := strings.Join(Columns[LeadTimesRow](), ","); got != want {
		t.Errorf("got %s", got)
	}
}
