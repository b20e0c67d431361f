package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"daybook/eventstore/canon"
	"daybook/eventstore/storetest"
)

const testOperator = "an operator's token that nobody guesses"

// TestLedgerEvents reads the ledger over HTTP: who may read what, page by page, and as it comes.
func TestLedgerEvents(t *testing.T) {
	t.Parallel()
	h := startHouse(t, houseConfig{OperatorToken: testOperator, wrap: storetest.Sparse})
	public := h.client(t)
	owner, other := public.register("owner"), public.register("other")
	operator := public
	operator.token = testOperator
	id := owner.openRestaurant(floor{tables: map[int]int{2: 1}})
	body := `{"restaurantId":"` + id + `","date":"` + h.tomorrow() + `","time":"19:00","party":2,"notes":"marked by the window","guest":{"name":"Marked Name"}}`
	owner.send(http.MethodPost, "/reservations", body).want(t, 201, "")

	const all = "/ledger/events?limit=1000"
	public.get(all).want(t, 401, "unauthenticated")
	owner.get(all).want(t, 403, "forbidden")
	other.get(all+"&restaurantId="+id).want(t, 403, "forbidden")
	other.get(all+"&stream=restaurant-"+id[4:]).want(t, 403, "forbidden")
	operator.get(all+"&after=99999").want(t, 422, "invalid")
	operator.get(all+"&types=nothing.").want(t, 422, "invalid")
	operator.get("/users/me/reservations").want(t, 401, "unauthenticated") // good for the ledger alone

	whole := operator.get(all).want(t, 200, "")
	mine := owner.get(all+"&restaurantId="+id).want(t, 200, "")
	if got := whole.header.Get("Content-Type"); got != "application/x-ndjson" {
		t.Errorf("content type %q", got)
	}
	var paged []byte
	for after := "0"; ; {
		r := operator.get("/ledger/events?limit=3&after="+after).want(t, 200, "")
		if len(r.body) == 0 {
			break
		}
		paged = append(paged, r.body...)
		after = strconv.FormatUint(uint64(eventLines(t, r.body)[len(eventLines(t, r.body))-1].Position), 10)
	}
	computed := strconv.FormatUint(uint64(eventLines(t, whole.body)[1].Position)-1, 10)
	for what, r := range map[string]reply{
		"events after it": operator.get(all + "&after=" + computed),
		"as of it":        owner.get("/restaurants/" + id + "?asOf=" + computed),
		"a webhook after it": owner.send(http.MethodPost, "/restaurants/"+id+"/webhooks",
			`{"url":"https://hooks.example.com/","events":["reservation.held"],"after":`+computed+`}`),
	} {
		if r.want(t, 422, "invalid"); !strings.Contains(string(r.body), "has that position") {
			t.Errorf("%s: %s", what, r)
		}
	}
	if !bytes.Equal(paged, whole.body) {
		t.Errorf("by pages it is\n%s\nat once\n%s", paged, whole.body)
	}
	for _, l := range eventLines(t, mine.body) {
		if !strings.Contains(string(l.Stream), id[4:]) {
			t.Errorf("an owner was told of stream %s", l.Stream)
		}
	}
	if all, own := len(eventLines(t, whole.body)), len(eventLines(t, mine.body)); all <= own || own < 7 {
		t.Errorf("%d events in all, %d of the owner's", all, own)
	}
	if bytes.Contains(whole.body, []byte("arked")) || bytes.Contains(whole.body, []byte("owner@example.com")) {
		t.Errorf("it tells of somebody:\n%s", whole.body)
	}

	// As it comes: what is there, then a line without an event, then the next one.
	tail := follow(t, owner, "/ledger/events?follow=true&limit=0&types=reservation.&restaurantId="+id)
	first := tail.next()
	if l, err := canon.FromLine(first); err != nil || l.Type != "reservation.held" {
		t.Fatalf("%v: %s", err, first)
	}
	owner.send(http.MethodPost, "/reservations", strings.Replace(body, "19:00", "21:30", 1)).want(t, 201, "")
	for {
		line := tail.next()
		l, err := canon.FromLine(line)
		if err == nil && l.Type == "reservation.held" {
			break
		}
		var m struct{ Position uint64 }
		if json.Unmarshal(line, &m) != nil || m.Position == 0 {
			t.Fatalf("neither an event nor a position: %s", line)
		}
	}
	// No caller has more than its share, and what ended is given back.
	tails := []*tailed{tail}
	for range 3 {
		tails = append(tails, follow(t, owner, "/ledger/events?follow=true&limit=0&restaurantId="+id))
	}
	owner.get(all+"&restaurantId="+id).want(t, 503, "overloaded")
	operator.get(all).want(t, 200, "")
	for _, one := range tails[1:] {
		one.stop()
	}
	for r := owner.get(all + "&restaurantId=" + id); r.status != 200; r = owner.get(all + "&restaurantId=" + id) {
		r.want(t, 503, "overloaded")
	}

	// The house closes: who follows is told where to go on.
	closed := make(chan error, 1)
	go func() { closed <- h.server.Shutdown(context.WithoutCancel(t.Context())) }()
	last := tail.last()
	var m struct {
		Position    uint64
		End, Detail string
	}
	if err := json.Unmarshal(last, &m); err != nil || m.End != "closing" || !strings.HasSuffix(m.Detail, "go on with after="+strconv.FormatUint(m.Position, 10)) {
		t.Errorf("the last line is %s", last)
	}
	if err := <-closed; err != nil {
		t.Error(err)
	}
}

// eventLines reads lines of events, and nothing else.
func eventLines(t *testing.T, body []byte) (all []canon.Line) {
	t.Helper()
	for line := range bytes.Lines(body) {
		l, err := canon.FromLine(line)
		if err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		all = append(all, l)
	}
	return all
}

// tailed is an answer that goes on.
type tailed struct {
	t     *testing.T
	lines *bufio.Scanner
	stop  context.CancelFunc
}

func follow(t *testing.T, c client, path string) *tailed {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	t.Cleanup(stop)
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, c.base+"/api/v1"+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+c.token)
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = answer.Body.Close() })
	if answer.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s", path, answer.Status)
	}
	return &tailed{t, bufio.NewScanner(answer.Body), stop}
}

func (f *tailed) next() []byte {
	f.t.Helper()
	if !f.lines.Scan() {
		f.t.Fatalf("it ended: %v", f.lines.Err())
	}
	return f.lines.Bytes()
}

// last reads to the end.
func (f *tailed) last() (line []byte) {
	f.t.Helper()
	for f.lines.Scan() {
		line = bytes.Clone(f.lines.Bytes())
	}
	if err := f.lines.Err(); err != nil {
		f.t.Error(err)
	}
	return line
}
