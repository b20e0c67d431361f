package restaurant

import (
	"fmt"
	"time"
)

// Weekdays is a set of days of the week.
type Weekdays uint8

// EveryDay is all seven.
const EveryDay Weekdays = 1<<7 - 1

// week lists the days from Monday, with their names outside.
var week = [...]struct {
	day  time.Weekday
	name string
}{
	{time.Monday, "mon"}, {time.Tuesday, "tue"}, {time.Wednesday, "wed"}, {time.Thursday, "thu"},
	{time.Friday, "fri"}, {time.Saturday, "sat"}, {time.Sunday, "sun"},
}

// On makes a set of days.
func On(days ...time.Weekday) (w Weekdays) {
	for _, d := range days {
		w |= 1 << d
	}
	return w
}

// Has reports whether d is in the set.
func (w Weekdays) Has(d time.Weekday) bool { return w>>d&1 == 1 }

// ParseWeekdays reads names such as "mon". A name may be given twice; no names are no days.
func ParseWeekdays(names []string) (w Weekdays, err error) {
	for _, name := range names {
		day, ok := weekdayOf(name)
		if !ok {
			return 0, fmt.Errorf("%.20q is no day of the week: want mon, tue, wed, thu, fri, sat or sun", name)
		}
		w |= On(day)
	}
	return w, nil
}

func weekdayOf(name string) (time.Weekday, bool) {
	for _, d := range week {
		if d.name == name {
			return d.day, true
		}
	}
	return 0, false
}

// Names lists the days from Monday, as ParseWeekdays reads them.
func (w Weekdays) Names() []string {
	names := make([]string, 0, len(week))
	for _, d := range week {
		if w.Has(d.day) {
			names = append(names, d.name)
		}
	}
	return names
}
