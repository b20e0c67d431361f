package reporting

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// text is one value of a state as text; empty where there is none.
func (t told) text(state map[string]any, name string) string {
	switch v := state[name].(type) {
	case nil:
		return ""
	case string:
		return v
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	default:
		return fmt.Sprint(v)
	}
}

func (t told) list(state map[string]any, name string) []any {
	list, _ := state[name].([]any)
	return list
}

// now is the state that it came to or, where there is none, the one before.
func (t told) now() map[string]any {
	if t.is != nil {
		return t.is
	}
	return t.was
}

// tables names the tables of a state by what the floor calls them.
func (t told) tables(state map[string]any) string {
	names := t.list(state, "tables")
	if len(names) == 0 {
		names = t.list(state, "tableIds")
	}
	switch len(names) {
	case 0:
		return "no table"
	case 1:
		return fmt.Sprint("table ", names[0])
	}
	texts := make([]string, len(names))
	for i, n := range names {
		texts[i] = fmt.Sprint(n)
	}
	return "tables " + strings.Join(texts, " and ")
}

// party tells of a reservation: how many, when and where.
func (t told) party() string {
	return t.seating() + ", " + t.tables(t.now())
}

// waits tells of an entry of the waitlist.
func (t told) waits() string {
	s := t.now()
	text := "party of " + t.text(s, "party")
	if s["walkIn"] == true {
		return text + " at the door"
	}
	return text
}

func (t told) floorTable(state map[string]any) string {
	return fmt.Sprintf("Table %s for %s to %s", t.text(state, "number"), t.text(state, "minCapacity"), t.text(state, "capacity"))
}

func (t told) dates(state map[string]any) string {
	text := "from " + t.text(state, "from") + " to " + t.text(state, "to")
	if why := t.text(state, "reason"); why != "" {
		text += ": " + why
	}
	return text
}

// seating tells of a reservation without its tables.
func (t told) seating() string {
	return "party of " + t.text(t.now(), "party") + " at " + t.text(t.now(), "time")
}

func (t told) imports() string {
	return t.text(t.is, "batch") + " of " + t.text(t.is, "source") + ", " + t.text(t.is, "rows") + " rows"
}

// derived are the values that others of the same state say better.
var derived = []string{"tableIds", "startsAt", "endsAt", "occupiedUntil", "detailsChanged"}

// changes lists what became another, with both values where they are short.
func (t told) changes() string {
	var parts []string
	for _, name := range t.Changed() {
		if slices.Contains(derived, name) && !slices.Equal(t.Changed(), []string{name}) {
			continue
		}
		was, is := brief(t.was[name]), brief(t.is[name])
		if was == "" || is == "" {
			parts = append(parts, name)
			continue
		}
		parts = append(parts, name+" "+was+" to "+is)
	}
	if t.is["detailsChanged"] == true {
		parts = append(parts, "details")
	}
	if len(parts) == 0 {
		return "nothing that shows here"
	}
	return strings.Join(parts, ", ")
}

// brief is a value in a few words, "none" where there is none; empty where that is not to be had.
func brief(v any) string {
	switch v := v.(type) {
	case nil:
		return "none"
	case string:
		if len(v) > 40 {
			return ""
		}
		return v
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	case bool:
		return strconv.FormatBool(v)
	case []any:
		texts := make([]string, 0, len(v))
		for _, one := range v {
			text, ok := one.(string)
			if !ok || len(v) > 8 {
				return ""
			}
			texts = append(texts, text)
		}
		return strings.Join(texts, " and ")
	}
	return ""
}

func held(t told) string {
	switch t.text(t.is, "source") {
	case "walk_in":
		return "At the door: " + t.party()
	case "waitlist":
		return "Held as an offer to the waitlist: " + t.party()
	case "move":
		return "Held for a move from another day: " + t.party()
	}
	return "Held: " + t.party()
}

func reassigned(t told) string {
	return "Given " + t.tables(t.is) + " instead of " + t.tables(t.was) + ", to make room for reservation " + t.text(t.is, "madeRoomFor")
}

func cancelled(t told) string {
	by := map[string]string{
		"cancelled_by_diner": "Cancelled by the diner", "cancelled_by_restaurant": "Cancelled by the restaurant",
		"plan_changed": "Cancelled because the restaurant's plan changed",
	}[t.Reason]
	if by == "" {
		by = "Cancelled"
	}
	if t.is["late"] == true {
		by += ", late"
	}
	return by + ": " + t.party()
}

func seated(t told) string {
	return "Seated " + t.text(t.is, "covers") + " of " + t.text(t.is, "party") + " at " + t.tables(t.is)
}

func recorded(t told) string {
	text := "Recorded as it is in another system, " + t.text(t.is, "status") + ": " + t.party()
	if n := len(t.list(t.is, "conflicts")); n > 0 {
		text += fmt.Sprintf("; contradicts the day in %d", n)
	}
	return text
}

func joined(t told) string {
	text := "Joined the waitlist: " + t.waits()
	if place := t.text(t.is, "place"); place != "" {
		text += ", place " + place
	}
	return text
}

func planChanged(t told) string {
	text := "The day's plan was changed by change " + t.text(t.is, "change") + " of the restaurant"
	done := map[string]int{}
	var order []string
	for _, one := range t.list(t.is, "settled") {
		settled, _ := one.(map[string]any)
		what := t.text(settled, "done")
		if done[what] == 0 {
			order = append(order, what)
		}
		done[what]++
	}
	for _, what := range order {
		text += fmt.Sprintf("; %s: %d", what, done[what])
	}
	return text
}

func orNone(text string) string {
	if text == "" {
		return "nothing"
	}
	return text
}

// fieldsOf reads two JSON objects, and the names of both in the order of the second.
func fieldsOf(before, after []byte) (names []string, was, is map[string]json.RawMessage) {
	_ = json.Unmarshal(before, &was) // objects of this program
	_ = json.Unmarshal(after, &is)
	decoder := json.NewDecoder(bytes.NewReader(after))
	depth := 0
	for key := true; ; {
		token, err := decoder.Token()
		if err != nil {
			break
		}
		switch d := token.(type) {
		case json.Delim:
			if d == '{' || d == '[' {
				depth++
			} else {
				depth--
			}
			key = depth == 1 // what follows a value in the object is a name
		case string:
			if depth == 1 && key {
				names = append(names, d)
				key = false
				continue
			}
			key = depth == 1
		default:
			key = depth == 1
		}
	}
	for name := range was {
		if _, ok := is[name]; !ok {
			names = append(names, name)
		}
	}
	if n := len(is); n < len(names) {
		slices.Sort(names[n:])
	}
	return names, was, is
}
