package main

import (
	"cmp"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"golang.org/x/text/currency"

	"daybook/domain"
	"daybook/internal/chart"
	"daybook/internal/sheet"
	"daybook/projections/whatif"
	"daybook/readapi"
)

// whatIfReport is the answers for several restaurants.
type whatIfReport struct {
	question       whatif.Question
	spend          domain.Money
	took           time.Duration
	restaurants    []readapi.WhatIf
	history, other whatif.Figures // of all
	decisions      int
	differences    int
	byDate         map[string][2]whatif.Figures
}

func (r *whatIfReport) add(w readapi.WhatIf) {
	r.restaurants = append(r.restaurants, w)
	r.history, r.other = r.history.Plus(w.Total.History.Figures()), r.other.Plus(w.Total.WhatIf.Figures())
	r.decisions += w.Decisions
	r.differences += len(w.Differences) + w.LeftOut
	if r.byDate == nil {
		r.byDate = map[string][2]whatif.Figures{}
	}
	for _, d := range w.Days {
		sum := r.byDate[d.Date]
		r.byDate[d.Date] = [2]whatif.Figures{sum[0].Plus(d.History.Figures()), sum[1].Plus(d.WhatIf.Figures())}
	}
}

// measure is one row of the table, or three columns of the file.
type measure struct {
	name  string // of the row
	field string // of the columns
	value func(readapi.DayFigures) float64
	show  func(float64) string
}

func whole(v float64) string { return strconv.FormatFloat(v, 'f', 0, 64) }

// measures are what is told, in order.
func (r whatIfReport) measures() []measure {
	list := []measure{
		{"requests", "requests", func(f readapi.DayFigures) float64 { return float64(f.Requests) }, whole},
		{"accepted", "accepted", func(f readapi.DayFigures) float64 { return float64(f.Accepted) }, whole},
		{"refused", "refused", func(f readapi.DayFigures) float64 { return float64(f.Refused) }, whole},
	}
	for _, code := range r.codes() {
		list = append(list, measure{"  " + code, "refused_" + code, func(f readapi.DayFigures) float64 { return float64(f.RefusedBy[code]) }, whole})
	}
	hours := func(minutes int64) float64 { return float64(minutes) / 60 }
	one := func(v float64) string { return strconv.FormatFloat(v, 'f', 1, 64) }
	percent := func(v float64) string { return strconv.FormatFloat(v*100, 'f', 2, 64) + " %" }
	list = append(list,
		measure{"reservations", "reservations", func(f readapi.DayFigures) float64 { return float64(f.Reservations) }, whole},
		measure{"  taken to come", "assumed", func(f readapi.DayFigures) float64 { return float64(f.Assumed) }, whole},
		measure{"covers", "covers", func(f readapi.DayFigures) float64 { return float64(f.Covers) }, whole},
		measure{"cancelled", "cancelled", func(f readapi.DayFigures) float64 { return float64(f.Cancelled) }, whole},
		measure{"no-shows", "no_shows", func(f readapi.DayFigures) float64 { return float64(f.NoShows) }, whole},
		measure{"seat-hours offered", "seat_hours_offered", func(f readapi.DayFigures) float64 { return hours(f.SeatMinutesOffered) }, one},
		measure{"seat-hours sold", "seat_hours_sold", func(f readapi.DayFigures) float64 { return hours(f.SeatMinutesSold) }, one},
		measure{"utilisation", "utilisation", func(f readapi.DayFigures) float64 { return f.Utilisation }, percent},
	)
	if r.spend != (domain.Money{}) {
		digits := minorDigits(r.spend.Currency)
		money := func(more int) func(float64) string {
			return func(v float64) string { return strconv.FormatFloat(v/math.Pow10(digits), 'f', digits+more, 64) }
		}
		list = append(list,
			measure{"revenue, " + r.spend.Currency, "revenue", func(f readapi.DayFigures) float64 { return float64(f.Revenue.Amount) }, money(0)},
			measure{"  by available seat-hour", "revenue_per_seat_hour", func(f readapi.DayFigures) float64 { return *f.RevenuePerSeatHour }, money(2)},
		)
	}
	return list
}

// codes are those with which anything was refused in either world, by how often in history.
func (r whatIfReport) codes() (codes []string) {
	all := r.history.Plus(r.other).Refused
	for code := range all {
		codes = append(codes, string(code))
	}
	slices.SortFunc(codes, func(a, b string) int {
		return cmp.Or(cmp.Compare(all[domain.Code(b)], all[domain.Code(a)]), cmp.Compare(a, b))
	})
	return codes
}

// minorDigits is how many decimals a currency has: two where it is not known.
func minorDigits(code string) int {
	unit, err := currency.ParseISO(code)
	if err != nil {
		return 2
	}
	digits, _ := currency.Standard.Rounding(unit)
	return digits
}

// signed writes a difference.
func signed(show func(float64) string, v float64) string {
	s := show(v)
	if v > 0 && strings.Trim(s, "0. %") != "" {
		s = "+" + s
	}
	return s
}

// mostListed is how many restaurants are listed by name; the CSV has all.
const mostListed = 20

func (r whatIfReport) print(out io.Writer, byDay, differences bool) error {
	fmt.Fprintf(out, "%s to %s: %d restaurants with a book or a request, %d decisions made again in %s, %d differences\n\n",
		r.question.From, r.question.To, len(r.restaurants), r.decisions, r.took.Round(10*time.Millisecond), r.differences)
	total := readapi.WhatIfFiguresOf(r.history, r.other, r.spend)
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "\thistory\twhat-if\tdifference\t")
	for _, m := range r.measures() {
		h, o := m.value(total.History), m.value(total.WhatIf)
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t\n", m.name, m.show(h), m.show(o), signed(m.show, o-h))
	}
	if err := w.Flush(); err != nil {
		return err
	}
	if err := r.printRestaurants(out); err != nil {
		return err
	}
	if byDay {
		if err := r.printDays(out); err != nil {
			return err
		}
	}
	if differences {
		return r.printDifferences(out)
	}
	return nil
}

// line is history, what-if and difference of what most is asked for.
func line(w io.Writer, name string, f readapi.WhatIfFigures) {
	fmt.Fprintf(w, "%s\t%d\t%d\t%+d\t%d\t%d\t%+d\t%.1f %%\t%.1f %%\t%+.1f\t\n", name, f.History.Covers, f.WhatIf.Covers, f.Difference.Covers,
		f.History.Refused, f.WhatIf.Refused, f.Difference.Refused, f.History.Utilisation*100, f.WhatIf.Utilisation*100, f.Difference.Utilisation*100)
}

const lineHeader = "\tcovers\twhat-if\t\trefused\twhat-if\t\tutilisation\twhat-if\t\t"

// printRestaurants lists those for which it makes the largest difference.
func (r whatIfReport) printRestaurants(out io.Writer) error {
	if len(r.restaurants) < 2 {
		return nil
	}
	list := slices.DeleteFunc(slices.Clone(r.restaurants), func(w readapi.WhatIf) bool {
		return w.Total.Difference.Covers == 0 && w.Total.Difference.Refused == 0
	})
	if len(list) == 0 {
		return nil
	}
	slices.SortStableFunc(list, func(a, b readapi.WhatIf) int {
		return cmp.Compare(magnitude(b.Total.Difference.Covers), magnitude(a.Total.Difference.Covers))
	})
	fmt.Fprintf(out, "\n%d restaurants with other covers or refusals, the largest difference first\n", len(list))
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, lineHeader)
	for _, one := range list[:min(len(list), mostListed)] {
		line(w, legible(one.Name), one.Total)
	}
	return w.Flush()
}

func magnitude(n int) int { return max(n, -n) }

func (r whatIfReport) dates() []string {
	dates := make([]string, 0, len(r.byDate))
	for date := range r.byDate {
		dates = append(dates, date)
	}
	slices.Sort(dates)
	return dates
}

func (r whatIfReport) printDays(out io.Writer) error {
	fmt.Fprintln(out)
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, lineHeader)
	for _, date := range r.dates() {
		line(w, date, readapi.WhatIfFiguresOf(r.byDate[date][0], r.byDate[date][1], r.spend))
	}
	return w.Flush()
}

func (r whatIfReport) printDifferences(out io.Writer) error {
	fmt.Fprintln(out)
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "restaurant\tdate\tasked at\twhat\tparty\tfor\thistory\twhat-if")
	for _, one := range r.restaurants {
		for _, d := range one.Differences {
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%d\t%s\t%s\t%s\n", legible(one.Name), d.Date, d.At, d.What, d.Party, cmp.Or(d.StartsAt, d.Time), cameTo(d.History), cameTo(d.WhatIf))
		}
	}
	return w.Flush()
}

// cameTo is an outcome in a few words.
func cameTo(o readapi.WhatIfOutcome) string {
	if o.Code != "" {
		return "refused: " + o.Code
	}
	s := o.Status
	if len(o.Tables) > 0 {
		s += ", table " + strings.Join(o.Tables, "+")
	}
	if len(o.FirstTables) > 0 {
		s += " (first " + strings.Join(o.FirstTables, "+") + ")"
	}
	if o.StartsAt != "" {
		s += ", " + o.StartsAt
	}
	return s
}

// csv writes a row for each restaurant and day: each figure of history, of the what-if, and
// what lies between them.
func (r whatIfReport) csv(out io.Writer) error {
	w := csv.NewWriter(out)
	measures := r.measures()
	header := []string{"restaurant_id", "restaurant", "date"}
	for _, m := range measures {
		header = append(header, m.field+"_history", m.field+"_what_if", m.field+"_difference")
	}
	_ = w.Write(header) // Error tells
	plain := func(v float64) string { return strconv.FormatFloat(v, 'f', -1, 64) }
	for _, one := range r.restaurants {
		for _, d := range one.Days {
			row := []string{one.RestaurantID, sheet.Cell(one.Name), d.Date}
			for _, m := range measures {
				h, o := m.value(d.History), m.value(d.WhatIf)
				row = append(row, plain(h), plain(o), plain(o-h))
			}
			_ = w.Write(row)
		}
	}
	w.Flush()
	return w.Error()
}

func (r whatIfReport) json(out io.Writer) error {
	e := json.NewEncoder(out)
	e.SetIndent("", "  ")
	return e.Encode(struct {
		From        string                `json:"from"`
		To          string                `json:"to"`
		Decisions   int                   `json:"decisions"`
		Total       readapi.WhatIfFigures `json:"total"`
		Restaurants []readapi.WhatIf      `json:"restaurants"`
	}{r.question.From.String(), r.question.To.String(), r.decisions, readapi.WhatIfFiguresOf(r.history, r.other, r.spend), r.restaurants})
}

// svg draws covers, refusals and utilisation by date.
func (r whatIfReport) svg(out io.Writer) error {
	dates := r.dates()
	c := chart.Chart{Labels: dates, Series: []string{"history", "what-if"}}
	for _, p := range []struct {
		title string
		value func(whatif.Figures) float64
	}{
		{"covers", func(f whatif.Figures) float64 { return float64(f.Covers) }},
		{"refused requests", func(f whatif.Figures) float64 { return float64(f.RefusedInAll()) }},
		{"utilisation, % of seat-hours offered", func(f whatif.Figures) float64 { return f.Utilisation() * 100 }},
	} {
		values := make([][]float64, 2)
		for _, date := range dates {
			for i := range values {
				values[i] = append(values[i], p.value(r.byDate[date][i]))
			}
		}
		c.Panels = append(c.Panels, chart.Panel{Title: p.title, Values: values})
	}
	if len(dates) == 0 {
		return fmt.Errorf("there is no day to draw from %s to %s", r.question.From, r.question.To)
	}
	return c.Draw(out)
}
