package problem

import (
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"testing"

	"daybook/domain"
)

func TestFromRejection(t *testing.T) {
	no := domain.Reject(domain.CodeNoTable, "all taken",
		domain.Reason{Rule: "open_day", Actual: 3, Date: 20_000},
		domain.Reason{Rule: "starts_at", LimitAt: 30_000, ActualAt: 40_000},
		domain.Reason{Rule: "turn_time", Limit: 90, Actual: 2, Blocked: []domain.Block{
			{Number: 7, Table: "tbl_a", Until: 60_000, Hold: true}, {Number: 9, Table: "tbl_b"}, // one of no time
		}})
	no.Alternatives = []domain.Alternative{{Time: "20:00", StartsAt: 120_000}, {Time: "21:00", StartsAt: 180_000, Date: 20_001}}
	at := func(i domain.Instant) string { return fmt.Sprint(int64(i)) }
	for name, id := range map[string]func(uint32) string{
		"for a diner":   nil,
		"for the staff": func(n uint32) string { return fmt.Sprint("rsv_", n) },
	} {
		first, second := "", ""
		if id != nil {
			first, second = "rsv_7", "rsv_9"
		}
		want := &Problem{
			Type: "/errors/no_table", Title: "No table is free", Status: http.StatusConflict, Detail: "all taken", Code: domain.CodeNoTable,
			Reasons: []Reason{{Rule: "open_day", Actual: 3, Date: "2024-10-04"}, {Rule: "starts_at", LimitAt: "30000", ActualAt: "40000"}, {Rule: "turn_time", Limit: 90, Actual: 2, Entries: []Entry{
				{ReservationID: first, TableID: "tbl_a", Until: "60000", Hold: true}, {ReservationID: second, TableID: "tbl_b"},
			}}},
			Alternatives: []Alternative{{Time: "20:00", StartsAt: "120000"}, {Time: "21:00", StartsAt: "180000", Date: "2024-10-05"}},
		}
		if got := FromRejection(no, at, id); !reflect.DeepEqual(got, want) {
			t.Errorf("%s:\ngot  %+v\nwant %+v", name, got, want)
		}
	}
}

// TestUnknownErrorsTellNothing keeps causes out of answers.
func TestUnknownErrorsTellNothing(t *testing.T) {
	cause := errors.New("password of the database is hunter2")
	got := From(fmt.Errorf("wrapped: %w", cause))
	want := Because(nil)
	if !errors.Is(got, cause) {
		t.Error("the cause is lost to the log")
	}
	got.cause = nil
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if p := New("no_such_code", "secret"); p.Code != Internal || p.Detail != want.Detail {
		t.Errorf("a code without a row became %+v", p)
	}
}

func TestEveryCodeIsWhole(t *testing.T) {
	for _, code := range Codes() {
		p := New(code, "why")
		if p.Code != code || p.Type != "/errors/"+string(code) || p.Title == "" || p.Status < 400 || p.Status > 599 {
			t.Errorf("%s: %+v", code, p)
		}
		if (p.Status == http.StatusServiceUnavailable) != (p.RetryAfter() > 0) {
			t.Errorf("%s: status %d, but Retry-After %d", code, p.Status, p.RetryAfter())
		}
	}
}
