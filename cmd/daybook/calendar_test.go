package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"reflect"
	"testing"
	"time"
)

// sameJSON compares a part of an answer with what it should be.
func sameJSON(t *testing.T, what string, got any, want string) {
	t.Helper()
	var wanted any
	if err := json.Unmarshal([]byte(want), &wanted); err != nil {
		t.Fatalf("%s: %v in %s", what, err, want)
	}
	if !reflect.DeepEqual(got, wanted) {
		t.Errorf("%s: got\n%s\nwant\n%s", what, must(json.Marshal(got)), must(json.Marshal(wanted)))
	}
}

// TestCalendarOverHTTP sets all that a restaurant can have beside its week and tables,
// reads it back as its staff and as anybody, sees it in what is free, and removes it.
func TestCalendarOverHTTP(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 2, 9, 0, 0, 0, time.UTC)
	h := startHouse(t, houseConfig{clock: func() time.Time { return now }})
	public := h.client(t)
	owner := public.register("owner")
	id := owner.openRestaurant(floor{tables: map[int]int{2: 2}})
	at := "/restaurants/" + id
	tables := tableIDs(public, id)
	read := func(c client) (all map[string]any) {
		c.get(at).want(t, 200, "").json(t, &all)
		return all
	}

	shift := `{"days":["mon","sun"],"name":"dinner","opens":"18:00","lastSeating":"21:00","closes":"23:00","slotMinutes":60,"turnMinutes":[{"upToParty":4,"minutes":75}],"pacingCovers":6}`
	feast := `{"date":"2026-11-30","name":"a feast","shifts":[{"name":"menu","opens":"19:00","lastSeating":"20:00","closes":"01:00","slotMinutes":60,"turnMinutes":[{"upToParty":500,"minutes":240}],"pacingCovers":4}]}`
	owner.send(http.MethodPut, at+"/hours", `{"shifts":[`+shift+`],"specialDays":[{"date":"2026-12-24","name":"Christmas Eve","shifts":[]},`+feast+`]}`).want(t, 200, "")
	owner.send(http.MethodPut, at+"/special-days/2026-12-06", `{"shifts":[]}`).want(t, 200, "")
	closure := owner.send(http.MethodPost, at+"/closures", `{"from":"2026-12-27","to":"2027-01-06","reason":"winter holidays"}`).want(t, 201, "").field("closureId")
	block := owner.send(http.MethodPost, at+"/blocks", fmt.Sprintf(`{"date":"2026-11-30","from":"19:00","to":"00:30","tableIds":[%q],"reason":"the press"}`, tables[0])).want(t, 201, "").field("blockId")
	floor := owner.send(http.MethodPost, at+"/blocks", `{"date":"2026-12-07","from":"18:00","to":"19:00"}`).want(t, 201, "").field("blockId")
	pair := owner.send(http.MethodPost, at+"/combinations", fmt.Sprintf(`{"tableIds":[%q,%q],"capacity":4}`, tables[0], tables[1])).want(t, 201, "").field("combinationId")
	owner.send(http.MethodPatch, at+"/tables/"+tables[1], `{"offlineOnly":true}`).want(t, 200, "")
	policy := `{"holdMinutes":5,"horizonDays":90,"noticeMinutes":0,"bufferMinutes":0,"turnMinutes":[{"upToParty":500,"minutes":90}],"cancelMinutes":1440,"waitlistOfferMinutes":20`
	owner.send(http.MethodPut, at+"/policy", policy+`,"tableBinding":"first_fit"}`).want(t, 200, "")
	last := owner.send(http.MethodPut, at+"/policy", policy+`}`).want(t, 200, "") // which leaves the binding

	var ofStaff map[string]any
	last.json(t, &ofStaff)
	ofAll := read(public)
	blocks := func(reason string) string {
		return fmt.Sprintf(`[{"blockId":%q,"date":"2026-11-30","from":"19:00","to":"00:30","tableIds":[%q]%s},{"blockId":%q,"date":"2026-12-07","from":"18:00","to":"19:00"}]`,
			block, tables[0], reason, floor)
	}
	for who, all := range map[string]map[string]any{"staff": ofStaff, "all": ofAll} {
		sameJSON(t, who, all["shifts"], `[`+shift+`]`)
		sameJSON(t, who, all["specialDays"], `[`+feast+`,{"date":"2026-12-06","shifts":[]},{"date":"2026-12-24","name":"Christmas Eve","shifts":[]}]`)
		sameJSON(t, who, all["closures"], fmt.Sprintf(`[{"closureId":%q,"from":"2026-12-27","to":"2027-01-06","reason":"winter holidays"}]`, closure))
		sameJSON(t, who, all["combinations"], fmt.Sprintf(`[{"combinationId":%q,"tableIds":[%q,%q],"minCapacity":1,"capacity":4}]`, pair, tables[0], tables[1]))
		sameJSON(t, who, all["policy"], policy+`,"tableBinding":"first_fit"}`)
		if offline := all["tables"].([]any)[1].(map[string]any)["offlineOnly"]; offline != true {
			t.Errorf("%s: offlineOnly is %v", who, offline)
		}
	}
	sameJSON(t, "blocks for staff", ofStaff["blocks"], blocks(`,"reason":"the press"`))
	sameJSON(t, "blocks for all", ofAll["blocks"], blocks(""))

	free := func(date string) (slots []string, code string) {
		var answer struct {
			Slots []struct {
				Time      string
				Available bool
			}
			Code string
		}
		public.get(at+"/availability?party=2&date="+date).want(t, 200, "").json(t, &answer)
		for _, s := range answer.Slots {
			slots = append(slots, fmt.Sprint(s.Time, " ", s.Available))
		}
		return slots, answer.Code
	}
	for date, want := range map[string][]string{
		"2026-11-30": {"19:00 false", "20:00 false"}, // a table is blocked, the other is not for online guests
		"2026-12-07": {"18:00 false", "19:00 true", "20:00 true", "21:00 true"},
		"2026-12-06": nil, "2026-12-24": nil, "2026-12-27": nil,
	} {
		slots, code := free(date)
		if !reflect.DeepEqual(slots, want) || (code == "closed") != (want == nil) {
			t.Errorf("%s: got %v, %q", date, slots, code)
		}
	}

	for _, path := range []string{"/special-days/2026-11-30", "/special-days/2026-12-06", "/special-days/2026-12-24", "/closures/" + closure, "/blocks/" + block, "/blocks/" + floor, "/combinations/" + pair} {
		owner.send(http.MethodDelete, at+path, "").want(t, 200, "")
		owner.send(http.MethodDelete, at+path, "").want(t, 200, "") // it is so already
	}
	bare := read(public)
	for _, part := range []string{"specialDays", "closures", "blocks", "combinations"} {
		sameJSON(t, part, bare[part], `[]`)
	}
}

// TestZoneChangeOverHTTP is refused with the days it would leave by the old clocks, and
// goes through once they are named.
func TestZoneChangeOverHTTP(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 2, 9, 0, 0, 0, time.UTC)
	h := startHouse(t, houseConfig{clock: func() time.Time { return now }})
	owner := h.client(t).register("owner")
	id := owner.openRestaurant(floor{tables: map[int]int{2: 1}})
	owner.send(http.MethodPost, "/reservations", fmt.Sprintf(`{"restaurantId":%q,"date":"2026-11-20","time":"19:00","party":2,"confirm":true}`, id)).want(t, 201, "")
	owner.get("/restaurants/"+id+"/availability?party=2&date=2026-11-21").want(t, 200, "")
	var no map[string]any
	owner.send(http.MethodPatch, "/restaurants/"+id, `{"timeZone":"Asia/Tokyo"}`).want(t, 409, "zone_in_use").json(t, &no)
	sameJSON(t, "reasons", no["reasons"], `[{"rule":"open_day","date":"2026-11-20","actual":1},{"rule":"open_day","date":"2026-11-21"}]`)
	got := owner.send(http.MethodPatch, "/restaurants/"+id, `{"timeZone":"Asia/Tokyo","acceptZoneChange":["2026-11-20","2026-11-21"]}`).want(t, 200, "")
	if zone := got.field("timeZone"); zone != "Asia/Tokyo" {
		t.Errorf("got %s", zone)
	}
}
