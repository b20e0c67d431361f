package commands

import (
	"encoding/csv"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"daybook/domain"
	"daybook/domain/restaurant"
	"daybook/domain/restaurantday"
	"daybook/internal/factfile"
)

// A month of real bookings as facts: all stand in the book, no table has two parties at once,
// and once taken back nothing is left. It skips where the data is not there.
func TestJanuaryAsFacts(t *testing.T) {
	dir := os.Getenv("DAYBOOK_DATA_DIR")
	if dir == "" {
		dir = "../../shared/data"
	}
	raw, err := os.ReadFile(filepath.Join(dir, "reservations-2017-01.csv"))
	if err != nil {
		t.Skip("no data to run on: ", err)
	}
	most := 20
	if soak() {
		most = 1 << 20
	}
	h := newHouse(t)
	app := h.app()
	var names []string
	for _, name := range restaurantsOf(t, filepath.Join(dir, "reservations-2017-01.csv")) {
		if len(names) < most {
			names = append(names, name)
		}
	}
	mapping := factfile.Mapping{
		Source: "competition", TimeZone: "Asia/Tokyo", Columns: factfile.Columns{StartsAt: "visit_at", Party: "party", MadeAt: "reserved_at"},
		Formats: factfile.Formats{StartsAt: "YYYY-MM-DD HH:mm:ss", MadeAt: "YYYY-MM-DD HH:mm:ss"},
	}
	rows, conflicts := 0, map[string]int{}
	for _, name := range names {
		b := place(name, 0)
		b.Profile.TimeZone = "Asia/Tokyo"
		b.Shifts[0] = restaurant.Shift{
			Days: restaurant.EveryDay, Name: "all day", Opens: 11 * 60, LastSeating: 30, Closes: 2 * 60, SlotMinutes: 30,
		}
		for i := range 16 {
			b.Tables = append(b.Tables, restaurantday.Table{Number: fmt.Sprint(i + 1), Min: 1, Max: []domain.PartySize{2, 4, 6, 12}[i/4]})
		}
		id, err := app.BringInRestaurant(t.Context(), b)
		if err != nil {
			t.Fatal(err)
		}
		mapping.Only = map[string]string{"restaurant": name}
		file, err := mapping.Read(raw, app.zone("Asia/Tokyo"), 1<<20)
		if err != nil || len(file.Bad) > 0 {
			t.Fatal(err, file.Bad)
		}
		f := RecordFacts{Batch: "january", Source: mapping.Source, Digest: mapping.Digest(raw), Skipped: file.Skipped}
		for _, r := range file.Rows {
			f.Rows = append(f.Rows, FactRow(r))
		}
		got, err := app.RecordFacts(t.Context(), manager("k"), id, f)
		if err != nil {
			t.Fatal(err)
		}
		if got.Counts.Recorded != len(f.Rows) || got.Counts.Bad != 0 {
			t.Errorf("%s: %d rows, %+v", name, len(f.Rows), got.Counts)
		}
		rows += got.Counts.Recorded
		for _, k := range got.Counts.Conflicts {
			conflicts[string(k.Code)] += k.N
		}
		for _, date := range got.Import.Dates {
			apartOn(t, h.day(id, date))
		}
		done, err := app.UndoFacts(t.Context(), manager("u"), id, "january", false)
		if err != nil || done.Import.Withdrawn != len(f.Rows) || len(done.Kept) != 0 {
			t.Errorf("%s: %+v, %v", name, done, err)
		}
		for _, date := range got.Import.Dates {
			if left := h.day(id, date).Bookings(); len(left) != 0 {
				t.Errorf("%s on %s: %+v is left", name, date, left)
			}
		}
	}
	t.Logf("%d restaurants, %d rows recorded, conflicts %v", len(names), rows, conflicts)
}

func restaurantsOf(t *testing.T, path string) (names []string) {
	t.Helper()
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	all, err := csv.NewReader(file).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range all[1:] {
		if !slices.Contains(names, row[0]) {
			names = append(names, row[0])
		}
	}
	return names
}
