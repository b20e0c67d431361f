package factfile

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"daybook/domain"
	"daybook/domain/restaurantday"
)

// File is what a file says.
type File struct {
	Rows    []Row
	Bad     []BadRow // rows that say nothing that could be recorded, by line
	Skipped int      // rows that the mapping leaves out
}

// Row is a booking of another system.
type Row struct {
	Line     int    // in the file, from 1
	External string // its id there; empty where the mapping names no column
	StartsAt domain.Instant
	Time     string // what clocks at the restaurant show then
	Minutes  int    // 0 where it is not told
	Party    domain.PartySize
	Status   restaurantday.Status
	Tables   []string
	MadeAt   domain.Instant // 0 where it is not told
	Details  restaurantday.Details
}

// BadRow is a row that could not be read.
type BadRow struct {
	Line int
	Why  string // names the column, and what it has
}

// Read reads a file by the mapping, for a restaurant in zone; at most maxRows rows.
//
// Errors: a MappingError where mapping and file do not fit at all. What is wrong with one
// row alone makes that a bad row.
func (m Mapping) Read(raw []byte, zone *time.Location, maxRows int) (File, error) {
	r, err := m.reader()
	if err != nil {
		return File{}, err
	}
	if r.zone == nil {
		r.zone = zone
	}
	text, err := r.decode(raw)
	if err != nil {
		return File{}, err
	}
	f := &reading{reader: r, restaurant: zone, maxRows: maxRows}
	if r.Format == "ndjson" {
		err = f.ndjson(text)
	} else {
		err = f.csv(text)
	}
	slices.SortStableFunc(f.file.Bad, func(a, b BadRow) int { return a.Line - b.Line })
	return f.file, err
}

// decode is the file as UTF-8 without a byte order mark.
func (r reader) decode(raw []byte) ([]byte, error) {
	if bytes.HasPrefix(raw, []byte("\xff\xfe")) || bytes.HasPrefix(raw, []byte("\xfe\xff")) {
		return nil, &MappingError{Detail: "the file is in UTF-16: save it as UTF-8"}
	}
	if i := bytes.IndexByte(raw, 0); i >= 0 {
		return nil, &MappingError{Detail: fmt.Sprintf(
			"line %d has a zero byte: the file is in UTF-16, or no text at all; save it as text in UTF-8", 1+bytes.Count(raw[:i], []byte("\n")))}
	}
	body, marked := bytes.CutPrefix(raw, []byte("\xef\xbb\xbf"))
	if r.Encoding == "latin-1" {
		if marked {
			return nil, wrong("encoding", "the file begins with the mark of UTF-8: leave latin-1 out")
		}
		text := make([]byte, 0, len(raw)+len(raw)/16)
		for _, b := range raw {
			text = utf8.AppendRune(text, rune(b))
		}
		return text, nil
	}
	raw = body
	for line, rest := 1, raw; len(rest) > 0; line++ {
		var one []byte
		one, rest, _ = bytes.Cut(rest, []byte("\n"))
		if !utf8.Valid(one) {
			return nil, wrong("encoding", "line %d is not UTF-8: set latin-1, if that is what it is, or save the file as UTF-8", line)
		}
	}
	return raw, nil
}

// reading is a file on its way.
type reading struct {
	reader
	restaurant *time.Location
	maxRows    int
	rows       int
	file       File
}

// named lists the columns that the mapping names, by field.
func (r reader) named() (list []struct{ field, column string }) {
	c := r.Columns
	add := func(field, column string) {
		if column != "" {
			list = append(list, struct{ field, column string }{field, column})
		}
	}
	add("columns.externalId", c.ExternalID)
	add("columns.startsAt", c.StartsAt)
	add("columns.date", c.Date)
	add("columns.time", c.Time)
	add("columns.minutes", c.Minutes)
	add("columns.endsAt", c.EndsAt)
	add("columns.party", c.Party)
	add("columns.status", c.Status)
	add("columns.tables", c.Tables)
	add("columns.madeAt", c.MadeAt)
	add("columns.name", c.Name)
	add("columns.email", c.Email)
	add("columns.phone", c.Phone)
	add("columns.notes", c.Notes)
	add("columns.specialRequests", c.SpecialRequests)
	add("columns.occasion", c.Occasion)
	for column := range r.Only {
		add("only", column)
	}
	return list
}

// fits refuses a file that lacks a column which the mapping names, and lists those it has.
func (r reader) fits(have []string) error {
	for _, n := range r.named() {
		found := 0
		for _, h := range have {
			if h == n.column {
				found++
			}
		}
		switch {
		case found == 0:
			return wrong(n.field, "the file has no column %q; it has %s%s", n.column, listOf(have), hint(have))
		case found > 1:
			return wrong(n.field, "the file has %d columns %q; name each otherwise", found, n.column)
		}
	}
	return nil
}

// maxListed bounds how many columns an error lists.
const maxListed = 60

func listOf(have []string) string {
	var b strings.Builder
	for i, h := range have[:min(len(have), maxListed)] {
		if i > 0 {
			b.WriteString(", ")
		}
		fmt.Fprintf(&b, "%.60q", h)
	}
	if len(have) > maxListed {
		fmt.Fprintf(&b, " and %d more", len(have)-maxListed)
	}
	return b.String()
}

// hint says what one column that holds another separator means.
func hint(have []string) string {
	if len(have) == 1 && strings.ContainsAny(have[0], ";,|\t") {
		return ": is the separator another?"
	}
	return ""
}

func (f *reading) csv(text []byte) error {
	r := csv.NewReader(bytes.NewReader(text))
	r.Comma, r.FieldsPerRecord = f.comma, -1
	header, err := r.Read()
	if errors.Is(err, io.EOF) {
		return &MappingError{Detail: "the file is empty: its first line must name the columns"}
	}
	if err != nil {
		return &MappingError{Detail: "the first line, which must name the columns, cannot be read: " + err.Error()}
	}
	for i := range header {
		header[i] = strings.TrimSpace(header[i])
	}
	if err := f.fits(header); err != nil {
		return err
	}
	at := make(map[string]int, len(header))
	for i, h := range header {
		at[h] = i
	}
	for {
		row, err := r.Read()
		var parse *csv.ParseError
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case errors.As(err, &parse):
			f.file.Bad = append(f.file.Bad, Broken(parse))
		case err != nil:
			return &MappingError{Detail: err.Error()}
		default:
			line, _ := r.FieldPos(0)
			if len(row) != len(header) {
				f.bad(line, fmt.Sprintf("%d fields, and the first line names %d", len(row), len(header)))
				break
			}
			before := len(f.file.Bad)
			f.row(line, func(column string) string { return row[at[column]] })
			for i := range f.file.Bad[before:] {
				f.file.Bad[before+i].Why += goesOn(line, line+strings.Count(strings.Join(row, ""), "\n"))
			}
		}
		if err := f.counted(); err != nil {
			return err
		}
	}
}

// Broken is a row of CSV whose quotes are wrong, by the line on which it begins.
func Broken(err *csv.ParseError) BadRow {
	return BadRow{Line: err.StartLine, Why: err.Err.Error() + goesOn(err.StartLine, err.Line)}
}

// goesOn says how far a bad row reaches: after a quote that is not closed the lines that
// follow, and the bookings on them, are taken for a part of it.
func goesOn(from, to int) string {
	if from == to {
		return ""
	}
	return fmt.Sprintf("; a quote makes one row of lines %d to %d", from, to)
}

// sampled is how many lines are looked at for the fields there are.
const sampled = 200

func (f *reading) ndjson(text []byte) error {
	lines := bytes.Split(text, []byte("\n"))
	names := map[string]bool{}
	for _, line := range lines[:min(len(lines), sampled)] {
		if fields, err := fieldsOf(line); err == nil {
			for name := range fields {
				names[name] = true
			}
		}
	}
	have := slices.Sorted(maps.Keys(names))
	if len(have) == 0 {
		return &MappingError{Detail: "no line has a JSON object with fields"}
	}
	if err := f.fits(have); err != nil {
		return err
	}
	for i, line := range lines {
		if len(bytes.TrimSpace(line)) == 0 {
			continue
		}
		if fields, err := fieldsOf(line); err != nil {
			f.bad(i+1, "no JSON object of texts and numbers: "+err.Error())
		} else {
			f.row(i+1, func(column string) string { return fields[column] })
		}
		if err := f.counted(); err != nil {
			return err
		}
	}
	return nil
}

// fieldsOf are the fields of one object, as text.
func fieldsOf(line []byte) (map[string]string, error) {
	if len(bytes.TrimSpace(line)) == 0 {
		return nil, nil
	}
	var raw map[string]json.RawMessage
	if err := json.Unmarshal(line, &raw); err != nil {
		return nil, err
	}
	fields := make(map[string]string, len(raw))
	for name, value := range raw {
		var text string
		switch value = bytes.TrimSpace(value); {
		case bytes.Equal(value, []byte("null")):
		case value[0] == '"':
			if err := json.Unmarshal(value, &text); err != nil {
				return nil, err
			}
		case value[0] == '{' || value[0] == '[':
			return nil, fmt.Errorf("field %.60q is a list or an object", name)
		default:
			text = string(value)
		}
		fields[strings.TrimSpace(name)] = text
	}
	return fields, nil
}

func (f *reading) bad(line int, why string) {
	f.file.Bad = append(f.file.Bad, BadRow{Line: line, Why: why})
}

func (f *reading) counted() error {
	if f.rows++; f.rows > f.maxRows {
		return &MappingError{Detail: fmt.Sprintf("the file has more than %d rows; split it", f.maxRows)}
	}
	return nil
}
