package reporting

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"testing"
	"time"

	"daybook/domain"
	"daybook/domain/restaurant"
	"daybook/domain/restaurantday"
	"daybook/eventstore"
	"daybook/eventstore/codec"
	"daybook/eventstore/embedded"
	"daybook/internal/enginetest"
)

const (
	minute  = domain.Instant(60_000)
	hour    = 60 * minute
	day1    = domain.ServiceDate(20778)                  // 2026-11-21
	evening = domain.Instant(20778*86_400_000) + 18*hour // 18:00 on it, in a zone without offset
	opening = evening - 72*hour
)

// secret is in everything personal: it must be in no row.
const secret = "SECRET"

var recordedAt = time.UnixMilli(int64(opening)).UTC()

// ledger is a real store and what writes to it.
type ledger struct {
	tb       testing.TB
	store    *embedded.Store
	codec    *codec.Codec
	days     map[eventstore.StreamName]*restaurantday.State
	revision map[eventstore.StreamName]eventstore.Revision // of the next event
	commands uint64
}

var storeOptions = embedded.Options{
	Clock: func() time.Time { return recordedAt }, Logger: slog.New(slog.DiscardHandler), CacheBytes: 8 << 20, MemTableBytes: 4 << 20,
}

// restored is the ledger as it would be if it were restored to how it is now. What it is told
// then has ids of its own.
func (l *ledger) restored() *ledger {
	l.tb.Helper()
	r := *l
	r.store = enginetest.Backup(l.tb, l.store, storeOptions)
	r.days, r.revision, r.commands = maps.Clone(l.days), maps.Clone(l.revision), l.commands+1<<32
	for stream, s := range r.days {
		day := *s
		r.days[stream] = &day
	}
	return &r
}

func newLedger(tb testing.TB) *ledger {
	tb.Helper()
	return openLedger(tb, tb.TempDir())
}

func openLedger(tb testing.TB, dir string) *ledger {
	tb.Helper()
	store, err := embedded.Open(dir, storeOptions)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := store.Close(); err != nil {
			tb.Error(err)
		}
	})
	return &ledger{
		tb: tb, store: store, codec: codec.New(knownKeys{}),
		days: make(map[eventstore.StreamName]*restaurantday.State), revision: make(map[eventstore.StreamName]eventstore.Revision),
	}
}

// append writes events of one command and returns their records' ids.
func (l *ledger) append(stream eventstore.StreamName, actor domain.Actor, events ...any) {
	l.tb.Helper()
	l.commands++
	var command [16]byte
	binary.BigEndian.PutUint64(command[:], l.commands)
	encoded := make([]eventstore.Event, len(events))
	for i, e := range events {
		var err error
		encoded[i], err = l.codec.Encode(context.Background(), stream, codec.EventID(stream, command, i), e,
			codec.Metadata{CommandID: command, Actor: actor, RequestID: "req"})
		if err != nil {
			l.tb.Fatal(err)
		}
	}
	expected := eventstore.NoStream()
	if next := l.revision[stream]; next > 0 {
		expected = eventstore.At(next - 1)
	}
	if _, err := l.store.Append(context.Background(), stream, expected, encoded...); err != nil {
		l.tb.Fatal(err)
	}
	l.revision[stream] += eventstore.Revision(len(events))
}

// do decides a command on a day; what is refused goes on record as demand. It returns
// whether the command was accepted.
func (l *ledger) do(r domain.RestaurantID, d domain.ServiceDate, actor domain.Actor, c restaurantday.Command) bool {
	l.tb.Helper()
	stream := codec.DayStream(r, d)
	s, ok := l.days[stream]
	if !ok {
		s = &restaurantday.State{}
		l.days[stream] = s
	}
	decider := restaurantday.Decider()
	events, err := decider.Decide(*s, c)
	if no, refused := domain.Rejected(err); refused {
		if hold, ok := c.(restaurantday.Hold); ok {
			l.append(codec.DemandStream(r, d), domain.System(), restaurantday.Refused{
				Stamp: domain.Stamp{At: hold.Now}, Code: no.Code, Party: hold.Party, Time: hold.Time, Seen: uint64(l.revision[stream]),
			})
		}
		return false
	}
	if err != nil {
		l.tb.Fatal(err)
	}
	if len(events) > 0 {
		boxed := make([]any, len(events))
		for i, e := range events {
			boxed[i] = e
		}
		l.append(stream, actor, boxed...)
		*s = decider.Fold(*s, events...)
	}
	return true
}

// records reads the whole ledger.
func (l *ledger) records() (all []eventstore.Record) {
	l.tb.Helper()
	for r, err := range l.store.ReadAll(context.Background(), eventstore.Start, eventstore.Filter{}) {
		if err != nil {
			l.tb.Fatal(err)
		}
		all = append(all, r)
	}
	return all
}

func batchOf(records []eventstore.Record) eventstore.Batch {
	return eventstore.Batch{Records: records, Position: records[len(records)-1].Position}
}

func restaurantID(n byte) domain.RestaurantID { return domain.NewRestaurantID([16]byte{15: n}) }
func userID(n byte) domain.UserID             { return domain.NewUserID([16]byte{15: n}) }
func tableID(restaurant, n byte) domain.TableID {
	return domain.NewTableID([16]byte{14: restaurant, 15: n})
}

// planOf has slots each half hour from 18:00 to 22:00, and two tables for 2 and one for 4.
func planOf(restaurant byte, date domain.ServiceDate) *restaurantday.Plan {
	from := evening + domain.Instant(date-day1)*24*hour
	p := &restaurantday.Plan{
		Revision: 7, Zone: "UTC",
		Tables: []restaurantday.Table{
			{ID: tableID(restaurant, 1), Number: "1", Min: 1, Max: 2},
			{ID: tableID(restaurant, 2), Number: "2", Min: 1, Max: 2},
			{ID: tableID(restaurant, 3), Number: "3", Min: 2, Max: 4, Area: "window"},
		},
		Policy: restaurantday.Policy{
			HoldMinutes: 5, HorizonDays: 30, NoticeMinutes: 60, BufferMinutes: 10,
			Turns: []restaurantday.TurnTime{{UpToParty: 2, Minutes: 60}, {UpToParty: 4, Minutes: 90}},
		},
		BookableFrom: from - 30*24*hour,
	}
	if restaurant == 3 {
		p.Policy.Assignment = restaurantday.LateBinding
	}
	for i := range domain.Instant(9) {
		p.Slots = append(p.Slots, restaurantday.Slot{
			Time: domain.FormatClock(18*60 + int(i)*30), StartsAt: from + i*30*minute, Closes: from + 5*hour, Shift: "dinner",
		})
	}
	return p
}

func holdOf(restaurant byte, date domain.ServiceDate, at domain.Instant, actor domain.Actor, party domain.PartySize, slot string) restaurantday.Hold {
	return restaurantday.Hold{
		Now: at, Opening: &restaurantday.Open{Now: at, Restaurant: restaurantID(restaurant), Date: date, Plan: planOf(restaurant, date)},
		Actor: actor, Diner: actor.User, Party: party, Time: slot, Code: "K7Q2",
		Details: restaurantday.Details{
			Guest: restaurantday.Guest{Name: secret, Email: secret + "@example.com", Phone: "+49" + secret}, Notes: secret, SpecialRequests: secret,
		},
	}
}

// random writes a ledger of n commands over a few restaurants and dates, and returns how
// many holds were asked for.
func (l *ledger) random(rnd *rand.Rand, n int) (asked int) {
	l.tb.Helper()
	for r := byte(1); r <= 3; r++ {
		l.register(r)
	}
	now := opening
	slots := planOf(1, day1).Slots
	for range n {
		now += domain.Instant(rnd.IntN(120_000))
		r, date := byte(1+rnd.IntN(3)), day1.AddDays(rnd.IntN(3))
		id := restaurantID(r)
		actors := []domain.Actor{domain.Diner(userID(byte(1 + rnd.IntN(5)))), domain.Staff(userID(9)), domain.Importer()}
		actor := actors[rnd.IntN(len(actors))]
		if s, ok := l.days[codec.DayStream(id, date)]; ok && s.Reservations() > 0 && rnd.IntN(2) == 0 {
			number := uint32(1 + rnd.IntN(s.Reservations()))
			if entry, _ := s.Reservation(number); actor.Kind == domain.ActorDiner {
				actor = domain.Diner(entry.Diner)
			}
			switch rnd.IntN(5) {
			case 0, 1:
				l.do(id, date, actor, restaurantday.Confirm{Now: now, Actor: actor, Number: number})
			case 2, 3:
				l.do(id, date, actor, restaurantday.Cancel{Now: now, Actor: actor, Number: number, Reason: secret})
			case 4:
				l.do(id, date, domain.System(), restaurantday.Lapse{Now: now})
			}
			continue
		}
		hold := holdOf(r, date, now, actor, domain.PartySize(1+rnd.IntN(5)), slots[rnd.IntN(len(slots))].Time)
		hold.Confirm = rnd.IntN(3) == 0
		asked++
		l.do(id, date, actor, hold)
	}
	l.service(rnd, n/2)
	return asked
}

// register puts a restaurant on record.
func (l *ledger) register(n byte) {
	l.tb.Helper()
	id, owner := restaurantID(n), domain.Staff(userID(9))
	decider := restaurant.Decider()
	s := decider.Initial()
	name, number := "Old Mill", "A1"
	for i, c := range []restaurant.Command{
		restaurant.Register{Now: opening, Actor: owner, ID: id, Owner: owner.User, Zone: time.UTC, Profile: restaurant.Profile{
			Name: "Mill", Cuisine: "italian", Address: "1 Mill Lane", City: "Leeds", TimeZone: "UTC", PriceLevel: 2,
		}},
		restaurant.AddTable{Now: opening + 1, Actor: owner, Table: restaurantday.Table{ID: tableID(n, 1), Number: "1", Min: 1, Max: 2}},
		restaurant.AddTable{Now: opening + 2, Actor: owner, Table: restaurantday.Table{ID: tableID(n, 2), Number: "2", Min: 2, Max: 4}},
		restaurant.ChangeTable{Now: opening + 3, Actor: owner, ID: tableID(n, 1), Number: &number},
		restaurant.SetHours{Now: opening + 4, Actor: owner, Shifts: []restaurant.Shift{
			{Days: restaurant.EveryDay, Name: "dinner", Opens: 18 * 60, LastSeating: 22 * 60, Closes: 23 * 60, SlotMinutes: 30},
		}},
		restaurant.SetPolicy{Now: opening + 5, Actor: owner, Policy: planOf(n, day1).Policy},
		restaurant.ChangeProfile{Now: opening + 6, Actor: owner, Changes: restaurant.ProfileChanges{Name: &name}},
		restaurant.Publish{Now: opening + 7, Actor: owner},
		restaurant.RemoveTable{Now: opening + 8, Actor: owner, ID: tableID(n, 2)},
	} {
		events, err := decider.Decide(s, c)
		if err != nil {
			l.tb.Fatalf("command %d: %v", i, err)
		}
		boxed := make([]any, len(events))
		for i, e := range events {
			boxed[i] = e
		}
		l.append(codec.RestaurantStream(id), owner, boxed...)
		s = decider.Fold(s, events...)
	}
}

// knownKeys is a key store that is the same in every process.
type knownKeys struct{}

func (knownKeys) Ensure(_ context.Context, subject string) (codec.Key, error) {
	return sha256.Sum256([]byte(subject)), nil
}

func (k knownKeys) Get(ctx context.Context, subject string) (codec.Key, error) {
	return k.Ensure(ctx, subject)
}

func (knownKeys) Drop(context.Context, string) error { return errors.New("not needed here") }

// unreadable is a record whose bytes nobody wrote.
func (l *ledger) unreadable(stream eventstore.StreamName) {
	l.tb.Helper()
	l.commands++
	event := eventstore.Event{ID: eventstore.EventID{0: 0xff, 15: byte(l.commands)}, Type: codec.TypeReservationHeld,
		Data: []byte("{"), Metadata: []byte(fmt.Sprintf(`{"v":1,"decidedAt":%q}`, opening))}
	if _, err := l.store.Append(context.Background(), stream, eventstore.Any(), event); err != nil {
		l.tb.Fatal(err)
	}
	l.revision[stream]++
}

func dayStream(s *restaurantday.State) eventstore.StreamName {
	return codec.DayStream(s.Restaurant, s.Date)
}

func dayStreamOf(r domain.RestaurantID, d domain.ServiceDate) eventstore.StreamName {
	return codec.DayStream(r, d)
}
