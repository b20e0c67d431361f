package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"testing"
)

// TestFactsOverHTTP moves a restaurant's bookings in from another system: looked at first, then
// recorded, one conflict resolved on the floor, and the rest taken back.
func TestFactsOverHTTP(t *testing.T) {
	t.Parallel()
	e := newEvening(t)
	mine := e.hold(t, e.diner, "18:00", `,"confirm":true`).field("reservationId")
	rows := "Nr;Start;Pax;Tisch;Gast\n"
	for i, row := range []string{"18:00:00;2;%s;Ada", "18:00:00;2;;Bo", "20:00:00;9;;Cy", "20:00:00;2;;Di", "eight;2;;Ed"} {
		if i == 0 {
			row = fmt.Sprintf(row, "1")
		}
		rows += fmt.Sprintf("R%d;%s %s\n", i+1, e.date, row)
	}
	body, err := json.Marshal(map[string]any{
		"batch": "march", "data": rows, "mapping": map[string]any{
			"source": "old-book", "separator": ";", "columns": map[string]string{"externalId": "Nr", "startsAt": "Start", "party": "Pax", "tables": "Tisch", "name": "Gast"},
			"formats": map[string]string{"startsAt": "YYYY-MM-DD HH:mm:ss"},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	at := "/restaurants/" + e.restaurant + "/imports"
	e.diner.send(http.MethodPost, at, string(body)).want(t, 403, "forbidden")
	e.public.get(at).want(t, 401, "unauthenticated")
	shown := e.owner.send(http.MethodPost, at+"?preview=true", string(body)).want(t, 200, "")
	var preview, report map[string]any
	shown.json(t, &preview)
	e.owner.get(at).want(t, 200, "")
	done := e.owner.send(http.MethodPost, at, string(body), "Idempotency-Key", "move-in").want(t, 201, "")
	done.json(t, &report)
	sameJSON(t, "what was recorded", report["counts"], `{"recorded":4,"known":0,"changed":0,"bad":1,"skipped":0,
		"conflicts":[{"code":"no_table","count":1},{"code":"party_too_large","count":1}]}`)
	if fmt.Sprint(preview["counts"], preview["problems"]) != fmt.Sprint(report["counts"], report["problems"]) {
		t.Errorf("previewed %v\nrecorded %v", preview, report)
	}
	if again := e.owner.send(http.MethodPost, at, string(body), "Idempotency-Key", "move-in").want(t, 201, ""); string(again.body) != string(done.body) || again.header.Get("Idempotent-Replay") != "true" {
		t.Errorf("again: %s", again)
	}
	problems := of(report["problems"], "line", "outcome", "reservationId")
	if len(problems) != 3 {
		t.Fatalf("%v", problems)
	}
	stranded := problems[0].(map[string]any)["reservationId"].(string)
	var one map[string]any
	e.owner.get(at+"/march").want(t, 200, "").json(t, &one)
	if len(one["open"].([]any)) != 2 {
		t.Errorf("open: %v", one["open"])
	}
	e.owner.get(at+"/april").want(t, 404, "not_found")

	// The host makes room: who booked here goes, and the table is the stranded party's.
	e.owner.send(http.MethodPatch, "/reservations/"+mine+"/cancel", `{}`).want(t, 200, "")
	for _, table := range e.tables {
		if e.owner.send(http.MethodPost, "/reservations/"+stranded+"/move-table", fmt.Sprintf(`{"tableIds":[%q]}`, table)).status == 200 {
			break
		}
	}
	var board map[string]any
	e.owner.get("/restaurants/"+e.restaurant+"/days/"+e.date).want(t, 200, "").json(t, &board)
	open := 0
	for _, r := range board["reservations"].([]any) {
		if r.(map[string]any)["conflicts"] != nil {
			open++
		}
	}
	if open != 1 {
		t.Errorf("%d reservations of the board stand in conflict: %v", open, board["reservations"])
	}

	undone := e.owner.send(http.MethodPost, at+"/march/undo", `{}`).want(t, 200, "")
	var left map[string]any
	undone.json(t, &left)
	sameJSON(t, "what is left", []any{left["withdrawn"], of(left["left"], "reservationId", "externalId", "status", "force")},
		fmt.Sprintf(`[3,[{"reservationId":%q,"externalId":"R2","status":"confirmed","force":true}]]`, stranded))
	e.owner.send(http.MethodPost, at+"/march/undo", `{"force":true}`).want(t, 200, "")
	e.owner.send(http.MethodPost, "/reservations/"+stranded+"/seat", `{}`).want(t, 409, "withdrawn")

	wrong := e.owner.send(http.MethodPost, at, `{"batch":"x","data":"a,b\n","mapping":{"columns":{"startsAt":"a","party":"pax"}}}`).want(t, 422, "invalid")
	var p struct {
		Errors []struct{ Location, Message string }
	}
	wrong.json(t, &p)
	if len(p.Errors) != 1 || p.Errors[0].Location != "body.mapping.columns.party" || p.Errors[0].Message != `the file has no column "pax"; it has "a", "b"` {
		t.Errorf("%s", wrong)
	}
}
