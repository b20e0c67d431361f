package availability

import (
	"math/rand/v2"
	"strings"
	"testing"

	"daybook/domain"
)

// TestEveryEventIsDrawn: whatever happens on a day, up to its end, what is shown is what the
// stream says, and nothing personal stands in Redis.
func TestEveryEventIsDrawn(t *testing.T) {
	h := newHouse(t)
	e := newInProcessEnd(t)
	v := h.view(e.client())
	p := h.checkpoint(v)
	for seed := range uint64(12) {
		r := rand.New(rand.NewPCG(seed, 4))
		key := DayKey{domain.NewRestaurantID([16]byte{byte(seed)}), date}
		h.now.Store(int64(morning + 18*hour))
		for range 200 {
			h.now.Add(int64(r.IntN(int(7 * minute))))
			at, err := h.try(key, h.draw(key, r))
			if _, refused := domain.Rejected(err); err != nil && !refused {
				t.Fatal(err)
			}
			if at.Position == 0 || r.IntN(4) > 0 {
				continue
			}
			p = h.feed(v, p)
			h.check(v, key, uint64(at.Revision), domain.PartySize(1+r.IntN(4)))
		}
	}
	if missing := h.undrawn(); len(missing) > 0 {
		t.Errorf("no day has %v: draw them in internal/daytest", missing)
	}
	for key, value := range dump(t, e.client()) {
		if strings.Contains(value, secret) {
			t.Errorf("%s holds what is personal", key)
		}
	}
}
