package codec

import (
	"daybook/domain"
	"daybook/domain/restaurant"
	"daybook/domain/restaurantday"
	"daybook/eventstore"
)

// The forms of what a restaurant decides for its open days.

type bookingDecidedV1 struct {
	Reservation domain.ReservationID     `json:"reservation"`
	Diner       domain.UserID            `json:"diner,omitempty"`
	Do          restaurantday.Resolution `json:"do"`
	sealed
}

type bookingDecidedPersonal struct {
	Message string `json:"message,omitempty"`
}

// The message is sealed with the key of the guest whom it is for, as the reservation is.
var restaurantBookingDecided = &kind[restaurant.BookingDecided, bookingDecidedV1, bookingDecidedPersonal]{
	name: TypeRestaurantBookingDecided,
	to: func(e restaurant.BookingDecided) (bookingDecidedV1, bookingDecidedPersonal) {
		return bookingDecidedV1{Reservation: e.Reservation, Diner: e.Diner, Do: e.Do}, bookingDecidedPersonal{Message: e.Message}
	},
	from: func(f bookingDecidedV1, p bookingDecidedPersonal, s domain.Stamp) restaurant.BookingDecided {
		return restaurant.BookingDecided{Stamp: s, BookingDecision: restaurant.BookingDecision{
			Reservation: f.Reservation, Diner: f.Diner, Do: f.Do, Message: p.Message,
		}}
	},
	subject: func(_ eventstore.StreamName, e restaurant.BookingDecided) (string, error) {
		if _, err := domain.ParseReservationID(string(e.Reservation)); err != nil {
			return "", err
		}
		id, date, number := e.Reservation.Day()
		return ReservationSubject(DayStream(id, date), e.Diner, number)
	},
	box: func(f *bookingDecidedV1) *sealed { return &f.sealed },
}

type planDecidedV1 struct {
	Days    []daySeenV1              `json:"days,omitempty"`
	Default restaurantday.Resolution `json:"default,omitempty"`
}

type daySeenV1 struct {
	Date     domain.ServiceDate `json:"date,omitzero"`
	Revision uint64             `json:"revision"`
}

var restaurantPlanDecided = open(TypeRestaurantPlanDecided,
	func(e restaurant.PlanDecided) planDecidedV1 {
		return planDecidedV1{Default: e.Default, Days: each(e.Days, func(d restaurant.DaySeen) daySeenV1 { return daySeenV1(d) })}
	},
	func(f planDecidedV1, s domain.Stamp) restaurant.PlanDecided {
		return restaurant.PlanDecided{
			Stamp: s, Default: f.Default, Days: each(f.Days, func(d daySeenV1) restaurant.DaySeen { return restaurant.DaySeen(d) }),
		}
	})
