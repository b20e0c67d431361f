package reports

import (
	"cmp"
	"slices"

	"daybook/domain/restaurantday"
)

// Entries is how many entries of the book are alike in all that a report asks of them.
type Entries struct {
	Dimensions
	Status restaurantday.Status
	WalkIn bool
	Late   bool  // cancelled after the last free cancellation
	Lead   int64 // whole minutes from when it was entered to when its turn begins; 0 at least
	// Parties is how many, Covers how many people they were entered for, Seated how many of
	// these sat down.
	Parties, Covers, Seated int64
}

// OfDay is the entries of a day's book, as they stand in it. A hold that has lapsed and one
// that has not are both not firm, so no report asks which it is.
func OfDay(s restaurantday.State) []Entries {
	list := make([]Entries, s.Reservations())
	for i := range list {
		r, _ := s.Reservation(uint32(i + 1))
		list[i] = Entries{
			Dimensions: Dimensions{Date: s.Date, Shift: r.Slot.Shift, Slot: r.Slot.Time, Party: r.Party},
			Status:     r.Status, WalkIn: r.Source == restaurantday.SourceWalkIn, Late: r.Late,
			Lead:    max(0, int64(r.Turn.From-r.HeldAt)) / 60_000,
			Parties: 1, Covers: int64(r.Party), Seated: int64(r.Covers),
		}
	}
	return list
}

// CoversRow tells of covers: people, counted once each time they have a place.
type CoversRow struct {
	Group            string `json:"group"`
	BookedParties    int64  `json:"bookedParties" doc:"confirmed, seated, gone again or not come: all that hold good, without walk-ins"`
	BookedCovers     int64  `json:"bookedCovers" doc:"as they were booked"`
	SeatedParties    int64  `json:"seatedParties" doc:"who came, walk-ins too"`
	SeatedCovers     int64  `json:"seatedCovers" doc:"who sat down"`
	WalkInParties    int64  `json:"walkInParties" doc:"of those who came"`
	WalkInCovers     int64  `json:"walkInCovers"`
	CancelledParties int64  `json:"cancelledParties"`
	CancelledCovers  int64  `json:"cancelledCovers"`
	NoShowParties    int64  `json:"noShowParties"`
	NoShowCovers     int64  `json:"noShowCovers"`
}

// Covers counts them.
func Covers(s Scope, entries []Entries) Report[CoversRow] {
	return build[CoversRow](s, entries, Entries.dimensions)
}

func (e Entries) dimensions() Dimensions { return e.Dimensions }

func (r *CoversRow) begin(g string) { r.Group = g }

func (r *CoversRow) add(e Entries) {
	if Booked(e.Status) && !e.WalkIn {
		r.BookedParties += e.Parties
		r.BookedCovers += e.Covers
	}
	if Sat(e.Status) {
		r.SeatedParties += e.Parties
		r.SeatedCovers += e.Seated
		if e.WalkIn {
			r.WalkInParties += e.Parties
			r.WalkInCovers += e.Seated
		}
	}
	switch e.Status {
	case restaurantday.StatusCancelled:
		r.CancelledParties += e.Parties
		r.CancelledCovers += e.Covers
	case restaurantday.StatusNoShow:
		r.NoShowParties += e.Parties
		r.NoShowCovers += e.Covers
	default: // counted above, or never firm
	}
}

func (r *CoversRow) finish() {}

// NoShowsRow tells who of those who had booked did not come.
type NoShowsRow struct {
	Group                string `json:"group"`
	DueParties           int64  `json:"dueParties" doc:"booked, and either seated or recorded as not come; walk-ins left out"`
	NoShowParties        int64  `json:"noShowParties"`
	NoShowCovers         int64  `json:"noShowCovers"`
	RateBasisPoints      int64  `json:"rateBasisPoints" doc:"noShowParties of dueParties, in hundredths of a percent"`
	OpenParties          int64  `json:"openParties" doc:"confirmed, and neither seated nor recorded as not come"`
	LateCancelledParties int64  `json:"lateCancelledParties" doc:"cancelled after the last free cancellation; not part of the rate"`
}

// NoShows counts them.
func NoShows(s Scope, entries []Entries) Report[NoShowsRow] {
	return build[NoShowsRow](s, entries, Entries.dimensions)
}

func (r *NoShowsRow) begin(g string) { r.Group = g }

func (r *NoShowsRow) add(e Entries) {
	if e.WalkIn {
		return
	}
	switch e.Status {
	case restaurantday.StatusNoShow:
		r.DueParties += e.Parties
		r.NoShowParties += e.Parties
		r.NoShowCovers += e.Covers
	case restaurantday.StatusSeated, restaurantday.StatusCompleted:
		r.DueParties += e.Parties
	case restaurantday.StatusConfirmed:
		r.OpenParties += e.Parties
	case restaurantday.StatusCancelled:
		if e.Late {
			r.LateCancelledParties += e.Parties
		}
	default: // never firm, or another day's
	}
}

func (r *NoShowsRow) finish() { r.RateBasisPoints = ratio(r.NoShowParties, r.DueParties) }

// LeadTimesRow tells how long before they come parties book.
type LeadTimesRow struct {
	Group         string `json:"group"`
	Parties       int64  `json:"parties" doc:"booked, walk-ins left out"`
	MeanMinutes   int64  `json:"meanMinutes"`
	MedianMinutes int64  `json:"medianMinutes" doc:"by nearest rank, as p90 is: a lead that a party had"`
	P90Minutes    int64  `json:"p90Minutes"`
	UpTo1h        int64  `json:"upTo1h" doc:"parties with a lead of at most an hour"`
	UpTo6h        int64  `json:"upTo6h" doc:"of more than that, and at most 6 hours; and so on"`
	UpTo24h       int64  `json:"upTo24h"`
	UpTo3d        int64  `json:"upTo3d"`
	UpTo7d        int64  `json:"upTo7d"`
	UpTo14d       int64  `json:"upTo14d"`
	UpTo30d       int64  `json:"upTo30d"`
	Over30d       int64  `json:"over30d"`

	leads map[int64]int64 // parties by lead, while it is summed up
}

// LeadTimes counts them.
func LeadTimes(s Scope, entries []Entries) Report[LeadTimesRow] {
	return build[LeadTimesRow](s, entries, Entries.dimensions)
}

func (r *LeadTimesRow) begin(g string) { r.Group, r.leads = g, map[int64]int64{} }

func (r *LeadTimesRow) add(e Entries) {
	if Booked(e.Status) && !e.WalkIn {
		r.leads[e.Lead] += e.Parties
	}
}

func (r *LeadTimesRow) finish() {
	const hour, day = 60, 24 * 60
	steps := []struct {
		upTo  int64
		count *int64
	}{
		{hour, &r.UpTo1h}, {6 * hour, &r.UpTo6h}, {day, &r.UpTo24h}, {3 * day, &r.UpTo3d},
		{7 * day, &r.UpTo7d}, {14 * day, &r.UpTo14d}, {30 * day, &r.UpTo30d},
	}
	var sum int64
	minutes := make([]int64, 0, len(r.leads))
	for lead, parties := range r.leads {
		minutes = append(minutes, lead)
		r.Parties += parties
		sum += lead * parties
		count := &r.Over30d
		for _, s := range steps {
			if lead <= s.upTo {
				count = s.count
				break
			}
		}
		*count += parties
	}
	slices.SortFunc(minutes, cmp.Compare[int64])
	// ranked is the smallest lead that at least percent of the parties do not exceed.
	ranked := func(percent int64) (lead int64) {
		rank, passed := (percent*r.Parties+99)/100, int64(0)
		for _, m := range minutes {
			if passed += r.leads[m]; passed >= rank {
				return m
			}
		}
		return 0
	}
	r.MeanMinutes, r.MedianMinutes, r.P90Minutes = mean(sum, r.Parties), ranked(50), ranked(90)
	r.leads = nil
}
