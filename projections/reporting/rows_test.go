package reporting

import (
	"context"
	"encoding/json"
	"strings"
	"testing"

	"daybook/domain"
	"daybook/domain/restaurantday"
	"daybook/eventstore"
	"daybook/eventstore/codec"
)

// TestOneDayInRows follows one evening: what each table says at its end.
func TestOneDayInRows(t *testing.T) {
	bothEnds(t, func(t *testing.T, fresh func() string) {
		l := newLedger(t)
		r, diner := restaurantID(1), domain.Diner(userID(1))
		l.do(r, day1, diner, holdOf(1, day1, opening, diner, 2, "18:00"))                                    // 1
		l.do(r, day1, diner, restaurantday.Confirm{Now: opening + 1, Actor: diner, Number: 1})               // confirmed
		l.do(r, day1, diner, restaurantday.Cancel{Now: opening + 2, Actor: diner, Number: 1, Reason: "ill"}) // cancelled
		guest := holdOf(1, day1, opening+3, domain.Importer(), 4, "19:00")                                   // 2
		guest.Confirm = true
		l.do(r, day1, domain.Importer(), guest)
		l.do(r, day1, diner, holdOf(1, day1, opening+4, diner, 3, "19:30")) // refused: the only large table is taken
		staff := domain.Staff(userID(9))
		l.do(r, day1, staff, holdOf(1, day1, opening+5, staff, 1, "18:00")) // 3
		l.do(r, day1, domain.System(), restaurantday.Lapse{Now: opening + hour})
		l.do(r, day1, staff, restaurantday.Pin{Now: opening + hour, Actor: staff, Number: 2})
		records := l.records()
		db := openDatabase(t, fresh())
		applyAll(t, db.View(l.store, l.codec), records, 4)
		ctx := context.Background()

		id := func(n uint32) domain.ReservationID { return domain.NewReservationID(r, day1, n) }
		reservation := func(n uint32) Reservation {
			t.Helper()
			got, err := db.Reservation(ctx, id(n))
			if err != nil {
				t.Fatal(err)
			}
			return got
		}
		revision := func(n eventstore.Revision) (eventstore.Revision, eventstore.Position) {
			t.Helper()
			for _, rec := range records {
				if rec.Stream == codec.DayStream(r, day1) && rec.Revision == n {
					return n, rec.Position
				}
			}
			t.Fatalf("no revision %d", n)
			return 0, 0
		}
		common := Reservation{Restaurant: r, Date: day1, Shift: "dinner", Code: "K7Q2"}

		cancelled := common
		cancelled.ID, cancelled.Number, cancelled.Diner, cancelled.Party, cancelled.Time = id(1), 1, diner.User, 2, "18:00"
		cancelled.StartsAt, cancelled.EndsAt, cancelled.OccupiedUntil = evening, evening+hour, evening+70*minute
		cancelled.Status, cancelled.Source, cancelled.HeldAt = restaurantday.StatusCancelled, domain.ActorDiner, opening
		cancelled.ConfirmedAt, cancelled.EndedAt, cancelled.CancelledBy = opening+1, opening+2, restaurantday.ByDiner
		cancelled.Tables = []domain.TableID{tableID(1, 1)}
		cancelled.Revision, cancelled.Position = revision(3)
		equal(t, "cancelled", reservation(1), cancelled)

		confirmed := common
		confirmed.ID, confirmed.Number, confirmed.Party, confirmed.Time = id(2), 2, 4, "19:00"
		confirmed.StartsAt, confirmed.EndsAt, confirmed.OccupiedUntil = evening+hour, evening+150*minute, evening+160*minute
		confirmed.Status, confirmed.Source, confirmed.HeldAt, confirmed.ConfirmedAt = restaurantday.StatusConfirmed, domain.ActorImport, opening+3, opening+3
		confirmed.Tables, confirmed.Bound = []domain.TableID{tableID(1, 3)}, true
		confirmed.Revision, confirmed.Position = revision(8)
		equal(t, "confirmed", reservation(2), confirmed)

		expired := common
		expired.ID, expired.Number, expired.Diner, expired.Party, expired.Time = id(3), 3, staff.User, 1, "18:00"
		expired.StartsAt, expired.EndsAt, expired.OccupiedUntil = evening, evening+hour, evening+70*minute
		expired.Status, expired.Source, expired.HeldAt = restaurantday.StatusExpired, domain.ActorStaff, opening+5
		expired.ExpiresAt, expired.EndedAt = opening+5+5*minute, opening+5+5*minute
		expired.Tables = []domain.TableID{tableID(1, 1)}
		expired.Revision, expired.Position = revision(7)
		equal(t, "expired", reservation(3), expired)

		if _, err := db.Reservation(ctx, id(4)); err != ErrNotFound {
			t.Errorf("unknown reservation: got %v", err)
		}

		day, err := db.DaySummary(ctx, r, day1)
		if err != nil {
			t.Fatal(err)
		}
		want := DaySummary{
			Restaurant: r, Date: day1, OpenedAt: opening, PlanRevision: 7, Tables: 3, Seats: 8, Slots: 9,
			Reservations: 3, Confirmed: 1, Cancelled: 1, Expired: 1, Covers: 4, Refused: 1,
		}
		want.Revision, want.Position = revision(8)
		equal(t, "day", day, want)
		if _, err := db.DaySummary(ctx, r, day1+1); err != ErrNotFound {
			t.Errorf("unknown day: got %v", err)
		}

		demand, err := db.Demand(ctx, r, day1, day1)
		if err != nil {
			t.Fatal(err)
		}
		equal(t, "demand", demand, []Demand{{Date: day1, Code: domain.CodeNoTable, Requests: 1, Covers: 3}})
		none, err := db.Demand(ctx, r, day1+1, day1+9)
		if err != nil || len(none) != 0 {
			t.Errorf("demand of other dates: %v, %v", none, err)
		}
	})
}

// TestDemandBeforeTheDay: a day that nobody could book has its refusals, and no revision.
func TestDemandBeforeTheDay(t *testing.T) {
	bothEnds(t, func(t *testing.T, fresh func() string) {
		l := newLedger(t)
		r := restaurantID(1)
		tooLarge := holdOf(1, day1, opening, domain.System(), 9, "18:00")
		l.do(r, day1, domain.System(), tooLarge)
		l.do(r, day1, domain.System(), tooLarge)
		db := openDatabase(t, fresh())
		v := db.View(l.store, l.codec)
		applyAll(t, v, l.records(), 1)
		ctx := context.Background()
		got, err := db.DaySummary(ctx, r, day1)
		if err != nil {
			t.Fatal(err)
		}
		equal(t, "day", got, DaySummary{Restaurant: r, Date: day1, Refused: 2})

		l.do(r, day1, domain.System(), holdOf(1, day1, opening, domain.System(), 2, "18:00"))
		applyAll(t, v, l.records(), 1)
		if got, err = db.DaySummary(ctx, r, day1); err != nil || got.Refused != 2 || got.Pending != 1 || got.Revision != 1 {
			t.Errorf("opened afterwards: %+v, %v", got, err)
		}
	})
}

// TestAuditTellsBeforeAndAfter: who, when, what, why, and both states, for every kind of
// change.
func TestAuditTellsBeforeAndAfter(t *testing.T) {
	bothEnds(t, func(t *testing.T, fresh func() string) {
		l := newLedger(t)
		l.register(1)
		r, diner, staff := restaurantID(1), domain.Diner(userID(1)), domain.Staff(userID(9))
		l.do(r, day1, diner, holdOf(1, day1, opening+100, diner, 2, "18:00"))
		l.do(r, day1, diner, restaurantday.Confirm{Now: opening + 101, Actor: diner, Number: 1})
		l.do(r, day1, staff, restaurantday.Cancel{Now: opening + 102, Actor: staff, Number: 1, Reason: secret})
		db := openDatabase(t, fresh())
		records := l.records()
		applyAll(t, db.View(l.store, l.codec), records, 5)
		all, err := db.Audit(context.Background(), AuditQuery{Restaurant: r, OldestFirst: true})
		if err != nil {
			t.Fatal(err)
		}

		const (
			plain     = `"name":"Mill","cuisine":"italian","address":"1 Mill Lane","city":"Leeds","timeZone":"UTC","priceLevel":2`
			policy    = `{"holdMinutes":5,"horizonDays":30,"noticeMinutes":60,"bufferMinutes":10,"turnMinutes":[{"upToParty":2,"minutes":60},{"upToParty":4,"minutes":90}],"waitlistOfferMinutes":10,"tableBinding":"first_fit"}`
			small     = `{"tableId":"TABLE1","number":"1","minCapacity":1,"capacity":2}`
			large     = `{"tableId":"TABLE2","number":"2","minCapacity":2,"capacity":4}`
			seating   = `"dinerId":"DINER","party":2,"time":"18:00","startsAt":"2026-11-21T18:00:00.000Z","endsAt":"2026-11-21T19:00:00.000Z","occupiedUntil":"2026-11-21T19:10:00.000Z","tableIds":["TABLE1"],"tables":["1"]`
			held      = `{"number":1,"status":"pending",` + seating + `,"expiresAt":"2026-11-18T18:05:00.100Z"}`
			confirmed = `{"number":1,"status":"confirmed",` + seating + `}`
			cancelled = `{"number":1,"status":"cancelled",` + seating + `}`
			opened    = `{"planRevision":7,"timeZone":"UTC","tables":3,"seats":8,"slots":9,"firstSlot":"18:00","lastSlot":"22:00","bookableFrom":"2026-10-22T18:00:00.000Z"}`
			week      = `{"shifts":[{"days":["mon","tue","wed","thu","fri","sat","sun"],"name":"dinner","opens":"18:00","lastSeating":"22:00","closes":"23:00","slotMinutes":30}],"dayBoundary":"BOUNDARY"}`
		)
		names := strings.NewReplacer("TABLE1", string(tableID(1, 1)), "TABLE2", string(tableID(1, 2)), "DINER", string(diner.User))
		raw := func(text string) json.RawMessage {
			if text == "" {
				return nil
			}
			return json.RawMessage(names.Replace(text))
		}
		id := domain.NewReservationID(r, day1, 1)
		want := []AuditEntry{
			{Type: "restaurant.registered", Actor: staff, DecidedAt: opening, After: all.Items[0].After},
			{Type: "restaurant.table_added", Actor: staff, DecidedAt: opening + 1, After: raw(small)},
			{Type: "restaurant.table_added", Actor: staff, DecidedAt: opening + 2, After: raw(large)},
			{Type: "restaurant.table_changed", Actor: staff, DecidedAt: opening + 3, Before: raw(small), After: raw(strings.Replace(small, `"1"`, `"A1"`, 1))},
			{Type: "restaurant.hours_set", Actor: staff, DecidedAt: opening + 4, Before: all.Items[4].Before, After: all.Items[4].After},
			{Type: "restaurant.policy_set", Actor: staff, DecidedAt: opening + 5, Before: all.Items[5].Before, After: raw(policy)},
			{Type: "restaurant.profile_changed", Actor: staff, DecidedAt: opening + 6, Before: raw(`{` + plain + `}`), After: raw(`{` + strings.Replace(plain, "Mill", "Old Mill", 1) + `}`)},
			{Type: "restaurant.published", Actor: staff, DecidedAt: opening + 7, Before: raw(`{"status":"draft"}`), After: raw(`{"status":"open"}`)},
			{Type: "restaurant.table_removed", Actor: staff, DecidedAt: opening + 8, Before: raw(large)},
			{Type: "day.opened", Date: day1, Actor: diner, DecidedAt: opening + 100, After: raw(opened)},
			{Type: "reservation.held", Date: day1, Reservation: id, Actor: diner, DecidedAt: opening + 100, After: raw(held)},
			{Type: "reservation.confirmed", Date: day1, Reservation: id, Actor: diner, DecidedAt: opening + 101, Before: raw(held), After: raw(confirmed)},
			{Type: "reservation.cancelled", Date: day1, Reservation: id, Actor: staff, DecidedAt: opening + 102, Before: raw(confirmed), After: raw(cancelled),
				Reason: "cancelled_by_restaurant", ReasonGiven: true},
		}
		if len(all.Items) != len(want) {
			t.Fatalf("%d entries, want %d", len(all.Items), len(want))
		}
		for i, rec := range records {
			meta, err := codec.DecodeMetadata(rec)
			if err != nil {
				t.Fatal(err)
			}
			w := &want[i]
			w.Event, w.Position, w.Stream, w.Revision = rec.ID.String(), rec.Position, rec.Stream, rec.Revision
			w.Restaurant, w.RecordedAt, w.Command = r, domain.InstantOf(recordedAt), eventstore.EventID(meta.CommandID).String()
			w.Request, w.Correlation = "req", "req"
			equal(t, w.Type, all.Items[i], *w)
		}
		if text := string(all.Items[0].After); !strings.Contains(text, `{"status":"draft","ownerId":"`+string(staff.User)+`","profile":{`+plain+`}`) {
			t.Errorf("registered: %s", text)
		}
		if text := string(all.Items[4].After); !strings.HasPrefix(text, week[:strings.Index(week, "BOUNDARY")]) || !strings.HasPrefix(string(all.Items[4].Before), `{"shifts":[],"dayBoundary":`) {
			t.Errorf("hours: %s to %s", all.Items[4].Before, text)
		}
	})
}

// TestRestaurantRow: the row follows the restaurant.
func TestRestaurantRow(t *testing.T) {
	bothEnds(t, func(t *testing.T, fresh func() string) {
		l := newLedger(t)
		l.register(1)
		db := openDatabase(t, fresh())
		applyAll(t, db.View(l.store, l.codec), l.records(), 3)
		var name, cuisine, city, zone, status string
		var price, tables, seats int
		var registered, changed, revision int64
		err := one(context.Background(), db.engine.query, []any{&name, &cuisine, &city, &zone, &status, &price, &tables, &seats, &registered, &changed, &revision},
			"SELECT name, cuisine, city, time_zone, status, price_level, tables, seats, registered_at, changed_at, revision FROM restaurants WHERE restaurant_id = $1",
			string(restaurantID(1)))
		if err != nil {
			t.Fatal(err)
		}
		equal(t, "row", []any{name, cuisine, city, zone, status, price, tables, seats, registered, changed, revision},
			[]any{"Old Mill", "italian", "Leeds", "UTC", "open", 2, 1, 2, int64(opening), int64(opening + 8), int64(8)})
	})
}

// TestSnapshotIsJSON compares the JSON written by hand with the library's, for texts that
// no client can send but an event could hold.
func TestSnapshotIsJSON(t *testing.T) {
	for _, text := range []string{"", "18:30", `"`, `\`, "ü", "\x00", "a\nb", "<&>", "\xff", "\x7f"} {
		r := &restaurantday.Reservation{
			Number: 3, Status: restaurantday.Status(text), Diner: "usr_1", Party: 2, Slot: restaurantday.Slot{Time: text},
			Turn: domain.Interval{From: evening, To: evening + hour}, Occupied: domain.Interval{From: evening, To: evening + 2*hour},
			Tables: []domain.TableID{"tbl_1", domain.TableID(text)}, ExpiresAt: opening,
		}
		want, err := json.Marshal(struct {
			Number        uint32           `json:"number"`
			Status        string           `json:"status"`
			Diner         string           `json:"dinerId,omitempty"`
			Party         int              `json:"party"`
			Time          string           `json:"time"`
			StartsAt      domain.Instant   `json:"startsAt"`
			EndsAt        domain.Instant   `json:"endsAt"`
			OccupiedUntil domain.Instant   `json:"occupiedUntil"`
			Tables        []domain.TableID `json:"tableIds"`
			ExpiresAt     domain.Instant   `json:"expiresAt"`
		}{3, text, "usr_1", 2, text, evening, evening + hour, evening + 2*hour, r.Tables, opening})
		if err != nil {
			t.Fatal(err)
		}
		var a, b any
		got := snapshot(reservationSnapshot{Reservation: r}).(string)
		if err := json.Unmarshal([]byte(got), &a); err != nil {
			t.Fatalf("%q: %v\n%s", text, err, got)
		}
		if err := json.Unmarshal(want, &b); err != nil {
			t.Fatal(err)
		}
		equal(t, text, a, b)
	}
}
