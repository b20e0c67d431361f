// Package reports says what the figures of an owner's reports are: which entries of the book
// each of them counts, how they are summed, and how they are grouped. docs/reports.md has
// the definitions and where they come from.
//
// What belongs here: pure functions from what a day's book and its refused demand hold to
// the rows of a report, in whole numbers, so that two ways to the same report agree to the
// byte. What counts the entries is not here: the reporting tables do for now, folds of the
// streams do for a moment of the past and for what might have been. Who may see a report is
// readapi's.
package reports

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"daybook/domain"
	"daybook/domain/restaurantday"
)

// GroupBy is what the rows of a report stand for.
type GroupBy string

// The groups. Days are service dates; weeks are ISO 8601's, by service date.
const (
	ByDay     GroupBy = "day"
	ByWeek    GroupBy = "week"
	ByMonth   GroupBy = "month"
	ByWeekday GroupBy = "weekday"
	ByShift   GroupBy = "shift"
	BySlot    GroupBy = "slot"
	ByParty   GroupBy = "party"
	ByCode    GroupBy = "code"
)

// Dated reports whether a group follows from the service date alone.
func (by GroupBy) Dated() bool {
	return by == ByDay || by == ByWeek || by == ByMonth || by == ByWeekday
}

// ForEntries are the groups that entries of the book can be put in, ForSeatTime those that
// seat time can, ForRefusals those that refused requests can: a request names no shift.
var (
	ForEntries  = []GroupBy{ByDay, ByWeek, ByMonth, ByWeekday, ByShift, BySlot, ByParty}
	ForSeatTime = []GroupBy{ByDay, ByWeek, ByMonth, ByWeekday, ByShift}
	ForRefusals = []GroupBy{ByDay, ByWeek, ByMonth, ByWeekday, BySlot, ByParty, ByCode}
)

// Dimensions is what something is grouped by. A source leaves empty what its report is not
// grouped by.
type Dimensions struct {
	Date  domain.ServiceDate
	Shift string
	Slot  string // local time of its start, HH:MM
	Party domain.PartySize
	Code  domain.Code
}

// Of keeps of d what by asks for.
func (by GroupBy) Of(d Dimensions) Dimensions {
	switch by {
	case ByShift:
		return Dimensions{Shift: d.Shift}
	case BySlot:
		return Dimensions{Slot: d.Slot}
	case ByParty:
		return Dimensions{Party: d.Party}
	case ByCode:
		return Dimensions{Code: d.Code}
	default: // the rest are of the date
		return Dimensions{Date: d.Date}
	}
}

// group is a row's place and name.
type group struct {
	order int64
	name  string
}

// of names the group that d belongs to. boundary is when the restaurant's day turns, in
// minutes after midnight: what starts earlier belongs to the evening before, and stands last.
func (by GroupBy) of(d Dimensions, boundary int) group {
	midnight := time.Unix(int64(d.Date)*86_400, 0).UTC()
	switch by {
	case ByWeek:
		year, week := midnight.ISOWeek()
		return group{int64(year)*100 + int64(week), fmt.Sprintf("%04d-W%02d", year, week)}
	case ByMonth:
		return group{int64(midnight.Year())*100 + int64(midnight.Month()), midnight.Format("2006-01")}
	case ByWeekday:
		day := d.Date.Weekday()
		return group{int64(day+6) % 7, [7]string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"}[day]}
	case ByShift:
		return group{0, d.Shift}
	case BySlot:
		minutes, err := domain.ParseClock(d.Slot)
		if err != nil {
			return group{-1, d.Slot}
		}
		return group{int64((minutes - boundary + 1440) % 1440), d.Slot}
	case ByParty:
		return group{int64(d.Party), fmt.Sprint(int(d.Party))}
	case ByCode:
		return group{0, string(d.Code)}
	default:
		return group{int64(d.Date), d.Date.String()}
	}
}

func compareGroups(a, b group) int {
	return cmp.Or(cmp.Compare(a.order, b.order), cmp.Compare(a.name, b.name))
}

// Scope is how a report is made.
type Scope struct {
	By GroupBy
	// DayBoundary is when the restaurant's day turns, in minutes after midnight.
	DayBoundary int
}

// Report is the rows of a report, in the order of their groups, and all of them together.
type Report[R any] struct {
	Rows  []R `json:"rows" doc:"one for each group that has something to tell, in order"`
	Total R   `json:"total" doc:"all rows together; its group is empty"`
}

// row is a report's row while it is summed up.
type row[R, T any] interface {
	*R
	add(T)          // counts something in
	begin(g string) // names it
	finish()        // fills in what follows from the sums
}

// build sums things up by group.
func build[R, T any, P row[R, T]](s Scope, things []T, dimensions func(T) Dimensions) Report[R] {
	report := Report[R]{Rows: []R{}}
	total := P(&report.Total)
	total.begin("")
	rows := map[group]*R{}
	var groups []group
	for _, t := range things {
		g := s.By.of(dimensions(t), s.DayBoundary)
		r, ok := rows[g]
		if !ok {
			r = new(R)
			P(r).begin(g.name)
			rows[g] = r
			groups = append(groups, g)
		}
		P(r).add(t)
		total.add(t)
	}
	slices.SortFunc(groups, compareGroups)
	for _, g := range groups {
		P(rows[g]).finish()
		report.Rows = append(report.Rows, *rows[g])
	}
	total.finish()
	return report
}

// ratio is part of whole in hundredths of a percent, rounded half up; 0 of nothing.
func ratio(part, whole int64) int64 {
	if whole == 0 {
		return 0
	}
	return (2*part*10_000 + whole) / (2 * whole)
}

// mean is sum by n, rounded half up; 0 of nothing. sum is not negative.
func mean(sum, n int64) int64 {
	if n == 0 {
		return 0
	}
	return (2*sum + n) / (2 * n)
}

// Booked reports whether an entry of this status counts as booked: it is firm, and was
// neither cancelled nor moved to another day. That the party came is not asked.
func Booked(s restaurantday.Status) bool {
	return s == restaurantday.StatusConfirmed || Sat(s) || s == restaurantday.StatusNoShow
}

// Sat reports whether the party of an entry of this status came.
func Sat(s restaurantday.Status) bool {
	return s == restaurantday.StatusSeated || s == restaurantday.StatusCompleted
}
