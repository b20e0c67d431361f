package groups_test

import (
	"testing"

	"daybook/eventstore"
	"daybook/eventstore/esdbserver/groups"
)

// BenchmarkConsume gives out and acknowledges one message an operation, a hundred at a time.
func BenchmarkConsume(b *testing.B) {
	for _, stream := range []eventstore.StreamName{day, groups.All} {
		b.Run(string(stream), func(b *testing.B) {
			f := newFixture(b)
			for n := 0; n < b.N; n += 1000 {
				events := make([]eventstore.Event, 1000)
				for i := range events {
					events[i] = eventstore.Event{ID: eventstore.EventID{1, byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n), byte(i >> 8), byte(i)}, Type: "reservation.held", Data: []byte(`{"table":7}`)}
				}
				f.put(day, events...)
			}
			g := group(stream, "g")
			g.HistoryBufferSize, g.ReadBatchSize, g.MaxCheckpointCount = 1000, 500, 1000
			f.create(g)
			c := f.connect(g.Key, 500)
			b.ResetTimer()
			var ids []eventstore.EventID
			for n := range b.N {
				ids = append(ids, next(b, c).Record.ID)
				if len(ids) == 100 || n == b.N-1 {
					if err := c.Ack(ids...); err != nil {
						b.Fatal(err)
					}
					ids = ids[:0]
				}
			}
		})
	}
}
