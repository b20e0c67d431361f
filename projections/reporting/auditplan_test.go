package reporting

import (
	"encoding/json"
	"testing"

	"daybook/domain"
	"daybook/domain/restaurant"
	"daybook/domain/restaurantday"
)

func TestWhatWasDecidedForOpenDays(t *testing.T) {
	date, err := domain.ParseServiceDate("2026-11-21")
	if err != nil {
		t.Fatal(err)
	}
	reservation := domain.NewReservationID(domain.NewRestaurantID([16]byte{1}), date, 7)
	decided := restaurant.BookingDecided{BookingDecision: restaurant.BookingDecision{
		Reservation: reservation, Do: restaurantday.CallOff, Message: "the roof leaks on Ada's table",
	}}
	for _, c := range []struct {
		event restaurant.Event
		want  string
	}{
		{decided, `{"reservationId":"` + string(reservation) + `","do":"cancel","told":true}`},
		{
			restaurant.PlanDecided{Default: restaurantday.Keep, Days: []restaurant.DaySeen{{Date: date, Revision: 12}}},
			`{"default":"keep","days":[{"date":"2026-11-21","revision":12}]}`,
		},
	} {
		was, is := restaurantSnapshots(c.event, restaurant.State{}, restaurant.State{})
		got, err := json.Marshal(is)
		if err != nil || was != nil || string(got) != c.want {
			t.Errorf("%T: %v became %s, %v\nwant %s", c.event, was, got, err, c.want)
		}
	}
	got, err := json.Marshal(settledSnapshotsOf(restaurantday.State{Restaurant: domain.NewRestaurantID([16]byte{1}), Date: date}, []restaurantday.Settlement{
		{Number: 7, Asked: restaurantday.Keep, Done: restaurantday.Keep, Code: domain.CodeClosed, NoTable: true}, {Number: 8, Done: restaurantday.Relocate, Code: domain.CodeNoTable},
	}))
	eight := domain.NewReservationID(domain.NewRestaurantID([16]byte{1}), date, 8)
	want := `[{"reservationId":"` + string(reservation) + `","number":7,"asked":"keep","done":"keep","code":"closed","noTable":true},{"reservationId":"` + string(eight) + `","number":8,"done":"move","code":"no_table"}]`
	if err != nil || string(got) != want {
		t.Errorf("got %s, %v\nwant %s", got, err, want)
	}
}
