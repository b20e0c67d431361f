package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"
)

// evening is a restaurant with two tables for two, an hour before it opens.
type evening struct {
	h                           *house
	clock                       *testClock
	public, owner, diner, other client
	restaurant, date            string
	tables                      []string
}

func newEvening(t *testing.T) *evening {
	t.Helper()
	e := &evening{clock: newTestClock()}
	e.clock.set(time.Date(2026, 11, 20, 16, 10, 0, 0, time.UTC)) // 17:10 in Berlin
	e.date = "2026-11-20"
	e.h = startHouse(t, houseConfig{clock: e.clock.now})
	e.public = e.h.client(t)
	e.owner, e.diner, e.other = e.public.register("owner"), e.public.register("diner"), e.public.register("other")
	e.restaurant = e.owner.openRestaurant(floor{tables: map[int]int{2: 2},
		policy: `{"holdMinutes":10,"horizonDays":30,"noticeMinutes":0,"bufferMinutes":0,"pacingCovers":20,"turnMinutes":[{"upToParty":500,"minutes":120}]}`,
		shifts: `[{"days":["mon","tue","wed","thu","fri","sat","sun"],"name":"dinner","opens":"18:00","lastSeating":"20:00","closes":"23:00","slotMinutes":60}]`})
	e.tables = tableIDs(e.public, e.restaurant)
	return e
}

func (e *evening) hold(t *testing.T, c client, at string, more string) reply {
	t.Helper()
	return c.send(http.MethodPost, "/reservations", fmt.Sprintf(`{"restaurantId":%q,"date":%q,"time":%q,"party":2%s}`,
		e.restaurant, e.date, at, more)).want(t, 201, "")
}

func (e *evening) board(t *testing.T) (all map[string]any) {
	t.Helper()
	e.owner.get("/restaurants/"+e.restaurant+"/days/"+e.date).want(t, 200, "").json(t, &all)
	return all
}

// of picks these fields of each object of a list.
func of(list any, fields ...string) []any {
	out := []any{}
	for _, item := range list.([]any) {
		picked := map[string]any{}
		for _, f := range fields {
			if v, ok := item.(map[string]any)[f]; ok {
				picked[f] = v
			}
		}
		out = append(out, picked)
	}
	return out
}

// TestTheDaysBoard follows an evening on the board: holds, a lapse that nobody recorded yet,
// seating, the waitlist and what can be undone.
func TestTheDaysBoard(t *testing.T) {
	t.Parallel()
	e := newEvening(t)
	seated := e.hold(t, e.diner, "18:00", `,"confirm":true,"notes":"by the window","guest":{"name":"Bo"}`).field("reservationId")
	held := e.hold(t, e.other, "18:00", "").field("reservationId")
	waits := e.diner.send(http.MethodPost, "/waitlist/join", fmt.Sprintf(
		`{"restaurantId":%q,"date":%q,"from":"18:00","to":"18:00","party":2}`, e.restaurant, e.date)).want(t, 201, "").field("waitlistId")

	board := e.board(t)
	sameJSON(t, "reservations", of(board["reservations"], "reservationId", "status", "time", "notes", "number", "online", "bound"), fmt.Sprintf(
		`[{"reservationId":%q,"status":"confirmed","time":"18:00","notes":"by the window","number":1,"online":true,"bound":false},
		{"reservationId":%q,"status":"pending","time":"18:00","number":2,"online":true,"bound":false}]`, seated, held))
	sameJSON(t, "holds", of(board["holds"], "reservationId"), fmt.Sprintf(`[{"reservationId":%q}]`, held))
	sameJSON(t, "waitlist", of(board["waitlist"], "waitlistId", "status", "place", "from"), fmt.Sprintf(
		`[{"waitlistId":%q,"status":"waiting","place":1,"from":"18:00"}]`, waits))
	sameJSON(t, "shifts", board["shifts"], `[{"name":"dinner","opens":"2026-11-20T18:00:00+01:00","lastSeating":"2026-11-20T20:00:00+01:00",
		"closes":"2026-11-20T23:00:00+01:00","turnMinutes":[{"upToParty":500,"minutes":120}],"pacingCovers":20}]`)
	sameJSON(t, "slots", of(board["slots"], "time", "heldCovers", "expectedCovers", "seatedCovers", "pacedCovers", "pacingCovers"),
		`[{"time":"18:00","heldCovers":2,"expectedCovers":2,"seatedCovers":0,"pacedCovers":4,"pacingCovers":20},
		{"time":"19:00","heldCovers":0,"expectedCovers":0,"seatedCovers":0,"pacedCovers":0,"pacingCovers":20},
		{"time":"20:00","heldCovers":0,"expectedCovers":0,"seatedCovers":0,"pacedCovers":0,"pacingCovers":20}]`)
	sameJSON(t, "the rest", []any{board["queue"], board["actions"], board["blocks"], board["combinations"]}, `[[],[],[],[]]`)

	// The party comes early, and sits; a party at the door waits behind it.
	e.clock.advance(45 * time.Minute)
	e.owner.send(http.MethodPost, "/reservations/"+seated+"/seat", `{}`).want(t, 200, "")
	queued := e.owner.send(http.MethodPost, "/waitlist/join", fmt.Sprintf(`{"restaurantId":%q,"party":2,"walkIn":true}`, e.restaurant)).want(t, 201, "").field("waitlistId")
	board = e.board(t)
	sameJSON(t, "actions", of(board["actions"], "sequence", "kind", "reservationId"), fmt.Sprintf(`[{"sequence":1,"kind":"seat","reservationId":%q}]`, seated))
	sameJSON(t, "the queue", of(board["queue"], "waitlistId", "place", "walkIn"), fmt.Sprintf(`[{"waitlistId":%q,"place":1,"walkIn":true}]`, queued))
	// The other's hold has lapsed meanwhile, and who waited has the offer.
	sameJSON(t, "after the lapse", of(board["reservations"], "status", "source", "waitlistId"), fmt.Sprintf(
		`[{"status":"seated"},{"status":"expired"},{"status":"pending","source":"waitlist","waitlistId":%q}]`, waits))
	offered := e.diner.get("/waitlist/"+waits).want(t, 200, "")
	var entry struct {
		Status string
		Offer  struct{ ReservationID, Status, Time string }
	}
	offered.json(t, &entry)
	if entry.Status != "offered" || entry.Offer.Status != "pending" || entry.Offer.Time != "18:00" || entry.Offer.ReservationID != offered.field("reservationId") {
		t.Errorf("the offer is %s", offered)
	}
	e.other.get("/waitlist/"+waits).want(t, 404, "not_found")
	e.owner.get("/waitlist/"+waits).want(t, 200, "")

	// By the clock alone an offer is over, whether or not that was recorded.
	e.clock.advance(11 * time.Minute)
	if got := e.diner.get("/waitlist/" + waits); got.field("status") != "left" || got.field("leftBecause") != "lapsed" {
		t.Errorf("after the offer: %s", got)
	}

	at := "/restaurants/" + e.restaurant + "/days/"
	e.diner.get(at+e.date).want(t, 403, "forbidden")
	e.public.get(at+e.date).want(t, 401, "unauthenticated")
	e.owner.get(at+"2026-13-01").want(t, 404, "not_found")
	e.owner.get(at+"2026-11-01").want(t, 409, "in_the_past")
	e.owner.get(at+"2027-11-01").want(t, 409, "too_far_ahead")
	e.owner.get(at+e.date, "Min-Ledger-Position", "999999999").want(t, 503, "view_behind")
	e.owner.get(at+"2026-11-21").want(t, 200, "") // opened by this
}

// TestAMonth asks for a month: what is booked out, closed, past and too far ahead.
func TestAMonth(t *testing.T) {
	t.Parallel()
	e := newEvening(t)
	for _, time := range []string{"18:00", "18:00", "20:00", "20:00"} {
		e.hold(t, e.diner, time, `,"confirm":true`)
	}
	at := "/restaurants/" + e.restaurant
	e.owner.send(http.MethodPost, at+"/closures", `{"from":"2026-11-22","to":"2026-11-23","reason":"holidays"}`).want(t, 201, "")
	e.owner.send(http.MethodPut, at+"/special-days/2026-11-24", `{"name":"a feast","shifts":[{"name":"menu","opens":"19:00","lastSeating":"19:00","closes":"23:00","slotMinutes":60}]}`).want(t, 200, "")
	var got struct{ Days []any }
	e.public.get(at+"/calendar?month=2026-11&party=2").want(t, 200, "").json(t, &got)
	if len(got.Days) != 30 {
		t.Fatalf("%d days", len(got.Days))
	}
	sameJSON(t, "around today", got.Days[18:25], `[
		{"date":"2026-11-19","open":true,"availableSlots":0,"code":"in_the_past"},
		{"date":"2026-11-20","open":true,"availableSlots":0,"code":"no_table"},
		{"date":"2026-11-21","open":true,"availableSlots":3},
		{"date":"2026-11-22","open":false,"availableSlots":0,"code":"closed","reason":"holidays"},
		{"date":"2026-11-23","open":false,"availableSlots":0,"code":"closed","reason":"holidays"},
		{"date":"2026-11-24","open":true,"availableSlots":1,"name":"a feast"},
		{"date":"2026-11-25","open":true,"availableSlots":3}]`)
	e.public.get(at+"/calendar?month=2026-12&party=2").want(t, 200, "").json(t, &got)
	sameJSON(t, "around the horizon", got.Days[18:21], `[
		{"date":"2026-12-19","open":true,"availableSlots":3},
		{"date":"2026-12-20","open":true,"availableSlots":3},
		{"date":"2026-12-21","open":true,"availableSlots":0,"code":"too_far_ahead"}]`)
	e.public.get(at+"/calendar?month=2026-11&party=9").want(t, 200, "").json(t, &got)
	sameJSON(t, "for a large party", got.Days[24], `{"date":"2026-11-25","open":true,"availableSlots":0,"code":"party_too_large"}`)

	var day map[string]any
	e.public.get(at+"/availability?party=2&alternatives=true&date="+e.date).want(t, 200, "").json(t, &day)
	sameJSON(t, "slots", of(day["slots"], "time", "available", "code", "waitlist"), `[
		{"time":"18:00","available":false,"code":"no_table","waitlist":true},
		{"time":"19:00","available":false,"code":"no_table","waitlist":true},
		{"time":"20:00","available":false,"code":"no_table","waitlist":true}]`)
	sameJSON(t, "other days", day["alternativeDates"], `[{"date":"2026-11-21","open":true,"availableSlots":3}]`)
	day = nil
	e.public.get(at+"/availability?party=2&date=2026-11-22").want(t, 200, "").json(t, &day)
	sameJSON(t, "why it is closed", []any{day["code"], day["reason"]}, `["closed","holidays"]`)
}

// TestAStreamOfChanges listens while holds are made, comes again where it left off, and ends
// with the house.
func TestAStreamOfChanges(t *testing.T) {
	t.Parallel()
	e := newEvening(t)
	e.hold(t, e.diner, "18:00", "")
	path := "/api/v1/restaurants/" + e.restaurant + "/availability/stream?party=2&date=" + e.date
	listen := func(last string) (*bufio.Scanner, context.CancelFunc) {
		ctx, stop := context.WithCancel(t.Context())
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, e.public.base+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Last-Event-ID", last)
		answer, err := httpClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = answer.Body.Close() })
		if answer.StatusCode != http.StatusOK || answer.Header.Get("Content-Type") != "text/event-stream" {
			t.Fatalf("%d %s", answer.StatusCode, answer.Header.Get("Content-Type"))
		}
		return bufio.NewScanner(answer.Body), stop
	}
	// next reads on to the next event: its id, and how many tables are left at 18:00.
	next := func(from *bufio.Scanner) (id string, left int) {
		t.Helper()
		for from.Scan() {
			if text, ok := strings.CutPrefix(from.Text(), "id: "); ok {
				id = text
			}
			if text, ok := strings.CutPrefix(from.Text(), "data: "); ok {
				var day struct {
					Revision int
					Slots    []struct{ TablesLeft int }
				}
				if err := json.Unmarshal([]byte(text), &day); err != nil || fmt.Sprint(day.Revision) != id {
					t.Fatalf("id %s: %s: %v", id, text, err)
				}
				return id, day.Slots[0].TablesLeft
			}
		}
		t.Fatalf("the stream ended: %v", from.Err())
		return "", 0
	}
	first, leave := listen("")
	if id, left := next(first); id != "1" || left != 1 {
		t.Errorf("at first: id %s, %d left", id, left)
	}
	e.hold(t, e.diner, "18:00", "")
	if id, left := next(first); id != "2" || left != 0 {
		t.Errorf("after a hold: id %s, %d left", id, left)
	}
	leave()

	again, leave := listen("2")
	defer leave()
	cancelled := e.hold(t, e.diner, "20:00", "")
	if id, _ := next(again); id != "3" {
		t.Errorf("who came again was told of %s", id)
	}
	e.diner.send(http.MethodPatch, "/reservations/"+cancelled.field("reservationId")+"/cancel", "{}").want(t, 200, "")
	if id, _ := next(again); id != "4" {
		t.Errorf("then of %s", id)
	}
	e.public.get("/restaurants/"+unknown(e.restaurant)+"/availability/stream?party=2&date="+e.date).want(t, 404, "not_found")

	// The house closes while somebody listens: startHouse's cleanup fails where it hangs.
	began := time.Now()
	ctx, cancel := context.WithTimeout(t.Context(), stopTimeout)
	defer cancel()
	if err := e.h.server.Shutdown(ctx); err != nil || time.Since(began) > stopTimeout/2 {
		t.Errorf("shutdown with a listener: %v after %v", err, time.Since(began))
	}
}
