package main

import (
	"fmt"
	"net/http"
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
