package reporting

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"daybook/domain"
	"daybook/domain/restaurant"
	"daybook/domain/restaurantday"
	"daybook/domain/user"
	"daybook/domain/webhook"
	"daybook/eventstore"
	"daybook/eventstore/codec"
	"daybook/eventstore/embedded"
	"daybook/internal/daytest"
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
	options  embedded.Options
	store    *embedded.Store
	codec    *codec.Codec
	days     map[eventstore.StreamName]*restaurantday.State
	revision map[eventstore.StreamName]eventstore.Revision // of the next event
	commands uint64

	restaurants map[domain.RestaurantID]restaurant.State
	asked       int // holds that were asked for, other than for a move
}

var storeOptions = embedded.Options{
	Clock: func() time.Time { return recordedAt }, Logger: slog.New(slog.DiscardHandler), CacheBytes: 8 << 20, MemTableBytes: 4 << 20,
}

// restored is the ledger as it would be if it were restored to how it is now. What it is told
// then has ids of its own.
func (l *ledger) restored() *ledger {
	l.tb.Helper()
	r := *l
	r.store = enginetest.Backup(l.tb, l.store, l.options)
	r.days, r.revision, r.restaurants, r.commands = maps.Clone(l.days), maps.Clone(l.revision), maps.Clone(l.restaurants), l.commands+1<<32
	for stream, s := range r.days {
		day := *s
		r.days[stream] = &day
	}
	return &r
}

// newLedger makes a ledger in memory, where nothing waits for a disk.
func newLedger(tb testing.TB) *ledger {
	o := storeOptions
	o.FS = vfs.NewMem()
	return openLedgerWith(tb, "ledger", o)
}

// openLedger opens one that outlives its process.
func openLedger(tb testing.TB, dir string) *ledger { return openLedgerWith(tb, dir, storeOptions) }

func openLedgerWith(tb testing.TB, dir string, o embedded.Options) *ledger {
	tb.Helper()
	store, err := embedded.Open(dir, o)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := store.Close(); err != nil {
			tb.Error(err)
		}
	})
	return &ledger{
		tb: tb, options: o, store: store, codec: codec.New(knownKeys{}),
		days: make(map[eventstore.StreamName]*restaurantday.State), revision: make(map[eventstore.StreamName]eventstore.Revision),
		restaurants: make(map[domain.RestaurantID]restaurant.State),
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
	hold, asks := c.(restaurantday.Hold)
	if asks = asks && hold.MovedFrom == ""; asks {
		l.asked++
	}
	if no, refused := domain.Rejected(err); refused {
		if asks {
			l.append(codec.DemandStream(r, d), domain.System(), restaurantday.Refused{
				Stamp: domain.Stamp{At: hold.Now}, Code: no.Code, Party: hold.Party, Time: hold.Time, Seen: uint64(l.revision[stream]),
				Wish: hold.Wish, Skip: hold.Override.Rule,
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

// random writes a ledger of n commands over a few restaurants and dates long before, and of
// as many in the evening of the first; then, where it is
// new, one of each other thing there is.
func (l *ledger) random(rnd *rand.Rand, n int) {
	l.tb.Helper()
	first := len(l.restaurants) == 0
	for r := byte(1); first && r <= 3; r++ {
		l.register(r)
	}
	draw := func(r byte, date domain.ServiceDate, now domain.Instant) {
		d := daytest.Draw{Rand: rnd, Restaurant: restaurantID(r), Date: date, Plan: planOf(r, date), Staff: userID(9), Personal: secret}
		for i := range byte(5) {
			d.Diners = append(d.Diners, userID(1+i))
		}
		s := l.days[codec.DayStream(d.Restaurant, date)]
		if s == nil {
			s = &restaurantday.State{}
		}
		c, who := d.Command(*s, now)
		l.do(d.Restaurant, date, who, c)
	}
	now := opening
	for range n {
		now += domain.Instant(rnd.IntN(60_000))
		draw(byte(1+rnd.IntN(3)), day1+domain.ServiceDate(rnd.IntN(3)), now)
	}
	now = max(now, evening-90*minute)
	for range n {
		now += domain.Instant(rnd.IntN(int(12*hour) / n))
		draw(byte(1+rnd.IntN(3)), day1, now)
	}
	if first {
		l.manage(3)
		l.accounts()
	}
}

// register puts a restaurant on record.
func (l *ledger) register(n byte) {
	l.tb.Helper()
	id, owner := restaurantID(n), domain.Staff(userID(9))
	name, number := "Old Mill", "A1"
	l.restaurant(id, []restaurant.Command{
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
	})
}

// manage does to a restaurant what its owner can besides.
func (l *ledger) manage(n byte) {
	l.tb.Helper()
	id, owner := restaurantID(n), domain.Staff(userID(9))
	at := opening + hour
	decided := []restaurant.BookingDecision{{Reservation: domain.NewReservationID(id, day1, 1), Do: restaurantday.CallOff, Message: secret}}
	block := restaurant.Block{ID: domain.NewBlockID([16]byte{1}), Tables: []domain.TableID{tableID(n, 1)}, Date: day1 + 9, From: 18 * 60, To: 20 * 60, Reason: secret}
	closure := restaurant.Closure{ID: domain.NewClosureID([16]byte{1}), From: day1 + 20, To: day1 + 21, Reason: "works"}
	pair := restaurantday.Combination{ID: domain.NewCombinationID([16]byte{1}), Tables: []domain.TableID{tableID(n, 1), tableID(n, 4)}, Min: 3, Max: 5}
	begin := restaurant.BeginImport{Now: at, Actor: owner, Batch: "one", Source: "theirs", Digest: "d", Rows: 3, Dates: []domain.ServiceDate{day1}}
	l.restaurant(id, []restaurant.Command{
		restaurant.AddTable{Now: at, Actor: owner, Table: restaurantday.Table{ID: tableID(n, 4), Number: "4", Min: 1, Max: 2}},
		restaurant.SetSpecialDay{Now: at, Actor: owner, Day: restaurant.SpecialDay{Date: day1 + 5, Name: "a feast"}},
		restaurant.RemoveSpecialDay{Now: at, Actor: owner, Date: day1 + 5},
		restaurant.DecidePlan{Now: at, Change: restaurant.AddClosure{Now: at, Actor: owner, Closure: closure}, Decisions: decided, Default: restaurantday.Keep},
		restaurant.RemoveClosure{Now: at, Actor: owner, ID: closure.ID},
		restaurant.AddBlock{Now: at, Actor: owner, Block: block},
		restaurant.RemoveBlock{Now: at, Actor: owner, ID: block.ID},
		restaurant.AddCombination{Now: at, Actor: owner, Combination: pair},
		restaurant.RemoveCombination{Now: at, Actor: owner, ID: pair.ID},
		begin,
		restaurant.EndImport{Now: at, Actor: owner, Batch: "one", Run: 1, Counts: restaurant.ImportCounts{Recorded: 3}},
		restaurant.BeginUndoImport{Now: at, Actor: owner, Batch: "one"},
		restaurant.EndUndoImport{Now: at, Actor: owner, Batch: "one", Run: 1, Withdrawn: 3},
	})
	hook := domain.NewWebhookID([16]byte{15: n})
	stamp, stream := domain.Stamp{At: at}, codec.WebhooksStream(id)
	for _, e := range []webhook.Event{
		webhook.Created{Stamp: stamp, ID: hook, Host: "example.com", URL: "https://example.com/" + secret, Description: secret, Secret: secret},
		webhook.Changed{Stamp: stamp, ID: hook, Host: "example.com", URL: "https://example.com/" + secret, Description: secret, Personal: true},
		webhook.Paused{Stamp: stamp, ID: hook, Because: webhook.BecauseFailing},
		webhook.Resumed{Stamp: stamp, ID: hook},
		webhook.SecretRotated{Stamp: stamp, ID: hook, Secret: secret, OldUntil: at + hour},
		webhook.Replayed{Stamp: stamp, ID: hook, After: 1},
		webhook.TestRequested{Stamp: stamp, ID: hook},
		webhook.Removed{Stamp: stamp, ID: hook},
	} {
		l.append(stream, owner, e)
	}
}

// accounts puts a user on record.
func (l *ledger) accounts() {
	l.tb.Helper()
	u, stamp := userID(40), domain.Stamp{At: opening}
	hash := sha256.Sum256([]byte(secret))
	l.append(codec.EmailStream(hash), domain.Diner(u), user.Claimed{Stamp: stamp, User: u})
	l.append(codec.UserStream(u), domain.Diner(u), user.Registered{
		Stamp: stamp, ID: u, EmailHash: hex.EncodeToString(hash[:]), Email: secret, FirstName: secret, LastName: secret, Phone: secret, PasswordHash: secret,
	})
	l.append(codec.UserStream(u), domain.Diner(u), user.LoggedIn{Stamp: stamp})
}

// restaurant decides commands on a restaurant; each must come to something.
func (l *ledger) restaurant(id domain.RestaurantID, commands []restaurant.Command) {
	l.tb.Helper()
	decider := restaurant.Decider()
	for i, c := range commands {
		s := l.restaurants[id]
		events, err := decider.Decide(s, c)
		if err != nil || len(events) == 0 {
			l.tb.Fatalf("command %d, %T: %v, %v", i, c, events, err)
		}
		boxed := make([]any, len(events))
		for i, e := range events {
			boxed[i] = e
		}
		l.append(codec.RestaurantStream(id), domain.Staff(userID(9)), boxed...)
		l.restaurants[id] = decider.Fold(s, events...)
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
