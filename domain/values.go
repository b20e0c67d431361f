package domain

import (
	"errors"
	"fmt"
	"time"
)

// Instant is a moment in milliseconds since 1970-01-01T00:00:00Z. Zero means "none".
type Instant int64

// InstantOf cuts t to the millisecond.
func InstantOf(t time.Time) Instant { return Instant(t.UnixMilli()) }

// Time returns the instant in UTC.
func (i Instant) Time() time.Time { return time.UnixMilli(int64(i)).UTC() }

// Add returns the instant d later, d cut to the millisecond.
func (i Instant) Add(d time.Duration) Instant { return i + Instant(d.Milliseconds()) }

// AddMinutes returns the instant n minutes later.
func (i Instant) AddMinutes(n int) Instant { return i + Instant(n)*60_000 }

func (i Instant) String() string { return i.Time().Format("2006-01-02T15:04:05.000Z07:00") }

// MarshalText writes RFC 3339 in UTC with milliseconds.
func (i Instant) MarshalText() ([]byte, error) { return []byte(i.String()), nil }

// UnmarshalText reads RFC 3339 with any offset.
func (i *Instant) UnmarshalText(b []byte) error {
	t, err := time.Parse(time.RFC3339Nano, string(b))
	if err != nil {
		return fmt.Errorf("instant %q is not RFC 3339: %w", b, err)
	}
	*i = InstantOf(t)
	return nil
}

// Interval is the half-open stretch [From, To).
type Interval struct {
	From, To Instant
}

// Overlaps reports whether the two share an instant. Touching ends do not.
func (i Interval) Overlaps(o Interval) bool { return i.From < o.To && o.From < i.To }

// ServiceDate is the day a restaurant calls today, in days since 1970-01-01. A seating
// after midnight belongs to the evening's date, up to the restaurant's day boundary.
// Zero means "none".
type ServiceDate int32

// The range of dates that can be booked or imported.
const (
	minServiceDate ServiceDate = 10957 // 2000-01-01
	maxServiceDate ServiceDate = 73049 // 2170-01-01
)

// ErrServiceDate refuses what is no service date.
var ErrServiceDate = errors.New("want a date as YYYY-MM-DD between 2000-01-01 and 2170-01-01")

// ParseServiceDate reads YYYY-MM-DD, years 2000 to 2169.
func ParseServiceDate(s string) (ServiceDate, error) {
	t, err := time.Parse(time.DateOnly, s)
	if err != nil {
		return 0, fmt.Errorf("%.20q: %w", s, ErrServiceDate)
	}
	d := DateOf(t)
	if d < minServiceDate || d > maxServiceDate {
		return 0, fmt.Errorf("%.20q: %w", s, ErrServiceDate)
	}
	return d, nil
}

// DateOf is the calendar date of t in t's own zone.
func DateOf(t time.Time) ServiceDate {
	y, m, d := t.Date()
	return ServiceDate(time.Date(y, m, d, 0, 0, 0, 0, time.UTC).Unix() / 86_400)
}

// AddDays returns the date n days later.
func (d ServiceDate) AddDays(n int) ServiceDate { return d + ServiceDate(n) }

// Weekday returns the day of the week.
func (d ServiceDate) Weekday() time.Weekday { return d.utc().Weekday() }

func (d ServiceDate) utc() time.Time { return time.Unix(int64(d)*86_400, 0).UTC() }

func (d ServiceDate) String() string { return d.utc().Format(time.DateOnly) }

// MarshalText writes YYYY-MM-DD.
func (d ServiceDate) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText reads YYYY-MM-DD.
func (d *ServiceDate) UnmarshalText(b []byte) (err error) {
	*d, err = ParseServiceDate(string(b))
	return err
}

// PartySize is how many people sit down together, 1 to MaxPartySize. A cover is one of them.
type PartySize int

// MaxPartySize is the largest party anybody can ask for. A restaurant's own limit is the
// largest table it has.
const MaxPartySize PartySize = 500

// ErrPartySize refuses what is no party size.
var ErrPartySize = fmt.Errorf("want a party of 1 to %d", MaxPartySize)

// NewPartySize checks n.
func NewPartySize(n int) (PartySize, error) {
	if n < 1 || n > int(MaxPartySize) {
		return 0, fmt.Errorf("%d: %w", n, ErrPartySize)
	}
	return PartySize(n), nil
}
