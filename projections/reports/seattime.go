package reports

import (
	"daybook/domain"
	"daybook/domain/restaurantday"
)

// SeatTime is what one shift of a day had to offer and what of it was sold, in minutes of
// one seat.
type SeatTime struct {
	Dimensions    // the date and the shift
	Offered, Sold int64
}

// SeatTimeOf is the seat time of a day, by shift. A shift offers the most that each table
// seats, from its first seating until it closes, where no block takes the table. Sold is a
// party's people for the turn that it is promised: of those who have left, as many as sat
// down. What is held, cancelled, moved or did not come sells nothing.
//
// The plan is the one that the day has agreed to: what a change of the restaurant fences is
// taken off when that change reaches the day, as it is in the reporting tables.
func SeatTimeOf(s restaurantday.State) []SeatTime {
	var list []SeatTime
	plan := s.Agreed()
	at := map[string]int{}
	shift := func(name string) *SeatTime {
		i, ok := at[name]
		if !ok {
			i = len(list)
			at[name] = i
			list = append(list, SeatTime{Dimensions: Dimensions{Date: s.Date, Shift: name}})
		}
		return &list[i]
	}
	for _, hours := range plan.Hours() {
		of := shift(hours.Shift) // which a plan without tables has as well
		for _, t := range plan.Tables {
			of.Offered += int64(t.Max) * minutes(plan.FreeTime(t.ID, hours.During))
		}
	}
	for i := range s.Reservations() {
		r, _ := s.Reservation(uint32(i + 1))
		people := int64(r.Party)
		switch r.Status {
		case restaurantday.StatusConfirmed, restaurantday.StatusSeated:
		case restaurantday.StatusCompleted:
			people = int64(r.Covers)
		default:
			continue
		}
		shift(r.Slot.Shift).Sold += people * minutes(r.Turn.To-r.Turn.From)
	}
	return list
}

func minutes(i domain.Instant) int64 { return max(0, int64(i)) / 60_000 }

// UtilisationRow tells how much of the seats' time was sold.
type UtilisationRow struct {
	Group                  string `json:"group"`
	OfferedSeatMinutes     int64  `json:"offeredSeatMinutes" doc:"seats times the minutes for which their shift is open, without what is blocked"`
	SoldSeatMinutes        int64  `json:"soldSeatMinutes" doc:"people times the minutes of the turn they are promised, of parties that are expected, sit, or sat"`
	UtilisationBasisPoints int64  `json:"utilisationBasisPoints" doc:"sold of offered, in hundredths of a percent"`
}

// Utilisation sums seat time up.
func Utilisation(s Scope, times []SeatTime) Report[UtilisationRow] {
	return build[UtilisationRow](s, times, func(t SeatTime) Dimensions { return t.Dimensions })
}

func (r *UtilisationRow) begin(g string) { r.Group = g }

func (r *UtilisationRow) add(t SeatTime) {
	r.OfferedSeatMinutes += t.Offered
	r.SoldSeatMinutes += t.Sold
}

func (r *UtilisationRow) finish() {
	r.UtilisationBasisPoints = ratio(r.SoldSeatMinutes, r.OfferedSeatMinutes)
}
