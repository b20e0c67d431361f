package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"reflect"
	"strconv"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"golang.org/x/sync/errgroup"

	"daybook/domain"
	"daybook/domain/restaurant"
	"daybook/domain/restaurantday"
	"daybook/internal/bench/baseline"
	"daybook/internal/enginetest"
	"daybook/internal/tokens"
)

// inProcess is the baseline in this process, over a database without syncs.
func inProcess(t *testing.T, changes ...func(*restaurant.State)) (*system, *pgx.Conn, restaurant.State) {
	t.Helper()
	url := enginetest.Postgres(t)
	r, err := floor(1)
	if err != nil {
		t.Fatal(err)
	}
	for _, change := range changes {
		change(&r)
	}
	if err := baseline.Seed(t.Context(), url, []restaurant.State{r}); err != nil {
		t.Fatal(err)
	}
	service, err := baseline.Open(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(service.Close)
	key := make([]byte, 32)
	signer, err := tokens.NewSigner(key, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	diners, err := dinersWith(key)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(service.Handler(signer))
	t.Cleanup(server.Close)
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(context.WithoutCancel(t.Context())) })
	return &system{name: "baseline", addr: server.Listener.Addr().String(), diners: diners}, conn, r
}

func firstTable(t *testing.T, body []byte) string {
	t.Helper()
	var answer struct{ TableIDs []string }
	if err := json.Unmarshal(body, &answer); err != nil || len(answer.TableIDs) != 1 {
		t.Fatalf("%v: %s", err, body)
	}
	return answer.TableIDs[0]
}

func freeSlots(t *testing.T, body []byte) (lines string) {
	t.Helper()
	var answer struct {
		Slots []struct {
			Time, Code string
			TablesLeft int
		}
	}
	if err := json.Unmarshal(body, &answer); err != nil {
		t.Fatalf("%v: %s", err, body)
	}
	for _, slot := range answer.Slots {
		lines += fmt.Sprintf("%s %d %s\n", slot.Time, slot.TablesLeft, slot.Code)
	}
	return lines
}

func oneDay(r restaurant.State, kept int) *place {
	date := firstDate(time.Now()).String()
	return &place{kept: kept, perDay: perDay, next: func() (string, string, bool) { return string(r.ID), date, true }}
}

// overlaps counts the pairs of promises that share a table and an instant.
const overlaps = `SELECT count(*) FROM reservations a JOIN reservations b USING (restaurant, service_date, dining_table)
	WHERE a.number < b.number AND a.status <> 'cancelled' AND b.status <> 'cancelled'
	  AND a.starts_at < b.occupied_until AND b.starts_at < a.occupied_until`

// TestBaselineUnderLoad drives clients at one day that is filled to the last table, and
// looks at what the database says about it.
func TestBaselineUnderLoad(t *testing.T) {
	s, conn, r := inProcess(t)
	p := oneDay(r, tableSlots)
	everAfter := &window{to: time.Now().Add(time.Hour)}
	clients := make([]*client, 8)
	g := errgroup.Group{}
	for i := range clients {
		c, err := newClient(t.Context(), s, i, everAfter)
		if err != nil {
			t.Fatal(err)
		}
		defer c.wire.close()
		clients[i] = c
		g.Go(func() error {
			for range 75 {
				if err := c.write(p); err != nil {
					return err
				}
			}
			return c.read(p)
		})
	}
	if err := g.Wait(); err != nil {
		t.Fatal(err)
	}
	var all tally
	for _, c := range clients {
		all.add(c.tally)
	}
	reads := len(clients)
	accepted := len(all.took) - reads
	if got := accepted + all.refusals(); got != 600 {
		t.Errorf("%d writes accepted or refused, want 600", got)
	}
	if all.refusals() == 0 {
		t.Error("nothing was refused: the day was never full, so nobody had to wait for anybody")
	}
	standing := len(p.day.standing)
	got := map[string]int{}
	for what, sql := range map[string]string{
		"overlaps":    overlaps,
		"standing":    "SELECT count(*) FROM reservations WHERE status = 'pending'",
		"writes":      "SELECT count(*) + count(*) FILTER (WHERE status = 'cancelled') FROM reservations",
		"audited":     "SELECT count(*) FROM audit",
		"idempotency": "SELECT count(*) FROM idempotency",
		"revision":    "SELECT revision FROM days",
	} {
		var n int
		if err := conn.QueryRow(t.Context(), sql).Scan(&n); err != nil {
			t.Fatal(err)
		}
		got[what] = n
	}
	want := map[string]int{
		"overlaps": 0, "standing": standing, "writes": accepted, "audited": accepted, "idempotency": accepted, "revision": accepted,
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
	// The check sees an overlap where there is one.
	_, err := conn.Exec(t.Context(), `INSERT INTO reservations SELECT restaurant, service_date, number + 100000, dining_table, party, slot,
		starts_at, ends_at, occupied_until, expires_at, status, diner, code, created_at FROM reservations WHERE status = 'pending' LIMIT 1`)
	var n int
	if err == nil {
		err = conn.QueryRow(t.Context(), overlaps).Scan(&n)
	}
	if err != nil || n != 1 {
		t.Errorf("one overlap was put there; found %d, %v", n, err)
	}
}

// TestBaselineDecidesAsDaybookDoes asks both for the same holds and cancels: the same
// tables, and the same refusals.
func TestBaselineDecidesAsDaybookDoes(t *testing.T) {
	// Seatings that overlap, turns of two lengths and a small kitchen, so that every rule counts.
	s, _, r := inProcess(t, func(r *restaurant.State) {
		r.Shifts[0].SlotMinutes = 30
		r.Policy.PacingCovers = 60
		r.Policy.Turns = []restaurantday.TurnTime{{UpToParty: 2, Minutes: 90}, {UpToParty: 8, Minutes: 120}}
	})
	p := oneDay(r, tableSlots)
	loc, err := time.LoadLocation(zone)
	if err != nil {
		t.Fatal(err)
	}
	now, date := domain.InstantOf(time.Now()), firstDate(time.Now())
	plan, err := r.DayPlan(date, 1, loc)
	if err != nil {
		t.Fatal(err)
	}
	decider := restaurantday.Decider()
	state := decider.Initial()
	decide := func(c restaurantday.Command) string {
		events, err := decider.Decide(state, c)
		if no, ok := domain.Rejected(err); ok {
			return string(no.Code)
		}
		if err != nil {
			t.Fatal(err)
		}
		table := ""
		for _, e := range events {
			if held, ok := e.(restaurantday.Held); ok {
				table = string(held.Tables[0])
			}
			state = decider.Evolve(state, e)
		}
		return table
	}
	decide(restaurantday.Open{Now: now, Restaurant: r.ID, Date: date, Plan: plan})
	c, err := newClient(t.Context(), s, 0, &window{to: time.Now().Add(time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	defer c.wire.close()
	codes := map[string]int{}
	for n := range 700 {
		d, err := p.choose(c.rand)
		if err != nil {
			t.Fatal(err)
		}
		a := draw(c.rand)
		a.time = plan.Slots[c.rand.IntN(len(plan.Slots))].Time
		if n%50 == 0 {
			a = ask{[]string{"10:00", seatings[0]}[n/50%2], 9} // no such seating; too many for any table
		}
		if len(p.day.standing) > 0 && d.cancel.id == "" && n%9 == 8 {
			d.cancel = p.day.standing[0]
			p.day.standing = p.day.standing[1:]
		}
		c.tally.refused = map[string]int{}
		if err := c.do(p, d, a); err != nil {
			t.Fatal(err)
		}
		got := ""
		for code := range c.tally.refused {
			got = code
		}
		var want string
		if d.cancel.id != "" {
			_, _, number := domain.ReservationID(d.cancel.id).Day()
			want = decide(restaurantday.Cancel{Now: now, Actor: domain.System(), Number: number})
		} else {
			want = decide(restaurantday.Hold{Now: now, Actor: domain.System(), Party: domain.PartySize(a.party), Time: a.time})
			if got == "" {
				got = firstTable(t, c.wire.body)
			}
		}
		codes[want]++
		if got != want {
			t.Fatalf("step %d, %+v %+v: the baseline says %q, Daybook %q", n, d, a, got, want)
		}
	}
	for _, code := range []domain.Code{"", domain.CodeNoTable, domain.CodePacingFull, domain.CodeOutsideHours, domain.CodePartyTooLarge} {
		if codes[string(code)] == 0 {
			t.Errorf("nothing was decided as %q: %v", code, codes)
		}
	}
	// What is free is told alike as well.
	for party := range 9 {
		c.wire.head("GET", "/api/v1/restaurants/", string(r.ID), "/availability?date=", date.String(), "&party=", strconv.Itoa(party+1))
		answer, err := c.wire.send(nil)
		if err != nil {
			t.Fatal(err)
		}
		want := ""
		for _, slot := range state.Slots(domain.PartySize(party+1), now) {
			want += fmt.Sprintf("%s %d %s\n", slot.Time, slot.TablesLeft, slot.Refusal)
		}
		if got := freeSlots(t, answer.body); got != want {
			t.Errorf("party of %d: got\n%swant\n%s", party+1, got, want)
		}
	}
}

// TestBaselineRefuses goes through what random load does not meet.
func TestBaselineRefuses(t *testing.T) {
	s, conn, r := inProcess(t)
	c, err := newClient(t.Context(), s, 0, &window{})
	if err != nil {
		t.Fatal(err)
	}
	defer c.wire.close()
	first := firstDate(time.Now())
	var id string
	ask := func(by int, key, method, path, body string) string {
		t.Helper()
		c.wire.head(method, "/api/v1/reservations", path)
		c.wire.header("Authorization", s.diners[by].bearer)
		if key != "" {
			c.wire.header("Idempotency-Key", key)
		}
		answer, err := c.wire.send([]byte(body))
		if err != nil {
			t.Fatal(err)
		}
		if id = text(answer.body, "reservationId"); answer.status < 300 {
			return fmt.Sprint(answer.status, " ", text(answer.body, "status"))
		}
		return fmt.Sprint(answer.status, " ", text(answer.body, "code"))
	}
	keys := 0
	hold := func(date domain.ServiceDate, party int, key string) string {
		t.Helper()
		if key == "" {
			keys++
			key = fmt.Sprint("key", keys)
		}
		return ask(0, key, "POST", "", fmt.Sprintf(`{"restaurantId":%q,"date":%q,"time":"13:00","party":%d}`, r.ID, date, party))
	}
	var got []string
	say := func(answers ...string) { got = append(got, answers...) }
	say(hold(first.AddDays(-5), 2, ""), hold(first.AddDays(horizonDays+5), 2, ""))
	for range 6 {
		say(hold(first, 8, ""))
	}
	held := id
	say(hold(first, 8, ""))
	say(hold(first, 7, "key8")) // key8 held for eight
	say(hold(first, 8, "key8"))
	if id != held {
		t.Errorf("a repeated hold answered %s, want %s", id, held)
	}
	path := "/" + held + "/cancel"
	say(ask(0, "", "PATCH", path, "{}"), ask(1, "c1", "PATCH", path, "{}"), ask(0, "c2", "PATCH", path, "{}"),
		ask(0, "c2", "PATCH", path, "{}"), ask(0, "c3", "PATCH", path, "{}"))
	say(hold(first, 8, ""), hold(first, 8, ""))
	lapsed := fmt.Sprintf("/%s/cancel", domain.NewReservationID(r.ID, first, 1))
	if _, err := conn.Exec(t.Context(), "UPDATE reservations SET expires_at = $1 WHERE number = 1", time.Now().UnixMilli()-1); err != nil {
		t.Fatal(err)
	}
	say(hold(first, 8, ""), ask(0, "c4", "PATCH", lapsed, "{}"))
	want := []string{
		"409 in_the_past", "409 too_far_ahead",
		"201 pending", "201 pending", "201 pending", "201 pending", "201 pending", "201 pending", "409 no_table",
		"422 idempotency_key_reused", "201 pending",
		"400 idempotency_key_missing", "404 not_found", "200 cancelled", "200 cancelled", "200 cancelled",
		"201 pending", "409 no_table", "201 pending", "409 hold_expired",
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got\n%q\nwant\n%q", got, want)
	}
}
