package main

import (
	"fmt"
	"net/http"
	"testing"
)

// entryTold is what an answer tells of an entry of the waitlist.
type entryTold struct {
	WaitlistID, Status, Date, From, To, Earliest, ReservationID, ExpiresAt, QuotedFor, LeftBecause string
	Place, Party                                                                                   int
	WalkIn                                                                                         bool
	Guest                                                                                          struct{ Name string }
	PassedOver                                                                                     []struct{ Code, WaitlistID string }
}

func (r reply) entry(t *testing.T) (e entryTold) {
	t.Helper()
	r.json(t, &e)
	return e
}

// join asks for a table of two between two times.
func (s *service) join(c client, from, to string, party int) reply {
	return c.send(http.MethodPost, "/waitlist/join", fmt.Sprintf(
		`{"restaurantId":%q,"date":%q,"from":%q,"to":%q,"party":%d}`, s.id, s.date, from, to, party))
}

// TestTheWaitlist has what becomes free go to those who wait, in their order: the first
// accepts, the second lets the offer lapse, and the third has it then.
func TestTheWaitlist(t *testing.T) {
	t.Parallel()
	s := newService(t, floor{tables: map[int]int{2: 2},
		policy: `{"holdMinutes":5,"horizonDays":90,"noticeMinutes":0,"bufferMinutes":0,"turnMinutes":[{"upToParty":500,"minutes":90}],"waitlistOfferMinutes":10}`})
	first, second := s.book(s.owner, "20:00", 2), s.book(s.owner, "20:00", 2)
	other := s.public.register("other")
	third := s.public.register("third")

	one := s.join(s.diner, "20:00", "20:30", 2).want(t, 201, "").entry(t)
	if one.Status != "waiting" || one.Place != 1 || one.From != "20:00" || one.To != "20:30" || one.Earliest != "2026-11-20T20:00:00+01:00" || one.ReservationID != "" {
		t.Errorf("the first waits as %+v", one)
	}
	two := s.join(other, "20:00", "20:00", 2).want(t, 201, "").entry(t)
	three := s.join(third, "20:00", "20:00", 2).want(t, 201, "").entry(t)
	if two.Place != 2 || three.Place != 3 {
		t.Errorf("the others stand at %d and %d", two.Place, three.Place)
	}
	s.join(s.diner, "20:30", "21:00", 2).want(t, 409, "already_waiting")
	s.join(s.rival, "20:00", "20:00", 3).want(t, 409, "party_too_large")
	s.join(s.rival, "20:30", "20:00", 2).want(t, 422, "invalid")
	s.join(s.rival, "12:00", "13:00", 2).want(t, 409, "outside_hours")
	other.send(http.MethodPost, "/waitlist/"+one.WaitlistID+"/accept", "").want(t, 404, "not_found")
	s.rival.send(http.MethodDelete, "/waitlist/"+one.WaitlistID, "").want(t, 404, "not_found")
	s.diner.send(http.MethodPost, "/waitlist/"+one.WaitlistID+"/accept", "").want(t, 409, "not_waiting")

	// What is given back is the first's before anybody else can book it.
	s.owner.send(http.MethodPatch, first+"/cancel", "").want(t, 200, "")
	s.rival.send(http.MethodPost, "/reservations", fmt.Sprintf(
		`{"restaurantId":%q,"date":%q,"time":"20:00","party":2}`, s.id, s.date)).want(t, 409, "no_table")
	accepted := s.diner.send(http.MethodPost, "/waitlist/"+one.WaitlistID+"/accept", "").want(t, 200, "")
	mine := accepted.reservation(t)
	if mine.Status != "confirmed" || mine.Time != "20:00" || mine.Source != "waitlist" || mine.WaitlistID != one.WaitlistID {
		t.Errorf("accepted: %+v", mine)
	}
	s.diner.send(http.MethodDelete, "/waitlist/"+one.WaitlistID, "").want(t, 409, "not_waiting")
	s.diner.listsWhatItReads(t, accepted.position())

	// The second lets its offer lapse: it is the third's then, and the second is out.
	s.owner.send(http.MethodPatch, second+"/cancel", "").want(t, 200, "")
	s.at("17:20")
	other.token = s.public.login(t, "other")
	third.token = s.public.login(t, "third")
	other.send(http.MethodPost, "/waitlist/"+two.WaitlistID+"/accept", "").want(t, 409, "hold_expired")
	theirs := third.send(http.MethodPost, "/waitlist/"+three.WaitlistID+"/accept", "").want(t, 200, "").reservation(t)
	if theirs.Status != "confirmed" || theirs.Time != "20:00" {
		t.Errorf("accepted by the third: %+v", theirs)
	}
	gone := other.send(http.MethodDelete, "/waitlist/"+two.WaitlistID, "").want(t, 200, "").entry(t)
	if gone.Status != "left" || gone.LeftBecause != "lapsed" || gone.Place != 0 {
		t.Errorf("the second: %+v", gone)
	}
}

// login gets a new token for a user.
func (c client) login(t *testing.T, name string) string {
	t.Helper()
	return c.send(http.MethodPost, "/users/login", fmt.Sprintf(
		`{"email":"%s@example.com","password":%q}`, name, testPassword)).want(t, 200, "").field("accessToken")
}

// TestLeavingTheWaitlist: who leaves and comes back is the last, and who turns an offer down
// passes it on.
func TestLeavingTheWaitlist(t *testing.T) {
	t.Parallel()
	s := newService(t, floor{tables: map[int]int{2: 1}})
	booked := s.book(s.owner, "20:00", 2)
	other := s.public.register("other")
	one := s.join(s.diner, "20:00", "20:00", 2).want(t, 201, "").entry(t)
	two := s.join(other, "20:00", "20:00", 2).want(t, 201, "").entry(t)
	left := s.diner.send(http.MethodDelete, "/waitlist/"+one.WaitlistID, "").want(t, 200, "").entry(t)
	if left.Status != "left" || left.LeftBecause != "left" || left.Place != 0 {
		t.Errorf("left: %+v", left)
	}
	back := s.join(s.diner, "20:00", "20:00", 2).want(t, 201, "").entry(t)
	if back.Place != 2 || back.WaitlistID == one.WaitlistID {
		t.Errorf("came back as %+v", back)
	}
	s.owner.send(http.MethodPatch, booked+"/cancel", "").want(t, 200, "")
	if no := other.send(http.MethodDelete, "/waitlist/"+two.WaitlistID, "").want(t, 200, "").entry(t); no.LeftBecause != "declined" || no.ReservationID == "" {
		t.Errorf("turned down: %+v", no)
	}
	s.diner.send(http.MethodPost, "/waitlist/"+back.WaitlistID+"/accept", "").want(t, 200, "")
}

// TestAnOfferAtOnce: who joins where a table is free need not wait, and is told until when
// it is kept.
func TestAnOfferAtOnce(t *testing.T) {
	t.Parallel()
	s := newService(t, floor{tables: map[int]int{2: 1}})
	got := s.join(s.diner, "20:00", "20:00", 2).want(t, 201, "").entry(t)
	if got.Status != "offered" || got.Place != 0 || got.ReservationID == "" || got.ExpiresAt[:16] != "2026-11-20T17:15" {
		t.Errorf("got %+v", got)
	}
	if held := s.diner.get("/reservations/"+got.ReservationID).want(t, 200, "").reservation(t); held.Status != "pending" || held.WaitlistID != got.WaitlistID {
		t.Errorf("the offer is %+v", held)
	}
}

// TestTheDoor has parties wait at the door, by quoted times, until staff seat them.
func TestTheDoor(t *testing.T) {
	t.Parallel()
	s := newService(t, floor{tables: map[int]int{2: 1}})
	queue := func(c client, name string) reply {
		return c.send(http.MethodPost, "/waitlist/join", fmt.Sprintf(`{"restaurantId":%q,"party":2,"walkIn":true,"guest":{"name":%q}}`, s.id, name))
	}
	sits := s.owner.send(http.MethodPost, "/restaurants/"+s.id+"/walk-ins", `{"party":2}`).want(t, 201, "").field("reservationId")
	queue(s.diner, "Ada").want(t, 403, "forbidden")
	queue(s.rival, "Ada").want(t, 403, "forbidden")
	s.owner.send(http.MethodPost, "/waitlist/join", fmt.Sprintf(`{"restaurantId":%q,"date":%q,"party":2,"walkIn":true}`, s.id, s.date)).want(t, 422, "invalid")
	one, two := queue(s.owner, "Ada").want(t, 201, "").entry(t), queue(s.owner, "Bo").want(t, 201, "").entry(t)
	if one.Place != 1 || !one.WalkIn || one.Date != s.date || one.QuotedFor[:16] != "2026-11-20T18:35" || one.Guest.Name != "Ada" {
		t.Errorf("the first at the door: %+v", one)
	}
	if two.Place != 2 || two.QuotedFor[:16] != "2026-11-20T20:05" {
		t.Errorf("the second at the door: %+v", two)
	}
	seat := func(id string) reply {
		return s.owner.send(http.MethodPost, "/restaurants/"+s.id+"/walk-ins", fmt.Sprintf(`{"waitlistId":%q}`, id))
	}
	seat(one.WaitlistID).want(t, 409, "no_table")
	seat("wtl_x").want(t, 422, "invalid")
	s.owner.send(http.MethodPost, "/restaurants/"+s.id+"/walk-ins", `{}`).want(t, 422, "invalid")
	s.at("18:00")
	s.owner.send(http.MethodPost, "/reservations/"+sits+"/complete", "").want(t, 200, "")
	if in := seat(two.WaitlistID).want(t, 201, "").reservation(t); in.Status != "seated" || in.Guest.Name != "Bo" || in.Party != 2 {
		t.Errorf("seated from the queue: %+v", in)
	}
	seat(two.WaitlistID).want(t, 409, "not_waiting")
	passed := s.owner.send(http.MethodDelete, "/waitlist/"+one.WaitlistID, "").want(t, 200, "").entry(t)
	if len(passed.PassedOver) != 1 || passed.PassedOver[0] != (struct{ Code, WaitlistID string }{"staff_choice", two.WaitlistID}) {
		t.Errorf("passed over: %+v", passed)
	}
}

// TestTheWaitlistRepeated sends each of the waitlist's calls twice under one key.
func TestTheWaitlistRepeated(t *testing.T) {
	t.Parallel()
	s := newService(t, floor{tables: map[int]int{2: 2}})
	join := func(from, to string) string {
		return twice(t, s.diner, http.MethodPost, "/waitlist/join", fmt.Sprintf(
			`{"restaurantId":%q,"date":%q,"from":%q,"to":%q,"party":2,"notes":"a high chair"}`, s.id, s.date, from, to)).field("waitlistId")
	}
	twice(t, s.diner, http.MethodPost, "/waitlist/"+join("18:00", "18:30")+"/accept", "")
	twice(t, s.diner, http.MethodDelete, "/waitlist/"+join("21:00", "21:30"), "")
	queued := twice(t, s.owner, http.MethodPost, "/waitlist/join", fmt.Sprintf(`{"restaurantId":%q,"party":2,"walkIn":true}`, s.id)).field("waitlistId")
	twice(t, s.owner, http.MethodPost, "/restaurants/"+s.id+"/walk-ins", fmt.Sprintf(`{"waitlistId":%q}`, queued))
}
