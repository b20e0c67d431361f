package restaurantday

import (
	"reflect"
	"testing"

	"daybook/domain"
)

// earlier is the plan without table a, which closes its last slots.
func earlier() *Plan {
	p := plan()
	p.Revision, p.Tables, p.Slots = 1, p.Tables[1:], p.Slots[:5]
	return p
}

func TestChangePlan(t *testing.T) {
	s := given(t, firm(now, 2, "18:00"), firm(now, 2, "22:00"), firm(now, 4, "19:00"))
	touched := s.Preview(earlier(), now)
	want := []Touch{
		{Number: 1, Misfits: []Misfit{{Code: domain.CodeNoTable, Rule: "table", Table: "tbl_a"}}, Relocate: true},
		{Number: 2, Misfits: []Misfit{{Code: domain.CodeOutsideHours, Rule: "slot"}}, Keep: true},
	}
	if !reflect.DeepEqual(touched, want) {
		t.Fatalf("touched\n%+v\nwant\n%+v", touched, want)
	}
	change := ChangePlan{Now: now, Actor: host, Change: "c", Plan: earlier()}
	no := refused(t, s, change)
	if no.Code != domain.CodeDecisionNeeded || len(no.Reasons) != 2 || no.Reasons[1].Blocked[0].Number != 2 {
		t.Errorf("without decisions: %+v", no)
	}
	change.Default = Keep // which the first cannot be: its table is gone
	if no := refused(t, s, change); no.Code != domain.CodeDecisionNeeded || len(no.Reasons) != 1 {
		t.Errorf("kept without a table: %+v", no)
	}
	change.Decisions, change.Default = []Decision{{Number: 1, Do: Relocate}}, CallOff
	got := decided(t, s, change)
	r, _ := s.Reservation(1)
	sameEvents(t, got,
		Cancelled{Stamp: stamp(now), Number: 2, Diner: diner, By: ByRestaurant, Change: "c"},
		PlanChanged{Stamp: stamp(now), Change: "c", Plan: *earlier(), Settled: []Settlement{
			{Number: 1, Asked: Relocate, Done: Relocate, Code: domain.CodeNoTable},
			{Number: 2, Asked: CallOff, Done: CallOff, Code: domain.CodeOutsideHours},
		}},
		Amended{
			Stamp: stamp(now), Number: 1, Diner: diner, Party: 2, Slot: r.Slot, Turn: r.Turn, Occupied: r.Occupied, Tables: []domain.TableID{"tbl_b"},
		})
	s = Decider().Fold(s, got...)
	if got := decided(t, s, change); got != nil {
		t.Errorf("again: %+v", got)
	}
	if no := refused(t, s, Undo{Now: now, Actor: host, Number: 2}); no.Code != domain.CodeUndoBlocked {
		t.Errorf("undoing what the change called off: %+v", no)
	}
	if no := refused(t, s, Reinstate{Now: now, Actor: host, Number: 2}); no.Code != domain.CodeOutsideHours {
		t.Errorf("reinstating it: %+v", no)
	}
}

func TestFence(t *testing.T) {
	s := given(t, firm(now, 2, "18:00"), FencePlan{Now: now, Actor: host, Change: "c", Plan: earlier()})
	if no := refused(t, s, hold(now, 2, "22:00")); no.Code != domain.CodeOutsideHours {
		t.Errorf("a slot that goes: %v", no)
	}
	first, second := hold(now, 2, "20:00"), hold(now, 2, "20:00")
	s = Decider().Fold(s, decided(t, s, first)...)
	if r, _ := s.Reservation(2); r.Tables[0] != "tbl_b" {
		t.Errorf("a table that goes was given: %+v", r)
	}
	s = Decider().Fold(s, decided(t, s, second)...)
	if no := refused(t, s, hold(now, 2, "20:00")); no.Code != domain.CodeNoTable {
		t.Errorf("got %v", no)
	}
	s = Decider().Fold(s, decided(t, s, ChangePlan{Now: now, Actor: host, Change: "c", Plan: earlier(), Default: Relocate})...)
	if r, _ := s.Reservation(1); s.Fence() != "" || r.Tables[0] != "tbl_b" {
		t.Errorf("fence %q, %+v", s.Fence(), r)
	}
}

// closedPlan is a plan of a later revision without slots.
func closedPlan(revision uint64) *Plan {
	p := plan()
	p.Revision, p.Slots, p.Closure = revision, nil, "works"
	return p
}

// What a fence keeps from being booked is still what the change touches.
func TestAFenceHidesNothingFromTheChange(t *testing.T) {
	s := given(t, firm(now, 2, "18:00"), firm(now, 2, "19:00"))
	before := s.Preview(closedPlan(3), now)
	s = Decider().Fold(s, decided(t, s, FencePlan{Now: now, Actor: host, Change: "3", Plan: closedPlan(3)})...)
	if after := s.Preview(closedPlan(3), now); len(before) != 2 || !reflect.DeepEqual(after, before) {
		t.Fatalf("touched\n%+v, before the fence\n%+v", after, before)
	}
	if again := decided(t, s, FencePlan{Now: now, Actor: host, Change: "3", Plan: closedPlan(3)}); again != nil {
		t.Errorf("fenced again: %+v", again)
	}
	refused(t, s, hold(now, 2, "20:00"))
	s = Decider().Fold(s, decided(t, s, ChangePlan{
		Now: now, Actor: host, Change: "3", Plan: closedPlan(3), Default: Keep,
		Decisions: []Decision{{Number: 2, Do: CallOff, Message: "burst pipe"}},
	})...)
	first, _ := s.Reservation(1)
	second, _ := s.Reservation(2)
	if !first.Exception || first.Status != StatusConfirmed || second.Status != StatusCancelled || s.Fence() != "" || s.Agreed() != s.Plan {
		t.Errorf("%+v\n%+v", first, second)
	}
}

// Changes are decided faster than they are rolled out: each one's fence stands until its own plan is there.
func TestFencesStandUntilTheirOwnPlan(t *testing.T) {
	s := given(t, firm(now, 2, "18:00"))
	s = Decider().Fold(s, decided(t, s, FencePlan{Now: now, Actor: host, Change: "1", Plan: earlier()})...)
	s = Decider().Fold(s, decided(t, s, FencePlan{Now: now, Actor: host, Change: "2", Plan: closedPlan(2)})...)
	if s.Fence() != "2" || !s.Agreed().SameAs(plan()) {
		t.Fatalf("fence %q", s.Fence())
	}
	s = Decider().Fold(s, decided(t, s, ChangePlan{Now: now, Actor: host, Change: "1", Plan: earlier(), Binding: true})...)
	if s.Fence() != "2" || s.Agreed().Revision != 1 || len(s.Plan.Slots) != 0 {
		t.Fatalf("fence %q, plan %+v", s.Fence(), s.Plan)
	}
	refused(t, s, hold(now, 2, "19:00"))
	s = Decider().Fold(s, decided(t, s, ChangePlan{Now: now, Actor: host, Change: "2", Plan: closedPlan(2), Binding: true})...)
	if s.Fence() != "" || s.Plan.Revision != 2 || s.Agreed() != s.Plan {
		t.Errorf("fence %q, plan %+v", s.Fence(), s.Plan)
	}
	// A plan that comes before its predecessor leaves nothing of that behind.
	o := given(t, FencePlan{Now: now, Actor: host, Change: "1", Plan: earlier()})
	o = Decider().Fold(o, decided(t, o, ChangePlan{Now: now, Actor: host, Change: "2", Plan: closedPlan(2), Binding: true})...)
	if o.Fence() != "" || decided(t, o, ChangePlan{Now: now, Actor: host, Change: "1", Plan: earlier(), Binding: true}) != nil {
		t.Errorf("fence %q", o.Fence())
	}
}

// A change that takes nothing away needs no fence.
func TestNoFenceWhereNothingGoes(t *testing.T) {
	more := plan()
	more.Revision = 1
	more.Tables = append(more.Tables, Table{ID: "tbl_z", Number: "99", Min: 1, Max: 2})
	if got := decided(t, given(t), FencePlan{Now: now, Actor: host, Change: "1", Plan: more}); got != nil {
		t.Errorf("got %+v", got)
	}
}

// A combination that goes is not given to anybody meanwhile.
func TestACombinationIsFenced(t *testing.T) {
	from, to := plan(), plan()
	from.Combinations = []Combination{{ID: "cmb_x", Tables: []domain.TableID{from.Tables[0].ID, from.Tables[1].ID}, Min: 1, Max: 500}}
	to.Revision = 1
	s := Decider().Fold(State{}, Opened{Stamp: stamp(now), Plan: *from})
	s = Decider().Fold(s, decided(t, s, FencePlan{Now: now, Actor: host, Change: "1", Plan: to})...)
	if s.Fence() != "1" || len(s.Plan.Combinations) != 0 || len(s.Agreed().Combinations) != 1 {
		t.Errorf("fence %q, %+v", s.Fence(), s.Plan.Combinations)
	}
}

// A change that stands in the restaurant's book comes about: what cannot be done as it was
// decided is done otherwise, on record, and nobody is called off who was not to be.
func TestABindingChangeFallsBack(t *testing.T) {
	two := plan() // one table for two, one for four
	small := plan()
	small.Revision = 1
	var kept []Table
	for _, table := range two.Tables {
		if table.ID != "tbl_a" {
			kept = append(kept, table)
		}
	}
	small.Tables = kept[:1] // of what is left, one
	s := given(t, firm(now, 2, "18:00"), firm(now, 2, "18:00"), firm(now, 2, "18:00"), firm(now, 2, "22:00"))
	change := ChangePlan{Now: now, Actor: domain.System(), Change: "1", Plan: small, Binding: true, Default: Keep,
		Decisions: []Decision{{Number: 4, Do: "burn"}}}
	if no := refused(t, s, change); no.Code != domain.CodeInvalid {
		t.Errorf("got %v", no)
	}
	change.Decisions = []Decision{{Number: 4, Do: CallOff}}
	events := decided(t, s, change)
	s = Decider().Fold(s, events...)
	var changed PlanChanged
	for _, e := range events {
		if c, ok := e.(PlanChanged); ok {
			changed = c
		}
	}
	for _, settled := range changed.Settled {
		r, _ := s.Reservation(settled.Number)
		switch settled.Done {
		case Keep:
			if !r.Exception || r.Status != StatusConfirmed || settled.NoTable != (len(s.Plan.tableIndexes(r.Tables)) == 0) {
				t.Errorf("kept: %+v: %+v", settled, r)
			}
		case Relocate:
			if r.Exception || len(s.Plan.tableIndexes(r.Tables)) == 0 {
				t.Errorf("moved: %+v: %+v", settled, r)
			}
		case CallOff:
			if settled.Asked != CallOff || r.Status != StatusCancelled {
				t.Errorf("called off: %+v: %+v", settled, r)
			}
		default:
			t.Errorf("stranded: %+v", settled)
		}
	}
	for n := uint32(1); n <= 4; n++ {
		r, _ := s.Reservation(n)
		if r.Status == StatusConfirmed && len(s.Plan.tableIndexes(r.Tables)) == 0 && !r.Exception {
			t.Errorf("%d is stranded: %+v", n, r)
		}
	}
	without := 0
	for _, settled := range changed.Settled {
		if settled.NoTable {
			without++
		}
	}
	if without == 0 {
		t.Errorf("all have tables: %+v", changed.Settled)
	}
}

// A table that a plan takes away and a later one brings back is the party's again that was
// kept without it.
func TestTableThatComesBack(t *testing.T) {
	floor := func(revision uint64, tables ...Table) ChangePlan {
		p := plan()
		p.Revision, p.Tables = revision, tables
		return ChangePlan{Now: now, Actor: host, Change: "c", Plan: p, Default: Keep, Binding: true}
	}
	all := plan().Tables
	s := given(t, firm(now, 2, "18:00"), firm(now, 2, "18:00"), firm(now, 4, "18:00"), floor(1, all[1:]...))
	if b, _ := s.booking(1); b.Tables != nil {
		t.Fatalf("its table is gone, yet it has %v", b.Tables)
	}
	s = Decider().Fold(s, decided(t, s, floor(2, all...))...)
	r, _ := s.Reservation(1)
	if b, _ := s.booking(1); !reflect.DeepEqual(*b, s.bookingOf(r)) || r.Tables[0] != "tbl_a" {
		t.Errorf("the book has %+v, the floor %+v", r, b)
	}
	if no := refused(t, s, hold(now, 2, "18:00")); no.Code != domain.CodeNoTable {
		t.Errorf("its table was given away: %v", no)
	}
}

// What is left of a combination does not seat a party.
func TestWhatIsLeftOfACombination(t *testing.T) {
	seat := Seat{Now: evening, Actor: host, Number: 1}
	with := func(p *Plan) *Plan {
		p.Combinations = []Combination{{ID: "cmb_1", Tables: []domain.TableID{"tbl_b", "tbl_c"}, Min: 5, Max: 6}}
		return p
	}
	h := firm(now, 6, "18:00")
	h.Opening = &Open{Now: now, Restaurant: restaurant, Date: 20000, Plan: with(plan())}
	next := plan()
	next.Revision, next.Tables = 1, plan().Tables[:2]
	s := given(t, h, ChangePlan{Now: now, Actor: host, Change: "c", Plan: next, Default: Keep, Binding: true})
	if no := refused(t, s, seat); no.Code != domain.CodeNoTable {
		t.Errorf("got %+v", no)
	}
	bound := given(t, h, Pin{Now: now, Actor: host, Number: 1}, ChangePlan{Now: now, Actor: host, Change: "c", Plan: next, Default: Keep, Binding: true})
	if no := refused(t, bound, seat); no.Code != domain.CodeNoTable {
		t.Errorf("bound: %+v", no)
	}
}
