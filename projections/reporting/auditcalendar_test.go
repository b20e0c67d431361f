package reporting

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"daybook/domain"
	"daybook/domain/restaurant"
	"daybook/domain/restaurantday"
)

// TestCalendarSnapshots: each change of a restaurant's calendar and floor says what it was
// and what it became.
func TestCalendarSnapshots(t *testing.T) {
	shift := restaurant.Shift{
		Name: "menu", Opens: 19 * 60, LastSeating: 20 * 60, Closes: 60, SlotMinutes: 30, PacingCovers: 8,
		Turns: []restaurantday.TurnTime{{UpToParty: 500, Minutes: 240}},
	}
	weekly := shift
	weekly.Days = restaurant.On(time.Friday)
	feast := restaurant.SpecialDay{Date: day1, Name: "a feast", Shifts: []restaurant.Shift{shift}}
	closure := restaurant.Closure{ID: "cls_1", From: day1, To: day1 + 1, Reason: "works"}
	block := restaurant.Block{ID: "blk_1", Tables: []domain.TableID{"tbl_1"}, Date: day1, From: 60, To: 120, Reason: "paint"}
	whole := restaurant.Block{ID: "blk_1", Date: day1, From: 60, To: 120}
	pair := restaurantday.Combination{ID: "cmb_1", Tables: []domain.TableID{"tbl_1", "tbl_2"}, Min: 3, Max: 6}
	table := restaurantday.Table{ID: "tbl_1", Number: "1", Min: 1, Max: 2, OfflineOnly: true}
	const (
		ofShift = `"name":"menu","opens":"19:00","lastSeating":"20:00","closes":"01:00","slotMinutes":30,"turnMinutes":[{"upToParty":500,"minutes":240}],"pacingCovers":8}`
		ofFeast = `{"date":"2026-11-21","name":"a feast","shifts":[{` + ofShift + `]}`
	)
	all := restaurant.State{
		SpecialDays: []restaurant.SpecialDay{feast}, Closures: []restaurant.Closure{closure}, Blocks: []restaurant.Block{block},
		Combinations: []restaurantday.Combination{pair}, Shifts: []restaurant.Shift{weekly}, Tables: []restaurantday.Table{table},
		Policy: restaurantday.Policy{CancelMinutes: 60, Assignment: restaurantday.LateBinding},
	}
	other := restaurant.State{SpecialDays: []restaurant.SpecialDay{{Date: day1}}, Blocks: []restaurant.Block{whole}}
	for _, c := range []struct {
		event         restaurant.Event
		before, after restaurant.State
		was, is       string
	}{
		{restaurant.SpecialDaySet{Day: feast}, other, all, `{"date":"2026-11-21","shifts":[]}`, ofFeast},
		{restaurant.SpecialDayRemoved{Date: day1}, all, restaurant.State{}, ofFeast, "null"},
		{restaurant.ClosureAdded{Closure: closure}, other, all, "null", `{"closureId":"cls_1","from":"2026-11-21","to":"2026-11-22","reason":"works"}`},
		{restaurant.ClosureRemoved{ID: "cls_1"}, all, other, `{"closureId":"cls_1","from":"2026-11-21","to":"2026-11-22","reason":"works"}`, "null"},
		{restaurant.BlockAdded{Block: block}, restaurant.State{}, all,
			"null", `{"blockId":"blk_1","tableIds":["tbl_1"],"tables":["1"],"date":"2026-11-21","from":"01:00","to":"02:00"}`},
		{restaurant.BlockRemoved{ID: "blk_1"}, other, restaurant.State{}, `{"blockId":"blk_1","date":"2026-11-21","from":"01:00","to":"02:00"}`, "null"},
		{restaurant.CombinationAdded{Combination: pair}, other, all, "null", `{"combinationId":"cmb_1","tableIds":["tbl_1","tbl_2"],"tables":["1","tbl_2"],"minCapacity":3,"capacity":6}`},
		{restaurant.CombinationRemoved{ID: "cmb_1"}, all, other, `{"combinationId":"cmb_1","tableIds":["tbl_1","tbl_2"],"tables":["1","tbl_2"],"minCapacity":3,"capacity":6}`, "null"},
		{restaurant.HoursSet{}, restaurant.State{}, all,
			`{"shifts":[],"dayBoundary":"00:00"}`, `{"shifts":[{"days":["fri"],` + ofShift + `],"dayBoundary":"00:00"}`},
		{restaurant.TableAdded{Table: table}, restaurant.State{}, all, "null", `{"tableId":"tbl_1","number":"1","minCapacity":1,"capacity":2,"offlineOnly":true}`},
		{restaurant.PolicySet{}, restaurant.State{}, all,
			strings.Replace(noPolicy, "@", `"waitlistOfferMinutes":10,"tableBinding":"first_fit"`, 1),
			strings.Replace(noPolicy, "@", `"cancelMinutes":60,"waitlistOfferMinutes":10,"tableBinding":"late"`, 1)},
	} {
		was, is := restaurantSnapshots(c.event, c.before, c.after)
		got, err := json.Marshal([]any{was, is})
		if err != nil {
			t.Fatal(err)
		}
		if want := "[" + c.was + "," + c.is + "]"; string(got) != want {
			t.Errorf("%T: got\n%s\nwant\n%s", c.event, got, want)
		}
	}
}

const noPolicy = `{"holdMinutes":0,"horizonDays":0,"noticeMinutes":0,"bufferMinutes":0,"turnMinutes":[],@}`
