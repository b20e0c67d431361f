package main

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"daybook/commands"
	"daybook/domain"
)

var testMasterKey = "bW1tbW1tbW1tbW1tbW1tbW1tbW1tbW1tbW1tbW1tbW0="

// life is what people do to two restaurants in Berlin, drawn at random.
type life struct {
	past  *past
	zone  *time.Location
	draft domain.RestaurantID // the second, until it is published
	waits []string            // entries of waitlists
	did   map[string]int      // what was accepted, by kind
}

func newLife(p *past) *life {
	zone, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		p.t.Fatal(err)
	}
	l := &life{past: p, zone: zone, did: map[string]int{}}
	owner := p.as(p.owner)
	policy := `{"holdMinutes":5,"horizonDays":20,"noticeMinutes":30,"bufferMinutes":10,"pacingCovers":14,"cancelMinutes":600,"tableBinding":"late",` +
		`"turnMinutes":[{"upToParty":2,"minutes":90},{"upToParty":500,"minutes":120}]}`
	for range 2 {
		id := owner.openRestaurant(floor{tables: map[int]int{2: 3, 4: 2, 6: 1}, policy: policy})
		p.restaurants = append(p.restaurants, domain.RestaurantID(id))
	}
	draft := owner.send("POST", "/restaurants", `{"name":"Draft","cuisine":"Test","address":"3 Test Street","city":"Testville","timeZone":"Europe/Berlin"}`).
		want(p.t, 201, "").field("restaurantId")
	l.draft = domain.RestaurantID(draft)
	owner.send("POST", "/restaurants/"+draft+"/tables", `{"number":"1","capacity":4}`).want(p.t, 201, "")
	owner.send("PUT", "/restaurants/"+draft+"/hours",
		`{"shifts":[{"days":["mon","tue","wed","thu","fri","sat","sun"],"name":"lunch","opens":"12:00","lastSeating":"14:00","closes":"16:00","slotMinutes":30}]}`).want(p.t, 200, "")
	p.restaurants = append(p.restaurants, l.draft)
	first := domain.DateOf(p.clock.now().In(zone))
	for n := -1; n < 12; n++ {
		p.dates = append(p.dates, first.AddDays(n))
	}
	return l
}

// step does one thing, or is refused it.
func (l *life) step() {
	p := l.past
	p.advance(time.Duration(1+p.r.IntN(pick(p.r, []int{60, 1500}))) * time.Second)
	kinds := []struct {
		name  string
		often int
		do    func() bool
	}{
		{"hold", 30, l.hold}, {"confirm", 14, l.about("POST", "/confirm", "")}, {"cancel", 8, l.about("PATCH", "/cancel", `{"reason":"ill"}`)},
		{"amend", 8, l.amend}, {"move", 6, l.move}, {"seat", 10, l.about("POST", "/seat", "")}, {"complete", 6, l.about("POST", "/complete", "")},
		{"no-show", 5, l.about("POST", "/no-show", "")}, {"reinstate", 3, l.about("POST", "/reinstate", "")}, {"walk-in", 5, l.walkIn},
		{"wait", 8, l.wait}, {"accept", 4, l.accept}, {"plan", 4, l.plan}, {"lapse", 5, l.lapse}, {"publish", 2, l.publish},
	}
	total := 0
	for _, k := range kinds {
		total += k.often
	}
	at := p.r.IntN(total)
	for _, k := range kinds {
		if at -= k.often; at < 0 {
			if k.do() {
				l.did[k.name]++
			}
			return
		}
	}
}

func (l *life) summary() string {
	var b strings.Builder
	for _, name := range []string{"hold", "confirm", "cancel", "amend", "move", "seat", "complete", "no-show", "reinstate", "walk-in", "wait", "accept", "plan", "lapse", "publish"} {
		fmt.Fprintf(&b, "%d× %s, ", l.did[name], name)
	}
	return b.String() + fmt.Sprintf("%d turned away", l.past.demand)
}

func (l *life) send(user domain.UserID, method, path, body string) reply {
	l.past.t.Helper()
	r := l.past.as(user).send(method, path, body)
	if r.status >= 500 {
		l.past.t.Fatalf("%s %s %s: %s", method, path, body, r)
	}
	return r
}

// who is one of the two, at random.
func (l *life) who() domain.UserID {
	return pick(l.past.r, []domain.UserID{l.past.owner, l.past.diner, l.past.diner})
}

// soon is a date, today more often than others.
func (l *life) soon() string {
	today := domain.DateOf(l.past.clock.now().In(l.zone))
	return today.AddDays(max(0, l.past.r.IntN(9)-4)).String()
}

func (l *life) time() string {
	return fmt.Sprintf("%02d:%02d", 17+l.past.r.IntN(6), 30*l.past.r.IntN(2))
}

func (l *life) hold() bool {
	p := l.past
	r := l.send(l.who(), "POST", "/reservations", fmt.Sprintf(`{"restaurantId":%q,"date":%q,"time":%q,"party":%d,"confirm":%v,"notes":"by the window"}`,
		pick(p.r, p.restaurants), l.soon(), l.time(), 1+p.r.IntN(8), p.r.IntN(3) > 0))
	if r.status == 409 {
		p.demand++
	}
	if r.status != 201 {
		return false
	}
	p.reservations = append(p.reservations, r.field("reservationId"))
	return true
}

// one is a reservation, one of the last more often than others.
func (l *life) one() string {
	all := l.past.reservations
	if len(all) == 0 {
		return "rsv_0"
	}
	if l.past.r.IntN(3) > 0 {
		all = all[max(0, len(all)-12):]
	}
	return pick(l.past.r, all)
}

func (l *life) about(method, path, body string) func() bool {
	return func() bool {
		user := l.past.owner
		if path == "/confirm" || path == "/cancel" {
			user = l.who()
		}
		return l.send(user, method, "/reservations/"+l.one()+path, body).status == 200
	}
}

func (l *life) amend() bool {
	return l.send(l.past.owner, "PATCH", "/reservations/"+l.one(), fmt.Sprintf(`{"time":%q,"party":%d}`, l.time(), 1+l.past.r.IntN(6))).status == 200
}

func (l *life) move() bool {
	r := l.send(l.past.owner, "PATCH", "/reservations/"+l.one(), fmt.Sprintf(`{"date":%q,"time":%q}`, l.soon(), l.time()))
	if id := r.field("reservationId"); r.status == 200 && !slices.Contains(l.past.reservations, id) {
		l.past.reservations = append(l.past.reservations, id)
	}
	return r.status == 200
}

func (l *life) walkIn() bool {
	r := l.send(l.past.owner, "POST", "/restaurants/"+string(pick(l.past.r, l.past.restaurants))+"/walk-ins", fmt.Sprintf(`{"party":%d}`, 1+l.past.r.IntN(4)))
	if r.status == 201 {
		l.past.reservations = append(l.past.reservations, r.field("reservationId"))
	}
	return r.status == 201
}

func (l *life) wait() bool {
	r := l.send(l.who(), "POST", "/waitlist/join", fmt.Sprintf(`{"restaurantId":%q,"date":%q,"from":"18:00","to":"21:00","party":%d}`,
		pick(l.past.r, l.past.restaurants), l.soon(), 1+l.past.r.IntN(4)))
	if r.status == 201 {
		l.waits = append(l.waits, r.field("waitlistId"))
	}
	return r.status == 201
}

func (l *life) accept() bool {
	for _, id := range l.waits[max(0, len(l.waits)-8):] { // whichever of them is offered a table
		for _, user := range []domain.UserID{l.past.diner, l.past.owner} {
			if r := l.send(user, "POST", "/waitlist/"+id+"/accept", ""); r.status == 200 {
				l.past.reservations = append(l.past.reservations, r.field("reservationId"))
				return true
			}
		}
	}
	return false
}

// plan changes what days are opened with, and carries it to those that are open.
func (l *life) plan() bool {
	p := l.past
	id := pick(p.r, p.restaurants)
	at, date := "/restaurants/"+string(id), l.soon()
	on := fmt.Sprintf(`"onOpenDays":{"default":%q}`, pick(p.r, []string{"keep", "move", "cancel"}))
	method, path, body := "POST", at+"/blocks", fmt.Sprintf(`{"date":%q,"from":"18:00","to":"20:30","reason":"paint",%s}`, date, on)
	switch p.r.IntN(4) {
	case 0:
		path, body = at+"/closures", fmt.Sprintf(`{"from":%q,"to":%q,"reason":"works",%s}`, date, date, on)
	case 1:
		method, path = "PUT", at+"/policy"
		body = fmt.Sprintf(`{"holdMinutes":%d,"horizonDays":%d,"noticeMinutes":15,"bufferMinutes":0,"pacingCovers":%d,"turnMinutes":[{"upToParty":500,"minutes":%d}],%s}`,
			3+p.r.IntN(20), 5+p.r.IntN(30), 8+p.r.IntN(20), 60+15*p.r.IntN(5), on)
	case 2:
		path, body = at+"/tables", fmt.Sprintf(`{"number":"T%d","capacity":%d,%s}`, len(p.answers)+l.did["plan"], 1+p.r.IntN(8), on)
	}
	r := l.send(p.owner, method, path, body)
	if r.status >= 300 {
		return false
	}
	if p.r.IntN(3) > 0 { // else days have it when the next change comes
		if err := p.h.app.RollOut(p.t.Context(), id); err != nil {
			p.t.Fatal(err)
		}
	}
	return true
}

// lapse puts on record which holds of a day have lapsed, as a process does.
func (l *life) lapse() bool {
	p := l.past
	before := p.head()
	if _, err := p.h.app.RecordLapses(p.t.Context(), pick(p.r, p.restaurants[:2]), pick(p.r, p.dates)); err != nil {
		if _, refused := domain.Rejected(err); !refused {
			p.t.Fatal(err)
		}
	}
	return p.head() > before
}

func (l *life) publish() bool {
	if l.did["publish"] > 0 {
		return false
	}
	return l.send(l.past.owner, "POST", "/restaurants/"+string(l.draft)+"/publish", "").status == 200
}

// broughtIn brings in reservations one by one, by a clock that follows them.
type broughtIn struct {
	past  *past
	plan  importPlan
	zones map[string]*time.Location
	all   map[string]importedRestaurant
	ids   map[string]domain.RestaurantID
}

func newBroughtIn(p *past, plan importPlan, zones map[string]*time.Location, list []importedRestaurant) *broughtIn {
	b := &broughtIn{past: p, plan: plan, zones: zones, all: map[string]importedRestaurant{}, ids: map[string]domain.RestaurantID{}}
	for _, r := range list {
		b.all[r.name] = r
	}
	return b
}

// restaurant brings in the restaurant of a row, as of now, where none of its rows came before.
func (b *broughtIn) restaurant(name string) domain.RestaurantID {
	if id, ok := b.ids[name]; ok {
		return id
	}
	p := b.past
	id, err := p.h.app.BringInRestaurant(p.t.Context(), commands.BringInRestaurant{
		Key: name, At: p.now(), Owner: p.owner, Profile: b.all[name].profile, Shifts: b.plan.shifts, DayBoundary: &b.plan.dayBoundary,
		Policy: b.plan.policy, Tables: b.plan.tables, Combinations: b.plan.combinations,
	})
	if err != nil {
		p.t.Fatal(err)
	}
	b.ids[name] = id
	p.restaurants = append(p.restaurants, id)
	return id
}

// bringIn sets the clock to when a row was made, and books it.
func (b *broughtIn) bringIn(row importedReservation) {
	p := b.past
	p.clock.millis.Store(int64(max(row.at, p.now()+1))) // never at one with what was taken down
	at := p.now()
	date := domain.ServiceDateAt(row.startsAt, b.zones[row.restaurant], b.plan.dayBoundary)
	if !slices.Contains(p.dates, date) {
		p.dates = append(p.dates, date)
	}
	id := b.restaurant(row.restaurant)
	done, err := p.h.app.BringIn(p.t.Context(), commands.BringIn{Restaurant: id, Date: date, Rows: []commands.BringInRow{
		{Key: fmt.Sprint(row.line), At: at, StartsAt: row.startsAt, Party: row.party},
	}})
	if err != nil {
		p.t.Fatal(err)
	}
	switch {
	case done[0].ID != "":
		p.reservations = append(p.reservations, string(done[0].ID))
	case done[0].Refused != domain.CodeLaterEntries:
		p.demand++
	}
}
