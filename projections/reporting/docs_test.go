package reporting

import (
	"context"
	"math/rand/v2"
	"os"
	"regexp"
	"strings"
	"testing"

	"daybook/domain"
)

// TestTheDocumentation: docs/reporting.md names every table and column, its queries run on
// both ends, and those that find nothing find nothing.
func TestTheDocumentation(t *testing.T) {
	raw, err := os.ReadFile("../../docs/reporting.md")
	if err != nil {
		t.Fatal(err)
	}
	text := string(raw)
	for _, table := range allRows {
		_, section, found := strings.Cut(text, "\n## "+table.name+":")
		if !found {
			t.Errorf("no section on %s", table.name)
			continue
		}
		section, _, _ = strings.Cut(section, "\n## ")
		for _, column := range table.columns {
			if !strings.Contains(section, "`"+column+"`") {
				t.Errorf("%s.%s is not described", table.name, column)
			}
		}
	}
	var queries []string
	for _, block := range regexp.MustCompile("(?s)```sql\n(.*?)\n```").FindAllStringSubmatch(text, -1) {
		queries = append(queries, block[1])
	}
	if len(queries) < 8 || queries[0] != OverlapQuery {
		t.Fatalf("%d queries, the first is not OverlapQuery", len(queries))
	}
	bothEnds(t, func(t *testing.T, fresh func() string) {
		l := newLedger(t)
		l.random(rand.New(rand.NewPCG(40, 40)), 120)
		db := openDatabase(t, fresh())
		applyAll(t, db.View(l.store, l.codec), l.records(), 512)
		for i, query := range queries {
			var args []any
			if strings.Contains(query, "$1") {
				args = []any{string(domain.NewReservationID(restaurantID(1), day1, 1))}
			}
			rows := 0
			err := db.engine.query(context.Background(), func(scanner) error { rows++; return nil }, query, args...)
			if err != nil {
				t.Errorf("%v\n%s", err, query)
			}
			if nothing := i == 0 || i == len(queries)-1; nothing != (rows == 0) {
				t.Errorf("%d rows of\n%s", rows, query)
			}
		}
	})
}
