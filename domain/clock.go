package domain

import (
	"fmt"
	"time"
)

// aroundUTC is further than any zone's clocks are from UTC.
const aroundUTC = 26 * time.Hour

// Clocks returns the instants at which clocks in loc show minutes after the date's
// midnight, in order: usually one, none where the zone skips that time, two where it
// repeats it. Minutes may pass 1440.
func (d ServiceDate) Clocks(minutes int, loc *time.Location) []Instant {
	found, _ := d.clocks(minutes, loc)
	return found
}

// Clock returns the first instant at which clocks in loc show minutes after the date's
// midnight or, where the zone skips that time, the instant of the skip. So a later clock
// time never has an earlier instant. Minutes may pass 1440.
func (d ServiceDate) Clock(minutes int, loc *time.Location) Instant {
	found, skip := d.clocks(minutes, loc)
	if len(found) > 0 {
		return found[0]
	}
	return skip
}

// clocks walks the stretches of one offset that the wall time could fall into. time.Date
// does not say which of two instants it returns, and gives one for a time that never was.
func (d ServiceDate) clocks(minutes int, loc *time.Location) (found []Instant, skip Instant) {
	wall := d.utc().Add(time.Duration(minutes) * time.Minute)
	for at := wall.Add(-aroundUTC).In(loc); ; {
		start, end := at.ZoneBounds() // zero where the zone has no bound on that side
		_, offset := at.Zone()
		instant := wall.Add(-time.Duration(offset) * time.Second)
		switch {
		case !start.IsZero() && instant.Before(start):
			if len(found) == 0 && skip == 0 {
				skip = InstantOf(start)
			}
		case end.IsZero() || instant.Before(end):
			found = append(found, InstantOf(instant))
		}
		if end.IsZero() || end.After(wall.Add(aroundUTC)) {
			return found, skip
		}
		at = end
	}
}

// ServiceDateAt is the service date of instant at in zone loc for a restaurant whose day
// turns boundaryMinutes after midnight. A service date lasts from Clock(boundaryMinutes)
// up to that of the next date, so every instant belongs to exactly one, whatever the
// clocks are turned to.
func ServiceDateAt(at Instant, loc *time.Location, boundaryMinutes int) ServiceDate {
	d := DateOf(at.Time().In(loc))
	switch {
	case at < d.Clock(boundaryMinutes, loc):
		return d - 1
	case at >= (d+1).Clock(boundaryMinutes, loc): // the clocks went back over midnight
		return d + 1
	}
	return d
}

// ParseClock reads a local time HH:MM, 00:00 to 23:59, as minutes after midnight.
func ParseClock(s string) (minutes int, err error) {
	if len(s) != 5 || s[2] != ':' {
		return 0, fmt.Errorf("%.20q: want a time as HH:MM", s)
	}
	t, err := time.Parse("15:04", s)
	if err != nil {
		return 0, fmt.Errorf("%q: want a time as HH:MM", s)
	}
	return t.Hour()*60 + t.Minute(), nil
}

// FormatClock writes minutes after midnight, taken modulo a day, as HH:MM.
func FormatClock(minutes int) string {
	minutes %= 1440
	return fmt.Sprintf("%02d:%02d", minutes/60, minutes%60)
}
