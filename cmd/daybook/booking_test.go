package main

import (
	"fmt"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"time"
)

// TestAStrangerBooks goes the whole way: an owner opens a restaurant, a diner finds a slot,
// holds, confirms, cancels, and both read what happened.
func TestAStrangerBooks(t *testing.T) {
	t.Parallel()
	h := startHouse(t, houseConfig{})
	public := h.client(t)
	owner, diner, other := public.register("owner"), public.register("diner"), public.register("other")
	id := owner.openRestaurant(floor{tables: map[int]int{2: 1, 4: 1}})
	date := h.tomorrow()

	free := func(at string) map[string]float64 {
		var day struct {
			Slots []struct {
				Time       string
				Available  bool
				TablesLeft float64
			}
		}
		public.get("/restaurants/"+id+"/availability?party=2&date="+date, "Min-Ledger-Position", at).want(t, 200, "").json(t, &day)
		left := map[string]float64{}
		for _, s := range day.Slots {
			left[s.Time] = s.TablesLeft
			if s.Available != (s.TablesLeft > 0) {
				t.Errorf("slot %+v contradicts itself", s)
			}
		}
		return left
	}
	if left := free("0"); left["19:00"] != 2 || left["00:30"] != 0 || len(left) != 14 {
		t.Fatalf("a new day offers %v", left)
	}

	body := fmt.Sprintf(`{"restaurantId":%q,"date":%q,"time":"19:00","party":2,"notes":"by the window","occasion":"birthday"}`, id, date)
	held := diner.send(http.MethodPost, "/reservations", body).want(t, 201, "")
	if held.field("status") != "pending" || held.field("notes") != "by the window" || held.field("expiresAt") == "" || len(held.field("confirmationCode")) != 8 {
		t.Fatalf("held: %s", held)
	}
	if left := free(held.position()); left["19:00"] != 1 || left["20:30"] != 2 || left["17:30"] != 2 || left["18:00"] != 1 {
		t.Errorf("after the hold: %v", left)
	}
	rsv := "/reservations/" + held.field("reservationId")
	confirmed := diner.send(http.MethodPost, rsv+"/confirm", "").want(t, 200, "")
	if confirmed.field("status") != "confirmed" || confirmed.field("expiresAt") != "" {
		t.Errorf("confirmed: %s", confirmed)
	}
	diner.get(rsv, "Min-Ledger-Position", confirmed.position()).want(t, 200, "")
	owner.get(rsv).want(t, 200, "")
	other.get(rsv).want(t, 404, "not_found")
	public.get(rsv).want(t, 401, "unauthenticated")
	other.send(http.MethodPatch, rsv+"/cancel", `{}`).want(t, 404, "not_found")

	cancelled := diner.send(http.MethodPatch, rsv+"/cancel", `{"reason":"a cold"}`).want(t, 200, "")
	if left := free(cancelled.position()); left["19:00"] != 2 {
		t.Errorf("after the cancellation: %v", left)
	}
	diner.send(http.MethodPost, rsv+"/confirm", "").want(t, 409, "already_cancelled")

	var trail struct {
		Items []struct {
			Type          string
			Actor         struct{ Kind, UserID string }
			Before, After map[string]any
		}
	}
	owner.get("/restaurants/"+id+"/audit?reservationId="+held.field("reservationId"), "Min-Ledger-Position", cancelled.position()).want(t, 200, "").json(t, &trail)
	var told []string
	for _, e := range trail.Items {
		told = append(told, fmt.Sprintf("%s %s %v→%v", e.Type, e.Actor.Kind, e.Before["status"], e.After["status"]))
	}
	want := []string{
		"reservation.cancelled diner confirmed→cancelled", "reservation.confirmed diner pending→confirmed", "reservation.held diner <nil>→pending",
	}
	if fmt.Sprint(told) != fmt.Sprint(want) {
		t.Errorf("audit trail: %q, want %q", told, want)
	}
	audit := "/restaurants/" + id + "/audit"
	// Why somebody cancelled is told in his words; what a party told of itself is not part of it.
	if raw := string(owner.get(audit).body); strings.Contains(raw, "window") || !strings.Contains(raw, `"words":"a cold"`) {
		t.Errorf("the audit trail tells too much, or too little: %s", raw)
	}
	file := owner.get(audit+"?type=reservation.cancelled", "Accept", "text/csv").want(t, 200, "")
	if lines := strings.Split(strings.TrimSpace(string(file.body)), "\n"); len(lines) != 2 || !strings.Contains(lines[1], ",diner,") || !strings.Contains(lines[1], ",a cold,") {
		t.Errorf("the audit trail as CSV: %s", file.body)
	}
	for _, path := range []string{audit, audit + "?format=csv"} {
		diner.get(path).want(t, 403, "forbidden")
		other.get(path).want(t, 403, "forbidden")
		public.get(path).want(t, 401, "unauthenticated")
	}
	diner.get(rsv+"/history").want(t, 200, "")
	other.get(rsv+"/history").want(t, 404, "not_found")
	if raw := string(diner.get("/users/me/history").want(t, 200, "").body); !strings.Contains(raw, "user.registered") || strings.Contains(raw, "reservation.") {
		t.Errorf("the history of an account: %s", raw)
	}
	var own struct {
		Items []struct{ ReservationID, Status, RestaurantName string }
	}
	diner.get("/users/me/reservations", "Min-Ledger-Position", cancelled.position()).want(t, 200, "").json(t, &own)
	if len(own.Items) != 1 || own.Items[0].Status != "cancelled" || own.Items[0].RestaurantName != "Test House" {
		t.Errorf("own reservations: %+v", own)
	}
	diner.listsWhatItReads(t, cancelled.position())
}

// listsWhatItReads: the list of a diner's own reservations shows each as it is read by
// itself, but for what is personal. Revisions are the reservation's in the list, and the
// day's else.
func (c client) listsWhatItReads(t *testing.T, position string) {
	t.Helper()
	var own struct{ Items []map[string]any }
	c.get("/users/me/reservations", "Min-Ledger-Position", position).want(t, 200, "").json(t, &own)
	if len(own.Items) == 0 {
		t.Error("the list of own reservations is empty")
	}
	for _, listed := range own.Items {
		var read map[string]any
		c.get(fmt.Sprint("/reservations/", listed["reservationId"]), "Min-Ledger-Position", position).want(t, 200, "").json(t, &read)
		for _, field := range []string{"restaurantName", "heldAt", "revision"} {
			delete(listed, field)
		}
		for _, field := range []string{"$schema", "guest", "notes", "specialRequests", "occasion", "wish", "cancelReason", "movingTo", "revision"} {
			delete(read, field)
		}
		if !reflect.DeepEqual(listed, read) {
			t.Errorf("listed as %v\nread as %v", listed, read)
		}
	}
}

// twice sends a write twice under one key, and returns its answer.
func twice(t *testing.T, c client, method, path, body string) reply {
	t.Helper()
	key := newKey()
	first := c.send(method, path, body, "Idempotency-Key", key)
	if first.status >= 300 {
		t.Fatalf("%s %s: %s", method, path, first)
	}
	again := c.send(method, path, body, "Idempotency-Key", key)
	if again.status != first.status || string(again.body) != string(first.body) || again.position() != first.position() {
		t.Errorf("%s %s: first %s at %s, again %s at %s", method, path, first, first.position(), again, again.position())
	}
	if again.header.Get("Idempotent-Replay") != "true" {
		t.Errorf("%s %s: the repeat is not marked", method, path)
	}
	return first
}

// TestRepeats sends every write twice under one key.
func TestRepeats(t *testing.T) {
	t.Parallel()
	h := startHouse(t, houseConfig{})
	owner := h.client(t).register("owner")
	id := owner.openRestaurant(floor{tables: map[int]int{2: 2}})
	twice := func(method, path, body string) reply {
		t.Helper()
		return twice(t, owner, method, path, body)
	}
	hold := twice(http.MethodPost, "/reservations", fmt.Sprintf(`{"restaurantId":%q,"date":%q,"time":"19:00","party":2}`, id, h.tomorrow()))
	twice(http.MethodPost, "/reservations/"+hold.field("reservationId")+"/confirm", "")
	twice(http.MethodPatch, "/reservations/"+hold.field("reservationId")+"/cancel", `{"reason":"ill"}`)
	table := twice(http.MethodPost, "/restaurants/"+id+"/tables", `{"number":"77","capacity":6}`)
	twice(http.MethodPatch, "/restaurants/"+id+"/tables/"+table.field("tableId"), `{"capacity":8}`)
	twice(http.MethodDelete, "/restaurants/"+id+"/tables/"+table.field("tableId"), "")
	twice(http.MethodPatch, "/restaurants/"+id, `{"name":"Renamed"}`)
	twice(http.MethodPost, "/restaurants", `{"name":"Second","cuisine":"Test","address":"2 Test Street","city":"Testville","timeZone":"Asia/Tokyo"}`)

	key := newKey()
	body := `{"email":"twice@example.com","password":"0123456789","firstName":"T","lastName":"W"}`
	first := owner.send(http.MethodPost, "/users/register", body, "Idempotency-Key", key).want(t, 201, "")
	again := owner.send(http.MethodPost, "/users/register", body, "Idempotency-Key", key).want(t, 201, "")
	if first.field("userId") != again.field("userId") {
		t.Error("registering twice made two users")
	}
	owner.send(http.MethodPost, "/users/register", strings.Replace(body, "0123456789", "9876543210", 1), "Idempotency-Key", key).want(t, 422, "idempotency_key_reused")
	owner.send(http.MethodPost, "/users/register", body).want(t, 409, "email_taken")
}

// TestPastMidnight books the small hours, which belong to the evening before.
func TestPastMidnight(t *testing.T) {
	t.Parallel()
	tokyo, _ := time.LoadLocation("Asia/Tokyo")
	now := time.Date(2026, 11, 27, 23, 50, 0, 0, tokyo) // a Friday
	h := startHouse(t, houseConfig{clock: func() time.Time { return now }})
	owner := h.client(t).register("owner")
	id := owner.openRestaurant(floor{zone: "Asia/Tokyo", tables: map[int]int{2: 1},
		shifts: `[{"days":["fri"],"name":"late","opens":"20:00","lastSeating":"01:00","closes":"03:00"}]`})
	book := func(date, at string) reply {
		return owner.send(http.MethodPost, "/reservations", fmt.Sprintf(`{"restaurantId":%q,"date":%q,"time":%q,"party":2}`, id, date, at))
	}
	book("2026-11-28", "00:30").want(t, 409, "closed") // Saturday has no shift: half past midnight is still Friday's
	book("2026-11-27", "23:30").want(t, 409, "in_the_past")
	held := book("2026-11-27", "00:30").want(t, 201, "")
	if got := held.field("startsAt"); got != "2026-11-28T00:30:00+09:00" {
		t.Errorf("starts at %s", got)
	}
	if got := held.field("date"); got != "2026-11-27" {
		t.Errorf("service date %s", got)
	}
	owner.send(http.MethodPost, "/reservations", fmt.Sprintf(
		`{"restaurantId":%q,"startsAt":"2026-11-27T15:30:00Z","party":2}`, id)).want(t, 409, "no_table")
}

// TestLapsedHold lets a hold lapse: its table is free at once, the views learn of it, and
// it can no longer be confirmed.
func TestLapsedHold(t *testing.T) {
	t.Parallel()
	clock := newTestClock()
	h := startHouse(t, houseConfig{clock: clock.now})
	owner := h.client(t).register("owner")
	id := owner.openRestaurant(floor{tables: map[int]int{2: 1}})
	body := fmt.Sprintf(`{"restaurantId":%q,"date":%q,"time":"19:00","party":2}`, id, h.tomorrow())
	first := owner.send(http.MethodPost, "/reservations", body).want(t, 201, "")
	owner.send(http.MethodPost, "/reservations", body).want(t, 409, "no_table")
	clock.advance(5 * time.Minute)
	if got := owner.get("/reservations/"+first.field("reservationId")).want(t, 200, "").field("status"); got != "expired" {
		t.Errorf("status %s", got)
	}
	owner.send(http.MethodPost, "/reservations/"+first.field("reservationId")+"/confirm", "").want(t, 409, "hold_expired")
	second := owner.send(http.MethodPost, "/reservations", body).want(t, 201, "")
	owner.send(http.MethodPost, "/reservations/"+second.field("reservationId")+"/confirm", "").want(t, 200, "")
}
