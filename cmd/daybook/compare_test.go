package main

import (
	"bytes"
	"strings"
	"testing"
)

const tightPlan = "../../docs/examples/tight.json"

func (f importFiles) compared(t *testing.T) string {
	t.Helper()
	var out bytes.Buffer
	c := compareCommand{Restaurants: f.restaurants, Plan: tightPlan, Reservations: f.reservations}
	if err := c.Run(t.Context(), &out); err != nil {
		t.Fatal(err)
	}
	_, table, found := strings.Cut(out.String(), "                  accepted")
	if !found {
		t.Fatalf("no table in\n%s", out.String())
	}
	return "accepted" + table
}

// The figures of docs/seating.md, where the real reservations are at hand.
func TestCompareRealMonth(t *testing.T) {
	t.Parallel()
	const want = `accepted  refused  covers  parties moved  for  combined  gain at  lose at
       first fit      8380     1071   26621              0    0         0        0        0
  + late binding      8395     1056   26660             21   18         0       10        0
  + combinations      8709      742   30606              0    0       492      132        2
          + both      8753      698   31105            110   88       543      137        1
combinations, restaurants that lose: r205 76 → 75, r50 104 → 102
both, restaurants that lose: r50 104 → 102
`
	if got := realMonth(t).compared(t); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestCompare(t *testing.T) {
	t.Parallel()
	const want = `accepted  refused  covers  parties moved  for  combined  gain at  lose at
       first fit       479      481    1987              0    0         0        0        0
  + late binding       479      481    1987              0    0         0        0        0
  + combinations       600      360    3344              0    0       168        6        0
          + both       622      338    3626             56   44       202        6        0
`
	files := madeUp(t, 1000)
	got := files.compared(t)
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if again := files.compared(t); again != got {
		t.Errorf("a second time it says\n%s", again)
	}
}
