package main

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"
)

// eveningZone is a time zone in which it is between seven and eight in the evening.
func eveningZone(now time.Time) string {
	ahead := 19 - now.UTC().Hour()
	if ahead > 14 {
		ahead -= 24
	}
	return fmt.Sprintf("Etc/GMT%+d", -ahead) // the sign of these names says how far UTC is ahead
}

// today is the service date that it is in a zone in the evening.
func (h *house) today(zone string) string {
	loc, err := time.LoadLocation(zone)
	if err != nil {
		panic(err)
	}
	return h.cfg.clock().In(loc).Format(time.DateOnly)
}

// addEvening adds the good requests of a floor that is open, whatever the clock shows: at
// each moment there are a zone where it is evening, and a restaurant in it.
func (town *town) addEvening() {
	t, owner, diner := town.owner.t, town.owner, town.diner
	zone := eveningZone(town.h.cfg.clock())
	floor := owner.openRestaurant(floor{zone: zone, tables: map[int]int{2: 9, 8: 3},
		policy: `{"holdMinutes":5,"horizonDays":90,"noticeMinutes":0,"bufferMinutes":0,"turnMinutes":[{"upToParty":500,"minutes":90}],"waitlistOfferMinutes":120}`})
	date, large := town.h.today(zone), tableIDs(town.public, floor)[:3]
	owner.send(http.MethodPatch, "/restaurants/"+floor+"/tables/"+large[0], `{"area":"hall"}`).want(t, 200, "")

	book := func(time string) map[string]string {
		r := diner.send(http.MethodPost, "/reservations", fmt.Sprintf(`{"restaurantId":%q,"date":%q,"time":%q,"party":2,"confirm":true}`, floor, date, time))
		return map[string]string{"id": r.want(t, 201, "").field("reservationId")}
	}
	after := func(id map[string]string, method, what string) map[string]string {
		owner.send(method, "/reservations/"+id["id"]+what, "").want(t, 200, "")
		return id
	}
	absent := owner.send(http.MethodPost, "/reservations", fmt.Sprintf(`{"restaurantId":%q,"date":%q,"time":"19:00","party":2,"confirm":true,`+
		`"override":{"rule":"in_the_past","reason":"by telephone, before"}}`, floor, date)).want(t, 201, "").field("reservationId")
	sits := owner.send(http.MethodPost, "/restaurants/"+floor+"/walk-ins", `{"party":2}`).want(t, 201, "").field("reservationId")
	joins := func(from, to string) string {
		return fmt.Sprintf(`{"restaurantId":%q,"date":%q,"from":%q,"to":%q,"party":2`, floor, town.h.inDays(3), from, to)
	}
	wait := func(from, to string) map[string]string {
		return map[string]string{"id": diner.send(http.MethodPost, "/waitlist/join", joins(from, to)+"}").want(t, 201, "").field("waitlistId")}
	}
	override := `"override":{"rule":"pacing_full","reason":"regulars"}`
	guest := `"guest":{"name":"Bo","email":"bo@example.com","phone":"+4930123456"},"notes":"by the window"`
	taken := after(book("22:00"), http.MethodPost, "/pin")
	for name, g := range map[string]goodRequest{
		"amend-reservation": {token: owner.token, params: book("21:00"), body: fmt.Sprintf(
			`{"date":%q,"time":"21:30","party":3,%s,"occasion":"birthday","specialRequests":"no nuts","tableId":"","area":"",%s}`, date, guest, override)},
		"seat-party":            {token: owner.token, params: book("20:00"), body: fmt.Sprintf(`{"covers":1,"tableIds":[%q]}`, large[1])},
		"complete-seating":      {token: owner.token, params: map[string]string{"id": sits}},
		"mark-no-show":          {token: owner.token, params: map[string]string{"id": absent}},
		"reinstate-reservation": {token: owner.token, params: after(book("22:00"), http.MethodPatch, "/cancel"), body: `{` + override + `}`},
		"move-table":            {token: owner.token, params: book("22:00"), body: fmt.Sprintf(`{"tableIds":[%q]}`, large[2])},
		"pin-table":             {token: owner.token, params: book("22:30")},
		"unpin-table":           {token: owner.token, params: after(book("22:30"), http.MethodPost, "/pin")},
		"seat-walk-in": {token: owner.token, params: map[string]string{"id": floor}, body: fmt.Sprintf(
			`{"party":2,"covers":1,"tableIds":[%q],"area":"hall",%s,%s}`, large[0], guest, override)},
		"undo-action":    {token: owner.token, params: map[string]string{"id": floor, "date": date}, body: fmt.Sprintf(`{"reservationId":%q}`, taken["id"])},
		"join-waitlist":  {token: diner.token, body: joins("17:00", "17:30") + `,"area":"hall",` + guest + `,"walkIn":false}`},
		"leave-waitlist": {token: diner.token, params: wait("21:00", "22:00")},
		"accept-offer":   {token: diner.token, params: wait("18:00", "19:00")},
	} {
		town.good[name] = g
	}
}

// TestRefusedOnTheFloor is TestRefusedByTheRules for an evening and for the waitlist.
func TestRefusedOnTheFloor(t *testing.T) {
	faults := watchFaults(t)
	s := newService(t, floor{tables: map[int]int{2: 2, 4: 1}})
	mine, early := s.book(s.diner, "20:00", 2), s.book(s.diner, "18:00", 2)
	sits := "/reservations/" + s.owner.send(http.MethodPost, "/restaurants/"+s.id+"/walk-ins", `{"party":2}`).want(t, 201, "").field("reservationId")
	elsewhere := s.rival.openRestaurant(floor{tables: map[int]int{2: 1}})
	foreign := tableIDs(s.public, elsewhere)[0]
	doors, undo := "/restaurants/"+s.id+"/walk-ins", "/restaurants/"+s.id+"/days/"+s.date+"/undo"
	join := func(rest string) string { return fmt.Sprintf(`{"restaurantId":%q,"party":2%s}`, s.id, rest) }
	on := fmt.Sprintf(`,"date":%q`, s.date)
	theirs := s.rival.send(http.MethodPost, "/waitlist/join", strings.Replace(join(on+`,"from":"20:00","to":"20:00"`), s.id, elsewhere, 1)).want(t, 201, "").field("waitlistId")
	town := &town{h: s.h}

	unchanged := town.ledgerUnchanged(t)
	refuseByRule(t, []ruleCase{
		{"amended on no date", s.diner, "PATCH", mine, `{"date":"2026-02-30"}`, 422, "invalid", "body.date"},
		{"amended by both times", s.diner, "PATCH", mine, `{"time":"21:00","startsAt":"2026-11-20T21:00:00+01:00"}`, 422, "invalid", "body.time"},
		{"amended to the 25th hour", s.diner, "PATCH", mine, `{"time":"25:00"}`, 422, "invalid", "body.time"},
		{"amended without an offset", s.diner, "PATCH", mine, `{"startsAt":"2026-11-20T21:00:00"}`, 422, "invalid", "body.startsAt"},
		{"amended to year 0", s.diner, "PATCH", mine, `{"startsAt":"0000-01-01T00:00:00Z"}`, 422, "invalid", "body.startsAt"},
		{"amended to nobody", s.diner, "PATCH", mine, `{"party":0}`, 422, "invalid", "body.party"},
		{"amended to no table's id", s.diner, "PATCH", mine, `{"tableId":"seven"}`, 422, "invalid", "body.tableId"},
		{"amended to another house's table", s.diner, "PATCH", mine, `{"tableId":"` + foreign + `"}`, 409, "no_table", ""},
		{"amended to an area there is not", s.diner, "PATCH", mine, `{"area":"roof"}`, 409, "no_table", ""},
		{"amended guest's address", s.diner, "PATCH", mine, `{"guest":{"email":"x"}}`, 422, "invalid", "body.guest.email"},
		{"amended guest's phone", s.diner, "PATCH", mine, `{"guest":{"phone":"x"}}`, 422, "invalid", "body.guest.phone"},
		{"amended to a name of two lines", s.diner, "PATCH", mine, `{"guest":{"name":"a\nb"}}`, 422, "invalid", "body.guest.name"},
		{"amended between slots", s.diner, "PATCH", mine, `{"time":"20:10"}`, 409, "off_slot", ""},
		{"amended to noon", s.diner, "PATCH", mine, `{"time":"12:00"}`, 409, "outside_hours", ""},
		{"amended to what is past", s.diner, "PATCH", mine, `{"time":"17:00"}`, 409, "in_the_past", ""},
		{"amended to more than fit", s.diner, "PATCH", mine, `{"party":5}`, 409, "party_too_large", ""},
		{"amended by a diner's override", s.diner, "PATCH", mine, `{"time":"17:00","override":{"rule":"in_the_past","reason":"x"}}`, 403, "forbidden", ""},
		{"amended by an override of spaces", s.owner, "PATCH", mine, `{"override":{"rule":"in_the_past","reason":" "}}`, 422, "invalid", "body.override.reason"},
		{"amended by two on one table", s.owner, "PATCH", mine, `{"override":{"rule":"no_table","reason":"x"}}`, 409, "not_overridable", ""},
		{"moved with more than a move takes", s.diner, "PATCH", mine, `{"date":"2026-11-21","notes":"x"}`, 422, "invalid", "body.date"},
		{"moved to nobody's year", s.diner, "PATCH", mine, `{"date":"1999-12-31"}`, 422, "invalid", "body.date"},

		{"seated by a table there is not", s.owner, "POST", early + "/seat", `{"tableIds":["` + foreign + `"]}`, 422, "invalid", "body.tableIds[0]"},
		{"seated by no table's id", s.owner, "POST", early + "/seat", `{"tableIds":["seven"]}`, 422, "invalid", "body.tableIds[0]"},
		{"seated twice at one table", s.owner, "POST", early + "/seat", fmt.Sprintf(`{"tableIds":[%q,%q]}`, s.tables[0], s.tables[0]), 422, "invalid", "body.tableIds"},
		{"more seated than come", s.owner, "POST", early + "/seat", `{"covers":3}`, 422, "invalid", "body.covers"},
		{"seated three hours early", s.owner, "POST", mine + "/seat", "", 409, "too_early", ""},
		{"no-show while it sits", s.owner, "POST", sits + "/no-show", "", 409, "already_started", ""},
		{"cancelled while it sits", s.owner, "PATCH", sits + "/cancel", "", 409, "already_started", ""},
		{"unpinned while it sits", s.owner, "DELETE", sits + "/pin", "", 409, "already_started", ""},
		{"reinstated by two on one table", s.owner, "POST", mine + "/reinstate", `{"override":{"rule":"no_table","reason":"x"}}`, 409, "not_overridable", ""},
		{"moved to no table", s.owner, "POST", mine + "/move-table", `{"tableIds":["` + foreign + `"]}`, 422, "invalid", "body.tableIds[0]"},

		{"nobody at the door", s.owner, "POST", doors, `{}`, 422, "invalid", "body.party"},
		{"more sit down than came", s.owner, "POST", doors, `{"party":2,"covers":3}`, 422, "invalid", "body.covers"},
		{"a door's table elsewhere", s.owner, "POST", doors, `{"party":2,"tableIds":["` + foreign + `"]}`, 422, "invalid", "body.tableIds[0]"},
		{"a waiting party elsewhere", s.owner, "POST", doors, `{"waitlistId":"` + theirs + `"}`, 404, "not_found", ""},
		{"a reservation that waits", s.owner, "POST", doors, `{"waitlistId":"` + strings.TrimPrefix(mine, "/reservations/") + `"}`, 422, "invalid", "body.waitlistId"},
		{"a party of 9 at the door", s.owner, "POST", doors, `{"party":9}`, 409, "party_too_large", ""},
		{"undoing what is of another day", s.owner, "POST", strings.Replace(undo, s.date, "2026-11-21", 1),
			fmt.Sprintf(`{"reservationId":%q}`, strings.TrimPrefix(mine, "/reservations/")), 404, "not_found", ""},
		{"undoing what was not done", s.owner, "POST", undo, fmt.Sprintf(`{"reservationId":%q}`, strings.TrimPrefix(mine, "/reservations/")), 409, "nothing_to_undo", ""},
		{"undoing a thousandth action", s.owner, "POST", undo, `{"action":1000}`, 409, "nothing_to_undo", ""},
		{"undoing on a day not opened", s.owner, "POST", strings.Replace(undo, s.date, "2026-12-24", 1), "", 409, "day_not_opened", ""},
		{"undoing on no date", s.owner, "POST", strings.Replace(undo, s.date, "2026-02-30", 1), "", 404, "not_found", ""},

		{"waiting without a date", s.diner, "POST", "/waitlist/join", join(`,"from":"20:00","to":"20:00"`), 422, "invalid", "body.date"},
		{"waiting without a first time", s.diner, "POST", "/waitlist/join", join(on + `,"to":"20:00"`), 422, "invalid", "body.from"},
		{"waiting without a last time", s.diner, "POST", "/waitlist/join", join(on + `,"from":"20:00"`), 422, "invalid", "body.to"},
		{"waiting for the 25th hour", s.diner, "POST", "/waitlist/join", join(on + `,"from":"20:00","to":"25:00"`), 422, "invalid", "body.to"},
		{"waiting backwards", s.diner, "POST", "/waitlist/join", join(on + `,"from":"21:00","to":"20:00"`), 422, "invalid", "body.to"},
		{"waiting in February", s.diner, "POST", "/waitlist/join", join(`,"date":"2026-02-30","from":"20:00","to":"20:00"`), 422, "invalid", "body.date"},
		{"waiting at the door for tomorrow", s.owner, "POST", "/waitlist/join", join(`,"walkIn":true,"date":"2026-11-21"`), 422, "invalid", "body.date"},
		{"waiting at the door by the clock", s.owner, "POST", "/waitlist/join", join(`,"walkIn":true,"from":"20:00"`), 422, "invalid", "body.from"},
		{"waiting at noon", s.diner, "POST", "/waitlist/join", join(on + `,"from":"12:00","to":"13:00"`), 409, "outside_hours", ""},
		{"waiting for what is past", s.diner, "POST", "/waitlist/join", join(on + `,"from":"17:00","to":"17:00"`), 409, "in_the_past", ""},
		{"waiting in two years", s.diner, "POST", "/waitlist/join", join(`,"date":"2028-11-20","from":"20:00","to":"20:00"`), 409, "too_far_ahead", ""},
		{"waiting at no house", s.diner, "POST", "/waitlist/join", strings.Replace(join(on+`,"from":"20:00","to":"20:00"`), s.id, unknown(s.id), 1), 404, "not_found", ""},
		{"waiting at a user's", s.diner, "POST", "/waitlist/join", strings.Replace(join(on+`,"from":"20:00","to":"20:00"`), s.id, "usr_"+s.id[4:], 1), 422, "invalid", "body.restaurantId"},
		{"a waiting guest's address", s.diner, "POST", "/waitlist/join", join(on + `,"from":"20:00","to":"20:00","guest":{"email":"x"}`), 422, "invalid", "body.guest.email"},
		{"a stranger's offer accepted", s.diner, "POST", "/waitlist/" + theirs + "/accept", "", 404, "not_found", ""},
		{"a stranger's offer turned down", s.diner, "DELETE", "/waitlist/" + theirs, "", 404, "not_found", ""},
	})
	unchanged()
	faults(t)
}
