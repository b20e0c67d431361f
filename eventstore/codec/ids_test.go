package codec

import (
	"testing"

	"daybook/domain"
	"daybook/eventstore"
)

// TestUUID5 uses the example of RFC 9562, appendix A.4.
func TestUUID5(t *testing.T) {
	dns := [16]byte{0x6b, 0xa7, 0xb8, 0x10, 0x9d, 0xad, 0x11, 0xd1, 0x80, 0xb4, 0x00, 0xc0, 0x4f, 0xd4, 0x30, 0xc8}
	if got, want := eventstore.EventID(uuid5(dns, []byte("www.example.com"))).String(), "2ed6657d-e927-568b-95e1-2665a8aea6a2"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// TestIDsStay pins ids that ledgers already hold.
func TestIDsStay(t *testing.T) {
	command := CommandID("usr_1", "holdTable", "key-1")
	if got, want := eventstore.EventID(command).String(), "46de9c4f-bbc0-542f-a378-a6301d44635e"; got != want {
		t.Errorf("command id: got %s, want %s", got, want)
	}
	if got, want := EventID("day-x-2026-11-21", command, 1).String(), "2856a49b-1f64-5b84-ac88-5f32f4359a7a"; got != want {
		t.Errorf("event id: got %s, want %s", got, want)
	}
}

func TestIDsDiffer(t *testing.T) {
	commands := map[[16]byte][]string{}
	for _, parts := range [][]string{{}, {""}, {"", ""}, {"a", "b"}, {"ab"}, {"ab", ""}, {"", "ab"}, {"b", "a"}, {"\x01a"}, {"a", "\x01b"}} {
		id := CommandID(parts...)
		if same, ok := commands[id]; ok {
			t.Errorf("%q and %q have one id", parts, same)
		}
		commands[id] = parts
	}
	events := map[eventstore.EventID]bool{}
	for _, stream := range []eventstore.StreamName{"day-a", "day-b"} {
		for command := range commands {
			for index := range 3 {
				events[EventID(stream, command, index)] = true
			}
		}
	}
	if want := 2 * len(commands) * 3; len(events) != want {
		t.Errorf("got %d different event ids, want %d", len(events), want)
	}
}

func TestStreamNames(t *testing.T) {
	body := string(testRestaurant)[len("rst_"):]
	hash := [32]byte{0xab, 31: 0x01}
	for _, tc := range []struct{ got, want eventstore.StreamName }{
		{testDay, eventstore.StreamName("day-" + body + "-2026-11-21")},
		{DemandStream(testRestaurant, testDate), eventstore.StreamName("demand-" + body + "-2026-11-21")},
		{RestaurantStream(testRestaurant), eventstore.StreamName("restaurant-" + body)},
		{WebhooksStream(testRestaurant), eventstore.StreamName("webhooks-" + body)},
		{UserStream(testUser), eventstore.StreamName("user-" + string(testUser)[len("usr_"):])},
		{EmailStream(hash), "email-ab00000000000000000000000000000000000000000000000000000000000001"},
	} {
		if tc.got != tc.want {
			t.Errorf("got %s, want %s", tc.got, tc.want)
		}
	}
}

func TestParseStreams(t *testing.T) {
	type dated struct {
		r  domain.RestaurantID
		d  domain.ServiceDate
		ok bool
	}
	of := func(r domain.RestaurantID, d domain.ServiceDate, ok bool) dated { return dated{r, d, ok} }
	want := dated{testRestaurant, testDate, true}
	if got := of(ParseDayStream(testDay)); got != want {
		t.Errorf("day: got %+v, want %+v", got, want)
	}
	if got := of(ParseDemandStream(DemandStream(testRestaurant, testDate))); got != want {
		t.Errorf("demand: got %+v, want %+v", got, want)
	}
	if r, ok := ParseRestaurantStream(RestaurantStream(testRestaurant)); r != testRestaurant || !ok {
		t.Errorf("restaurant: got %s, %t", r, ok)
	}
	if u, ok := ParseUserStream(UserStream(testUser)); u != testUser || !ok {
		t.Errorf("user: got %s, %t", u, ok)
	}
	if r, ok := ParseWebhooksStream(WebhooksStream(testRestaurant)); r != testRestaurant || !ok {
		t.Errorf("webhooks: got %s, %t", r, ok)
	}
	trade := eventstore.StreamPrefix(TradePrefixes(testRestaurant)...)
	for name, want := range map[eventstore.StreamName]bool{
		testDay: true, DemandStream(testRestaurant, testDate): true, RestaurantStream(testRestaurant): true,
		WebhooksStream(testRestaurant): false, UserStream(testUser): false, DayStream(domain.NewRestaurantID([16]byte{99}), testDate): false,
	} {
		r, ok := TradeOf(name)
		if got := ok && r == testRestaurant; got != want || trade.Passes(name, "x") != want {
			t.Errorf("%s: of the restaurant's trade %t, passes %t, want %t", name, got, trade.Passes(name, "x"), want)
		}
	}
	body := string(testRestaurant)[len("rst_"):]
	for _, name := range []eventstore.StreamName{
		"", "day-", "day", "$all", "day-" + eventstore.StreamName(body), "day-" + eventstore.StreamName(body) + "-",
		"day-" + eventstore.StreamName(body) + "-2026-02-30", "day-" + eventstore.StreamName(body) + "-2026-11-21-",
		"day-" + eventstore.StreamName(body[1:]) + "-2026-11-21", "Day-" + eventstore.StreamName(body) + "-2026-11-21",
		"restaurant-" + eventstore.StreamName(body) + "x", "user-U" + eventstore.StreamName(body[1:]),
	} {
		if got := of(ParseDayStream(name)); got != (dated{}) {
			t.Errorf("%q: as a day got %+v", name, got)
		}
		if got := of(ParseDemandStream(name)); got != (dated{}) {
			t.Errorf("%q: as demand got %+v", name, got)
		}
		if r, ok := ParseRestaurantStream(name); ok {
			t.Errorf("%q: as a restaurant got %s", name, r)
		}
		if u, ok := ParseUserStream(name); ok {
			t.Errorf("%q: as a user got %s", name, u)
		}
	}
}
