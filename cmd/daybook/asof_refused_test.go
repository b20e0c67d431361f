package main

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"daybook/domain"
)

// TestAsOfRefused asks for pasts that there are not, and for others' pasts.
func TestAsOfRefused(t *testing.T) {
	t.Parallel()
	p := newPast(t, engineFlags{}, 1, time.Date(2026, 11, 2, 9, 0, 0, 0, time.UTC))
	before := p.now()
	p.advance(time.Minute)
	owner, diner, nobody := p.as(p.owner), p.as(p.diner), p.as("")
	id := owner.openRestaurant(floor{tables: map[int]int{2: 1}})
	registered := p.now()
	p.advance(time.Minute)
	reservation := diner.send("POST", "/reservations", fmt.Sprintf(
		`{"restaurantId":%q,"date":"2026-11-03","time":"19:00","party":2,"confirm":true}`, id)).want(t, 201, "").field("reservationId")
	p.advance(time.Minute)
	at := "/restaurants/" + id
	board, report := at+"/days/2026-11-03", at+"/reports/covers?from=2026-11-01&to=2026-11-30"
	with := func(path string, asOf any) string {
		if instant, ok := asOf.(domain.Instant); ok {
			asOf = instant.String()
		}
		if strings.Contains(path, "?") {
			return fmt.Sprintf("%s&asOf=%v", path, asOf)
		}
		return fmt.Sprintf("%s?asOf=%v", path, asOf)
	}
	pages := []string{at, board, at + "/availability?date=2026-11-03&party=2", at + "/calendar?month=2026-11&party=2", "/reservations/" + reservation, report}
	for _, page := range pages {
		for _, bad := range []any{p.now() + 1, p.head() + 1, 0, "9223372036854775808", "-1", "now", "2026-11-02", "2026-11-02T10:00:00", "1e3", "0x1"} {
			owner.get(with(page, bad)).want(t, 422, "invalid")
		}
		owner.get(with(page, before)).want(t, 404, "not_found") // there was no such restaurant
		owner.get(with(page, p.now())).want(t, 200, "")
		owner.get(with(page, p.head())).want(t, 200, "")
		owner.get(with(page, strings.Replace(p.now().Time().In(time.FixedZone("", 3600)).Format(time.RFC3339Nano), "+", "%2B", 1))).want(t, 200, "")
	}
	owner.get(with("/reservations/"+reservation, registered)).want(t, 404, "not_found")

	// Before anybody asked for the day it is as it would have been opened; asking opens nothing.
	was := owner.get(with(board, registered)).want(t, 200, "")
	if was.field("planned") != "true" || was.field("revision") != "0" {
		t.Errorf("a day that nobody had asked for: %s", was)
	}
	head := p.head()
	owner.get(with(at+"/days/2026-11-20", p.now())).want(t, 200, "")
	nobody.get(with(at+"/availability?date=2026-11-20&party=2", p.now())).want(t, 200, "")
	owner.get(with(at+"/days/2026-11-01", p.now())).want(t, 409, "in_the_past")
	if now := p.head(); now != head {
		t.Errorf("looking back opened a day: %d, then %d", head, now)
	}

	// What has no past says so.
	for _, page := range []string{"/restaurants", "/users/me/reservations", at + "/audit", "/reservations/" + reservation + "/history"} {
		r := owner.get(with(page, p.now())).want(t, 422, "invalid")
		if !strings.Contains(r.field("detail"), "no past") {
			t.Errorf("%s: %s", page, r)
		}
	}

	// Whoever may not see the present may not see the past.
	diner.get(with(board, p.now())).want(t, 403, "forbidden")
	diner.get(with(report, p.now())).want(t, 403, "forbidden")
	nobody.get(with(report, p.now())).want(t, 401, "unauthenticated")
	stranger := p.as(domain.NewUserID([16]byte{7}))
	stranger.get(with("/reservations/"+reservation, p.now())).want(t, 404, "not_found")
	diner.get(with("/reservations/"+reservation, p.now())).want(t, 200, "")

	// A report is of a range that it can be of, by what it can be grouped by.
	for _, query := range []string{
		"covers?from=2026-11-02&to=2026-11-01", "covers?from=2026-01-01&to=2027-02-05", "covers?from=x&to=2026-11-01", "covers?from=2026-11-01&to=y",
		"covers?from=2026-11-01&to=2026-11-02&groupBy=code", "utilisation?from=2026-11-01&to=2026-11-02&groupBy=party",
		"refusals?from=2026-11-01&to=2026-11-02&groupBy=shift", "covers?from=2026-11-01&to=2026-11-02&format=xml",
	} {
		owner.get(at+"/reports/"+query).want(t, 422, "invalid")
	}
	owner.get(at+"/reports/revenue?from=2026-11-01&to=2026-11-02").want(t, 404, "route_not_found")
	csv := owner.get(report+"&format=csv", "Min-Ledger-Position", fmt.Sprint(p.head())).want(t, 200, "")
	want := "group,bookedParties,bookedCovers,seatedParties,seatedCovers,walkInParties,walkInCovers,cancelledParties,cancelledCovers,noShowParties,noShowCovers\n" +
		"2026-11-03,1,2,0,0,0,0,0,0,0,0\n"
	if string(csv.body) != want || csv.header.Get("Content-Type") != "text/csv; charset=utf-8" {
		t.Errorf("CSV: %v %q", csv.header, csv.body)
	}
}
