package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http/httptest"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"daybook/domain"
	"daybook/eventstore"
	"daybook/eventstore/codec"
	"daybook/internal/enginetest"
)

// stillClock stands until it is moved.
type stillClock struct{ millis atomic.Int64 }

func (c *stillClock) now() time.Time { return time.UnixMilli(c.millis.Load()).UTC() }

// past is a house whose answers are taken down as it goes, to be asked for again as of then.
// Nothing runs in it by itself, so that nothing is decided but what the test does.
type past struct {
	t        *testing.T
	r        *rand.Rand
	h        *house
	clock    *stillClock
	base     string
	owner    domain.UserID // of every restaurant
	diner    domain.UserID
	demand   int // requests that were turned away, and go on record by and by
	onRecord struct {
		demand int
		upTo   eventstore.Position
	}

	// What there is to be asked about.
	restaurants  []domain.RestaurantID
	reservations []string
	dates        []domain.ServiceDate // any of them may have a book

	answers []taken
}

// taken is one answer as it was given live.
type taken struct {
	path     string // with its query
	at       domain.Instant
	position eventstore.Position // 0 where only the instant says when it was
	body     string
	status   int
}

// newPast opens a house at an instant.
func newPast(t *testing.T, flags engineFlags, seed uint64, at time.Time) *past {
	t.Helper()
	p := &past{t: t, r: rand.New(rand.NewPCG(seed, 1)), clock: &stillClock{}}
	p.clock.millis.Store(at.UnixMilli())
	flags.Data = t.TempDir()
	h, err := openHouse(t.Context(), houseConfig{engineFlags: flags, clock: p.clock.now})
	if err != nil {
		t.Fatal(err)
	}
	p.h = h
	h.startViews()
	server := httptest.NewServer(h.routes(make(chan struct{})))
	p.base = server.URL
	t.Cleanup(func() {
		server.Close()
		if err := h.close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	for name, id := range map[string]*domain.UserID{"owner": &p.owner, "diner": &p.diner} {
		*id = domain.UserID(p.as("").send("POST", "/users/register", fmt.Sprintf(
			`{"email":"%s@example.com","password":%q,"firstName":"Ada","lastName":"Test"}`, name, testPassword)).want(t, 201, "").field("userId"))
	}
	return p
}

// as speaks as somebody, with a token that is good by the clock.
func (p *past) as(user domain.UserID) client {
	p.t.Helper()
	c := client{t: p.t, base: p.base}
	if user != "" {
		token, _, err := p.h.signer.Access(string(user))
		if err != nil {
			p.t.Fatal(err)
		}
		c.token = token
	}
	return c
}

func (p *past) now() domain.Instant { return domain.InstantOf(p.clock.now()) }

// advance moves the clock, by a millisecond at least: what was taken down is over.
func (p *past) advance(d time.Duration) { p.clock.millis.Add(max(1, d.Milliseconds())) }

func pick[T any](r *rand.Rand, list []T) T { return list[r.IntN(len(list))] }

// pages draws what is asked for at one moment.
func (p *past) pages() []string {
	id, other := pick(p.r, p.restaurants), pick(p.r, p.restaurants)
	at := "/restaurants/" + string(id)
	date := pick(p.r, p.dates)
	party := 1 + p.r.IntN(9)
	from := pick(p.r, p.dates)
	span := fmt.Sprintf("from=%s&to=%s", from, from.AddDays(p.r.IntN(31)))
	report := pick(p.r, []string{
		"covers?groupBy=day", "covers?groupBy=shift", "covers?groupBy=month", "no-shows?groupBy=weekday", "no-shows?groupBy=slot",
		"lead-times?groupBy=party", "lead-times?groupBy=week", "lead-times?groupBy=shift", "refusals?groupBy=code", "refusals?groupBy=day",
		"refusals?groupBy=slot", "refusals?groupBy=party",
	})
	pages := []string{
		at + "/days/" + date.String(),
		fmt.Sprintf("/restaurants/%s/days/%s", other, pick(p.r, p.dates)),
		fmt.Sprintf("%s/availability?date=%s&party=%d&alternatives=true", at, date, party),
		fmt.Sprintf("/restaurants/%s/availability?date=%s&party=%d", other, pick(p.r, p.dates), party),
		at + "/reports/" + report + "&" + span,
		at + "/reports/" + pick(p.r, []string{"covers", "no-shows", "lead-times", "refusals"}) + "?" + span,
		at + "/reports/utilisation?groupBy=" + pick(p.r, []string{"day", "shift", "weekday"}) + "&" + span,
		at,
	}
	if len(p.reservations) > 0 {
		pages = append(pages, "/reservations/"+pick(p.r, p.reservations))
	}
	if p.r.IntN(4) == 0 {
		pages = append(pages, fmt.Sprintf("%s/calendar?month=%s&party=%d", at, date.String()[:7], party))
	}
	return pages
}

// takeDown asks for some pages now, and keeps the answers.
func (p *past) takeDown() {
	p.t.Helper()
	p.awaitDemand()
	pages, owner := p.pages(), p.as(p.owner)
	for _, page := range pages { // the first question after a day opens it
		owner.get(page)
	}
	head := p.head()
	position := head
	if p.lastDecided() != p.now() { // something may have lapsed since, by the clock alone
		position = 0
	}
	for _, page := range pages {
		reply := owner.get(page, "Min-Ledger-Position", strconv.FormatUint(uint64(head), 10))
		if reply.status >= 500 {
			p.t.Fatalf("live %s: %s", page, reply)
		}
		p.answers = append(p.answers, taken{page, p.now(), position, canonicalBody(p.t, reply), reply.status})
	}
	if now := p.head(); now != head {
		p.t.Fatalf("something was decided while answers were taken down: %d, then %d", head, now)
	}
}

func (p *past) head() eventstore.Position {
	p.t.Helper()
	head, err := p.h.engines.store.Head(p.t.Context())
	if err != nil {
		p.t.Fatal(err)
	}
	return head
}

// lastDecided is when the newest event was decided.
func (p *past) lastDecided() domain.Instant {
	p.t.Helper()
	for r, err := range p.h.engines.store.ReadAllBackwards(p.t.Context(), eventstore.End, eventstore.Filter{}) {
		if err != nil {
			p.t.Fatal(err)
		}
		meta, err := codec.DecodeMetadata(r)
		if err != nil {
			p.t.Fatal(err)
		}
		return meta.DecidedAt
	}
	return 0
}

// awaitDemand waits until what was turned away is on record.
func (p *past) awaitDemand() {
	p.t.Helper()
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		for r, err := range p.h.engines.store.ReadAll(p.t.Context(), p.onRecord.upTo, eventstore.StreamPrefix(codec.DemandPrefix)) {
			if err != nil {
				p.t.Fatal(err)
			}
			p.onRecord.demand++
			p.onRecord.upTo = r.Position
		}
		if p.onRecord.demand == p.demand {
			return
		}
		if p.onRecord.demand > p.demand || time.Now().After(deadline) {
			p.t.Fatalf("%d requests that were turned away are on record, of %d", p.onRecord.demand, p.demand)
		}
	}
}

// asOfFacts are the fields by which an answer tells of when it is: all but them must be the same.
var asOfFacts = []string{"asOf", "position", "requestId"}

func canonicalBody(t *testing.T, r reply) string {
	t.Helper()
	var all map[string]json.RawMessage
	d := json.NewDecoder(bytes.NewReader(r.body))
	if err := d.Decode(&all); err != nil {
		t.Fatalf("%s: %v", r, err)
	}
	for _, fact := range asOfFacts {
		delete(all, fact)
	}
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(all)) {
		fmt.Fprintf(&b, "%s=%s\n", name, all[name])
	}
	return b.String()
}

// compare asks for everything that was taken down again, as of then.
func (p *past) compare() {
	p.t.Helper()
	owner, asked, missing, positions := p.as(p.owner), 0, 0, 0
	moments := map[domain.Instant]bool{}
	for i, was := range p.answers {
		// A clock that goes on past the life of a token would end it.
		if i%1000 == 0 {
			owner = p.as(p.owner)
		}
		ask := []string{was.at.String()}
		if was.position != 0 {
			ask = append(ask, strconv.FormatUint(uint64(was.position), 10))
			positions++
		}
		for _, asOf := range ask {
			join := "?"
			if strings.Contains(was.path, "?") {
				join = "&"
			}
			got := owner.get(was.path + join + "asOf=" + asOf)
			asked++
			if was.status == 404 { // it was not there; that it has come since is told of, as what it was then
				missing++
				continue
			}
			if got.status != was.status || canonicalBody(p.t, got) != was.body {
				p.t.Fatalf("%s as of %s: answered live (%d)\n%s\nand now (%d)\n%s", was.path, asOf, was.status, was.body, got.status, canonicalBody(p.t, got))
			}
			if was.status == 200 && (got.field("asOf") == "" || got.field("position") == "") {
				p.t.Fatalf("%s as of %s does not say of when it is: %s", was.path, asOf, got)
			}
		}
		moments[was.at] = true
	}
	p.t.Logf("%d moments, %d answers asked for again, %d of them by position; %d were of nothing then", len(moments), asked, positions, missing)
	if missing > asked/4 {
		p.t.Errorf("%d of %d answers were of nothing", missing, asked)
	}
}

// budget is how many moments are taken down.
func budget(small, soak int) int {
	if os.Getenv("DAYBOOK_SOAK") != "" {
		return soak
	}
	return small
}

// TestAsOfALife takes answers down while two restaurants live through some days, on both
// ends of the engines, and asks for them again as of then.
func TestAsOfALife(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	if s := os.Getenv("DAYBOOK_SEED"); s != "" {
		seed, _ = strconv.ParseUint(s, 10, 64)
	}
	t.Logf("seed %d", seed)
	for name, engines := range map[string]func(t *testing.T) engineFlags{
		"embedded": func(*testing.T) engineFlags { return engineFlags{} },
		"servers": func(t *testing.T) engineFlags {
			return engineFlags{PostgresURL: enginetest.Postgres(t), RedisURL: enginetest.Redis(t), MasterKey: testMasterKey}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			// A Saturday whose night has an hour more, so that the clocks' change is lived through.
			l := newLife(newPast(t, engines(t), seed, time.Date(2026, 10, 24, 15, 0, 0, 0, time.UTC)))
			moments := budget(8, 500)
			for moment := 0; moment < moments; {
				l.step()
				if l.past.r.IntN(15) > 0 {
					continue
				}
				if l.past.r.IntN(2) > 0 { // some time after the last write, else at one with it
					l.past.advance(time.Duration(l.past.r.IntN(600)) * time.Second)
				}
				l.past.takeDown()
				moment++
			}
			t.Log(l.summary())
			l.past.compare()
			l.unchanged()
		})
	}
}

// TestAsOfAMonth brings in a month of real reservations, in the order in which they were
// made and by a clock that follows, and asks for what was answered at some moments of it
// again. Where the month is not at hand it is a made-up one.
func TestAsOfAMonth(t *testing.T) {
	t.Parallel()
	f := monthOrMadeUp(t, 600)
	plan, err := readPlan(examplePlan)
	if err != nil {
		t.Fatal(err)
	}
	places, err := readCSV(f.restaurants, restaurantColumns...)
	if err != nil {
		t.Fatal(err)
	}
	file, err := readCSV(f.reservations, reservationColumns...)
	if err != nil {
		t.Fatal(err)
	}
	zones := map[string]*time.Location{}
	restaurants := places.restaurants()
	for _, r := range restaurants {
		zones[r.name] = r.zone
	}
	rows := file.reservations(zones)
	slices.SortStableFunc(rows, func(a, b importedReservation) int { return int(a.at - b.at) })
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	p := newPast(t, engineFlags{}, seed, rows[0].at.Time())
	b := newBroughtIn(p, plan, zones, restaurants)
	moments := budget(12, 1000)
	if moments < 1000 {
		rows = rows[:min(len(rows), 600)] // the first of it tells as much
	}
	at := map[int]bool{}
	for len(at) < min(moments, len(rows)) {
		at[p.r.IntN(len(rows))] = true
	}
	for i, row := range rows {
		b.bringIn(row)
		if !at[i] {
			continue
		}
		if next := i + 1; next < len(rows) && p.r.IntN(2) == 0 && rows[next].at > p.now()+1 {
			// Any instant until the next row is as good.
			p.advance(time.Duration(1+p.r.Int64N(int64(rows[next].at-p.now()-1))) * time.Millisecond)
		}
		p.takeDown()
	}
	p.compare()
}
