package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"
)

// previewed is what a preview answers.
type previewed struct {
	Days []struct {
		Date     string
		Revision uint64
		Touched  []struct {
			ReservationID, Time, Name string
			Party                     int
			Reasons                   []struct{ Code, Rule string }
			Can                       []string
		}
	}
}

// TestPlanChangeOverHTTP closes a date on which there are bookings: preview, refusal, the
// change with a decision for each, and what becomes of them.
func TestPlanChangeOverHTTP(t *testing.T) {
	t.Parallel()
	h := startHouse(t, houseConfig{})
	public := h.client(t)
	owner, diner := public.register("owner"), public.register("diner")
	id := owner.openRestaurant(floor{tables: map[int]int{2: 3, 4: 1}})
	at, date, other := "/restaurants/"+id, h.tomorrow(), h.inDays(3)
	book := func(date, time string) string {
		return diner.send(http.MethodPost, "/reservations", fmt.Sprintf(
			`{"restaurantId":%q,"date":%q,"time":%q,"party":2,"guest":{"name":"Bo"},"confirm":true}`, id, date, time)).want(t, 201, "").field("reservationId")
	}
	first, second, third := book(date, "18:00"), book(date, "19:00"), book(date, "20:00")
	elsewhere := book(other, "19:00")
	closure := fmt.Sprintf(`"from":%q,"to":%q,"reason":"a burst pipe"`, date, date)

	preview := func(body string) (p previewed) {
		owner.send(http.MethodPost, at+"/closures?preview=true", body).want(t, 200, "").json(t, &p)
		return p
	}
	before := preview("{" + closure + "}")
	if len(before.Days) != 2 || before.Days[0].Date != date || before.Days[1].Date != other || len(before.Days[1].Touched) != 0 || len(before.Days[0].Touched) != 3 {
		t.Fatalf("previewed %+v", before)
	}
	one := before.Days[0].Touched[0]
	if one.ReservationID != first || one.Time != "18:00" || one.Name != "Bo" || one.Party != 2 || len(one.Reasons) != 1 ||
		one.Reasons[0].Code != "closed" || fmt.Sprint(one.Can) != "[keep cancel]" {
		t.Errorf("touched %+v", one)
	}
	diner.send(http.MethodPost, at+"/closures?preview=true", "{"+closure+"}").want(t, 403, "forbidden")

	// Nothing was changed by looking at it, and nothing is by a change that says too little.
	refused := owner.send(http.MethodPost, at+"/closures", "{"+closure+"}").want(t, 409, "decision_needed")
	var no struct {
		Reasons []struct {
			Date    string
			Entries []struct {
				ReservationID string
				Until         time.Time
			}
		}
	}
	refused.json(t, &no)
	if len(no.Reasons) != 3 || no.Reasons[1].Date != date || no.Reasons[1].Entries[0].ReservationID != second ||
		no.Reasons[1].Entries[0].Until.Format("15:04") != "20:30" { // by the restaurant's clocks
		t.Errorf("refused with %s", refused)
	}
	var all map[string]any
	public.get(at).want(t, 200, "").json(t, &all)
	if closures, _ := all["closures"].([]any); len(closures) != 0 {
		t.Errorf("closures %v", closures)
	}
	onOpen := func(decisions, rest string) string {
		return fmt.Sprintf(`{%s,"onOpenDays":{"seen":[{"date":%q,"revision":%d}],"decisions":[%s]%s}}`, closure, date, before.Days[0].Revision, decisions, rest)
	}
	decide := func(id, do string) string { return fmt.Sprintf(`{"reservationId":%q,"do":%q}`, id, do) }
	send := func(body string, headers ...string) reply {
		return owner.send(http.MethodPost, at+"/closures", body, headers...)
	}
	send(onOpen(decide(first, "keep")+","+decide(second, "cancel"), "")).want(t, 409, "decision_needed")
	send(onOpen(decide(first, "move")+","+decide(second, "cancel")+","+decide(third, "cancel"), "")).want(t, 409, "decision_needed") // there is no slot to move to
	send(onOpen(decide(first, "burn"), "")).want(t, 422, "invalid")
	send(onOpen(decide(first, "keep")+","+decide(first, "cancel"), `,"default":"keep"`)).want(t, 422, "invalid")
	send(onOpen(decide(elsewhere, "keep"), `,"default":"keep"`)).want(t, 422, "invalid") // its day was not seen
	send(fmt.Sprintf(`{%s,"onOpenDays":{"seen":[{"date":%q,"revision":9999}],"decisions":[%s],"default":"keep"}}`, closure, date, decide(first, "keep"))).want(t, 422, "invalid")
	send(onOpen(fmt.Sprintf(`{"reservationId":%q,"do":"keep","message":"x"}`, first), `,"default":"keep"`)).want(t, 422, "invalid")

	// One booked since the preview goes by the default, or is asked for.
	late := book(date, "21:00")
	three := decide(first, "keep") + "," + fmt.Sprintf(`{"reservationId":%q,"do":"cancel","message":"so sorry"}`, second) + "," + decide(third, "keep")
	send(onOpen(three, "")).want(t, 409, "decision_needed")
	body := onOpen(three, `,"default":"cancel"`)
	done := send(body, "Idempotency-Key", "close-it").want(t, 201, "")
	again := send(body, "Idempotency-Key", "close-it").want(t, 201, "")
	if done.field("closureId") != again.field("closureId") || again.header.Get("Idempotent-Replay") != "true" {
		t.Errorf("again: %s", again)
	}
	// From the answer on nobody books what is closed.
	if r := diner.send(http.MethodPost, "/reservations", fmt.Sprintf(`{"restaurantId":%q,"date":%q,"time":"19:00","party":2}`, id, date)); r.status != 409 {
		t.Errorf("booked behind the fence: %s", r)
	}

	status := func(id string) (s struct {
		Status, CancelReason string
		Exception            bool
	}) {
		diner.get("/reservations/"+id).want(t, 200, "").json(t, &s)
		return s
	}
	eventually(t, "the change is rolled out", func() bool { return status(second).Status == "cancelled" })
	for id, want := range map[string]string{first: "confirmed", second: "cancelled", third: "confirmed", late: "cancelled", elsewhere: "confirmed"} {
		if got := status(id); got.Status != want {
			t.Errorf("%s is %+v, want %s", id, got, want)
		}
	}
	if why := status(second).CancelReason; why != "so sorry" {
		t.Errorf("its diner is told %q", why)
	}
	eventually(t, "the date shows as closed", func() bool {
		var day map[string]any
		if err := json.Unmarshal(public.get(at+"/availability?party=2&date="+date).want(t, 200, "").body, &day); err != nil {
			t.Fatal(err)
		}
		return day["code"] == "closed"
	})
	// The audit trail tells of the decision, the fence and the change.
	eventually(t, "the audit trail has it", func() bool {
		trail := string(owner.get(at+"/audit?limit=100").want(t, 200, "").body)
		for _, event := range []string{"restaurant.closure_added", "restaurant.booking_decided", "restaurant.plan_decided", "day.plan_fenced", "day.plan_changed", "reservation.cancelled"} {
			if !strings.Contains(trail, event) {
				return false
			}
		}
		return true
	})
	if after := preview(fmt.Sprintf(`{"from":%q,"to":%q,"reason":"again"}`, date, date)); len(after.Days[0].Touched) != 0 {
		t.Errorf("exceptions are touched again: %+v", after.Days[0])
	}
}

// TestMoveOnATableThatGoes moves a booking of a table that is taken off the floor.
func TestMoveOnATableThatGoes(t *testing.T) {
	t.Parallel()
	h := startHouse(t, houseConfig{})
	public := h.client(t)
	owner, diner := public.register("owner"), public.register("diner")
	id := owner.openRestaurant(floor{tables: map[int]int{2: 2}})
	tables := tableIDs(public, id)
	r := diner.send(http.MethodPost, "/reservations", fmt.Sprintf(
		`{"restaurantId":%q,"date":%q,"time":"19:00","party":2,"tableId":%q,"confirm":true}`, id, h.tomorrow(), tables[0])).want(t, 201, "").field("reservationId")
	at := "/restaurants/" + id + "/tables/" + tables[0]
	owner.send(http.MethodDelete, at, "").want(t, 409, "decision_needed")
	owner.send(http.MethodDelete, at, `{"onOpenDays":{"default":"keep"}}`).want(t, 409, "decision_needed") // on a table that is gone
	owner.send(http.MethodDelete, at, `{"onOpenDays":{"default":"move"}}`).want(t, 200, "")
	eventually(t, "it has the other table", func() bool {
		var got struct {
			Status string
			Tables []struct{ TableID string }
		}
		body := diner.get("/reservations/"+r).want(t, 200, "").body
		if err := json.Unmarshal(body, &got); err != nil {
			t.Fatal(err)
		}
		return strings.Contains(string(body), tables[1]) && !strings.Contains(string(body), tables[0])
	})
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain until %s", what)
		}
	}
}
