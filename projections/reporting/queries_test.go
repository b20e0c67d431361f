package reporting

import (
	"context"
	"encoding/base64"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"daybook/domain"
	"daybook/domain/restaurantday"
)

// TestPages walks every list in pages of every size: always the same rows in the same order,
// each once.
func TestPages(t *testing.T) {
	bothEnds(t, func(t *testing.T, fresh func() string) {
		l := newLedger(t)
		l.random(rand.New(rand.NewPCG(11, 11)), 300)
		db := openDatabase(t, fresh())
		applyAll(t, db.View(l.store, l.codec), l.records(), 64)
		ctx := context.Background()

		lists := map[string]func(limit int, cursor string) (ids []string, next string, err error){
			"diner": func(limit int, cursor string) (ids []string, next string, err error) {
				p, err := db.ReservationsOfDiner(ctx, userID(9), limit, cursor)
				for _, r := range p.Items {
					if r.Diner != userID(9) {
						t.Errorf("reservation of %s", r.Diner)
					}
					ids = append(ids, string(r.ID))
				}
				return ids, p.NextCursor, err
			},
			"audit, newest first": func(limit int, cursor string) (ids []string, next string, err error) {
				p, err := db.Audit(ctx, AuditQuery{Restaurant: restaurantID(1), Limit: limit, Cursor: cursor})
				for _, e := range p.Items {
					ids = append(ids, e.Event)
				}
				return ids, p.NextCursor, err
			},
			"audit, oldest first": func(limit int, cursor string) (ids []string, next string, err error) {
				p, err := db.Audit(ctx, AuditQuery{Restaurant: restaurantID(1), OldestFirst: true, Limit: limit, Cursor: cursor})
				for _, e := range p.Items {
					ids = append(ids, e.Event)
				}
				return ids, p.NextCursor, err
			},
		}
		whole := make(map[string][]string)
		for name, list := range lists {
			all, next, err := list(MaxLimit, "")
			if err != nil || next != "" || len(all) < 8 {
				t.Fatalf("%s: %d rows, cursor %q, %v", name, len(all), next, err)
			}
			whole[name] = all
			for _, limit := range []int{1, 2, 7, len(all) - 1, len(all)} {
				var got []string
				cursor := ""
				for pages := 0; pages <= len(all); pages++ {
					ids, next, err := list(limit, cursor)
					if err != nil {
						t.Fatal(err)
					}
					got = append(got, ids...)
					if cursor = next; cursor == "" {
						break
					}
				}
				if !slices.Equal(got, all) {
					t.Errorf("%s in pages of %d: got %v, want %v", name, limit, got, all)
				}
			}
		}
		slices.Reverse(whole["audit, oldest first"])
		equal(t, "both orders", whole["audit, newest first"], whole["audit, oldest first"])
		p, err := db.ReservationsOfDiner(ctx, userID(9), 0, "")
		if err != nil || !slices.IsSortedFunc(p.Items, func(a, b Reservation) int { return int(b.HeldAt - a.HeldAt) }) {
			t.Errorf("newest first: %v", err)
		}
	})
}

// TestAuditFilters compares each filter with the same choice made here.
func TestAuditFilters(t *testing.T) {
	bothEnds(t, func(t *testing.T, fresh func() string) {
		l := newLedger(t)
		l.random(rand.New(rand.NewPCG(12, 12)), 160)
		db := openDatabase(t, fresh())
		applyAll(t, db.View(l.store, l.codec), l.records(), 512)
		ctx := context.Background()
		r := restaurantID(2)
		all, err := db.Audit(ctx, AuditQuery{Restaurant: r, Limit: MaxLimit})
		if err != nil {
			t.Fatal(err)
		}
		middle := all.Items[len(all.Items)/4]
		reservation := domain.NewReservationID(r, day1, 1)
		for name, c := range map[string]struct {
			query AuditQuery
			keep  func(AuditEntry) bool
		}{
			"actor":        {AuditQuery{Restaurant: r, Actor: userID(9)}, func(e AuditEntry) bool { return e.Actor.User == userID(9) }},
			"type":         {AuditQuery{Restaurant: r, Types: []string{"reservation.held"}}, func(e AuditEntry) bool { return e.Type == "reservation.held" }},
			"from":         {AuditQuery{Restaurant: r, From: middle.DecidedAt}, func(e AuditEntry) bool { return e.DecidedAt >= middle.DecidedAt }},
			"to":           {AuditQuery{Restaurant: r, To: middle.DecidedAt}, func(e AuditEntry) bool { return e.DecidedAt < middle.DecidedAt }},
			"reservation":  {AuditQuery{Restaurant: r, Reservations: []domain.ReservationID{reservation}}, func(e AuditEntry) bool { return e.Reservation == reservation }},
			"history":      {AuditQuery{Reservations: []domain.ReservationID{reservation}}, func(e AuditEntry) bool { return e.Reservation == reservation }},
			"no such type": {AuditQuery{Restaurant: r, Types: []string{"x\x00\xff"}}, func(AuditEntry) bool { return false }},
			"all at once": {
				AuditQuery{Restaurant: r, Actor: userID(9), Types: []string{"reservation.held"}, From: opening, To: middle.DecidedAt},
				func(e AuditEntry) bool {
					return e.Actor.User == userID(9) && e.Type == "reservation.held" && e.DecidedAt < middle.DecidedAt
				},
			},
		} {
			c.query.Limit = MaxLimit
			got, err := db.Audit(ctx, c.query)
			if err != nil {
				t.Fatal(err)
			}
			want := slices.DeleteFunc(slices.Clone(all.Items), func(e AuditEntry) bool { return !c.keep(e) })
			if len(want) == 0 {
				want = nil
				if name != "no such type" {
					t.Errorf("%s: nothing to compare", name)
				}
			}
			equal(t, name, got.Items, want)
		}
		if _, err := db.Audit(ctx, AuditQuery{Actor: userID(9)}); err != ErrBadAuditQuery {
			t.Errorf("without restaurant or reservation: got %v", err)
		}
	})
}

// TestBadCursors: what this query did not give out is refused, and never reaches the database.
func TestBadCursors(t *testing.T) {
	l := newLedger(t)
	l.random(rand.New(rand.NewPCG(13, 13)), 150)
	db := openDatabase(t, filepath.Join(t.TempDir(), "reporting.db"))
	applyAll(t, db.View(l.store, l.codec), l.records(), 512)
	ctx := context.Background()
	mine, err := db.ReservationsOfDiner(ctx, userID(1), 1, "")
	if err != nil || mine.NextCursor == "" {
		t.Fatal(mine, err)
	}
	audit, err := db.Audit(ctx, AuditQuery{Restaurant: restaurantID(1), Limit: 1})
	if err != nil || audit.NextCursor == "" {
		t.Fatal(audit, err)
	}
	raw, err := base64.RawURLEncoding.DecodeString(mine.NextCursor)
	if err != nil {
		t.Fatal(err)
	}
	withNul := base64.RawURLEncoding.EncodeToString(append(slices.Clone(raw[:5]), 0, 0xff))
	auditRaw, err := base64.RawURLEncoding.DecodeString(audit.NextCursor)
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"not base64": "?", "cut": mine.NextCursor[:4], "long": strings.Repeat("A", 1000), "of the audit": audit.NextCursor,
		"padded": mine.NextCursor + "=", "with a zero": withNul, "no number": base64.RawURLEncoding.EncodeToString(append(raw[:4:4], 0xff)),
	} {
		if _, err := db.ReservationsOfDiner(ctx, userID(1), 1, text); err != ErrBadCursor {
			t.Errorf("%s: got %v", name, err)
		}
	}
	for name, q := range map[string]AuditQuery{
		"of another restaurant": {Restaurant: restaurantID(2), Cursor: audit.NextCursor},
		"of another filter":     {Restaurant: restaurantID(1), Types: []string{"day.opened"}, Cursor: audit.NextCursor},
		"of another order":      {Restaurant: restaurantID(1), OldestFirst: true, Cursor: audit.NextCursor},
		"with a word":           {Restaurant: restaurantID(1), Cursor: base64.RawURLEncoding.EncodeToString(append(auditRaw[:len(auditRaw)-1:len(auditRaw)-1], 'x'))},
	} {
		if _, err := db.Audit(ctx, q); err != ErrBadCursor {
			t.Errorf("%s: got %v", name, err)
		}
	}
	if _, err := db.ReservationsOfDiner(ctx, userID(2), 1, mine.NextCursor); err != ErrBadCursor {
		t.Errorf("of another diner: got %v", err)
	}
}

func FuzzCursor(f *testing.F) {
	f.Add("")
	f.Add(cursor{5, "rsv_x"}.encode(1))
	f.Fuzz(func(t *testing.T, text string) {
		c, given, err := decodeCursor(text, 1)
		if err == nil && given && c.encode(1) != text {
			// A number has one shortest form; another one is harmless, but must mean the same.
			if again, _, err := decodeCursor(c.encode(1), 1); err != nil || again != c {
				t.Errorf("%q reads as %+v", text, c)
			}
		}
	})
}

// TestOverlapsAreFound: the query that must find nothing finds what is there to find, and
// nothing where promises only touch or one of them was given back.
func TestOverlapsAreFound(t *testing.T) {
	bothEnds(t, func(t *testing.T, fresh func() string) {
		db := openDatabase(t, fresh())
		ctx := context.Background()
		r, a, b := restaurantID(1), tableID(1, 1), tableID(1, 2)
		set := newRows[tableOf](tableRows)
		promise := func(n uint32, date domain.ServiceDate, table domain.TableID, from, to domain.Instant, live bool) {
			id := domain.NewReservationID(r, date, n)
			set.put(tableOf{id, table}, true, string(id), string(table), string(r), date.String(), int64(from), int64(to), int64(2), live, false, int64(n))
		}
		promise(1, day1, a, evening, evening+3*hour, true)
		promise(2, day1, a, evening+3*hour, evening+4*hour, true)    // touches
		promise(3, day1, a, evening+hour, evening+2*hour, false)     // was given back
		promise(4, day1, b, evening+hour, evening+2*hour, true)      // another table
		promise(5, day1, a, evening+4*hour, evening+9*hour, true)    // past midnight
		promise(1, day1+1, a, evening+8*hour, evening+10*hour, true) // overlaps 5, of the day before
		promise(2, day1+1, a, evening+8*hour+1, evening+8*hour+2, true)
		err := db.engine.write(ctx, func(t tx) error {
			return t.put(ctx, newTexts(""), set.puts(false, nil))
		})
		if err != nil {
			t.Fatal(err)
		}
		got, err := db.Overlaps(ctx, 10)
		if err != nil {
			t.Fatal(err)
		}
		equal(t, "overlaps", got, []Overlap{
			{r, a, day1 + 1, domain.NewReservationID(r, day1+1, 1), evening + 8*hour, evening + 9*hour},
			{r, a, day1 + 1, domain.NewReservationID(r, day1+1, 2), evening + 8*hour + 1, evening + 10*hour},
		})
	})
}

// TestListsUseTheirIndex: a page costs its own length, not the table's.
func TestListsUseTheirIndex(t *testing.T) {
	db := openDatabase(t, filepath.Join(t.TempDir(), "reporting.db"))
	seen := &spyEngine{engine: db.engine}
	db.engine = seen
	ctx := context.Background()
	diner, audit := queryMark("diner", string(userID(1))), AuditQuery{Restaurant: restaurantID(1)}
	audit.Cursor = cursor{5, "5"}.encode(queryMark("audit", string(audit.Restaurant), "", "", audit.Date.String(), "", "[]", "", "",
		audit.From.String(), audit.To.String(), "0", "false"))
	if _, err := db.ReservationsOfDiner(ctx, userID(1), 5, cursor{5, "x"}.encode(diner)); err != nil {
		t.Fatal(err)
	}
	for _, q := range []AuditQuery{audit, {Reservations: []domain.ReservationID{domain.NewReservationID(restaurantID(1), day1, 1)}}} {
		if _, err := db.Audit(ctx, q); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := db.Reservation(ctx, domain.NewReservationID(restaurantID(1), day1, 1)); err != nil && err != ErrNotFound {
		t.Fatal(err)
	}
	for _, s := range seen.statements {
		var plan []string
		err := seen.engine.query(ctx, func(row scanner) error {
			var id, parent, unused int
			var detail string
			err := row.Scan(&id, &parent, &unused, &detail)
			plan = append(plan, detail)
			return err
		}, "EXPLAIN QUERY PLAN "+s.sql, s.args...)
		if err != nil {
			t.Fatal(err)
		}
		for _, step := range plan {
			if strings.HasPrefix(step, "SCAN") || strings.Contains(step, "USE TEMP B-TREE FOR ORDER BY") {
				t.Errorf("%s\n%s", s.sql, strings.Join(plan, "\n"))
			}
		}
	}
}

type statement struct {
	sql  string
	args []any
}

type spyEngine struct {
	engine
	statements []statement
}

func (s *spyEngine) query(ctx context.Context, each func(scanner) error, sql string, args ...any) error {
	s.statements = append(s.statements, statement{sql, args})
	return s.engine.query(ctx, each, sql, args...)
}

// TestManyTables: a party at several tables stands once in reservations, with all of them.
func TestManyTables(t *testing.T) {
	bothEnds(t, func(t *testing.T, fresh func() string) {
		l := newLedger(t)
		r := restaurantID(1)
		s := domain.Stamp{At: opening}
		plan := planOf(1, day1)
		slot := plan.Slots[0]
		occupied := domain.Interval{From: slot.StartsAt, To: slot.StartsAt + hour}
		l.append(dayStreamOf(r, day1), domain.System(),
			restaurantday.Opened{Stamp: s, Restaurant: r, Date: day1, Plan: *plan},
			restaurantday.Held{Stamp: s, Number: 1, Party: 4, Slot: slot, Turn: occupied, Occupied: occupied,
				Tables: []domain.TableID{tableID(1, 2), tableID(1, 1)}, ExpiresAt: opening + minute, Code: "X"})
		db := openDatabase(t, fresh())
		applyAll(t, db.View(l.store, l.codec), l.records(), 1)
		got, err := db.Reservation(context.Background(), domain.NewReservationID(r, day1, 1))
		if err != nil {
			t.Fatal(err)
		}
		equal(t, "tables", got.Tables, []domain.TableID{tableID(1, 1), tableID(1, 2)})
	})
}
