// Package factfile reads what another system says of its bookings: a file of rows, by a
// mapping that tells which column means what.
//
// What belongs here: separators, encodings, names of columns, formats of times, words for
// statuses; and saying which row or column is wrong, and how. What becomes of a booking is
// the domain's; who may bring it in is commands'; where the file comes from is the edges'.
package factfile

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"daybook/domain/restaurantday"
)

// Mapping says how a file of another system is to be read. What is left empty has the
// default that its comment names.
type Mapping struct {
	Source         string            `json:"source,omitempty" maxLength:"64" doc:"name of the other system: a booking's id there names it for ever; the batch's name by default"`
	Format         string            `json:"format,omitempty" enum:"csv,ndjson" doc:"csv by default"`
	Encoding       string            `json:"encoding,omitempty" enum:"utf-8,latin-1" doc:"utf-8 by default, with or without a byte order mark"`
	Separator      string            `json:"separator,omitempty" maxLength:"3" doc:"of csv: a comma by default, or a semicolon, a bar, or tab"`
	TimeZone       string            `json:"timeZone,omitempty" maxLength:"60" doc:"IANA name of the zone that its clocks show; the restaurant's by default"`
	Columns        Columns           `json:"columns" doc:"which column means what; of ndjson, which field"`
	Formats        Formats           `json:"formats,omitempty" doc:"how times are written"`
	Statuses       map[string]string `json:"statuses,omitempty" maxProperties:"100" doc:"its words for confirmed, seated, completed, cancelled and no_show, whatever their case; skip leaves a row out. Those five by default, and confirmed for every row where there is no column"`
	TableSeparator string            `json:"tableSeparator,omitempty" maxLength:"3" doc:"between the numbers of tables put together; + by default"`
	Only           map[string]string `json:"only,omitempty" maxProperties:"10" doc:"leaves rows out whose columns have another value, such as those of other restaurants"`
}

// Columns names columns. A start is told by StartsAt, or by Date and Time.
type Columns struct {
	ExternalID      string `json:"externalId,omitempty" maxLength:"200" doc:"its id in the other system, nothing personal: it is kept in clear. Without one a row is known by all that it says"`
	StartsAt        string `json:"startsAt,omitempty" maxLength:"200" doc:"or date and time"`
	Date            string `json:"date,omitempty" maxLength:"200"`
	Time            string `json:"time,omitempty" maxLength:"200"`
	Minutes         string `json:"minutes,omitempty" maxLength:"200" doc:"for how long it has its tables; by the restaurant's policy where there is neither this nor endsAt"`
	EndsAt          string `json:"endsAt,omitempty" maxLength:"200"`
	Party           string `json:"party" maxLength:"200"`
	Status          string `json:"status,omitempty" maxLength:"200"`
	Tables          string `json:"tables,omitempty" maxLength:"200" doc:"by the numbers that the restaurant's floor has"`
	MadeAt          string `json:"madeAt,omitempty" maxLength:"200" doc:"when it was booked"`
	Name            string `json:"name,omitempty" maxLength:"200"`
	Email           string `json:"email,omitempty" maxLength:"200"`
	Phone           string `json:"phone,omitempty" maxLength:"200"`
	Notes           string `json:"notes,omitempty" maxLength:"200"`
	SpecialRequests string `json:"specialRequests,omitempty" maxLength:"200"`
	Occasion        string `json:"occasion,omitempty" maxLength:"200"`
}

// Formats are made of YYYY, MM, DD, HH, mm, ss, MMM for the name of a month, M, D and h for
// numbers without zeros, A for AM and PM, and Z for an offset; all else stands for itself.
type Formats struct {
	Date     string `json:"date,omitempty" maxLength:"40" doc:"YYYY-MM-DD by default; made of YYYY, MM, DD, HH, mm, ss, MMM, M, D, h, A for AM or PM, and Z for an offset"`
	Time     string `json:"time,omitempty" maxLength:"40" doc:"HH:mm by default"`
	StartsAt string `json:"startsAt,omitempty" maxLength:"40" doc:"of starts and ends: YYYY-MM-DDTHH:mm:ssZ by default, which is RFC 3339"`
	MadeAt   string `json:"madeAt,omitempty" maxLength:"40" doc:"like startsAt"`
}

// statusSkip is the word for rows that are left out.
const statusSkip = "skip"

var statuses = []string{
	string(restaurantday.StatusConfirmed), string(restaurantday.StatusSeated), string(restaurantday.StatusCompleted),
	string(restaurantday.StatusCancelled), string(restaurantday.StatusNoShow), statusSkip,
}

// MappingError says what is wrong with a mapping, or with the file that it is to fit.
type MappingError struct {
	Field  string // of the mapping, such as columns.party; empty for the file as a whole
	Detail string
}

func (e *MappingError) Error() string {
	if e.Field == "" {
		return e.Detail
	}
	return e.Field + ": " + e.Detail
}

func wrong(field, format string, args ...any) error {
	return &MappingError{Field: field, Detail: fmt.Sprintf(format, args...)}
}

// ParseMapping reads a mapping's JSON. A field that there is not is refused.
func ParseMapping(raw []byte) (m Mapping, err error) {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	if err := d.Decode(&m); err != nil {
		return m, &MappingError{Detail: "the mapping is not as docs/import.md has it: " + err.Error()}
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return m, &MappingError{Detail: "something follows the mapping"}
	}
	_, err = m.reader()
	return m, err
}

// Check refuses a mapping that no file could be read by.
func (m Mapping) Check() error {
	_, err := m.reader()
	return err
}

// reader is a mapping made ready.
type reader struct {
	Mapping
	comma    rune
	zone     *time.Location // nil for the restaurant's
	words    map[string]string
	date     string // Go's layouts
	time     string
	startsAt string
	madeAt   string
	written  map[string]string // formats by those layouts
}

func (m Mapping) reader() (r reader, err error) {
	r = reader{Mapping: m, written: map[string]string{}}
	if r.Format == "" {
		r.Format = "csv"
	}
	if r.Encoding == "" {
		r.Encoding = "utf-8"
	}
	if r.TableSeparator == "" {
		r.TableSeparator = "+"
	}
	switch {
	case r.Format != "csv" && r.Format != "ndjson":
		return r, wrong("format", "%.20q: want csv or ndjson", r.Format)
	case r.Encoding != "utf-8" && r.Encoding != "latin-1":
		return r, wrong("encoding", "%.20q: want utf-8 or latin-1", r.Encoding)
	}
	switch r.Separator {
	case "", ",":
		r.comma = ','
	case ";":
		r.comma = ';'
	case "|":
		r.comma = '|'
	case "tab", "\t":
		r.comma = '\t'
	default:
		return r, wrong("separator", "%.20q: want a comma, a semicolon, a bar or tab", r.Separator)
	}
	if m.TimeZone != "" {
		if r.zone, err = time.LoadLocation(m.TimeZone); err != nil || m.TimeZone == "Local" {
			return r, wrong("timeZone", "%.60q is no time zone; want an IANA name such as Europe/Berlin", m.TimeZone)
		}
	}
	c := m.Columns
	switch {
	case c.Party == "":
		return r, wrong("columns.party", "want the column that has the size of the party")
	case c.StartsAt == "" && (c.Date == "" || c.Time == ""):
		return r, wrong("columns", "want startsAt, or date and time")
	case c.StartsAt != "" && (c.Date != "" || c.Time != ""):
		return r, wrong("columns", "want either startsAt, or date and time")
	case c.Minutes != "" && c.EndsAt != "":
		return r, wrong("columns", "want either minutes or endsAt")
	}
	if r.words, err = m.statusWords(); err != nil {
		return r, err
	}
	date := []string{year, month, day}
	const instant = "YYYY-MM-DDTHH:mm:ssZ"
	for _, f := range []struct {
		field, format, standard string
		tells                   []string
		into                    *string
	}{
		{"date", m.Formats.Date, "YYYY-MM-DD", date, &r.date}, {"time", m.Formats.Time, "HH:mm", []string{hour}, &r.time},
		{"startsAt", m.Formats.StartsAt, instant, []string{year, month, day, hour}, &r.startsAt}, {"madeAt", m.Formats.MadeAt, instant, date, &r.madeAt},
	} {
		if f.format == "" {
			f.format = f.standard
		}
		if *f.into, err = layoutOf(f.format, f.tells); err != nil {
			return r, wrong("formats."+f.field, "%v", err)
		}
		r.written[*f.into] = f.format
	}
	r.written[r.date+" "+r.time] = r.written[r.date] + " " + r.written[r.time]
	return r, nil
}

// statusWords are the words for statuses in lower case.
func (m Mapping) statusWords() (map[string]string, error) {
	words := map[string]string{}
	if len(m.Statuses) == 0 {
		for _, s := range statuses {
			words[s] = s
		}
		return words, nil
	}
	if m.Columns.Status == "" {
		return nil, wrong("statuses", "they are of no use without columns.status")
	}
	for word, status := range m.Statuses {
		if !slices.Contains(statuses, status) {
			return nil, wrong("statuses", "%.40q is to mean %.40q: want %s", word, status, strings.Join(statuses, ", "))
		}
		key := strings.ToLower(strings.TrimSpace(word))
		if other, twice := words[key]; twice && other != status {
			return nil, wrong("statuses", "%.40q is to mean both %s and %s", word, other, status)
		}
		words[key] = status
	}
	return words, nil
}

// What a token tells, where a format must tell it.
const (
	year, month, day = "the year", "the month", "the day"
	hour             = "the hour"
	hour12, half     = "the hour of twelve", "AM or PM" // the first needs the second
)

// tokens are what a format is made of, what Go has for it, and what it tells; longer ones
// first.
var tokens = []struct{ token, layout, tells string }{
	{"YYYY", "2006", year}, {"MMM", "Jan", month}, {"MM", "01", month}, {"DD", "02", day}, {"HH", "15", hour}, {"hh", "03", hour12},
	{"mm", "04", ""}, {"ss", "05", ""}, {"YY", "06", year}, {"M", "1", month}, {"D", "2", day}, {"H", "15", hour}, {"h", "3", hour12},
	{"A", "PM", half}, {"a", "pm", half}, {"Z", "Z07:00", ""},
}

// layoutOf turns a format that must tell some things into Go's layout. What a layout does not
// tell Go takes to be the first there is: a day without its hour would begin at midnight.
func layoutOf(format string, must []string) (string, error) {
	var b strings.Builder
	told := map[string]bool{}
rest:
	for s := format; s != ""; {
		for _, t := range tokens {
			if after, ok := strings.CutPrefix(s, t.token); ok {
				b.WriteString(t.layout)
				s, told[t.tells] = after, true
				continue rest
			}
		}
		c := s[0]
		// A T stands between a date and a time; other letters and digits would be taken for layouts.
		if c != 'T' && (c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_') {
			return "", fmt.Errorf("%q: %q is no part of a format; see docs/import.md", format, string(c))
		}
		b.WriteByte(c)
		s = s[1:]
	}
	if told[hour12] {
		told[hour], must = true, append(slices.Clip(must), half)
	}
	for _, what := range must {
		if !told[what] {
			return "", fmt.Errorf("%q does not tell %s; see docs/import.md", format, what)
		}
	}
	return b.String(), nil
}

// Digest names a file as it is read: another file, or another mapping, has another.
func (m Mapping) Digest(raw []byte) string {
	form, err := json.Marshal(m)
	if err != nil {
		panic(fmt.Sprintf("factfile: a mapping has no JSON form: %v", err)) // plain values only
	}
	h := sha256.New()
	h.Write(form)
	h.Write(raw)
	return hex.EncodeToString(h.Sum(nil))[:32]
}
