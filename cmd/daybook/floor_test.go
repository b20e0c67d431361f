package main

import (
	"fmt"
	"net/http"
	"slices"
	"testing"
	"time"

	"daybook/eventstore/storetest"
)

// service is a restaurant on an evening in Berlin, by a clock that the test sets.
type service struct {
	t                   *testing.T
	h                   *house
	clock               *testClock
	public              client
	owner, diner, rival client
	id, date            string
	tables              []string // the largest first
}

func newService(t *testing.T, f floor) *service {
	t.Helper()
	s := &service{t: t, clock: newTestClock(), date: "2026-11-20"}
	s.at("17:05")
	// Positions with gaps: nothing may count on the next event's.
	s.h = startHouse(t, houseConfig{clock: s.clock.now, wrap: storetest.Sparse})
	s.public = s.h.client(t)
	s.owner, s.diner, s.rival = s.public.register("owner"), s.public.register("diner"), s.public.register("rival")
	s.id = s.owner.openRestaurant(f)
	s.tables = tableIDs(s.public, s.id)
	s.rival.openRestaurant(floor{tables: map[int]int{2: 1}})
	return s
}

// at sets the clock to a local time of the evening, and logs all in again.
func (s *service) at(clock string) {
	s.t.Helper()
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		s.t.Fatal(err)
	}
	now, err := time.ParseInLocation("2006-01-02 15:04", s.date+" "+clock, berlin)
	if err != nil {
		s.t.Fatal(err)
	}
	s.clock.set(now)
	for name, c := range map[string]*client{"owner": &s.owner, "diner": &s.diner, "rival": &s.rival} {
		if c.token != "" {
			c.token = c.send(http.MethodPost, "/users/login", fmt.Sprintf(
				`{"email":"%s@example.com","password":%q}`, name, testPassword)).want(s.t, 200, "").field("accessToken")
		}
	}
}

// book books a firm table for whoever asks, and returns the path of the reservation.
func (s *service) book(c client, clock string, party int) string {
	s.t.Helper()
	return "/reservations/" + c.send(http.MethodPost, "/reservations", fmt.Sprintf(
		`{"restaurantId":%q,"date":%q,"time":%q,"party":%d,"confirm":true}`, s.id, s.date, clock, party)).want(s.t, 201, "").field("reservationId")
}

// told is what an answer tells of a reservation.
type told struct {
	ReservationID, Status, Time, Notes, Source, CancelledBy string
	SeatedAt, CompletedAt, WaitlistID, MovedTo, MovedFrom   string
	Party, Covers                                           int
	Bound, Late                                             bool
	TableIDs                                                []string
	Guest                                                   struct{ Name, Email, Phone string }
	Override                                                struct{ Rule, Reason string }
}

func (r reply) reservation(t *testing.T) (b told) {
	t.Helper()
	r.json(t, &b)
	return b
}

// problemTold is what a refusal tells.
type problemTold struct {
	Code    string
	Reasons []struct {
		Rule    string
		Entries []struct{ ReservationID, TableID string }
	}
	Alternatives []struct{ Time, StartsAt string }
}

func (r reply) refusal(t *testing.T) (p problemTold) {
	t.Helper()
	r.json(t, &p)
	return p
}

// TestAnEvening runs a service of two tables from its first party to its last.
func TestAnEvening(t *testing.T) {
	t.Parallel()
	s := newService(t, floor{tables: map[int]int{2: 2}})
	early, absent, late := s.book(s.diner, "18:00", 2), s.book(s.diner, "18:00", 2), s.book(s.diner, "20:00", 2)
	post := func(path, body string) reply { return s.owner.send(http.MethodPost, path, body) }

	// A diner and another restaurant's owner do not run this floor.
	for _, what := range []string{"/seat", "/complete", "/no-show", "/reinstate", "/pin"} {
		s.diner.send(http.MethodPost, early+what, "").want(t, 403, "forbidden")
		s.rival.send(http.MethodPost, early+what, "").want(t, 404, "not_found")
	}
	s.diner.send(http.MethodDelete, early+"/pin", "").want(t, 403, "forbidden")
	move := fmt.Sprintf(`{"tableIds":[%q]}`, s.tables[0])
	s.diner.send(http.MethodPost, early+"/move-table", move).want(t, 403, "forbidden")
	s.rival.send(http.MethodPost, early+"/move-table", move).want(t, 404, "not_found")
	for _, c := range []client{s.diner, s.rival} {
		c.send(http.MethodPost, "/restaurants/"+s.id+"/walk-ins", `{"party":2}`).want(t, 403, "forbidden")
		c.send(http.MethodPost, "/restaurants/"+s.id+"/days/"+s.date+"/undo", "").want(t, 403, "forbidden")
	}
	s.rival.send(http.MethodPatch, early, `{"party":1}`).want(t, 404, "not_found")

	post(early+"/no-show", "").want(t, 409, "too_early")
	post(late+"/seat", "").want(t, 409, "too_early")
	post(early+"/complete", "").want(t, 409, "not_seated")
	s.at("17:50")
	part := post(early+"/seat", `{"covers":1}`).want(t, 200, "").reservation(t)
	if part.Status != "seated" || part.Covers != 1 || !part.Bound || part.SeatedAt[:16] != "2026-11-20T17:50" {
		t.Errorf("seated in part: %+v", part)
	}
	post(early+"/seat", `{"covers":3}`).want(t, 422, "invalid")
	if all := post(early+"/seat", "").want(t, 200, "").reservation(t); all.Covers != 2 || !slices.Equal(all.TableIDs, part.TableIDs) {
		t.Errorf("seated: %+v", all)
	}
	s.diner.send(http.MethodPatch, early, `{"party":1}`).want(t, 409, "already_started")

	s.at("18:20")
	if got := post(absent+"/no-show", "").want(t, 200, "").reservation(t); got.Status != "no_show" || got.Bound {
		t.Errorf("no-show: %+v", got)
	}
	door := post("/restaurants/"+s.id+"/walk-ins", `{"party":2,"guest":{"name":"Greta"}}`).want(t, 201, "").reservation(t)
	if door.Status != "seated" || door.Source != "walk_in" || door.Guest.Name != "Greta" || slices.Equal(door.TableIDs, part.TableIDs) {
		t.Errorf("at the door: %+v", door)
	}
	full := post("/restaurants/"+s.id+"/walk-ins", `{"party":2}`).want(t, 409, "no_table").refusal(t)
	if len(full.Reasons) != 1 || len(full.Reasons[0].Entries) != 2 || full.Reasons[0].Entries[0].ReservationID == "" {
		t.Errorf("a full floor is explained by %+v", full)
	}
	blocked := post(absent+"/reinstate", "").want(t, 409, "no_table").refusal(t)
	if len(blocked.Reasons) != 1 || !slices.ContainsFunc(blocked.Reasons[0].Entries, func(e struct{ ReservationID, TableID string }) bool {
		return e.ReservationID == door.ReservationID && e.TableID == door.TableIDs[0]
	}) {
		t.Errorf("reinstating is explained by %+v", blocked)
	}

	s.at("18:45")
	gone := post("/reservations/"+door.ReservationID+"/complete", "").want(t, 200, "").reservation(t)
	if gone.Status != "completed" || gone.CompletedAt[:16] != "2026-11-20T18:45" {
		t.Errorf("completed: %+v", gone)
	}
	if back := post(absent+"/reinstate", "").want(t, 200, "").reservation(t); back.Status != "confirmed" {
		t.Errorf("reinstated: %+v", back)
	}
	var undone struct {
		Action      int
		Kind        string
		Reservation told
	}
	undo := "/restaurants/" + s.id + "/days/" + s.date + "/undo"
	post(undo, "").want(t, 200, "").json(t, &undone)
	if undone.Kind != "reinstate" || undone.Reservation.Status != "no_show" || "/reservations/"+undone.Reservation.ReservationID != absent {
		t.Errorf("undone: %+v", undone)
	}
	again := post(absent+"/reinstate", "").want(t, 200, "")
	in := post(undo, fmt.Sprintf(`{"reservationId":%q}`, door.ReservationID)).want(t, 409, "undo_blocked").refusal(t)
	if len(in.Reasons) != 1 || len(in.Reasons[0].Entries) != 1 || "/reservations/"+in.Reasons[0].Entries[0].ReservationID != absent {
		t.Errorf("what is in the way of undoing: %+v", in)
	}
	post(undo, fmt.Sprintf(`{"action":%d}`, undone.Action)).want(t, 409, "nothing_to_undo")
	post(undo, `{"reservationId":"rsv_x"}`).want(t, 422, "invalid")
	post("/restaurants/"+s.id+"/days/2026-11-27/undo", "").want(t, 409, "day_not_opened")

	// A pinned party keeps its table; staff move it.
	pinned := post(late+"/pin", "").want(t, 200, "").reservation(t)
	if !pinned.Bound {
		t.Errorf("pinned: %+v", pinned)
	}
	if loose := s.owner.send(http.MethodDelete, late+"/pin", "").want(t, 200, "").reservation(t); loose.Bound {
		t.Errorf("unpinned: %+v", loose)
	}
	other := s.tables[0]
	if pinned.TableIDs[0] == other {
		other = s.tables[1]
	}
	last := post(late+"/move-table", fmt.Sprintf(`{"tableIds":[%q]}`, other)).want(t, 200, "")
	moved := last.reservation(t)
	if !moved.Bound || !slices.Equal(moved.TableIDs, []string{other}) {
		t.Errorf("moved to another table: %+v", moved)
	}
	post(late+"/move-table", `{"tableIds":["tbl_00000000000000000000000000"]}`).want(t, 422, "invalid")
	if got := s.owner.get(late, "Min-Ledger-Position", again.position()).want(t, 200, "").reservation(t); !got.Bound || got.Status != "confirmed" {
		t.Errorf("as it is read: %+v", got)
	}
	s.diner.listsWhatItReads(t, last.position())
}

// TestAmending changes a reservation in part; where the new place is refused it keeps the old.
func TestAmending(t *testing.T) {
	t.Parallel()
	s := newService(t, floor{tables: map[int]int{2: 1, 4: 1}})
	patch := func(path, body string) reply { return s.diner.send(http.MethodPatch, path, body) }
	mine := "/reservations/" + s.diner.send(http.MethodPost, "/reservations", fmt.Sprintf(
		`{"restaurantId":%q,"date":%q,"time":"19:00","party":2,"notes":"by the window","guest":{"name":"Bo","email":"bo@example.com"},"confirm":true}`,
		s.id, s.date)).want(t, 201, "").field("reservationId")
	s.book(s.rival, "19:00", 4)

	first := patch(mine, `{"time":"19:30"}`).want(t, 200, "").reservation(t)
	second := patch(mine, `{"guest":{"phone":"+49 30 123456"},"notes":"in the garden"}`).want(t, 200, "").reservation(t)
	if first.Time != "19:30" || first.Notes != "by the window" || second.Time != "19:30" || second.Notes != "in the garden" ||
		second.Guest != (struct{ Name, Email, Phone string }{"Bo", "bo@example.com", "+4930123456"}) {
		t.Errorf("amended: %+v, then %+v", first, second)
	}
	if same := patch(mine, `{}`).want(t, 200, "").reservation(t); same.Notes != "in the garden" || same.Party != 2 {
		t.Errorf("an empty change: %+v", same)
	}
	no := patch(mine, `{"party":4,"time":"19:00"}`).want(t, 409, "no_table").refusal(t)
	if len(no.Alternatives) == 0 || len(no.Reasons) != 1 || len(no.Reasons[0].Entries) == 0 || no.Reasons[0].Entries[0].ReservationID != "" {
		t.Errorf("a diner is told %+v", no)
	}
	for _, a := range no.Alternatives {
		if at, err := time.Parse(time.RFC3339, a.StartsAt); err != nil || at.Format("15:04") != a.Time {
			t.Errorf("an alternative by another clock: %+v", a)
		}
	}
	if kept := s.diner.get(mine).want(t, 200, "").reservation(t); kept.Party != 2 || kept.Time != "19:30" {
		t.Errorf("after the refusal: %+v", kept)
	}
	if more := patch(mine, fmt.Sprintf(`{"party":4,"time":%q}`, no.Alternatives[0].Time)).want(t, 200, "").reservation(t); more.Party != 4 {
		t.Errorf("the alternative: %+v", more)
	}
	if plain := patch(mine, `{"notes":"","guest":{"name":"","email":""}}`).want(t, 200, "").reservation(t); plain.Notes != "" || plain.Guest.Name != "" || plain.Guest.Phone == "" {
		t.Errorf("emptied: %+v", plain)
	}

	// Another date moves it there, under an id of its own.
	patch(mine, `{"date":"2026-11-21","notes":"at last"}`).want(t, 422, "invalid")
	there := patch(mine, `{"date":"2026-11-21","time":"20:00","party":2}`).want(t, 200, "").reservation(t)
	if there.Status != "confirmed" || there.Time != "20:00" || "/reservations/"+there.MovedFrom != mine {
		t.Errorf("there: %+v", there)
	}
	// Under its old id it is found where it is now, and can be changed there.
	if now := s.diner.get(mine).want(t, 200, "").reservation(t); now.ReservationID != there.ReservationID || now.Status != "confirmed" {
		t.Errorf("by its old id: %+v", now)
	}
	if on := patch(mine, `{"notes":"at last"}`).want(t, 200, "").reservation(t); on.ReservationID != there.ReservationID || on.Notes != "at last" {
		t.Errorf("changed by its old id: %+v", on)
	}
	for _, date := range []string{"2026-11-20", "2026-11-21"} { // where it was, and where it is
		if no := patch(mine, fmt.Sprintf(`{"date":%q,"time":"21:00"}`, date)).want(t, 422, "invalid"); wrongProblem(no, "body.date") != "" {
			t.Errorf("to %s by its old id: %s", date, no)
		}
	}
	back := patch("/reservations/"+there.ReservationID, `{"date":"2026-11-20","time":"21:00"}`).want(t, 200, "").reservation(t)
	if back.Time != "21:00" || back.MovedFrom != there.ReservationID {
		t.Errorf("back: %+v", back)
	}
}

// TestOverrides sets rules aside, each with a reason that only staff are told.
func TestOverrides(t *testing.T) {
	t.Parallel()
	s := newService(t, floor{tables: map[int]int{2: 3},
		policy: `{"holdMinutes":5,"horizonDays":90,"noticeMinutes":120,"bufferMinutes":0,"pacingCovers":2,"turnMinutes":[{"upToParty":500,"minutes":90}]}`})
	book := func(c client, clock, override string) reply {
		return c.send(http.MethodPost, "/reservations", fmt.Sprintf(
			`{"restaurantId":%q,"date":%q,"time":%q,"party":2,"confirm":true,"override":%s}`, s.id, s.date, clock, override))
	}
	s.book(s.diner, "20:00", 2)
	const full, soon = `{"rule":"pacing_full","reason":"the mayor"}`, `{"rule":"too_soon","reason":"they are next door"}`
	book(s.diner, "20:00", full).want(t, 403, "forbidden")
	book(s.rival, "20:00", full).want(t, 403, "forbidden")
	book(s.owner, "20:00", soon).want(t, 409, "pacing_full")
	book(s.owner, "20:00", `{"rule":"no_table","reason":"squeeze them in"}`).want(t, 409, "not_overridable")
	book(s.owner, "20:00", `{"rule":"pacing_full","reason":"  "}`).want(t, 422, "invalid")
	got := book(s.owner, "20:00", full).want(t, 201, "").reservation(t)
	if got.Override != (struct{ Rule, Reason string }{"pacing_full", "the mayor"}) {
		t.Errorf("staff are told %+v", got)
	}
	book(s.owner, "18:00", soon).want(t, 201, "")
	if between := book(s.owner, "22:10", `{"rule":"outside_hours","reason":"the train is late"}`).want(t, 201, "").reservation(t); between.Time != "22:10" {
		t.Errorf("between slots: %+v", between)
	}
	early := s.book(s.diner, "21:00", 2)
	amended := s.owner.send(http.MethodPatch, early, `{"time":"18:00","override":{"rule":"too_soon","reason":"they asked"}}`).want(t, 409, "pacing_full")
	if len(amended.refusal(t).Alternatives) == 0 {
		t.Errorf("refused without alternatives: %s", amended)
	}
	s.owner.send(http.MethodPatch, early, `{"time":"18:30","override":{"rule":"too_soon","reason":"they asked"}}`).want(t, 200, "")
	if mine := s.diner.get(early).want(t, 200, "").reservation(t); mine.Time != "18:30" || mine.Override.Reason != "" {
		t.Errorf("the diner is told %+v", mine)
	}
}

// TestAnEveningRepeated sends each of the floor's calls twice under one key.
func TestAnEveningRepeated(t *testing.T) {
	t.Parallel()
	s := newService(t, floor{tables: map[int]int{2: 6}})
	seated, absent, cancelled, other := s.book(s.diner, "17:30", 2), s.book(s.diner, "17:30", 2), s.book(s.diner, "18:00", 2), s.book(s.diner, "20:00", 2)
	moving := s.book(s.diner, "21:00", 2)
	s.owner.send(http.MethodPatch, cancelled+"/cancel", "").want(t, 200, "")
	s.at("17:35")
	undo := "/restaurants/" + s.id + "/days/" + s.date + "/undo"
	for _, c := range []struct{ method, path, body string }{
		{"PATCH", other, `{"party":1,"notes":"alone"}`},
		{"PATCH", moving, `{"date":"2026-11-21","time":"19:00"}`},
		{"POST", other + "/pin", ""},
		{"DELETE", other + "/pin", ""},
		{"POST", other + "/move-table", fmt.Sprintf(`{"tableIds":[%q]}`, s.tables[5])},
		{"POST", seated + "/seat", `{"covers":1}`},
		{"POST", seated + "/complete", ""},
		{"POST", absent + "/no-show", ""},
		{"POST", absent + "/reinstate", ""},
		{"POST", cancelled + "/reinstate", ""},
		{"POST", "/restaurants/" + s.id + "/walk-ins", `{"party":2}`},
		{"POST", undo, ""},
		{"POST", undo, `{}`},
	} {
		twice(t, s.owner, c.method, c.path, c.body)
	}
}
