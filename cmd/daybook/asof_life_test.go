package main

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"daybook/commands"
	"daybook/domain"
	"daybook/projections/reports"
	"daybook/projections/whatif"
)

var testMasterKey = "bW1tbW1tbW1tbW1tbW1tbW1tbW1tbW1tbW1tbW1tbW0="

// life is what people do to two restaurants in Berlin, drawn at random.
type life struct {
	past  *past
	zone  *time.Location
	draft domain.RestaurantID // the second, until it is published
	waits []string            // entries of waitlists
	runs  []string            // imports of facts, as paths
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
	for _, shifts := range []string{"", nightShifts} {
		id := owner.openRestaurant(floor{tables: map[int]int{2: 3, 4: 2, 6: 1}, policy: policy, shifts: shifts})
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

// nightShifts go on past midnight, and past the hour that a change of the clocks repeats.
const nightShifts = `[{"days":["mon","tue","wed","thu","fri","sat","sun"],"name":"night","opens":"17:00","lastSeating":"03:30","closes":"04:30","slotMinutes":30}]`

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
		{"facts", 4, l.facts}, {"withdraw", 2, l.withdraw}, {"undo", 6, l.undo}, {"pin", 3, l.about("POST", "/pin", "")},
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
	for _, name := range slices.Sorted(maps.Keys(l.did)) {
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
	date := domain.DateOf(l.past.clock.now().In(l.zone)).AddDays(max(0, l.past.r.IntN(9)-4))
	if !slices.Contains(l.past.dates, date) {
		l.past.dates = append(l.past.dates, date)
	}
	return date.String()
}

func (l *life) time() string {
	hour := 17 + l.past.r.IntN(6)
	if l.past.r.IntN(6) == 0 {
		hour = l.past.r.IntN(4)
	}
	return fmt.Sprintf("%02d:%02d", hour, 30*l.past.r.IntN(2))
}

func (l *life) hold() bool {
	p := l.past
	r := l.send(l.who(), "POST", "/reservations", fmt.Sprintf(`{"restaurantId":%q,"date":%q,"time":%q,"party":%d,"confirm":%v,"notes":"by the window"}`,
		pick(p.r, p.restaurants), l.soon(), l.time(), 1+p.r.IntN(8), p.r.IntN(3) > 0))
	if (r.status == 409 || r.status == 422) && r.field("code") != "ambiguous_time" {
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

// facts records bookings of another system as they are there.
func (l *life) facts() bool {
	p := l.past
	rows := "nr,date,time,pax,state,tables\n"
	for n := range 1 + p.r.IntN(4) {
		rows += fmt.Sprintf("%d,%s,%s,%d,%s,%s\n", n, l.soon(), l.time(), 1+p.r.IntN(8),
			pick(p.r, []string{"confirmed", "confirmed", "seated", "completed", "cancelled", "no_show"}), pick(p.r, []string{"", "1", "2", "1+2", "99"}))
	}
	at := "/restaurants/" + string(pick(p.r, p.restaurants[:2])) + "/imports"
	batch := fmt.Sprintf("b%d", l.did["facts"])
	r := l.send(p.owner, "POST", at, fmt.Sprintf(`{"batch":%q,"data":%q,"mapping":{"source":"old","columns":{"externalId":"nr","date":"date",`+
		`"time":"time","party":"pax","status":"state","tables":"tables"}}}`, batch, rows))
	var told struct {
		Problems []struct{ ReservationID string }
	}
	if r.status != 201 {
		return false
	}
	r.json(p.t, &told)
	for _, one := range told.Problems { // those in conflict are what staff see to
		if one.ReservationID != "" && !slices.Contains(p.reservations, one.ReservationID) {
			p.reservations = append(p.reservations, one.ReservationID)
		}
	}
	l.runs = append(l.runs, at+"/"+batch)
	return true
}

// withdraw takes an import back.
func (l *life) withdraw() bool {
	if len(l.runs) == 0 {
		return false
	}
	return l.send(l.past.owner, "POST", pick(l.past.r, l.runs)+"/undo", fmt.Sprintf(`{"force":%v}`, l.past.r.IntN(2) == 0)).status == 200
}

// undo takes back what staff did last on a day.
func (l *life) undo() bool {
	return l.send(l.past.owner, "POST", "/restaurants/"+string(pick(l.past.r, l.past.restaurants))+"/days/"+l.soon()+"/undo", "{}").status == 200
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

// unchanged asks of each restaurant what its days would have come to under the plans that
// they had: the same, and what the live reports tell of them.
func (l *life) unchanged() {
	p := l.past
	p.awaitDemand()
	q := whatif.Question{From: slices.Min(p.dates), To: slices.Max(p.dates), Now: p.now()}
	owner, position := p.as(p.owner), strconv.FormatUint(uint64(p.head()), 10)
	for _, id := range p.restaurants {
		q.Restaurant = id
		answer, err := whatif.Ask(p.t.Context(), p.h.engines.store, q)
		if err != nil {
			p.t.Fatal(err)
		}
		for _, d := range answer.Differences {
			p.t.Errorf("%s: an unchanged plan makes a difference: %+v", id, d)
		}
		var covers struct{ Rows []reports.CoversRow }
		var refused struct{ Rows []reports.RefusalsRow }
		var seats struct{ Rows []reports.UtilisationRow }
		for kind, into := range map[string]any{"covers": &covers, "refusals": &refused, "utilisation": &seats} {
			owner.get(fmt.Sprintf("/restaurants/%s/reports/%s?from=%s&to=%s", id, kind, q.From, q.To), "Min-Ledger-Position", position).want(p.t, 200, "").json(p.t, into)
		}
		type figures struct{ NoShows, Cancelled, Refused, Offered, Sold int64 }
		want, got := map[string]figures{}, map[string]figures{}
		for _, day := range answer.Days {
			h := day.History
			want[day.Date.String()] = figures{int64(h.NoShows), int64(h.Cancelled), int64(h.RefusedInAll()), h.SeatMinutesOffered, h.SeatMinutesSold}
		}
		tell := func(date string, add func(*figures)) {
			f := got[date]
			add(&f)
			got[date] = f
		}
		for _, r := range covers.Rows {
			tell(r.Group, func(f *figures) { f.NoShows, f.Cancelled = r.NoShowParties, r.CancelledParties })
		}
		for _, r := range refused.Rows {
			tell(r.Group, func(f *figures) { f.Refused += r.Requests })
		}
		for _, r := range seats.Rows {
			tell(r.Group, func(f *figures) { f.Offered, f.Sold = r.OfferedSeatMinutes, r.SoldSeatMinutes })
		}
		for date, f := range want { // a what-if leaves out days of which there is nothing
			if got[date] != f {
				p.t.Errorf("%s on %s: the what-if has %+v, the reports %+v", id, date, f, got[date])
			}
		}
	}
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
