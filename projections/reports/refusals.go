package reports

import (
	"cmp"
	"slices"
	"time"

	"daybook/domain"
	"daybook/domain/restaurantday"
)

// Refusals is how many refused requests are alike in all that their report asks of them.
type Refusals struct {
	Dimensions // its Code is always told
	Requests   int64
	Covers     int64 // people in them
}

// OfDemand is the refused requests for a day. zone is the restaurant's, for requests that
// named an instant.
func OfDemand(date domain.ServiceDate, list []restaurantday.Refused, zone *time.Location) []Refusals {
	all := make([]Refusals, len(list))
	for i, r := range list {
		all[i] = Refusals{
			Dimensions: Dimensions{Date: date, Slot: SlotOf(r.Time, r.StartsAt, zone), Party: r.Party, Code: r.Code},
			Requests:   1, Covers: int64(r.Party),
		}
	}
	return all
}

// SlotOf is the local time that a request named, as such or by an instant.
func SlotOf(local string, startsAt domain.Instant, zone *time.Location) string {
	if startsAt != 0 {
		return startsAt.Time().In(zone).Format("15:04")
	}
	return local
}

// RefusalsRow tells of requests that one rule turned away.
type RefusalsRow struct {
	Group    string `json:"group"`
	Code     string `json:"code" doc:"the rule; empty in the total"`
	Requests int64  `json:"requests" doc:"that were turned away; one that was repeated under its key counts once"`
	Covers   int64  `json:"covers" doc:"people in them"`
}

// RefusalsBy counts refused requests by group and rule.
func RefusalsBy(s Scope, refusals []Refusals) Report[RefusalsRow] {
	type key struct {
		group
		code domain.Code
	}
	report := Report[RefusalsRow]{Rows: []RefusalsRow{}}
	rows := map[key]*RefusalsRow{}
	var keys []key
	for _, r := range refusals {
		k := key{s.By.of(r.Dimensions, s.DayBoundary), r.Code}
		row, ok := rows[k]
		if !ok {
			row = &RefusalsRow{Group: k.name, Code: string(r.Code)}
			rows[k] = row
			keys = append(keys, k)
		}
		for _, sum := range []*RefusalsRow{row, &report.Total} {
			sum.Requests += r.Requests
			sum.Covers += r.Covers
		}
	}
	slices.SortFunc(keys, func(a, b key) int { return cmp.Or(compareGroups(a.group, b.group), cmp.Compare(a.code, b.code)) })
	for _, k := range keys {
		report.Rows = append(report.Rows, *rows[k])
	}
	return report
}
