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
	change.Decisions, change.Default = []Decision{{1, Relocate}}, CallOff
	got := decided(t, s, change)
	r, _ := s.Reservation(1)
	sameEvents(t, got,
		Cancelled{Stamp: stamp(now), Number: 2, Diner: diner, By: ByRestaurant, Change: "c"},
		PlanChanged{Stamp: stamp(now), Change: "c", Plan: *earlier()},
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
	if no := refused(t, s, FencePlan{Now: now, Actor: host, Change: "d", Plan: earlier()}); no.Code != domain.CodePlanChanging {
		t.Errorf("another change: %v", no)
	}
	s = Decider().Fold(s, decided(t, s, ChangePlan{Now: now, Actor: host, Change: "c", Plan: earlier(), Default: Relocate})...)
	if r, _ := s.Reservation(1); s.Fence() != "" || r.Tables[0] != "tbl_b" {
		t.Errorf("fence %q, %+v", s.Fence(), r)
	}
}
