package main

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"daybook/internal/enginetest"
)

// TestRebuildWhileItServes rebuilds every view of a serving process on Postgres and Redis
// while diners book: no reader is told an error, finds less than before, or misses a view.
// A process that is killed in the middle of a rebuild takes the order again once it is back.
func TestRebuildWhileItServes(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	flags := []string{"--redis-url", enginetest.Redis(t), "--postgres-url", enginetest.Postgres(t)}
	s := serve(t, data, flags...)
	owner := s.client.register("owner")
	id := owner.openRestaurant(floor{tables: map[int]int{2: 30}})
	date := time.Now().AddDate(0, 0, 3).Format(time.DateOnly)
	book := func(c client, n int) (reply, error) {
		return c.try(t.Context(), http.MethodPost, "/reservations", fmt.Sprintf(
			`{"restaurantId":%q,"date":%q,"time":"%02d:%02d","party":2,"confirm":true}`, id, date, 17+n/2%6, n%2*30), "Idempotency-Key", newKey())
	}
	last, err := book(owner, 0)
	if err != nil || last.status != 201 {
		t.Fatal(last, err)
	}
	owner.get("/restaurants?q=Test", "Min-Ledger-Position", last.position()).want(t, 200, "")
	owner.get("/restaurants/"+id+"/audit", "Min-Ledger-Position", last.position()).want(t, 200, "")

	stop := make(chan struct{})
	var under sync.WaitGroup
	var booked, answers atomic.Int64
	under.Go(func() {
		for n := 0; ; n++ {
			select {
			case <-stop:
				return
			case <-time.After(2 * time.Millisecond): // often enough, and leaves the rebuild a core
			}
			r, err := book(owner, n)
			if err != nil || r.status != 201 && r.field("code") != "no_table" {
				t.Errorf("booking: %s, %v", r, err)
				return
			}
			if r.status == 201 {
				booked.Add(1)
			}
		}
	})
	for what, path := range map[string]string{
		`"slots":[{`: "/restaurants/" + id + "/availability?party=2&date=" + date,
		id:           "/restaurants?q=Test&party=2&date=" + date,
		`"eventId"`:  "/restaurants/" + id + "/audit?limit=200&type=reservation.held",
	} {
		under.Go(func() {
			most := 0
			for {
				select {
				case <-stop:
					return
				case <-time.After(2 * time.Millisecond): // often enough, and leaves the rebuild a core
				}
				r, err := owner.try(t.Context(), http.MethodGet, path, "")
				if err != nil || r.status != 200 {
					t.Errorf("%s: %s, %v", path, r, err)
					return
				}
				found := strings.Count(string(r.body), what)
				if found == 0 || found < most {
					t.Errorf("%s: %d found, %d before", path, found, most)
					return
				}
				most = found
				answers.Add(1)
			}
		})
	}
	rebuild := func(view string, more ...string) (string, error) {
		out, err := daybook(t.Context(), append(append([]string{"rebuild", view, "--data", data}, flags...), more...)...).CombinedOutput()
		return string(out), err
	}
	for _, what := range [][]string{{"availability"}, {"reporting"}, {"discovery"}, {"availability", "--rollback"}, {"proof"}} {
		if out, err := rebuild(what[0], what[1:]...); err != nil || !strings.Contains(out, "it stands at position") {
			t.Errorf("rebuild %v: %v\n%s", what, err, out)
		}
	}
	close(stop)
	under.Wait()
	t.Logf("%d bookings and %d answers meanwhile", booked.Load(), answers.Load())

	ordered := make(chan error, 1)
	go func() {
		_, err := rebuild("reporting")
		ordered <- err
	}()
	for strings.Count(s.words.String(), `"an order is carried out"`) < 6 {
		time.Sleep(time.Millisecond)
	}
	s.kill(t)
	if err := <-ordered; err == nil {
		t.Log("the rebuild had ended before the process was killed")
	}
	serve(t, data, flags...)
	out, err := rebuild("reporting")
	if err != nil || !strings.Contains(out, "it stands at position") || !strings.Contains(out, "audit_entries") {
		t.Errorf("after the kill: %v\n%s", err, out)
	}
	for line := range strings.Lines(out) {
		if f := strings.Fields(line); len(f) == 4 && f[0] != "building" && f[2]+f[3] != "00" {
			t.Errorf("built again, it differs: %s", line)
		}
	}
}
