package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/csv"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"daybook/eventstore"
	"daybook/internal/enginetest"
)

func typeFilter(prefix string) eventstore.Filter { return eventstore.TypePrefix(prefix) }

const examplePlan = "../../docs/examples/plan.json"

// importFiles is the input of an import.
type importFiles struct{ restaurants, reservations string }

// madeUp writes an import of n reservations, some of them bad, all of a fixed seed.
func madeUp(t *testing.T, n int) importFiles {
	t.Helper()
	dir := t.TempDir()
	f := importFiles{filepath.Join(dir, "restaurants.csv"), filepath.Join(dir, "reservations.csv")}
	var places, rows bytes.Buffer
	places.WriteString("restaurant,cuisine,area,latitude,longitude,time_zone\n")
	zones := []string{"Asia/Tokyo", "Europe/Berlin", "America/New_York"}
	for i := range 6 {
		fmt.Fprintf(&places, "p%d,Cuisine,Area %d,35.6,139.7,%s\n", i, i, zones[i%3])
	}
	rows.WriteString("restaurant,reserved_at,visit_at,party\n")
	r := rand.New(rand.NewPCG(1, 2))
	start := time.Date(2019, 3, 20, 0, 0, 0, 0, time.UTC)
	for i := range n {
		switch i % 97 {
		case 50:
			rows.WriteString("p1,not a time,2019-04-01 19:00:00,2\n")
			continue
		case 51:
			rows.WriteString("nowhere,2019-03-20 10:00:00,2019-04-01 19:00:00,2\n")
			continue
		case 52:
			rows.WriteString("p1,2019-03-20 10:00:00,2019-04-01 19:00:00,none\n")
			continue
		case 53:
			rows.WriteString("p1,2019-03-20 10:00:00\n")
			continue
		}
		at := start.Add(time.Duration(r.IntN(10*24*60)) * time.Minute)
		visit := at.Truncate(24*time.Hour).AddDate(0, 0, r.IntN(3)).Add(time.Duration(11+r.IntN(14)) * time.Hour)
		fmt.Fprintf(&rows, "p%d,%s,%s,%d\n", r.IntN(6), at.Format(time.DateTime), visit.Format(time.DateTime), 1+r.IntN(13))
	}
	for path, content := range map[string][]byte{f.restaurants: places.Bytes(), f.reservations: rows.Bytes()} {
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return f
}

// realMonth is the month of real reservations, where it is at hand.
func realMonth(t *testing.T) importFiles {
	t.Helper()
	f, ok := month()
	if !ok {
		t.Skipf("the real reservations are not at hand: there is no %s", f.reservations)
	}
	return f
}

func month() (f importFiles, ok bool) {
	dir := os.Getenv("DAYBOOK_DATA_DIR")
	if dir == "" {
		dir = "../../../shared/data"
	}
	f = importFiles{filepath.Join(dir, "restaurants.csv"), filepath.Join(dir, "reservations-2017-01.csv")}
	_, err := os.Stat(f.reservations)
	return f, err == nil
}

// monthOrMadeUp is the month of real reservations or, where it is not at hand, n made-up ones.
func monthOrMadeUp(t *testing.T, n int) importFiles {
	t.Helper()
	if f, ok := month(); ok {
		return f
	}
	t.Logf("the real reservations are not at hand: %d made-up ones take their place", n)
	return madeUp(t, n)
}

func (f importFiles) command(ctx context.Context, data, report string, flags ...string) *exec.Cmd {
	return daybook(ctx, append([]string{
		"import", "--data", data, "--report", report, "--plan", examplePlan,
		"--restaurants", f.restaurants, "--reservations", f.reservations,
	}, flags...)...)
}

// imported runs an import to its end and returns its report, and what it said.
func (f importFiles) imported(t *testing.T, data string, flags ...string) (report, said string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "report.csv")
	out, err := f.command(t.Context(), data, path, flags...).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw), string(out)
}

// checkImport compares the reporting tables with the report: as many reservations and
// refusals as rows, and no table promised twice.
func checkImport(t *testing.T, report string, flags engineFlags) {
	t.Helper()
	h, err := openHouse(t.Context(), houseConfig{engineFlags: flags})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := h.close(); err != nil {
			t.Error(err)
		}
	}()
	rows, err := csv.NewReader(strings.NewReader(report)).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	accepted, refused := 0, 0
	for _, row := range rows[1:] {
		switch row[1] {
		case "accepted":
			accepted++
		case "bad":
		default:
			refused++
		}
	}
	if accepted == 0 {
		t.Error("nothing was accepted")
	}
	if n := countEvents(t, h, "reservation.held"); n != accepted {
		t.Errorf("%d reservations in the ledger, %d accepted", n, accepted)
	}
	totals, err := h.engines.database.Totals(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if totals.Reservations != accepted || totals.Refusals != refused {
		t.Errorf("the tables have %d reservations and %d refusals; the report %d and %d", totals.Reservations, totals.Refusals, accepted, refused)
	}
	overlaps, err := h.engines.database.Overlaps(t.Context(), 10)
	if err != nil || len(overlaps) > 0 {
		t.Errorf("overlaps: %v, %v", overlaps, err)
	}
}

func TestImport(t *testing.T) {
	t.Parallel()
	f := madeUp(t, 600)
	data := t.TempDir()
	first, said := f.imported(t, data)
	for _, want := range []string{":52: skipped: reserved_at", ":53: skipped: restaurant \"nowhere\"", ":54: skipped: party", ":55: skipped: 2 fields", "600 rows"} {
		if !strings.Contains(said, want) {
			t.Errorf("it did not say %q:\n%s", want, said)
		}
	}
	again, _ := f.imported(t, data)
	if again != first {
		t.Error("the second run reports something else")
	}
	checkImport(t, first, engineFlags{Data: data})
}

// TestImportKilled kills an import anywhere, runs it again, and compares with one that was
// left alone.
func TestImportKilled(t *testing.T) {
	t.Parallel()
	rows, rounds := 300, 1
	if os.Getenv("DAYBOOK_SOAK") != "" {
		rows, rounds = 600, 20
	}
	f := madeUp(t, rows)
	undisturbed, _ := f.imported(t, t.TempDir())
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	for range rounds {
		data := t.TempDir()
		for range 3 {
			c := f.command(t.Context(), data, filepath.Join(t.TempDir(), "report.csv"))
			if err := c.Start(); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Duration(50+r.IntN(700)) * time.Millisecond) // anywhere: when does not matter
			_ = c.Process.Kill()
			_ = c.Wait()
		}
		if report, _ := f.imported(t, data); report != undisturbed {
			t.Fatalf("seed %d: an import that was killed ends in another state", seed)
		}
		checkImport(t, undisturbed, engineFlags{Data: data})
	}
}

// TestImportRefusesDaysThatWentOn brings rows to a day that has later entries.
func TestImportRefusesDaysThatWentOn(t *testing.T) {
	t.Parallel()
	f := madeUp(t, 200)
	data := t.TempDir()
	f.imported(t, data)
	raw, err := os.ReadFile(f.reservations)
	if err != nil {
		t.Fatal(err)
	}
	// The same rows as another file: none of them can be told from a new one.
	if err := os.WriteFile(f.reservations, append(raw, '\n'), 0o600); err != nil {
		t.Fatal(err)
	}
	report, _ := f.imported(t, data)
	if !strings.Contains(report, "later_entries") {
		t.Errorf("no row was refused for its day's later entries:\n%s", report)
	}
}

// first is the first n rows of the reservations, and all restaurants.
func (f importFiles) first(t *testing.T, n int) importFiles {
	t.Helper()
	lines := bytes.SplitAfter(must(os.ReadFile(f.reservations)), []byte("\n"))
	f.reservations = filepath.Join(t.TempDir(), "reservations.csv")
	if err := os.WriteFile(f.reservations, bytes.Join(lines[:min(n+1, len(lines))], nil), 0o600); err != nil {
		t.Fatal(err)
	}
	return f
}

// TestImportOfAMonth brings real reservations in on both ends: the first of the month or, with
// DAYBOOK_SOAK, all.
func TestImportOfAMonth(t *testing.T) {
	t.Parallel()
	rows := budget(1200, 9451)
	f := realMonth(t).first(t, rows)
	master := base64.StdEncoding.EncodeToString([]byte(strings.Repeat("m", 32)))
	embedded := engineFlags{Data: t.TempDir()}
	report, said := f.imported(t, embedded.Data)
	t.Log(said)
	checkImport(t, report, embedded)
	if n := strings.Count(report, "\n") - 1; n != rows {
		t.Errorf("%d rows reported, want %d", n, rows)
	}
	servers := engineFlags{Data: t.TempDir(), PostgresURL: enginetest.Postgres(t), RedisURL: enginetest.Redis(t), MasterKey: master}
	other, _ := f.imported(t, servers.Data, "--postgres-url", servers.PostgresURL, "--redis-url", servers.RedisURL, "--master-key", master)
	if other != report {
		t.Error("Postgres and Redis end in another state than the embedded engines")
	}
	checkImport(t, other, servers)
	if !strings.HasPrefix(report, "line,outcome,reservation,tables,start,end\n2,") {
		t.Errorf("report begins %q", report[:60])
	}
}
