package main

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"
)

// ruleCase is a request of the right form that is refused.
type ruleCase struct {
	what               string
	by                 client
	method, path, body string
	status             int
	code, location     string // location is the value it is for, if it is for one
}

func refuseByRule(t *testing.T, cases []ruleCase) {
	t.Helper()
	for _, c := range cases {
		t.Run(c.what, func(t *testing.T) {
			r := c.by.send(c.method, c.path, c.body)
			if r.status != c.status || r.field("code") != c.code {
				t.Fatalf("got %s, want %d %s", r, c.status, c.code)
			}
			if why := wrongProblem(r, c.location); why != "" {
				t.Errorf("%s: %s", why, r)
			}
		})
	}
}

// TestRefusedByTheRules sends what has the right form and says what cannot be: each has
// one status, one code and, where one value is wrong, its place. None leaves anything in
// the ledger but the record of refused demand.
func TestRefusedByTheRules(t *testing.T) {
	faults := watchFaults(t)
	// A Monday before the clocks go back in Berlin on 25 October, and forward on 28 March.
	now := time.Date(2026, 10, 19, 10, 0, 0, 0, time.UTC)
	h := startHouse(t, houseConfig{clock: func() time.Time { return now }})
	town := newTown(t, h)
	late := town.owner.openRestaurant(floor{tables: map[int]int{2: 1, 8: 1},
		policy: `{"holdMinutes":5,"horizonDays":400,"noticeMinutes":120,"bufferMinutes":0,"pacingCovers":6,"turnMinutes":[{"upToParty":500,"minutes":90}]}`,
		shifts: `[{"days":["tue","wed","thu","fri","sat","sun"],"name":"late","opens":"18:00","lastSeating":"03:30","closes":"04:30","slotMinutes":30}]`})

	at := "/restaurants/" + town.open
	profile := func(changes ...string) string {
		return strings.NewReplacer(changes...).Replace(restaurantBody)
	}
	shift := func(changes ...string) string {
		return `{"shifts":[` + strings.NewReplacer(changes...).Replace(
			`{"days":["mon"],"name":"dinner","opens":"17:00","lastSeating":"22:00","closes":"23:00","slotMinutes":30}`) + `]}`
	}
	policy := func(turns string) string {
		return `{"holdMinutes":5,"horizonDays":60,"noticeMinutes":0,"bufferMinutes":0,"turnMinutes":[` + turns + `]}`
	}
	person := func(email, password, phone string) string {
		return fmt.Sprintf(`{"email":%q,"password":%q,"firstName":"A","lastName":"B","phoneNumber":%q}`, email, password, phone)
	}
	book := func(rest string) string { return fmt.Sprintf(`{"restaurantId":%q,"party":2,%s}`, late, rest) }
	fits := func(date, time string) string { return fmt.Sprintf(`"date":%q,"time":%q`, date, time) }
	on := `"date":"2026-10-23",`

	unchanged := town.ledgerUnchanged(t)
	refuseByRule(t, []ruleCase{
		{"zone nowhere", town.owner, "POST", "/restaurants", profile("Europe/Berlin", "Europe/Atlantis"), 422, "invalid", "body.timeZone"},
		{"the machine's zone", town.owner, "POST", "/restaurants", profile("Europe/Berlin", "Local"), 422, "invalid", "body.timeZone"},
		{"a zone that is a path", town.owner, "POST", "/restaurants", profile("Europe/Berlin", "../../etc/passwd"), 422, "invalid", "body.timeZone"},
		{"a zone in capitals", town.owner, "POST", "/restaurants", profile("Europe/Berlin", "EUROPE/BERLIN"), 422, "invalid", "body.timeZone"},
		{"zone changed to nowhere", town.owner, "PATCH", at, `{"timeZone":"Local"}`, 422, "invalid", "body.timeZone"},
		{"lat", town.owner, "POST", "/restaurants", profile("52.5", "90.01"), 422, "invalid", "body.location.lat"},
		{"lng", town.owner, "POST", "/restaurants", profile("13.4", "-180.01"), 422, "invalid", "body.location.lng"},
		{"a name of spaces", town.owner, "POST", "/restaurants", profile(`"Second"`, `"   "`), 422, "invalid", "body.name"},
		{"contact address", town.owner, "PATCH", at, `{"contactEmail":"Ada <ada@example.com>"}`, 422, "invalid", "body.contactEmail"},
		{"contact phone", town.owner, "PATCH", at, `{"contactPhone":"ring me"}`, 422, "invalid", "body.contactPhone"},
		{"a feature of spaces", town.owner, "PATCH", at, `{"features":["terrace"," "]}`, 422, "invalid", "body.features"},

		{"hours overlap", town.owner, "PUT", at + "/hours", `{"shifts":[{"days":["mon","fri"],"name":"a","opens":"12:00","lastSeating":"16:00","closes":"18:00"},` +
			`{"days":["fri"],"name":"b","opens":"17:30","lastSeating":"20:00","closes":"22:00"}]}`, 422, "invalid", "body.shifts"},
		{"two of one name", town.owner, "PUT", at + "/hours", `{"shifts":[{"days":["fri"],"name":"a","opens":"12:00","lastSeating":"13:00","closes":"14:00"},` +
			`{"days":["fri"],"name":"a","opens":"17:30","lastSeating":"20:00","closes":"22:00"}]}`, 422, "invalid", "body.shifts"},
		{"seated after it has closed", town.owner, "PUT", at + "/hours", shift("22:00", "23:30"), 422, "invalid", "body.shifts"},
		{"seated when it closes", town.owner, "PUT", at + "/hours", shift("22:00", "23:00"), 422, "invalid", "body.shifts"},
		{"open before the day turns", town.owner, "PUT", at + "/hours", shift("17:00", "04:00"), 422, "invalid", "body.shifts"},
		{"a 24th hour", town.owner, "PUT", at + "/hours", shift("23:00", "24:00"), 422, "invalid", "body.shifts[0]"},
		{"one digit", town.owner, "PUT", at + "/hours", shift("17:00", "7:00"), 422, "invalid", "body.shifts[0]"},
		{"a day in full", town.owner, "PUT", at + "/hours", shift("mon", "monday"), 422, "invalid", "body.shifts[0]"},
		{"the day turns at noon and later", town.owner, "PUT", at + "/hours", `{"shifts":[],"dayBoundary":"12:01"}`, 422, "invalid", "body.dayBoundary"},
		{"turns fall", town.owner, "PUT", at + "/policy", policy(`{"upToParty":6,"minutes":90},{"upToParty":4,"minutes":90}`), 422, "invalid", "body.turnMinutes"},
		{"a turn twice", town.owner, "PUT", at + "/policy", policy(`{"upToParty":4,"minutes":90},{"upToParty":4,"minutes":120}`), 422, "invalid", "body.turnMinutes"},

		{"a special day past", town.owner, "PUT", at + "/special-days/2026-10-01", `{"shifts":[]}`, 422, "invalid", "path.date"},
		{"a special day in ten years", town.owner, "PUT", at + "/special-days/2036-10-01", `{"shifts":[]}`, 422, "invalid", "path.date"},
		{"a special day with a 24th hour", town.owner, "PUT", at + "/special-days/2026-12-24",
			`{"shifts":[{"name":"a","opens":"12:00","lastSeating":"13:00","closes":"24:00"}]}`, 422, "invalid", "body.shifts[0]"},
		{"a special day of a long turn", town.owner, "PUT", at + "/special-days/2026-12-24",
			`{"shifts":[{"name":"a","opens":"12:00","lastSeating":"13:00","closes":"15:00","turnMinutes":[{"upToParty":4,"minutes":90},{"upToParty":2,"minutes":90}]}]}`,
			422, "invalid", "body.shifts"},
		{"a special day with a name of two lines", town.owner, "PUT", at + "/special-days/2026-12-24", `{"name":"a\nb","shifts":[]}`, 422, "invalid", "body.name"},
		{"a special day twice", town.owner, "PUT", at + "/hours", `{"shifts":[],"specialDays":[{"date":"2026-12-24","shifts":[]},{"date":"2026-12-24","shifts":[]}]}`,
			422, "invalid", "body.specialDays"},
		{"a special day of February", town.owner, "PUT", at + "/hours", `{"shifts":[],"specialDays":[{"date":"2027-02-29","shifts":[]}]}`,
			422, "invalid", "body.specialDays[0].date"},
		{"a special day with half a time", town.owner, "PUT", at + "/hours",
			`{"shifts":[],"specialDays":[{"date":"2026-12-24","shifts":[{"name":"a","opens":"12","lastSeating":"13:00","closes":"15:00"}]}]}`,
			422, "invalid", "body.specialDays[0].shifts[0]"},
		{"closed backwards", town.owner, "POST", at + "/closures", `{"from":"2026-12-24","to":"2026-12-23","reason":"x"}`, 422, "invalid", "body.to"},
		{"closed for three years", town.owner, "POST", at + "/closures", `{"from":"2026-12-24","to":"2029-12-23","reason":"x"}`, 422, "invalid", "body.to"},
		{"closed for no reason", town.owner, "POST", at + "/closures", `{"from":"2026-12-24","to":"2026-12-24","reason":"  "}`, 422, "invalid", "body.reason"},
		{"blocked into the next day", town.owner, "POST", at + "/blocks", `{"date":"2026-12-24","from":"12:00","to":"12:00"}`, 422, "invalid", "body.to"},
		{"blocked another house's", town.owner, "POST", at + "/blocks", `{"date":"2026-12-24","from":"12:00","to":"13:00","tableIds":["` + town.otherTable + `"]}`,
			422, "invalid", "body.tableIds"},
		{"blocked long ago", town.owner, "POST", at + "/blocks", `{"date":"2026-10-01","from":"12:00","to":"13:00"}`, 422, "invalid", "body.date"},
		{"combined with itself", town.owner, "POST", at + "/combinations", fmt.Sprintf(`{"tableIds":[%q,%q],"capacity":4}`, town.tables[0], town.tables[0]),
			422, "invalid", "body.tableIds"},
		{"combined with another house's", town.owner, "POST", at + "/combinations", fmt.Sprintf(`{"tableIds":[%q,%q],"capacity":4}`, town.tables[0], town.otherTable),
			422, "invalid", "body.tableIds"},
		{"combined already", town.owner, "POST", at + "/combinations", fmt.Sprintf(`{"tableIds":[%q,%q],"capacity":4}`, town.tables[3], town.tables[0]),
			422, "invalid", "body.tableIds"},
		{"combined for fewer than at least", town.owner, "POST", at + "/combinations", fmt.Sprintf(`{"tableIds":[%q,%q],"minCapacity":5,"capacity":4}`, town.tables[0], town.tables[1]),
			422, "invalid", "body.minCapacity"},
		{"another zone under open days", town.owner, "PATCH", at, `{"timeZone":"Asia/Tokyo"}`, 409, "zone_in_use", ""},
		{"the rival closes", town.rival, "POST", at + "/closures", `{"from":"2026-12-24","to":"2026-12-24","reason":"x"}`, 403, "forbidden", ""},
		{"the rival at the zone", town.rival, "PATCH", at, `{"timeZone":"Asia/Tokyo"}`, 403, "forbidden", ""},
		{"more at least than at most", town.owner, "POST", at + "/tables", `{"number":"X","minCapacity":5,"capacity":4}`, 422, "invalid", "body.minCapacity"},
		{"capacity below the least", town.owner, "PATCH", at + "/tables/" + town.tables[0], `{"minCapacity":5}`, 422, "invalid", "body.minCapacity"},
		{"a number twice", town.owner, "POST", at + "/tables", `{"number":" 1 ","capacity":4}`, 409, "table_number_taken", ""},
		{"a number of spaces", town.owner, "POST", at + "/tables", `{"number":"  ","capacity":4}`, 422, "invalid", "body.number"},
		{"another house's table", town.owner, "PATCH", at + "/tables/" + town.otherTable, `{"capacity":3}`, 404, "not_found", ""},
		{"nothing to publish", town.owner, "POST", "/restaurants/" + town.draft + "/publish", "", 409, "not_ready_to_publish", ""},

		{"no address", town.public, "POST", "/users/register", person("ada", "0123456789", ""), 422, "invalid", "body.email"},
		{"address with a line end", town.public, "POST", "/users/register", person("ada@example.com\r\nBcc: x@example.com", "0123456789", ""), 422, "invalid", "body.email"},
		{"address beyond ASCII", town.public, "POST", "/users/register", person("ädä@example.com", "0123456789", ""), 422, "invalid", "body.email"},
		{"short password", town.public, "POST", "/users/register", person("ada@example.com", "012345678", ""), 422, "invalid", "body.password"},
		{"password of too many bytes", town.public, "POST", "/users/register", person("ada@example.com", strings.Repeat("é", 129), ""), 422, "invalid", "body.password"},
		{"phone", town.public, "POST", "/users/register", person("ada@example.com", "0123456789", "call me"), 422, "invalid", "body.phoneNumber"},
		{"a consent in prose", town.public, "POST", "/users/register", `{"email":"ada@example.com","password":"0123456789","firstName":"A","lastName":"B","consents":["all of it"]}`, 422, "invalid", "body.consents"},
		{"an address that is taken", town.public, "POST", "/users/register", person(" OWNER@Example.com", "0123456789", ""), 409, "email_taken", ""},
		{"nobody", town.public, "POST", "/users/login", `{"email":"nobody@example.com","password":"0123456789"}`, 401, "bad_credentials", ""},
		{"wrong password", town.public, "POST", "/users/login", `{"email":"owner@example.com","password":"0123456789"}`, 401, "bad_credentials", ""},

		{"no such date", town.diner, "POST", "/reservations", book(fits("2026-02-30", "19:00")), 422, "invalid", "body.date"},
		{"1999", town.diner, "POST", "/reservations", book(fits("1999-12-31", "19:00")), 422, "invalid", "body.date"},
		{"9999", town.diner, "POST", "/reservations", book(fits("9999-01-01", "19:00")), 422, "invalid", "body.date"},
		{"the last date there is", town.diner, "POST", "/reservations", book(fits("2169-12-31", "19:00")), 409, "too_far_ahead", ""},
		{"the first date there is", town.diner, "POST", "/reservations", book(fits("2000-01-01", "19:00")), 409, "in_the_past", ""},
		{"the 25th hour", town.diner, "POST", "/reservations", book(on + `"time":"25:00"`), 422, "invalid", "body.time"},
		{"an hour of one digit", town.diner, "POST", "/reservations", book(on + `"time":"7:00"`), 422, "invalid", "body.time"},
		{"seconds", town.diner, "POST", "/reservations", book(on + `"time":"19:00:00"`), 422, "invalid", "body.time"},
		{"no time", town.diner, "POST", "/reservations", book(`"date":"2026-10-23"`), 422, "invalid", "body.time"},
		{"no date", town.diner, "POST", "/reservations", book(`"time":"19:00"`), 422, "invalid", "body.time"},
		{"both times", town.diner, "POST", "/reservations", book(`"time":"19:00","startsAt":"2026-10-23T19:00:00+02:00"`), 422, "invalid", "body.time"},
		{"no offset", town.diner, "POST", "/reservations", book(`"startsAt":"2026-10-23T19:00:00"`), 422, "invalid", "body.startsAt"},
		{"year 0", town.diner, "POST", "/reservations", book(`"startsAt":"0000-01-01T00:00:00Z"`), 422, "invalid", "body.startsAt"},
		{"1999 in UTC", town.diner, "POST", "/reservations", book(`"startsAt":"2000-01-01T00:00:00+14:00"`), 422, "invalid", "body.startsAt"},
		{"a date of 1999 in Honolulu", town.diner, "POST", "/reservations", book(`"startsAt":"2000-01-01T09:00:00Z"`), 422, "invalid", "body.startsAt"},
		{"2170 in UTC", town.diner, "POST", "/reservations", book(`"startsAt":"2169-12-31T23:30:00-12:00"`), 422, "invalid", "body.startsAt"},
		{"startsAt on another date", town.diner, "POST", "/reservations", book(`"date":"2026-10-24","startsAt":"2026-10-23T19:00:00+02:00"`), 422, "invalid", "body.date"},
		{"a time that comes twice", town.diner, "POST", "/reservations", book(fits("2026-10-24", "02:30")), 422, "ambiguous_time", ""},
		{"a time that never comes", town.diner, "POST", "/reservations", book(fits("2027-03-27", "02:30")), 409, "outside_hours", ""},
		{"nobody", town.diner, "POST", "/reservations", fmt.Sprintf(`{"restaurantId":%q,"party":0,%s}`, late, fits("2026-10-23", "19:00")), 422, "invalid", "body.party"},
		{"501", town.diner, "POST", "/reservations", fmt.Sprintf(`{"restaurantId":%q,"party":501,%s}`, late, fits("2026-10-23", "19:00")), 422, "invalid", "body.party"},
		{"500 at tables of 8", town.diner, "POST", "/reservations", fmt.Sprintf(`{"restaurantId":%q,"party":500,%s}`, late, fits("2026-10-23", "19:00")), 409, "party_too_large", ""},
		{"more than the pace", town.diner, "POST", "/reservations", fmt.Sprintf(`{"restaurantId":%q,"party":8,%s}`, late, fits("2026-10-23", "19:00")), 409, "pacing_full", ""},
		{"between slots", town.diner, "POST", "/reservations", book(on + `"time":"19:10"`), 409, "off_slot", ""},
		{"at noon", town.diner, "POST", "/reservations", book(on + `"time":"12:00"`), 409, "outside_hours", ""},
		{"on a Monday", town.diner, "POST", "/reservations", book(fits("2026-10-26", "19:00")), 409, "closed", ""},
		{"yesterday", town.diner, "POST", "/reservations", book(fits("2026-10-18", "19:00")), 409, "in_the_past", ""},
		{"in 500 days", town.diner, "POST", "/reservations", book(fits("2028-03-10", "19:00")), 409, "too_far_ahead", ""},
		{"another house's table", town.diner, "POST", "/reservations", book(on + `"time":"19:00","tableId":"` + town.otherTable + `"`), 409, "no_table", ""},
		{"an area there is not", town.diner, "POST", "/reservations", book(on + `"time":"19:00","area":"roof"`), 409, "no_table", ""},
		{"guest's address", town.diner, "POST", "/reservations", book(on + `"time":"19:00","guest":{"email":"x"}`), 422, "invalid", "body.guest.email"},
		{"guest's phone", town.diner, "POST", "/reservations", book(on + `"time":"19:00","guest":{"phone":"x"}`), 422, "invalid", "body.guest.phone"},
		{"guest's long name", town.diner, "POST", "/reservations", book(on + `"time":"19:00","guest":{"name":"` + strings.Repeat("ß", 101) + `"}`), 422, "invalid", "body.guest.name"},
		{"a name of two lines", town.diner, "POST", "/reservations", book(on + `"time":"19:00","guest":{"name":"a\nb"}`), 422, "invalid", "body.guest.name"},
		{"a house there is not", town.diner, "POST", "/reservations", strings.Replace(book(on+`"time":"19:00"`), late, unknown(late), 1), 404, "not_found", ""},
		{"a user's id", town.diner, "POST", "/reservations", strings.Replace(book(on+`"time":"19:00"`), late, "usr_"+late[4:], 1), 422, "invalid", "body.restaurantId"},
		{"a draft", town.diner, "POST", "/reservations", strings.Replace(book(on+`"time":"19:00"`), late, town.draft, 1), 409, "closed", ""},

		{"reading a stranger's", town.diner, "GET", "/reservations/" + town.foreign, "", 404, "not_found", ""},
		{"its history", town.diner, "GET", "/reservations/" + town.foreign + "/history", "", 404, "not_found", ""},
		{"confirming it", town.diner, "POST", "/reservations/" + town.foreign + "/confirm", "", 404, "not_found", ""},
		{"cancelling it", town.diner, "PATCH", "/reservations/" + town.foreign + "/cancel", `{}`, 404, "not_found", ""},
		{"a diner at the audit trail", town.diner, "GET", at + "/audit", "", 403, "forbidden", ""},
		{"the rival at the audit trail", town.rival, "GET", at + "/audit", "", 403, "forbidden", ""},
		{"the rival at the profile", town.rival, "PATCH", at, `{"name":"Mine"}`, 403, "forbidden", ""},
		{"the rival at the hours", town.rival, "PUT", at + "/hours", shift(), 403, "forbidden", ""},
		{"the rival at the policy", town.rival, "PUT", at + "/policy", policy(`{"upToParty":4,"minutes":90}`), 403, "forbidden", ""},
		{"the rival at the tables", town.rival, "POST", at + "/tables", `{"number":"X","capacity":4}`, 403, "forbidden", ""},
		{"the rival at a table", town.rival, "PATCH", at + "/tables/" + town.tables[0], `{"capacity":3}`, 403, "forbidden", ""},
		{"the rival takes it away", town.rival, "DELETE", at + "/tables/" + town.tables[0], "", 403, "forbidden", ""},
		{"the rival publishes", town.rival, "POST", "/restaurants/" + town.draft + "/publish", "", 403, "forbidden", ""},
		{"a rule told before whose it is", town.rival, "PUT", at + "/policy", policy(`{"upToParty":4,"minutes":90},{"upToParty":4,"minutes":120}`), 403, "forbidden", ""},
	})
	unchanged()

	// What was refused was refused for that alone.
	town.diner.send(http.MethodPost, "/reservations", book(`"startsAt":"2026-10-25T02:30:00+01:00"`)).want(t, 201, "")
	town.diner.send(http.MethodPost, "/reservations", book(`"startsAt":"2026-10-25T02:30:00+02:00"`)).want(t, 201, "")
	town.diner.send(http.MethodPost, "/reservations", book(on+`"time":"19:00","guest":{"name":"Bo","email":"bo@example.com"},"notes":"two\nlines"`)).want(t, 201, "")
	town.public.send(http.MethodPost, "/users/register", person("ada@example.com", "0123456789", "+49 30 1234567")).want(t, 201, "")
	faults(t)
}

// TestWhatIsOddIsTaken: text is anybody's own, and comes back as it was sent.
func TestWhatIsOddIsTaken(t *testing.T) {
	faults := watchFaults(t)
	h := startHouse(t, houseConfig{})
	owner := h.client(t).register("owner")
	id := owner.openRestaurant(floor{tables: map[int]int{2: 8}})
	for what, notes := range map[string]string{
		"emoji": "🍕👨‍👩‍👧‍👦", "right to left": "מסעדה \u202eabc", "combining": "e\u0301\u0301\u0301", "a pair of escapes": `\ud83c\udf55`, "U+FFFD itself": "a\ufffdb",
		"HTML": "<script>alert(1)</script>", "SQL": "'; DROP TABLE reservations; --", "an escaped backslash before u": `\\ud800`, "lines": `a\nb\tc`, "template": "{{.}} ${x} %s %d",
	} {
		body := fmt.Sprintf(`{"restaurantId":%q,"date":%q,"time":"19:00","party":2e0,"notes":"%s"}`, id, h.tomorrow(), notes)
		r := owner.send(http.MethodPost, "/reservations", body)
		if r.status != http.StatusCreated {
			if r.field("code") == "no_table" {
				continue
			}
			t.Errorf("%s: %s", what, r)
			continue
		}
		want := strings.NewReplacer(`\ud83c\udf55`, "🍕", `\\`, `\`, `\n`, "\n", `\t`, "\t").Replace(notes)
		if got := owner.get("/reservations/" + r.field("reservationId")).field("notes"); got != want {
			t.Errorf("%s: sent %q, got %q", what, want, got)
		}
	}
	faults(t)
}
