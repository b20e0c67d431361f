package factfile

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"daybook/domain"
	"daybook/domain/restaurantday"
)

// What a row may say at most, in characters: as much as who books here may.
const (
	maxExternal = 100
	maxName     = 100
	maxEmail    = 254
	maxPhone    = 40
	maxNotes    = 1000
	maxOccasion = 100
	maxTables   = 8
	maxNumber   = 20
)

// row reads one row; of finds what a column has.
func (f *reading) row(line int, of func(column string) string) {
	for column, want := range f.Only {
		if strings.TrimSpace(of(column)) != want {
			f.file.Skipped++
			return
		}
	}
	r := Row{Line: line, Status: restaurantday.StatusConfirmed}
	if f.Columns.Status != "" {
		word := strings.TrimSpace(of(f.Columns.Status))
		status, ok := f.words[strings.ToLower(word)]
		if !ok {
			f.bad(line, fmt.Sprintf("%s: the mapping has no status for %.40q; it has %s", f.Columns.Status, word, f.knownWords()))
			return
		}
		if status == statusSkip {
			f.file.Skipped++
			return
		}
		r.Status = restaurantday.Status(status)
	}
	if err := f.fill(&r, of); err != nil {
		f.bad(line, err.Error())
		return
	}
	f.file.Rows = append(f.file.Rows, r)
}

// knownWords lists the words for statuses.
func (r reader) knownWords() string {
	words := make([]string, 0, len(r.words))
	for w := range r.words {
		words = append(words, w)
	}
	slices.Sort(words)
	return listOf(words)
}

func (f *reading) fill(r *Row, of func(string) string) (err error) {
	c := f.Columns
	if err = f.when(r, of); err != nil {
		return err
	}
	if r.Party, err = party(of(c.Party)); err != nil {
		return fmt.Errorf("%s: %w", c.Party, err)
	}
	if c.ExternalID != "" {
		if r.External, err = line(c.ExternalID, of, maxExternal); err != nil {
			return err
		}
		if r.External == "" {
			return fmt.Errorf("%s: it is empty, and a booking is known by it", c.ExternalID)
		}
	}
	if c.MadeAt != "" && strings.TrimSpace(of(c.MadeAt)) != "" {
		found, _, err := f.instants(of(c.MadeAt), f.madeAt)
		if err != nil {
			return fmt.Errorf("%s: %w", c.MadeAt, err)
		}
		r.MadeAt = found[0] // of two, the first: it decides nothing
	}
	if c.Tables != "" {
		if r.Tables, err = f.tables(of(c.Tables)); err != nil {
			return fmt.Errorf("%s: %w", c.Tables, err)
		}
	}
	d := &r.Details
	for _, t := range []struct {
		column string
		into   *string
		limit  int
		prose  bool
	}{
		{c.Name, &d.Guest.Name, maxName, false}, {c.Email, &d.Guest.Email, maxEmail, false}, {c.Phone, &d.Guest.Phone, maxPhone, false},
		{c.Notes, &d.Notes, maxNotes, true}, {c.SpecialRequests, &d.SpecialRequests, maxNotes, true}, {c.Occasion, &d.Occasion, maxOccasion, false},
	} {
		if t.column == "" {
			continue
		}
		read := line
		if t.prose {
			read = prose
		}
		if *t.into, err = read(t.column, of, t.limit); err != nil {
			return err
		}
	}
	return nil
}

// when reads the start and how long it lasts.
func (f *reading) when(r *Row, of func(string) string) error {
	c := f.Columns
	column, text, layout := c.StartsAt, of(c.columnOfStart()), f.startsAt
	if column == "" {
		column, text, layout = c.Date+", "+c.Time, strings.TrimSpace(of(c.Date))+" "+strings.TrimSpace(of(c.Time)), f.date+" "+f.time
	}
	start, err := f.one(text, layout)
	if err != nil {
		return fmt.Errorf("%s: %w", column, err)
	}
	r.StartsAt = start
	local := start.Time().In(f.restaurant)
	r.Time = domain.FormatClock(local.Hour()*60 + local.Minute())
	switch {
	case c.Minutes != "" && strings.TrimSpace(of(c.Minutes)) != "":
		if r.Minutes, err = strconv.Atoi(strings.TrimSpace(of(c.Minutes))); err != nil {
			return fmt.Errorf("%s: %.40q is no number of minutes", c.Minutes, of(c.Minutes))
		}
	case c.EndsAt != "" && strings.TrimSpace(of(c.EndsAt)) != "":
		end, err := f.end(of(c.EndsAt), start)
		if err != nil {
			return fmt.Errorf("%s: %w", c.EndsAt, err)
		}
		r.Minutes = int(end-start) / 60_000
	default:
		return nil
	}
	if r.Minutes < 5 || r.Minutes > 720 {
		return fmt.Errorf("%s%s: it lasts %d minutes; want 5 to 720", c.Minutes, c.EndsAt, r.Minutes)
	}
	return nil
}

// columnOfStart is a column that there is, whichever tells the start.
func (c Columns) columnOfStart() string {
	if c.StartsAt != "" {
		return c.StartsAt
	}
	return c.Date
}

// end reads an end: an instant or, where starts are told by date and time, a time after
// the start.
func (f *reading) end(text string, start domain.Instant) (domain.Instant, error) {
	if f.Columns.StartsAt != "" {
		return f.one(text, f.startsAt)
	}
	day := start.Time().In(f.zone)
	for range 2 {
		at, err := f.one(day.Format(f.date)+" "+strings.TrimSpace(text), f.date+" "+f.time)
		if err != nil || at > start {
			return at, err
		}
		day = day.AddDate(0, 0, 1)
	}
	return 0, fmt.Errorf("%.40q is not after the start", text)
}

// one reads an instant that there is once.
func (f *reading) one(text, layout string) (domain.Instant, error) {
	found, skipped, err := f.instants(text, layout)
	switch {
	case err != nil:
		return 0, err
	case skipped:
		return 0, fmt.Errorf("%.40q: clocks in %s skip that time", strings.TrimSpace(text), f.zone)
	case len(found) > 1:
		return 0, fmt.Errorf("%.40q: clocks in %s show that time twice, at %s and at %s; write it with an offset", strings.TrimSpace(text), f.zone, found[0], found[1])
	}
	return found[0], nil
}

// instants are those at which clocks show what text says: one, two where they are put back,
// and where they skip it the instant at which they do.
func (f *reading) instants(text, layout string) (found []domain.Instant, skipped bool, err error) {
	text = strings.TrimSpace(text)
	wall, err := time.Parse(layout, text)
	if err != nil {
		return nil, false, fmt.Errorf("%.40q is not written as the format says: %s", text, f.written[layout])
	}
	if wall.Year() < 2000 || wall.Year() > 2169 {
		return nil, false, fmt.Errorf("%.40q: want a year from 2000 to 2169", text)
	}
	if strings.Contains(layout, "Z07") {
		return []domain.Instant{domain.InstantOf(wall)}, false, nil
	}
	date, minutes := domain.DateOf(wall), wall.Hour()*60+wall.Minute()
	second := domain.Instant(wall.Second()) * 1000
	found = date.Clocks(minutes, f.zone)
	if len(found) == 0 {
		return []domain.Instant{date.Clock(minutes, f.zone)}, true, nil
	}
	for i := range found {
		found[i] += second
	}
	return found, false, nil
}

func party(text string) (domain.PartySize, error) {
	n, err := strconv.Atoi(strings.TrimSpace(text))
	if err != nil {
		return 0, fmt.Errorf("%.40q is no number", text)
	}
	return domain.NewPartySize(n)
}

// tables takes the numbers of tables apart.
func (f *reading) tables(text string) (list []string, err error) {
	for part := range strings.SplitSeq(text, f.TableSeparator) {
		number, err := domain.Line("table", part, maxNumber)
		switch {
		case err != nil:
			return nil, err
		case number != "" && !slices.Contains(list, number):
			if len(list) == maxTables { // at once: a cell can hold as many as the file is long
				return nil, fmt.Errorf("more than %d tables", maxTables)
			}
			list = append(list, number)
		}
	}
	return list, nil
}

func line(column string, of func(string) string, limit int) (string, error) {
	text, err := domain.Line("text", of(column), limit)
	return text, told(column, err)
}

func prose(column string, of func(string) string, limit int) (string, error) {
	text, err := domain.Prose("text", strings.ReplaceAll(of(column), "\r\n", "\n"), limit)
	return text, told(column, err)
}

// told names the column that an error is about.
func told(column string, err error) error {
	if no, ok := domain.Rejected(err); ok {
		return fmt.Errorf("%s: %s", column, no.Detail)
	}
	return err
}
