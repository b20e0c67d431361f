package availability

import (
	"context"
	"strconv"
	"strings"
	"sync"

	"github.com/redis/go-redis/v9"

	"daybook/domain"
)

// changedChannel is where a runner tells all processes which days it has written. A message
// is only a hint: it may be lost, so who watches reads the day again from time to time too.
const changedChannel = keyPrefix + "changed"

// changed is the message that a day was written.
func (k DayKey) changed() string {
	return string(k.Restaurant) + ":" + strconv.FormatInt(int64(k.Date), 10)
}

func parseChanged(message string) (DayKey, bool) {
	restaurant, date, ok := strings.Cut(message, ":")
	n, err := strconv.ParseInt(date, 10, 32)
	return DayKey{Restaurant: domain.RestaurantID(restaurant), Date: domain.ServiceDate(n)}, ok && err == nil
}

// watchers is who wants to know of changes. All share one subscription, which is there only
// while somebody watches.
type watchers struct {
	mu    sync.Mutex
	byKey map[DayKey]map[chan struct{}]struct{}
	all   int
	feed  *redis.PubSub
	done  chan struct{} // closed when nothing of feed is handed on any more
}

// Watch tells when a day may have changed: the channel then has a value. It never has more
// than one, so who reads it late misses nothing but what is old. It has one as soon as
// changes are told of for certain, and again whenever some may have been lost. The caller
// calls stop when it is done with it.
func (v *View) Watch(key DayKey) (changed <-chan struct{}, stop func()) {
	w := &v.watchers
	c := make(chan struct{}, 1)
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.byKey == nil {
		w.byKey = make(map[DayKey]map[chan struct{}]struct{})
	}
	if w.byKey[key] == nil {
		w.byKey[key] = make(map[chan struct{}]struct{})
	}
	w.byKey[key][c] = struct{}{}
	if w.all++; w.all == 1 {
		// It connects again by itself, and ends when it is closed.
		w.feed, w.done = v.redis.Subscribe(context.Background(), changedChannel), make(chan struct{})
		go w.listen(w.feed, w.done)
	} else {
		c <- struct{}{} // the subscription may stand for long
	}
	return c, sync.OnceFunc(func() { w.leave(key, c) })
}

func (w *watchers) leave(key DayKey, c chan struct{}) {
	w.mu.Lock()
	delete(w.byKey[key], c)
	if len(w.byKey[key]) == 0 {
		delete(w.byKey, key)
	}
	w.all--
	var done chan struct{}
	if w.all == 0 {
		_ = w.feed.Close() // nobody is left to be told that it failed
		done, w.feed, w.done = w.done, nil, nil
	}
	w.mu.Unlock()
	if done != nil {
		<-done
	}
}

func (w *watchers) listen(feed *redis.PubSub, done chan struct{}) {
	defer close(done)
	for message := range feed.ChannelWithSubscriptions() {
		switch m := message.(type) {
		case *redis.Subscription:
			w.tell(func(DayKey) bool { return true }) // what was told before was missed
		case *redis.Message:
			if changed, ok := parseChanged(m.Payload); ok {
				w.tell(func(k DayKey) bool { return k == changed })
			}
		}
	}
}

func (w *watchers) tell(of func(DayKey) bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for key, all := range w.byKey {
		if !of(key) {
			continue
		}
		for c := range all {
			select {
			case c <- struct{}{}:
			default: // one waits already, and will do for both
			}
		}
	}
}
