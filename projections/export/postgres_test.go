package export

import (
	"fmt"
	"reflect"
	"testing"
	"time"

	"daybook/domain"
	"daybook/domain/restaurantday"
	"daybook/eventstore"
	"daybook/eventstore/codec"
	"daybook/internal/enginetest"
)

// evening puts a day on record, with a row for each of its tables: reservations, one of which
// is cancelled, an entry of the waitlist and a refusal.
func (b *book) evening(restaurant byte, date domain.ServiceDate) {
	b.t.Helper()
	id := domain.NewRestaurantID([16]byte{restaurant})
	at := domain.InstantOf(b.now)
	stamp := domain.Stamp{At: at}
	opens := date.Clock(19*60, time.UTC)
	slot := restaurantday.Slot{Time: "19:00", StartsAt: opens, Closes: opens.AddMinutes(240), Shift: "Dinner"}
	table := restaurantday.Table{ID: domain.NewTableID([16]byte{restaurant}), Number: "12", Min: 1, Max: 4}
	turn := domain.Interval{From: opens, To: opens.AddMinutes(120)}
	held := func(number uint32) restaurantday.Held {
		return restaurantday.Held{
			Stamp: stamp, Number: number, Party: 2, Slot: slot, Turn: turn, Occupied: turn, Tables: []domain.TableID{table.ID}, ExpiresAt: at.AddMinutes(5),
			Code: "K7WQ2M",
		}
	}
	days, demand := codec.DayStream(id, date), codec.DemandStream(id, date)
	for i, e := range []struct {
		stream eventstore.StreamName
		event  any
	}{
		{days, restaurantday.Opened{Stamp: stamp, Restaurant: id, Date: date, Plan: restaurantday.Plan{
			Revision: 1, Zone: "UTC", Slots: []restaurantday.Slot{slot}, Tables: []restaurantday.Table{table}, BookableFrom: at,
			Policy: restaurantday.Policy{HoldMinutes: 5, HorizonDays: 90, Turns: []restaurantday.TurnTime{{UpToParty: 500, Minutes: 120}}},
		}}},
		{days, held(1)},
		{days, restaurantday.Cancelled{Stamp: stamp, Number: 1, By: restaurantday.ByRestaurant}},
		{days, held(2)},
		{days, restaurantday.Confirmed{Stamp: stamp, Number: 2}},
		{days, restaurantday.WaitlistJoined{Stamp: stamp, Entry: 1, Party: 4, From: opens, To: opens, Code: "ABCDEFGH"}},
		{demand, restaurantday.Refused{Stamp: stamp, Code: domain.CodeNoTable, Party: 3, Time: "19:00", StartsAt: opens, Slot: slot}},
	} {
		eventID := eventstore.EventID{3, restaurant, byte(date), byte(date >> 8), byte(i)}
		encoded, err := codec.New(nil).Encode(b.t.Context(), e.stream, eventID, e.event, codec.Metadata{Actor: domain.System()})
		if err != nil {
			b.t.Fatal(err)
		}
		if _, err := b.store.Append(b.t.Context(), e.stream, eventstore.Any(), encoded); err != nil {
			b.t.Fatal(err)
		}
	}
	b.follow()
}

// TestWholeExportOnPostgres: of tables in a real Postgres, whole runs and incremental ones
// write the bytes that those in SQLite make, in every format.
func TestWholeExportOnPostgres(t *testing.T) {
	const first = domain.ServiceDate(20727) // 2026-10-01
	books := map[string]*book{"sqlite": newBook(t), "postgres": newBookOn(t, enginetest.Postgres(t))}
	folders := map[string]string{}
	for _, format := range Formats {
		for name := range books {
			folders[name+format] = t.TempDir()
		}
	}
	for run, write := range []func(*book){
		func(b *book) {
			b.register("one")
			b.evening(b.n, first)
			b.evening(b.n, first+31)
		},
		func(*book) {}, // nothing happened
		func(b *book) {
			b.now = b.now.AddDate(0, 1, 0)
			b.register("two")
			b.evening(b.n, first+40)
		},
	} {
		reports, files := map[string]Report{}, map[string]map[string]string{}
		for name, b := range books {
			write(b)
			for _, format := range Formats {
				reports[name+format] = b.export(Options{To: folders[name+format], Format: format})
				files[name+format] = contents(t, folders[name+format])
			}
		}
		for _, format := range Formats {
			what := fmt.Sprintf("run %d as %s", run, format)
			got, want := reports["postgres"+format], reports["sqlite"+format]
			if !reflect.DeepEqual(got, want) {
				t.Errorf("%s: %+v\nwant %+v", what, got, want)
			}
			if written := got.Files > 0; written != (run != 1) {
				t.Errorf("%s: %d files", what, got.Files)
			}
			have := files["postgres"+format]
			for path, text := range files["sqlite"+format] {
				if have[path] != text {
					t.Errorf("%s: %s is\n%.2000q\nwant\n%.2000q", what, path, have[path], text)
				}
			}
			if len(have) != len(files["sqlite"+format]) {
				t.Errorf("%s: %q", what, keys(have))
			}
		}
	}
	for _, table := range []string{"days", "reservations", "reservation_tables", "waitlist_entries", "refusals", "audit_entries"} {
		if path := table + "/month=2026-1"; !anyBegins(contents(t, folders["postgresndjson"]), path) {
			t.Errorf("no rows of %s", table)
		}
	}
}

func anyBegins(files map[string]string, begin string) bool {
	for path := range files {
		if len(path) > len(begin) && path[:len(begin)] == begin {
			return true
		}
	}
	return false
}
