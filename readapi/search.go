package readapi

import (
	"context"
	"fmt"
	"math"
	"strconv"
	"strings"

	"daybook/domain"
	"daybook/internal/httpapi"
	"daybook/projections/availability"
	"daybook/projections/discovery"
)

// found is a restaurant in a search's answer.
type found struct {
	RestaurantID    string            `json:"restaurantId"`
	Name            string            `json:"name"`
	Cuisine         string            `json:"cuisine"`
	Address         string            `json:"address"`
	City            string            `json:"city"`
	State           string            `json:"state,omitempty"`
	Zip             string            `json:"zip,omitempty"`
	Location        *httpapi.Location `json:"location,omitempty"`
	TimeZone        string            `json:"timeZone"`
	PriceLevel      int               `json:"priceLevel,omitempty"`
	Features        []string          `json:"features"`
	Description     string            `json:"description,omitempty"`
	SeatingCapacity int               `json:"seatingCapacity"`
	Rating          *float64          `json:"rating,omitempty"`
	DistanceMeters  *int64            `json:"distanceMeters,omitempty" doc:"from near"`
	Slots           []slot            `json:"slots,omitempty" doc:"the free ones, where date and party are given"`
}

type searchQuery struct {
	After
	Q         string  `query:"q" maxLength:"200" doc:"name, cuisine, place or feature; typing mistakes are forgiven"`
	Cuisine   string  `query:"cuisine" maxLength:"100"`
	City      string  `query:"city" maxLength:"100"`
	Near      string  `query:"near" maxLength:"60" doc:"lat,lng in degrees"`
	Radius    float64 `query:"radius" minimum:"0" maximum:"1000000" doc:"metres around near"`
	MinRating float64 `query:"minRating" minimum:"0" maximum:"5"`
	Date      string  `query:"date" maxLength:"10" doc:"service date; with party, only restaurants with a free table"`
	Time      string  `query:"time" maxLength:"5" doc:"local HH:MM: only slots within an hour of it"`
	Party     int     `query:"party" minimum:"0" maximum:"500"`
	Sort      string  `query:"sort" enum:"relevance,distance,rating" default:"relevance"`
	Limit     int     `query:"limit" minimum:"1" maximum:"100" default:"20"`
	Cursor    string  `query:"cursor" maxLength:"300" doc:"nextCursor of the page before"`
}

func (r *reads) search(api *httpapi.API) {
	op := get("search-restaurants", "/restaurants", "Find restaurants, if wished with a free table", "Restaurants")
	op.Description = "With date and party a page holds those of the next limit matches that have a free table, so it can be shorter than limit, or empty, and still have a nextCursor."
	httpapi.Handle(api, op, func(ctx context.Context, in *searchQuery) (*body[page[found]], error) {
		q, table, err := in.query()
		if err != nil {
			return nil, err
		}
		if err := r.wait(ctx, discoveryView, in.After); err != nil {
			return nil, err
		}
		hits, err := r.Discovery.Search(ctx, q)
		if err != nil {
			return nil, ofEngine("search index", err) // of the query only the cursor was not checked yet
		}
		items := make([]found, len(hits.Hits))
		for i, h := range hits.Hits {
			items[i] = foundOf(h)
		}
		if table != nil {
			if items, err = r.withTable(ctx, hits.Hits, items, *table); err != nil {
				return nil, err
			}
		}
		return &body[page[found]]{page[found]{Items: items, NextCursor: hits.NextCursor}}, nil
	})
}

// wantedTable is the table a search is for.
type wantedTable struct {
	date  domain.ServiceDate
	party domain.PartySize
	at    int // minutes after midnight; -1 for any time
}

// nearTime is how far from the time asked for a slot may be, in minutes.
const nearTime = 60

func (in *searchQuery) query() (q discovery.Query, table *wantedTable, err error) {
	q = discovery.Query{
		Text: in.Q, Cuisine: in.Cuisine, City: in.City, RadiusMeters: in.Radius, MinRating: in.MinRating,
		MinParty: in.Party, Sort: discovery.Sort(in.Sort), Limit: in.Limit, Cursor: in.Cursor,
	}
	if math.IsNaN(in.Radius) { // which no minimum or maximum keeps out
		return q, nil, badQuery("radius", "want metres")
	}
	if math.IsNaN(in.MinRating) {
		return q, nil, badQuery("minRating", "want a number from 0 to 5")
	}
	if in.Near != "" {
		lat, lng, ok := strings.Cut(in.Near, ",")
		p := discovery.Point{}
		var errLat, errLng error
		p.Lat, errLat = strconv.ParseFloat(strings.TrimSpace(lat), 64)
		p.Lng, errLng = strconv.ParseFloat(strings.TrimSpace(lng), 64)
		if !ok || errLat != nil || errLng != nil || !(p.Lat >= -90 && p.Lat <= 90 && p.Lng >= -180 && p.Lng <= 180) {
			return q, nil, badQuery("near", "want lat,lng in degrees, such as 52.52,13.40")
		}
		q.Near = &p
	} else if in.Radius > 0 {
		return q, nil, badQuery("radius", "a radius needs near")
	} else if q.Sort == discovery.ByDistance {
		return q, nil, badQuery("sort", "sorting by distance needs near")
	}
	if in.Date == "" {
		if in.Time != "" {
			return q, nil, badQuery("time", "a time needs a date and a party")
		}
		return q, nil, nil
	}
	if in.Party == 0 {
		return q, nil, badQuery("party", "a date needs a party")
	}
	table = &wantedTable{party: domain.PartySize(in.Party), at: -1}
	if table.date, err = domain.ParseServiceDate(in.Date); err != nil {
		return q, nil, badQuery("date", err.Error())
	}
	if in.Time != "" {
		if table.at, err = domain.ParseClock(in.Time); err != nil {
			return q, nil, badQuery("time", err.Error())
		}
	}
	return q, table, nil
}

// withTable keeps the restaurants that have a free table, each with its free slots. A day
// that nobody asked for by itself is judged by the plan it would be opened with: a search
// over many restaurants opens none.
func (r *reads) withTable(ctx context.Context, hits []discovery.Hit, items []found, w wantedTable) ([]found, error) {
	days := make([]availability.DayKey, len(hits))
	for i, h := range hits {
		days[i] = availability.DayKey{Restaurant: h.ID, Date: w.date}
	}
	answers, err := r.Availability.Days(ctx, days, w.party)
	if err != nil {
		return nil, behind(err)
	}
	kept := items[:0]
	for i, a := range answers {
		if !a.Opened {
			if a, err = r.unopenedOf(ctx, hits[i].ID, w.date, w.party); err != nil {
				return nil, fmt.Errorf("plan of %s: %w", hits[i].ID, err)
			}
		}
		for _, s := range slotsOf(a) {
			if s.Available && w.near(s.Time) {
				items[i].Slots = append(items[i].Slots, s)
			}
		}
		if len(items[i].Slots) > 0 {
			kept = append(kept, items[i])
		}
	}
	return kept, nil
}

// near reports whether a slot is near the time asked for; half past midnight is near
// half past eleven.
func (w wantedTable) near(slot string) bool {
	if w.at < 0 {
		return true
	}
	at, err := domain.ParseClock(slot)
	if err != nil {
		return false
	}
	apart := max(at-w.at, w.at-at)
	return min(apart, 24*60-apart) <= nearTime
}

func foundOf(h discovery.Hit) found {
	f := found{
		RestaurantID: string(h.ID), Name: h.Name, Cuisine: h.Cuisine, Address: h.Address, City: h.City, State: h.State, Zip: h.Zip,
		TimeZone: h.TimeZone, PriceLevel: h.PriceLevel, Features: append([]string{}, h.Features...), Description: h.Description,
		SeatingCapacity: h.SeatingCapacity, Rating: h.Rating, DistanceMeters: h.DistanceMeters,
	}
	if h.Geo != nil {
		f.Location = &httpapi.Location{Lat: h.Geo.Lat, Lng: h.Geo.Lng}
	}
	return f
}
