package commands

import (
	"strings"
	"testing"

	"daybook/domain/restaurant"
	"daybook/domain/restaurantday"
)

// TestImportsFromBeforeAreStillKnown holds the form that a repeat must equal to what
// ledgers were written with; what came later shows only where it is asked for.
func TestImportsFromBeforeAreStillKnown(t *testing.T) {
	const before = `{"Key":"Ida","At":"2026-11-02T09:00:00.000Z","Owner":"usr_04000000000000000000000000","Profile":{"Name":"Chez Ida",` +
		`"Cuisine":"French","Address":"1 Rue","City":"Berlin","State":"","Zip":"","Location":null,"TimeZone":"Europe/Berlin","PriceLevel":0,` +
		`"Features":null,"Description":"","ContactEmail":"","ContactPhone":""},"Shifts":[{"Days":127,"Name":"dinner","Opens":1080,` +
		`"LastSeating":1260,"Closes":1380,"SlotMinutes":30}],"DayBoundary":300,"Policy":{"HoldMinutes":10,"HorizonDays":60,"NoticeMinutes":0,` +
		`"BufferMinutes":0,"PacingCovers":0,"Turns":[{"UpToParty":20,"Minutes":90}]},"Tables":[{"ID":"","Number":"1","Min":1,"Max":2,"Area":"room"}]}`
	if got := string(canonical(place("Ida", 1).form())); got != before {
		t.Errorf("got\n%s\nwant\n%s", got, before)
	}
	none := place("Ida", 0)
	none.Shifts = nil
	if got := string(canonical(none.form())); !strings.Contains(got, `"Shifts":null`) || !strings.HasSuffix(got, `"Tables":null}`) {
		t.Errorf("got %s", got)
	}
	none.Shifts, none.Tables = []restaurant.Shift{}, []restaurantday.Table{}
	if got := string(canonical(none.form())); !strings.Contains(got, `"Shifts":[]`) || !strings.HasSuffix(got, `"Tables":[]}`) {
		t.Errorf("got %s", got)
	}
	all := place("Ida", 1)
	all.Shifts[0].Turns, all.Shifts[0].PacingCovers = []restaurantday.TurnTime{{UpToParty: 2, Minutes: 60}}, 4
	all.Policy.CancelMinutes, all.Policy.WaitlistOfferMinutes, all.Policy.Assignment = 60, 5, restaurantday.LateBinding
	all.Tables[0].OfflineOnly = true
	want := strings.NewReplacer(
		`"SlotMinutes":30}`, `"SlotMinutes":30,"Turns":[{"UpToParty":2,"Minutes":60}],"PacingCovers":4}`,
		`"Minutes":90}]}`, `"Minutes":90}],"CancelMinutes":60,"WaitlistOfferMinutes":5,"Assignment":"late_binding"}`,
		`"Area":"room"}`, `"Area":"room","OfflineOnly":true}`).Replace(before)
	if got := string(canonical(all.form())); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}
