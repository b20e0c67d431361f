package restaurantday

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

var statuses = []Status{
	StatusPending, StatusConfirmed, StatusSeated, StatusCompleted, StatusCancelled, StatusExpired, StatusNoShow, StatusMoved, StatusWithdrawn,
}

// lifeTable is the table of transitions as the page shows it.
func lifeTable() string {
	var b strings.Builder
	b.WriteString("| what is done |")
	for _, s := range statuses {
		fmt.Fprintf(&b, " %s |", s)
	}
	b.WriteString("\n|---|" + strings.Repeat("---|", len(statuses)) + "\n")
	byVerb := map[Verb]map[Status]Transition{}
	var verbs []Verb
	for _, tr := range Transitions() {
		if byVerb[tr.Verb] == nil {
			byVerb[tr.Verb] = map[Status]Transition{}
			verbs = append(verbs, tr.Verb)
		}
		byVerb[tr.Verb][tr.From] = tr
	}
	for _, v := range verbs {
		staff := ""
		row := ""
		for _, s := range statuses {
			tr, ok := byVerb[v][s]
			switch {
			case !ok:
				row += fmt.Sprintf(" `%s` |", Refusal(s))
				continue
			case tr.Already:
				row += " already so |"
			default:
				row += fmt.Sprintf(" **%s** |", tr.To)
			}
			if tr.Staff {
				staff = " (staff)"
			}
		}
		fmt.Fprintf(&b, "| %s%s |%s\n", v, staff, row)
	}
	return b.String()
}

// The page of docs shows the table that decides. DAYBOOK_DOCS=write writes it.
func TestThePageShowsTheTransitions(t *testing.T) {
	const path, from, to = "../../docs/reservation-life.md", "<!-- transitions -->\n", "<!-- end -->\n"
	page, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(page), from)
	shown, after, ok2 := strings.Cut(rest, to)
	if !ok || !ok2 {
		t.Fatalf("%s has no %q", path, from)
	}
	if shown == lifeTable() {
		return
	}
	if os.Getenv("DAYBOOK_DOCS") == "write" {
		if err := os.WriteFile(path, []byte(before+from+lifeTable()+to+after), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	t.Errorf("the page shows\n%s\nwant\n%s\nwrite it with DAYBOOK_DOCS=write", shown, lifeTable())
}
