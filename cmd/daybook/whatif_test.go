package main

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"daybook/domain"
	"daybook/eventstore"
	"daybook/readapi"
)

// heads is where the ledger of a data folder ends.
func heads(t *testing.T, data string) eventstore.Position {
	t.Helper()
	store, err := openExistingStore(data)
	if err != nil {
		t.Fatal(err)
	}
	head, err := store.Head(t.Context())
	if err := errors.Join(err, store.Close()); err != nil {
		t.Fatal(err)
	}
	return head
}

// An unchanged plan reproduces what was brought in: the real month with DAYBOOK_SOAK=1.
// Nothing is written to the ledger, whatever is asked.
func TestWhatIf(t *testing.T) {
	t.Parallel()
	data, dir := t.TempDir(), t.TempDir()
	files, from, to := importFiles{}, "2019-03-19", "2019-04-03"
	if os.Getenv("DAYBOOK_SOAK") == "1" {
		files, from, to = realMonth(t), "2017-01-01", "2017-01-31"
	} else {
		files = madeUp(t, 150)
	}
	brought := importCommand{engineFlags: engineFlags{Data: data}, Restaurants: files.restaurants, Plan: tightPlan, Reservations: files.reservations}
	if err := brought.Run(t.Context(), &bytes.Buffer{}); err != nil {
		t.Fatal(err)
	}
	before := heads(t, data)
	run := func(plan string) (said string, all struct {
		Decisions   int
		Total       readapi.WhatIfFigures
		Restaurants []readapi.WhatIf
	}) {
		t.Helper()
		c := whatIfCommand{
			Data: data, Restaurants: []string{"all"}, From: from, To: to, Plan: plan, SpendPerCover: "30 EUR", Differences: true, ByDay: true,
			CSV: filepath.Join(dir, "w.csv"), JSON: filepath.Join(dir, "w.json"), SVG: filepath.Join(dir, "w.svg"),
		}
		var out bytes.Buffer
		if err := c.Run(t.Context(), &out); err != nil {
			t.Fatal(err)
		}
		raw, err := os.ReadFile(c.JSON)
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(raw, &all); err != nil {
			t.Fatal(err)
		}
		return out.String(), all
	}
	said, same := run("")
	if !strings.Contains(said, ", 0 differences") || same.Decisions == 0 || same.Total.History.Refused == 0 {
		t.Errorf("unchanged: %s", said)
	}
	for _, r := range same.Restaurants {
		if len(r.Differences) > 0 || r.Total.Difference.Covers != 0 {
			t.Errorf("%s: %+v", r.Name, r.Differences)
		}
	}
	said, other := run("../../docs/examples/no-combinations.json")
	if d := other.Total.Difference; d.Accepted >= 0 || d.Refused != -d.Accepted || d.Requests != 0 || strings.Contains(said, ", 0 differences") {
		t.Errorf("without combinations: %+v\n%s", d, said)
	}
	rows, err := csv.NewReader(bytes.NewReader(must(os.ReadFile(filepath.Join(dir, "w.csv"))))).ReadAll()
	days := 0
	for _, r := range other.Restaurants {
		days += len(r.Days)
	}
	if err != nil || len(rows) != days+1 {
		t.Errorf("%d rows of %d days: %v", len(rows), days, err)
	}
	if picture := must(os.ReadFile(filepath.Join(dir, "w.svg"))); !bytes.Contains(picture, []byte("refused requests")) {
		t.Errorf("%.200s", picture)
	}
	if after := heads(t, data); after != before {
		t.Errorf("the ledger went from %d to %d", before, after)
	}
}

func TestWhatIfRefusesBadInput(t *testing.T) {
	t.Parallel()
	file := func(content string) string {
		path := filepath.Join(t.TempDir(), "plan.json")
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	for want, spoil := range map[string]func(*whatIfCommand){
		"--from":                         func(c *whatIfCommand) { c.From = "soon" },
		"--to: is before":                func(c *whatIfCommand) { c.To = "2016-12-31" },
		"that are 3661 days":             func(c *whatIfCommand) { c.To = "2027-01-09" },
		"is no data folder":              func(*whatIfCommand) {},
		"spendPerCover.amount":           func(c *whatIfCommand) { c.Plan = file(`{"spendPerCover": {"amount": -1, "currency": "EUR"}}`) },
		"want 0 to 1000000000000":        func(c *whatIfCommand) { c.SpendPerCover = "10000000000.01 EUR" },
		`unknown field "turnMinutesBuy"`: func(c *whatIfCommand) { c.Plan = file(`{"turnMinutesBuy": 3}`) },
		"no plan has deposits yet":       func(c *whatIfCommand) { c.Plan = file(`{"policy": {"deposit": {}}}`) },
		"it is empty":                    func(c *whatIfCommand) { c.Plan = file("") },
		"none is named":                  func(c *whatIfCommand) { c.Restaurants = nil },
		"something follows":              func(c *whatIfCommand) { c.Plan = file(`{} {}`) },
		"tableBinding":                   func(c *whatIfCommand) { c.Plan = file(`{"policy": {"tableBinding": "never"}}`) },
		"shifts[0]: days":                func(c *whatIfCommand) { c.Plan = file(`{"shifts": [{"days": ["someday"]}]}`) },
		"spendPerCover.currency":         func(c *whatIfCommand) { c.Plan = file(`{"spendPerCover": {"amount": 1, "currency": "euros"}}`) },
		"--spend-per-cover":              func(c *whatIfCommand) { c.SpendPerCover = "much" },
		"JPY has 0 decimals":             func(c *whatIfCommand) { c.SpendPerCover = "1.50 JPY" },
	} {
		c := whatIfCommand{Data: t.TempDir(), Restaurants: []string{"all"}, From: "2017-01-01", To: "2017-01-31"}
		spoil(&c)
		if err := c.Run(t.Context(), &bytes.Buffer{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want %s, got %v", want, err)
		}
	}
}

// Amounts are read as people write them.
func TestParseMoney(t *testing.T) {
	for text, want := range map[string]domain.Money{
		"32.50 EUR": {Amount: 3250, Currency: "EUR"}, "32.5EUR": {Amount: 3250, Currency: "EUR"}, "3000 JPY": {Amount: 3000, Currency: "JPY"},
		"1.234 KWD": {Amount: 1234, Currency: "KWD"}, "7 USD": {Amount: 700, Currency: "USD"},
	} {
		if got, err := parseMoney(text); err != nil || got != want {
			t.Errorf("%s: %v, %v", text, got, err)
		}
	}
}

// An owner asks over HTTP; nobody else may, and nothing is written.
func TestWhatIfOverHTTP(t *testing.T) {
	t.Parallel()
	e := newEvening(t)
	for range 2 {
		e.hold(t, e.diner, "19:00", `,"confirm":true`)
	}
	e.diner.send(http.MethodPost, "/reservations", `{"restaurantId":"`+e.restaurant+`","date":"`+e.date+`","time":"19:00","party":2}`).want(t, 409, "no_table")
	path := "/restaurants/" + e.restaurant + "/what-if"
	ask := func(c client, plan string) reply {
		return c.send(http.MethodPost, path, `{"from":"`+e.date+`","to":"`+e.date+`","plan":`+plan+`,"spendPerCover":{"amount":2000,"currency":"EUR"}}`)
	}
	var got readapi.WhatIf
	for deadline := time.Now().Add(10 * time.Second); got.Total.History.Refused != 1; { // refused demand goes on record beside the answer
		if time.Now().After(deadline) {
			t.Fatalf("%+v", got)
		}
		got = readapi.WhatIf{}
		ask(e.owner, "{}").want(t, 200, "").json(t, &got)
	}
	if len(got.Differences) != 0 || got.Total.WhatIf.Covers != 4 || got.Total.WhatIf.Revenue.Amount != 8000 {
		t.Errorf("unchanged: %+v", got)
	}
	before, err := e.h.engines.store.Head(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	got = readapi.WhatIf{}
	answer := ask(e.owner, `{"tables":[{"number":"1","capacity":2},{"number":"2","capacity":2},{"number":"3","capacity":2}]}`).want(t, 200, "")
	answer.json(t, &got)
	if len(got.Differences) != 1 || got.Differences[0].History.Code != "no_table" || got.Total.Difference.Covers != 2 || answer.position() == "" {
		t.Errorf("one table more: %s", answer)
	}
	ask(e.other, "{}").want(t, 403, "forbidden")
	ask(e.public, "{}").want(t, 401, "unauthenticated")
	ask(e.owner, `{"deposit":{}}`).want(t, 422, "invalid")
	ask(e.owner, `{"turnMinutesBy":-119}`).want(t, 422, "invalid")
	e.owner.send(http.MethodPost, path, `{"from":"2026-11-01","to":"2026-12-02","plan":{}}`).want(t, 422, "invalid")
	e.owner.send(http.MethodPost, path, `{"from":"2026-11-02","to":"2026-11-01","plan":{}}`).want(t, 422, "invalid")
	if after, err := e.h.engines.store.Head(t.Context()); err != nil || after != before {
		t.Errorf("the ledger went from %d to %d: %v", before, after, err)
	}

	// The command has it answered by the process that has the data folder. A restaurant is
	// found by the name that it has now, and asked once.
	e.owner.send(http.MethodPatch, "/restaurants/"+e.restaurant, `{"name":"Renamed"}`).want(t, 200, "")
	plan := filepath.Join(t.TempDir(), "plan.json")
	if err := os.WriteFile(plan, []byte(`{"tables":[{"number":"1","capacity":2},{"number":"2","capacity":2},{"number":"3","capacity":2}]}`), 0o600); err != nil {
		t.Fatal(err)
	}
	c := whatIfCommand{
		Data: e.h.cfg.Data, Restaurants: []string{"Renamed", e.restaurant}, From: e.date, To: e.date, Plan: plan, SpendPerCover: "20 EUR",
		JSON: filepath.Join(t.TempDir(), "w.json"),
	}
	var out bytes.Buffer
	if err := c.Run(t.Context(), &out); err != nil {
		t.Fatal(err)
	}
	var all struct{ Restaurants []readapi.WhatIf }
	if err := json.Unmarshal(must(os.ReadFile(c.JSON)), &all); err != nil {
		t.Fatal(err)
	}
	got.Name = "Renamed"
	if want := []readapi.WhatIf{got}; !reflect.DeepEqual(all.Restaurants, want) {
		t.Errorf("got %+v\nwant %+v", all.Restaurants, want)
	}
	c.Restaurants = []string{"Nobody's"}
	if err := c.Run(t.Context(), &out); err == nil || !strings.Contains(err.Error(), `there is no "Nobody's"`) {
		t.Errorf("got %v", err)
	}
}
