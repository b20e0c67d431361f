package codec

// The event types, as they stand in the ledger. A name here is never changed and never
// given to anything else.
const (
	TypeDayOpened            = "day.opened"
	TypeReservationHeld      = "reservation.held"
	TypeReservationConfirmed = "reservation.confirmed"
	TypeReservationCancelled = "reservation.cancelled"
	TypeReservationExpired   = "reservation.expired"
	TypeDemandRefused        = "demand.refused"
)

// allForms is the table of every event this program can read and write.
func allForms() []form {
	return []form{
		dayOpened, reservationHeld, reservationConfirmed, reservationCancelled, reservationExpired, demandRefused,
	}
}
