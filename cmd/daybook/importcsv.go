package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/csv"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"time"

	"daybook/commands"
	"daybook/domain"
	"daybook/domain/restaurant"
	"daybook/domain/restaurantday"
	"daybook/internal/factfile"
	"daybook/internal/httpapi"
)

// What a file that is read into memory may have, in bytes. One that is no text often has no
// end of a line either, and is not read to its own.
const (
	maxImportFile = 256 << 20
	maxImportLine = 1 << 20
)

// badRow is a row that says nothing that could be booked.
type badRow struct {
	line int
	why  string
}

// importFile is a CSV file with its digest.
type importFile struct {
	digest string
	rows   [][]string // without the header
	lines  []int      // of rows
	bad    []badRow
}

// readCSV reads a file whose header must be exactly columns.
func readCSV(path string, columns ...string) (*importFile, error) {
	raw, err := readBounded(path)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(raw)
	f := &importFile{digest: hex.EncodeToString(sum[:])}
	r := csv.NewReader(bytes.NewReader(raw))
	r.FieldsPerRecord = -1
	r.ReuseRecord = false
	header, err := r.Read()
	if err != nil {
		return nil, fmt.Errorf("%s: no header: want %q", path, columns)
	}
	if len(header) > 0 {
		header[0] = string(bytes.TrimPrefix([]byte(header[0]), []byte("\xef\xbb\xbf")))
	}
	if fmt.Sprint(header) != fmt.Sprint(columns) {
		return nil, fmt.Errorf("%s: the columns are %q, want %q", path, header, columns)
	}
	for {
		row, err := r.Read()
		var parse *csv.ParseError
		switch {
		case errors.Is(err, io.EOF):
			return f, nil
		case errors.As(err, &parse):
			broken := factfile.Broken(parse)
			f.bad = append(f.bad, badRow{broken.Line, broken.Why})
			continue
		case err != nil:
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		line, _ := r.FieldPos(0)
		if len(row) != len(columns) {
			f.bad = append(f.bad, badRow{line, fmt.Sprintf("%d fields, want %d", len(row), len(columns))})
			continue
		}
		f.rows, f.lines = append(f.rows, row), append(f.lines, line)
	}
}

func readBounded(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	raw, err := io.ReadAll(&lineBounded{from: io.LimitReader(f, maxImportFile+1)})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if len(raw) > maxImportFile {
		return nil, fmt.Errorf("%s: larger than %d bytes; split it", path, maxImportFile)
	}
	return raw, nil
}

// lineBounded reads until a line is too long.
type lineBounded struct {
	from   io.Reader
	lines  int // before this one
	length int // of this one so far
}

func (b *lineBounded) Read(p []byte) (int, error) {
	n, err := b.from.Read(p)
	for rest := p[:n]; len(rest) > 0; {
		end := bytes.IndexByte(rest, '\n')
		if end < 0 {
			end = len(rest)
		}
		if b.length += end; b.length > maxImportLine {
			return n, fmt.Errorf("line %d is longer than %d bytes", b.lines+1, maxImportLine)
		}
		if end < len(rest) {
			b.lines, b.length, end = b.lines+1, 0, end+1
		}
		rest = rest[end:]
	}
	return n, err
}

// importPlan is the plan every restaurant is given.
type importPlan struct {
	shifts       []restaurant.Shift
	dayBoundary  int
	policy       restaurantday.Policy
	tables       []restaurantday.Table
	combinations []commands.BringInCombination
}

// readPlan reads a plan in the words of the HTTP contract.
func readPlan(path string) (p importPlan, err error) {
	raw, err := readBounded(path)
	if err != nil {
		return p, err
	}
	form := struct {
		DayBoundary string          `json:"dayBoundary"`
		Shifts      []httpapi.Shift `json:"shifts"`
		Policy      httpapi.Policy  `json:"policy"`
		Tables      []struct {
			Number      string `json:"number"`
			MinCapacity int    `json:"minCapacity"`
			Capacity    int    `json:"capacity"`
			Area        string `json:"area"`
			OfflineOnly bool   `json:"offlineOnly"`
		} `json:"tables"`
		Combinations []struct {
			Tables      []string `json:"tables"`
			MinCapacity int      `json:"minCapacity"`
			Capacity    int      `json:"capacity"`
		} `json:"combinations"`
	}{DayBoundary: domain.FormatClock(restaurant.DefaultDayBoundary)}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	if err := d.Decode(&form); err != nil {
		return p, fmt.Errorf("%s: %w", path, err)
	}
	if p.dayBoundary, err = domain.ParseClock(form.DayBoundary); err != nil {
		return p, fmt.Errorf("%s: dayBoundary: %w", path, err)
	}
	for i, s := range form.Shifts {
		shift, err := s.Domain()
		if err != nil {
			return p, fmt.Errorf("%s: shifts[%d]: %w", path, i, err)
		}
		p.shifts = append(p.shifts, shift)
	}
	p.policy = form.Policy.Domain()
	for _, t := range form.Tables {
		p.tables = append(p.tables, restaurantday.Table{
			Number: t.Number, Min: domain.PartySize(max(t.MinCapacity, 1)), Max: domain.PartySize(t.Capacity), Area: t.Area,
			OfflineOnly: t.OfflineOnly,
		})
	}
	for _, c := range form.Combinations {
		p.combinations = append(p.combinations, commands.BringInCombination{
			Tables: c.Tables, Min: domain.PartySize(max(c.MinCapacity, 1)), Max: domain.PartySize(c.Capacity),
		})
	}
	return p, nil
}

// importedRestaurant is a row of the restaurants' file.
type importedRestaurant struct {
	name    string
	profile restaurant.Profile
	zone    *time.Location
}

var restaurantColumns = []string{"restaurant", "cuisine", "area", "latitude", "longitude", "time_zone"}

func (f *importFile) restaurants() (list []importedRestaurant) {
	seen := map[string]bool{}
	for i, row := range f.rows {
		bad := func(why string) { f.bad = append(f.bad, badRow{f.lines[i], why}) }
		lat, errLat := strconv.ParseFloat(row[3], 64)
		lng, errLng := strconv.ParseFloat(row[4], 64)
		zone, errZone := time.LoadLocation(row[5])
		switch {
		case row[0] == "":
			bad("no restaurant")
		case seen[row[0]]:
			bad(fmt.Sprintf("restaurant %q stands here twice", row[0]))
		case errLat != nil || errLng != nil:
			bad(fmt.Sprintf("latitude %q, longitude %q: want degrees", row[3], row[4]))
		case errZone != nil || row[5] == "" || row[5] == "Local":
			bad(fmt.Sprintf("time zone %q is not known", row[5]))
		default:
			seen[row[0]] = true
			list = append(list, importedRestaurant{row[0], restaurant.Profile{
				Name: row[0], Cuisine: row[1], Address: row[2], City: row[2], TimeZone: row[5],
				Location: &restaurant.Location{Lat: lat, Lng: lng},
			}, zone})
		}
	}
	return list
}

// importedReservation is a row of the reservations' file, its times in the restaurant's zone.
type importedReservation struct {
	line       int
	restaurant string
	at         domain.Instant // when it was made
	startsAt   domain.Instant
	party      domain.PartySize
}

var reservationColumns = []string{"restaurant", "reserved_at", "visit_at", "party"}

func (f *importFile) reservations(zones map[string]*time.Location) (list []importedReservation) {
	for i, row := range f.rows {
		bad := func(why string) { f.bad = append(f.bad, badRow{f.lines[i], why}) }
		zone := zones[row[0]]
		if zone == nil {
			bad(fmt.Sprintf("restaurant %q is not in the restaurants' file", row[0]))
			continue
		}
		at, err := localTime(row[1], zone)
		if err != nil {
			bad("reserved_at: " + err.Error())
			continue
		}
		startsAt, err := localTime(row[2], zone)
		if err != nil {
			bad("visit_at: " + err.Error())
			continue
		}
		n, err := strconv.Atoi(row[3])
		if err != nil {
			bad(fmt.Sprintf("party: %q is no number", row[3]))
			continue
		}
		party, err := domain.NewPartySize(n)
		if err != nil {
			bad("party: " + err.Error())
			continue
		}
		list = append(list, importedReservation{f.lines[i], row[0], at, startsAt, party})
	}
	return list
}

// localTime reads "2017-01-31 19:30:00" as clocks in zone show it: the first of the two
// where they show it twice.
func localTime(s string, zone *time.Location) (domain.Instant, error) {
	wall, err := time.Parse(time.DateTime, s)
	if err != nil {
		return 0, fmt.Errorf("%q: want YYYY-MM-DD HH:MM:SS", s)
	}
	if wall.Year() < 2000 || wall.Year() > 2169 {
		return 0, fmt.Errorf("%q: want a year from 2000 to 2169", s)
	}
	minutes := wall.Hour()*60 + wall.Minute()
	at := domain.DateOf(wall).Clock(minutes, zone).Add(time.Duration(wall.Second()) * time.Second)
	if at.Time().In(zone).Format(time.DateTime) != s {
		return 0, fmt.Errorf("%q: clocks in %s skip that time", s, zone)
	}
	return at, nil
}
