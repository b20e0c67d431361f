package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"sync"
	"testing"
	"time"
)

// TestWebhooksOfAKilledProcess kills a serving process again and again while it tells a
// receiver of bookings: the receiver hears of each, and of none before what came before it.
func TestWebhooksOfAKilledProcess(t *testing.T) {
	rounds := 3
	if os.Getenv("DAYBOOK_SOAK") != "" {
		rounds = 30
	}
	var mu sync.Mutex
	statuses := map[string][]string{} // of each reservation, as the receiver first heard of them
	messages := map[string]bool{}
	receiver := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		raw, err := io.ReadAll(r.Body)
		var body struct {
			Data struct {
				Reservation struct{ ReservationID, Status string }
			}
		}
		if err != nil || json.Unmarshal(raw, &body) != nil {
			return // the sender was killed
		}
		mu.Lock()
		defer mu.Unlock()
		if id := r.Header.Get("webhook-id"); !messages[id] {
			messages[id] = true
			of := body.Data.Reservation
			statuses[of.ReservationID] = append(statuses[of.ReservationID], of.Status)
		}
	}))
	defer receiver.Close()

	data := t.TempDir()
	s := serve(t, data, "--webhooks-allow-private")
	owner := s.client.register("owner")
	id := owner.openRestaurant(floor{tables: map[int]int{2: 8}})
	owner.send(http.MethodPost, "/restaurants/"+id+"/webhooks", fmt.Sprintf(
		`{"url":%q,"events":["reservation.held","reservation.confirmed","reservation.cancelled"]}`, receiver.URL)).want(t, 201, "")
	day := time.Now().AddDate(0, 0, 2)
	want := map[string][]string{}
	for range rounds {
		for range 5 {
			booked := owner.send(http.MethodPost, "/reservations", fmt.Sprintf(
				`{"restaurantId":%q,"date":%q,"time":"19:00","party":2}`, id, day.Format(time.DateOnly))).want(t, 201, "").field("reservationId")
			owner.send(http.MethodPost, "/reservations/"+booked+"/confirm", "").want(t, 200, "")
			owner.send(http.MethodPatch, "/reservations/"+booked+"/cancel", `{}`).want(t, 200, "")
			want[booked] = []string{"pending", "confirmed", "cancelled"}
		}
		s.kill(t)
		s = serve(t, data, "--webhooks-allow-private")
		owner.base = s.client.base
	}
	deadline := time.Now().Add(time.Minute)
	for {
		mu.Lock()
		got, ok := fmt.Sprint(statuses), len(messages) == 3*len(want)
		mu.Unlock()
		if ok {
			if got != fmt.Sprint(want) {
				t.Errorf("the receiver heard %s\nwant %v", got, want)
			}
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("the receiver heard of %d events, want %d:\n%s", len(messages), 3*len(want), got)
		}
		time.Sleep(5 * time.Millisecond)
	}
}
