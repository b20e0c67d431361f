package main

import (
	"fmt"
	"net/http/httptest"
	"strconv"
	"testing"
	"time"

	"daybook/commands"
	"daybook/domain"
)

// BenchmarkAsOf asks for the board, the availability and reports of 31 busy days, each now
// and as of the middle of them.
//
//	go test ./cmd/daybook -run '^$' -bench AsOf -benchtime 2s
func BenchmarkAsOf(b *testing.B) {
	clock := &stillClock{}
	clock.millis.Store(time.Date(2026, 10, 1, 9, 0, 0, 0, time.UTC).UnixMilli())
	h, err := openHouse(b.Context(), houseConfig{engineFlags: engineFlags{Data: b.TempDir()}, clock: clock.now})
	if err != nil {
		b.Fatal(err)
	}
	h.startViews()
	server := httptest.NewServer(h.routes(make(chan struct{})))
	b.Cleanup(func() {
		server.Close()
		if err := h.close(); err != nil {
			b.Error(err)
		}
	})
	owner := client{t: b, base: server.URL}.register("owner")
	plan, err := readPlan(examplePlan)
	if err != nil {
		b.Fatal(err)
	}
	user, err := h.signer.User(owner.token)
	if err != nil {
		b.Fatal(err)
	}
	id, err := h.app.BringInRestaurant(b.Context(), commands.BringInRestaurant{
		Key: "one", At: domain.InstantOf(clock.now()), Owner: domain.UserID(user), Shifts: plan.shifts, DayBoundary: &plan.dayBoundary,
		Policy: plan.policy, Tables: plan.tables, Profile: demoRestaurants[0].profile,
	})
	if err != nil {
		b.Fatal(err)
	}
	// 46 reservations a day are as many as the busiest day of real ones had; all are made in
	// the three weeks before.
	first := domain.DateOf(clock.now()).AddDays(30)
	for day := range 31 {
		rows := make([]commands.BringInRow, 46)
		for i := range rows {
			rows[i] = commands.BringInRow{
				Key: strconv.Itoa(i), At: domain.InstantOf(clock.now()).Add(time.Duration(day*46+i*31) * 20 * time.Minute),
				Time: fmt.Sprintf("%02d:%02d", 12+i%10, 30*(i%2)), Party: domain.PartySize(1 + i%6),
			}
		}
		if _, err := h.app.BringIn(b.Context(), commands.BringIn{Restaurant: id, Date: first.AddDays(day), Rows: rows}); err != nil {
			b.Fatal(err)
		}
	}
	then := "asOf=" + domain.InstantOf(clock.now()).Add(14*24*time.Hour).String()
	clock.millis.Store(time.Date(2026, 10, 25, 9, 0, 0, 0, time.UTC).UnixMilli())
	owner = client{t: b, base: server.URL, token: func() string { t, _, _ := h.signer.Access(user); return t }()}
	if err := h.waitForViews(b.Context()); err != nil {
		b.Fatal(err)
	}
	at := "/restaurants/" + string(id)
	span := fmt.Sprintf("from=%s&to=%s", first, first.AddDays(30))
	for _, page := range []struct{ name, path string }{
		{"restaurant", at + "?"}, {"board", at + "/days/" + first.AddDays(9).String() + "?"},
		{"availability", fmt.Sprintf("%s/availability?date=%s&party=2&", at, first.AddDays(9))},
		{"calendar", fmt.Sprintf("%s/calendar?month=%s&party=2&", at, first.AddDays(9).String()[:7])},
		{"covers", at + "/reports/covers?" + span + "&"}, {"lead-times", at + "/reports/lead-times?" + span + "&"},
		{"utilisation", at + "/reports/utilisation?" + span + "&"}, {"refusals", at + "/reports/refusals?" + span + "&"},
	} {
		for _, when := range []struct{ name, asOf string }{{"now", ""}, {"then", then}} {
			b.Run(page.name+"/"+when.name, func(b *testing.B) {
				for b.Loop() {
					if r := owner.get(page.path + when.asOf); r.status != 200 {
						b.Fatal(r)
					}
				}
			})
		}
	}
}
