package codec

import (
	"context"
	"testing"

	"daybook/domain"
	"daybook/domain/restaurantday"
)

func plainHeld() restaurantday.Held {
	at := domain.Instant(1_795_287_600_000)
	return restaurantday.Held{
		Stamp: domain.Stamp{At: at - 86_400_123}, Number: 117, Diner: testUser, Party: 4,
		Slot:     restaurantday.Slot{Time: "19:00", StartsAt: at, Closes: at.AddMinutes(300), Shift: "Dinner"},
		Turn:     domain.Interval{From: at, To: at.AddMinutes(120)},
		Occupied: domain.Interval{From: at, To: at.AddMinutes(135)},
		Tables:   []domain.TableID{domain.NewTableID([16]byte{9})}, ExpiresAt: at - 86_000_000, Code: "K7WQ2M",
	}
}

func BenchmarkEvents(b *testing.B) {
	personal := plainHeld()
	personal.Details = restaurantday.Details{Notes: "a quiet corner, please", SpecialRequests: "one high chair", Occasion: "birthday"}
	for _, bench := range []struct {
		name  string
		event any
	}{
		{"held", plainHeld()},
		{"held-personal", personal},
		{"confirmed", restaurantday.Confirmed{Stamp: domain.Stamp{At: 1_795_287_600_000}, Number: 117}},
		{"cancelled", restaurantday.Cancelled{Stamp: domain.Stamp{At: 1_795_287_600_000}, Number: 117, Diner: testUser, By: restaurantday.ByDiner}},
		{"expired", restaurantday.Expired{Stamp: domain.Stamp{At: 1_795_287_600_000}, Number: 117, LapsedAt: 1_795_287_000_000}},
	} {
		ctx := context.Background()
		c := New(newMemoryKeys())
		meta := testMeta
		meta.Reason = ""
		e, err := c.Encode(ctx, testDay, testID, bench.event, meta)
		if err != nil {
			b.Fatal(err)
		}
		r := record(testDay, e)
		b.Run("encode/"+bench.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := c.Encode(ctx, testDay, testID, bench.event, meta); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run("decode/"+bench.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := c.Decode(ctx, r); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkEventID(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		EventID(testDay, [16]byte{1}, 2)
	}
}
