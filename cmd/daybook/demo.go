package main

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"sort"
	"strconv"
	"time"

	"daybook/commands"
	"daybook/domain"
	"daybook/domain/restaurant"
	"daybook/domain/restaurantday"
)

// The people of the demonstration. Everybody can read their passwords here, so the
// demonstration is for an empty ledger that means nothing.
const (
	demoOwner    = "owner@demo.example"
	demoDiner    = "diner@demo.example"
	demoPassword = "daybook-demo"
)

// demoSeed makes each demonstration the same but for its dates.
const demoSeed = 20170101

type demoRestaurant struct {
	profile restaurant.Profile
	busy    float64 // reservations on a day of average business
}

var demoRestaurants = []demoRestaurant{
	{restaurant.Profile{
		Name: "Zur Linde", Cuisine: "German", Address: "Auguststrasse 12", City: "Berlin", Zip: "10117", TimeZone: "Europe/Berlin",
		Location: &restaurant.Location{Lat: 52.5265, Lng: 13.3952}, PriceLevel: 2, Features: []string{"terrace", "vegetarian"},
		Description: "Seasonal cooking under a lime tree.",
	}, 22},
	{restaurant.Profile{
		Name: "Sakura Counter", Cuisine: "Japanese", Address: "Jingumae 3-14-2", City: "Tokyo", Zip: "150-0001", TimeZone: "Asia/Tokyo",
		Location: &restaurant.Location{Lat: 35.6702, Lng: 139.7066}, PriceLevel: 4, Features: []string{"counter", "tasting menu"},
		Description: "Twelve seats at the counter, and a few tables behind it.",
	}, 30},
	{restaurant.Profile{
		Name: "Harbour Grill", Cuisine: "Seafood", Address: "88 South Street", City: "New York", State: "NY", Zip: "10038", TimeZone: "America/New_York",
		Location: &restaurant.Location{Lat: 40.7066, Lng: -74.0027}, PriceLevel: 3, Features: []string{"waterside", "oyster bar"},
		Description: "Fish from the morning's market, grilled over wood.",
	}, 34},
	{restaurant.Profile{
		Name: "La Petite Cour", Cuisine: "French", Address: "7 rue des Blancs Manteaux", City: "Paris", Zip: "75004", TimeZone: "Europe/Paris",
		Location: &restaurant.Location{Lat: 48.8586, Lng: 2.3568}, PriceLevel: 3, Features: []string{"courtyard", "wine list"},
		Description: "A courtyard, a blackboard and forty wines by the glass.",
	}, 18},
	{restaurant.Profile{
		Name: "Banksia House", Cuisine: "Modern Australian", Address: "21 Crown Street", City: "Sydney", State: "NSW", Zip: "2010", TimeZone: "Australia/Sydney",
		Location: &restaurant.Location{Lat: -33.8805, Lng: 151.2152}, PriceLevel: 2, Features: []string{"brunch", "dogs welcome"},
		Description: "All-day cooking with native herbs.",
	}, 14},
}

// Shares of real reservations by party size, lead time and hour of arrival: 36,259 of them
// at 275 restaurants, January to May 2017. Weekday factors are from Sunday, 1 on average.
var (
	demoParties = weighted{{1, 1.6}, {2, 42.7}, {3, 16.7}, {4, 13.6}, {5, 6.3}, {6, 4.9}, {7, 2.7}, {8, 2.7}, {9, 1.3}, {10, 1.3}, {11, .8}, {12, .8}, {16, 4.6}}
	demoLeads   = weighted{{1, 12.7}, {6, 14.1}, {24, 11.9}, {72, 20.1}, {168, 17.8}, {336, 12.9}, {720, 8.3}, {1400, 2.1}} // up to so many hours
	demoHours   = weighted{{12, 8.2}, {16, 1.3}, {17, 9.5}, {18, 27.2}, {19, 24.4}, {20, 14.4}, {21, 7.7}, {22, 3.2}, {24, 1.4}}
	demoWeek    = [7]float64{.81, .63, .71, .84, .85, 1.51, 1.65}
)

// weighted is a set of numbers with how often each is drawn.
type weighted []struct{ value, share float64 }

// draw picks a number and says which one stands before it.
func (w weighted) draw(r *rand.Rand) (value, before float64) {
	total := 0.0
	for _, c := range w {
		total += c.share
	}
	at := r.Float64() * total
	for _, c := range w {
		if at -= c.share; at < 0 {
			return c.value, before
		}
		before = c.value
	}
	return w[len(w)-1].value, before
}

// How many days before and after today the demonstration's book is filled for.
const (
	demoDaysBack  = 7
	demoDaysAhead = 21
)

// seedDemo fills an empty ledger; on one that is not empty it changes nothing.
func (h *house) seedDemo(ctx context.Context, out io.Writer) error {
	head, err := h.engines.store.Head(ctx)
	if err != nil {
		return err
	}
	if head > 0 {
		fmt.Fprintln(out, "demo: the ledger is not empty, so it is left as it is")
		return nil
	}
	for _, email := range []string{demoDiner, demoOwner} {
		if _, err := h.app.RegisterUser(ctx, commands.Caller{Route: "demo", Key: "demo", Body: []byte(email)}, commands.RegisterUser{
			Email: email, Password: demoPassword, FirstName: "Demo", LastName: map[string]string{demoDiner: "Diner", demoOwner: "Owner"}[email],
		}); err != nil {
			return fmt.Errorf("demo: %s: %w", email, err)
		}
	}
	owner, err := h.app.LogIn(ctx, commands.Caller{}, commands.LogIn{Email: demoOwner, Password: demoPassword})
	if err != nil {
		return fmt.Errorf("demo: %w", err)
	}
	accepted := 0
	for i, d := range demoRestaurants {
		n, err := h.seedRestaurant(ctx, i, d, owner.State.ID)
		if err != nil {
			return fmt.Errorf("demo: %s: %w", d.profile.Name, err)
		}
		accepted += n
	}
	fmt.Fprintf(out, "demo: %d restaurants with %d reservations; log in as %s or %s with the password %s\n",
		len(demoRestaurants), accepted, demoDiner, demoOwner, demoPassword)
	return nil
}

func (h *house) seedRestaurant(ctx context.Context, i int, d demoRestaurant, owner domain.UserID) (accepted int, err error) {
	zone, err := time.LoadLocation(d.profile.TimeZone)
	if err != nil {
		return 0, err
	}
	now := h.cfg.clock()
	policy := restaurant.DefaultPolicy()
	policy.NoticeMinutes = 15
	var tables []restaurantday.Table
	for n, seats := range []domain.PartySize{2, 2, 2, 2, 2, 2, 4, 4, 4, 4, 6, 6, 8, 12} {
		area := "main room"
		if n%3 == 0 && len(d.profile.Features) > 0 {
			area = d.profile.Features[0]
		}
		tables = append(tables, restaurantday.Table{Number: strconv.Itoa(n + 1), Min: max(1, seats/3), Max: seats, Area: area})
	}
	ctx = commands.From(ctx, commands.Origin{Cause: "imp_demo"})
	id, err := h.app.BringInRestaurant(ctx, commands.BringInRestaurant{
		Key: "demo " + strconv.Itoa(i), At: domain.InstantOf(now.AddDate(0, -3, 0)), Owner: owner, Profile: d.profile,
		Shifts: []restaurant.Shift{
			{Days: restaurant.EveryDay, Name: "lunch", Opens: 12 * 60, LastSeating: 14 * 60, Closes: 15*60 + 30, SlotMinutes: 30},
			{Days: restaurant.EveryDay, Name: "dinner", Opens: 17 * 60, LastSeating: 22*60 + 30, Closes: 0, SlotMinutes: 30},
		},
		Policy: policy, Tables: tables,
	})
	if err != nil {
		return 0, err
	}
	today := domain.DateOf(now.In(zone))
	for date := today.AddDays(-demoDaysBack); date <= today.AddDays(demoDaysAhead); date++ {
		r := rand.New(rand.NewPCG(demoSeed, uint64(i)<<32|uint64(date))) //nolint:gosec // the same each time is the point
		rows := demoRows(r, date, zone, int(d.busy*demoWeek[date.Weekday()]), domain.InstantOf(now))
		if len(rows) == 0 {
			continue
		}
		done, err := h.app.BringIn(ctx, commands.BringIn{Restaurant: id, Date: date, Rows: rows})
		if err != nil {
			return accepted, err
		}
		for _, b := range done {
			if b.Refused == "" {
				accepted++
			}
		}
	}
	return accepted, nil
}

// demoRows draws a day's reservations, as far as they were made by now.
func demoRows(r *rand.Rand, date domain.ServiceDate, zone *time.Location, n int, now domain.Instant) (rows []commands.BringInRow) {
	for k := range n {
		hour, _ := demoHours.draw(r)
		party, _ := demoParties.draw(r)
		lead, shortest := demoLeads.draw(r)
		startsAt := date.Clock(int(hour)*60+30*r.IntN(2), zone)
		hours := shortest + r.Float64()*(lead-shortest)
		at := startsAt.Add(-time.Duration(hours * float64(time.Hour)))
		if at >= now {
			continue
		}
		rows = append(rows, commands.BringInRow{
			Key: "demo " + strconv.Itoa(k), At: at, StartsAt: startsAt, Party: domain.PartySize(party),
		})
	}
	sort.SliceStable(rows, func(a, b int) bool { return rows[a].At < rows[b].At })
	return rows
}
