package readapi

import (
	"errors"
	"testing"

	"daybook/internal/problem"
	"daybook/projections/reporting"
)

func TestWhoWantsCSV(t *testing.T) {
	for accept, want := range map[string]bool{
		"text/csv": true, "text/csv; charset=utf-8, application/json": true, "application/json, text/csv": false, "*/*": false, "": false, ";": false,
	} {
		if wantsCSV(accept) != want {
			t.Errorf("%q: %t", accept, !want)
		}
	}
}

// TestInstantsInTheRestaurantsZone: what the audit keeps in UTC is shown as clocks there did.
func TestInstantsInTheRestaurantsZone(t *testing.T) {
	got := inZone([]byte(`{"startsAt":"2026-11-21T18:00:00.000Z","note":"2026-11-21","none":null}`), "Europe/Berlin")
	if want := `{"startsAt":"2026-11-21T19:00:00+01:00","note":"2026-11-21","none":null}`; string(got) != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// TestAuditFilesHaveAPlace before anything is counted for them: who finds none has the
// database do nothing, which this one has not even got.
func TestAuditFilesHaveAPlace(t *testing.T) {
	r := &reads{exports: make(chan struct{}, 1)}
	r.exports <- struct{}{}
	_, err := r.auditCSV(t.Context(), After{}, reporting.AuditQuery{}, "UTC")
	var p *problem.Problem
	if !errors.As(err, &p) || p.Code != problem.Overloaded {
		t.Errorf("got %v", err)
	}
}
