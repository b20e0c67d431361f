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
	for _, hours := range shiftHours(plan) {
		shift(hours.name).Offered += offered(plan, hours.during)
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
		shift(r.Slot.Shift).Sold += people * minutes(r.Turn)
	}
	return list
}

type hours struct {
	name   string
	during domain.Interval
}

// shiftHours is when the shifts of a plan are open: from a first slot until it closes. One
// that closes and opens again stands twice.
func shiftHours(p *restaurantday.Plan) (all []hours) {
	at := map[string]int{}
	for _, slot := range p.Slots { // by StartsAt
		i, ok := at[slot.Shift]
		if !ok || slot.StartsAt >= all[i].during.To {
			i = len(all)
			at[slot.Shift] = i
			all = append(all, hours{slot.Shift, domain.Interval{From: slot.StartsAt, To: slot.Closes}})
		}
		all[i].during.To = max(all[i].during.To, slot.Closes)
	}
	return all
}

// offered is the seat time of all tables in a stretch, less what blocks take.
func offered(p *restaurantday.Plan, during domain.Interval) (sum int64) {
	for _, t := range p.Tables {
		sum += int64(t.Max) * (minutes(during) - blocked(p, t.ID, during))
	}
	return sum
}

// blocked is for how many minutes of a stretch blocks take a table. Blocks stand by when
// they begin, and may overlap.
func blocked(p *restaurantday.Plan, table domain.TableID, during domain.Interval) (sum int64) {
	from := during.From
	for _, b := range p.Blocks {
		if !b.Covers(table) {
			continue
		}
		taken := domain.Interval{From: max(from, b.During.From), To: min(during.To, b.During.To)}
		if taken.From < taken.To {
			sum += minutes(taken)
			from = taken.To
		}
	}
	return sum
}

func minutes(i domain.Interval) int64 { return max(0, int64(i.To-i.From)) / 60_000 }

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
