package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"daybook/eventstore"
	"daybook/eventstore/codec"
)

// town is a house with people, restaurants and reservations in it.
type town struct {
	h                              *house
	public, owner, rival, diner    client
	open, draft, other             string // restaurants: the owner's two, and the rival's
	tables                         []string
	otherTable                     string
	pending, firm, doomed, foreign string // reservations: the diner's three, and the rival's
	event                          string // the diner's own
	good                           map[string]goodRequest
}

// goodRequest is a request to an operation that is accepted.
type goodRequest struct {
	token  string
	params map[string]string // of the path
	query  string
	body   string
	// anything names values that may hold any text: a password, a filter that finds nothing.
	anything []string
	// absent is how an id is answered that there could be and is not: 404 by default.
	absent int
	// largest is the most bytes that its body may have: 64 KiB by default.
	largest int
}

func newTown(t *testing.T, h *house) *town {
	t.Helper()
	town := &town{h: h, public: h.client(t)}
	town.owner, town.rival, town.diner = town.public.register("owner"), town.public.register("rival"), town.public.register("diner")
	town.open = town.owner.openRestaurant(floor{tables: map[int]int{2: 3, 4: 2}})
	town.other = town.rival.openRestaurant(floor{tables: map[int]int{2: 1}})
	town.draft = town.owner.send(http.MethodPost, "/restaurants", restaurantBody).want(t, 201, "").field("restaurantId")
	town.tables, town.otherTable = tableIDs(town.public, town.open), tableIDs(town.public, town.other)[0]
	town.owner.send(http.MethodPatch, "/restaurants/"+town.open+"/tables/"+town.tables[0], `{"area":"hall"}`).want(t, 200, "")
	hold := func(c client, restaurant, time string) string {
		return c.send(http.MethodPost, "/reservations", fmt.Sprintf(
			`{"restaurantId":%q,"date":%q,"time":%q,"party":2}`, restaurant, h.tomorrow(), time)).want(t, 201, "").field("reservationId")
	}
	town.pending, town.firm, town.doomed = hold(town.diner, town.open, "18:00"), hold(town.diner, town.open, "20:00"), hold(town.diner, town.open, "22:00")
	town.foreign = hold(town.rival, town.other, "19:00")

	added := func(what, body, field string) string {
		return town.owner.send(http.MethodPost, "/restaurants/"+town.open+"/"+what, body).want(t, 201, "").field(field)
	}
	combination := added("combinations", fmt.Sprintf(`{"tableIds":[%q,%q],"capacity":6}`, town.tables[0], town.tables[3]), "combinationId")
	closure := added("closures", fmt.Sprintf(`{"from":%q,"to":%q,"reason":"holidays"}`, h.inDays(60), h.inDays(62)), "closureId")
	block := added("blocks", fmt.Sprintf(`{"date":%q,"from":"18:00","to":"19:00"}`, h.inDays(50)), "blockId")

	waiting := town.diner.send(http.MethodPost, "/waitlist/join", fmt.Sprintf(
		`{"restaurantId":%q,"date":%q,"from":"19:00","to":"20:00","party":2}`, town.open, h.inDays(4))).want(t, 201, "").field("waitlistId")

	events, eventAt := 0, 0
	for r, err := range h.engines.store.ReadAll(t.Context(), eventstore.Start, eventstore.Filter{}) {
		if err != nil {
			t.Fatal(err)
		}
		if events++; r.Type == codec.TypeUserRegistered { // the diner was the last to register
			town.event, eventAt = r.ID.String(), events
		}
	}
	id := map[string]string{"id": town.open}
	special := map[string]string{"id": town.open, "date": h.inDays(40)}
	table := map[string]string{"id": town.open, "tableId": town.tables[0]}
	// What becomes of bookings of days that are open.
	onOpenDays := fmt.Sprintf(`"onOpenDays":{"seen":[{"date":%q,"revision":1}],"decisions":[{"reservationId":%q,"do":"cancel","message":"a burst pipe"}],"default":"keep"}`,
		h.tomorrow(), town.firm)
	unplanned := "{" + onOpenDays + "}"
	town.good = map[string]goodRequest{
		"register-user": {body: `{"email":"new@example.com","password":"0123456789","firstName":"Ada","lastName":"New","phoneNumber":"+49 30 1234567","consents":["marketing"]}`,
			anything: []string{"body.password"}},
		"log-in":              {body: `{"email":"owner@example.com","password":"` + testPassword + `"}`},
		"register-restaurant": {token: town.owner.token, body: restaurantBody},
		"change-restaurant": {token: town.owner.token, params: id,
			body: strings.TrimSuffix(restaurantBody, "}") + fmt.Sprintf(`,"acceptZoneChange":[%q]}`, h.tomorrow())},
		"set-hours": {token: town.owner.token, params: id, body: `{"shifts":[{"days":["mon","fri"],"name":"dinner","opens":"17:00","lastSeating":"22:00",` +
			`"closes":"23:30","slotMinutes":30,"turnMinutes":[{"upToParty":500,"minutes":100}],"pacingCovers":30}],"dayBoundary":"04:00",` +
			fmt.Sprintf(`"specialDays":[{"date":%q,"name":"a feast","shifts":[{"name":"lunch","opens":"12:00","lastSeating":"13:00","closes":"15:00",`+
				`"slotMinutes":15,"turnMinutes":[{"upToParty":500,"minutes":90}],"pacingCovers":20}]}],%s}`, h.inDays(41), onOpenDays)},
		"set-policy": {token: town.owner.token, params: id, body: `{"holdMinutes":7,"horizonDays":60,"noticeMinutes":5,"bufferMinutes":10,` +
			`"pacingCovers":40,"turnMinutes":[{"upToParty":4,"minutes":90},{"upToParty":500,"minutes":120}],` +
			`"cancelMinutes":120,"waitlistOfferMinutes":15,"tableBinding":"late",` + onOpenDays + `}`},
		"set-special-day": {token: town.owner.token, params: special, body: `{"name":"a feast","shifts":[{"name":"lunch","opens":"12:00","lastSeating":"13:00",` +
			`"closes":"15:00","slotMinutes":15,"turnMinutes":[{"upToParty":500,"minutes":90}],"pacingCovers":20}],` + onOpenDays + `}`},
		"remove-special-day": {token: town.owner.token, params: special, body: unplanned},
		"add-closure":        {token: town.owner.token, params: id, body: fmt.Sprintf(`{"from":%q,"to":%q,"reason":"works",%s}`, h.inDays(70), h.inDays(71), onOpenDays)},
		"remove-closure":     {token: town.owner.token, params: map[string]string{"id": town.open, "closureId": closure}, body: unplanned, absent: http.StatusOK},
		"add-block": {token: town.owner.token, params: id, body: fmt.Sprintf(`{"date":%q,"from":"18:00","to":"20:00","tableIds":[%q],"reason":"wet paint",%s}`,
			h.inDays(51), town.tables[0], onOpenDays)},
		"remove-block":       {token: town.owner.token, params: map[string]string{"id": town.open, "blockId": block}, body: unplanned, absent: http.StatusOK},
		"add-combination":    {token: town.owner.token, params: id, body: fmt.Sprintf(`{"tableIds":[%q,%q],"minCapacity":4,"capacity":7,%s}`, town.tables[0], town.tables[2], onOpenDays)},
		"remove-combination": {token: town.owner.token, params: map[string]string{"id": town.open, "combinationId": combination}, body: unplanned, absent: http.StatusOK},
		"publish-restaurant": {token: town.owner.token, params: id},
		"add-table":          {token: town.owner.token, params: id, body: `{"number":"A1","minCapacity":2,"capacity":6,"area":"terrace","offlineOnly":true,` + onOpenDays + `}`},
		"change-table":       {token: town.owner.token, params: table, body: `{"number":"B2","minCapacity":1,"capacity":3,"area":"hall","offlineOnly":false,` + onOpenDays + `}`},
		// What is not on the floor is off it already.
		"remove-table": {token: town.owner.token, params: map[string]string{"id": town.open, "tableId": town.tables[1]}, body: unplanned, absent: http.StatusOK},
		"reserve": {token: town.owner.token, body: fmt.Sprintf(`{"restaurantId":%q,"date":%q,"time":"19:30","party":2,"guest":{"name":"Bo",`+
			`"email":"bo@example.com","phone":"+4930123456"},"notes":"by the window","occasion":"birthday","specialRequests":"no nuts",`+
			`"tableId":%q,"area":"hall","confirm":true,"override":{"rule":"too_soon","reason":"regulars"}}`, town.open, h.tomorrow(), town.tables[0])},
		"confirm-reservation": {token: town.diner.token, params: map[string]string{"id": town.pending}},
		"cancel-reservation":  {token: town.diner.token, params: map[string]string{"id": town.doomed}, body: `{"reason":"a cold"}`},
		"read-reservation":    {token: town.diner.token, params: map[string]string{"id": town.firm}},
		"own-reservations":    {token: town.diner.token, query: "limit=5"},
		"ledger-events":       {token: town.owner.token, query: "after=0&limit=5&follow=false&types=reservation.held&stream=day-&restaurantId=" + town.open, anything: []string{"query.stream"}},
		"audit":               {token: town.owner.token, params: id, query: "limit=5&type=reservation.held", anything: []string{"query.correlation"}},
		"account-history":     {token: town.diner.token, query: "limit=5"},
		"reservation-history": {token: town.diner.token, params: map[string]string{"id": town.firm}, query: "limit=5"},
		"ask-what-if": {token: town.owner.token, params: id, body: fmt.Sprintf(`{"from":%q,"to":%q,"plan":{"turnMinutesBy":-10,`+
			`"dayBoundary":"05:00","policy":{"holdMinutes":9,"turnMinutes":[{"upToParty":500,"minutes":80}],"tableBinding":"late"},`+
			`"tables":[{"number":"1","minCapacity":1,"capacity":4,"area":"hall"},{"number":"2","capacity":4}],`+
			`"combinations":[{"tables":["1","2"],"minCapacity":5,"capacity":8}],`+
			`"shifts":[{"days":["mon","tue"],"name":"dinner","opens":"18:00","lastSeating":"21:00","closes":"23:00","slotMinutes":30,"turnMinutes":[{"upToParty":500,"minutes":80}],"pacingCovers":20}]},`+
			`"spendPerCover":{"amount":2500,"currency":"EUR"}}`, h.tomorrow(), h.inDays(5))},
		"report-covers":      {token: town.owner.token, params: id, query: h.reportQuery("shift")},
		"report-no-shows":    {token: town.owner.token, params: id, query: h.reportQuery("week")},
		"report-lead-times":  {token: town.owner.token, params: id, query: h.reportQuery("party")},
		"report-utilisation": {token: town.owner.token, params: id, query: h.reportQuery("month")},
		"report-refusals":    {token: town.owner.token, params: id, query: h.reportQuery("code")},
		"read-restaurant":    {params: id},
		"search-restaurants": {query: "q=test&cuisine=Test&city=Testville&near=52.5,13.4&radius=5000&minRating=0&time=19:00&party=2&sort=distance&limit=5&date=" + h.tomorrow(),
			anything: []string{"query.q", "query.cuisine", "query.city"}},
		"read-waitlist-entry":   {token: town.diner.token, params: map[string]string{"id": waiting}},
		"read-checkpoint":       {query: "format=json"},
		"prove-inclusion":       {params: map[string]string{"eventId": town.event}, query: fmt.Sprintf("size=%d", eventAt)},
		"prove-consistency":     {query: "from=1&to=2"},
		"read-verifier-key":     {},
		"read-receipt":          {token: town.diner.token, params: map[string]string{"eventId": town.event}},
		"read-waitlist-receipt": {token: town.diner.token, params: map[string]string{"id": waiting}},
		"read-day":              {token: town.owner.token, params: map[string]string{"id": town.open, "date": h.tomorrow()}},
		"read-availability":     {params: id, query: "alternatives=true&party=2&date=" + h.tomorrow()},
		"stream-availability":   {params: id, query: "limit=1&party=2&date=" + h.tomorrow()},
		"read-calendar":         {params: id, query: "party=2&month=" + h.tomorrow()[:7]},
	}
	town.addEvening()
	town.addWebhooks()
	town.addImports()
	return town
}

// reportQuery asks for a report of some days that there are.
func (h *house) reportQuery(by string) string {
	return "from=" + h.tomorrow() + "&to=" + h.inDays(5) + "&format=json&groupBy=" + by
}

const restaurantBody = `{"name":"Second","cuisine":"Test","address":"2 Test Street","city":"Testville","state":"TS","zip":"12345",` +
	`"location":{"lat":52.5,"lng":13.4},"timeZone":"Europe/Berlin","priceLevel":2,"features":["terrace"],"description":"Quiet.",` +
	`"contactEmail":"hello@example.com","contactPhone":"+49 30 7654321"}`

// tableIDs lists a floor's tables, the largest first.
func tableIDs(c client, restaurant string) (ids []string) {
	type table struct {
		TableID  string
		Capacity int
	}
	var all struct{ Tables []table }
	c.get("/restaurants/"+restaurant).want(c.t, 200, "").json(c.t, &all)
	slices.SortFunc(all.Tables, func(a, b table) int { return b.Capacity - a.Capacity })
	for _, t := range all.Tables {
		ids = append(ids, t.TableID)
	}
	return ids
}

// unknown is an id of the same kind as one that there is, of nobody.
func unknown(id string) string {
	return id[:4] + strings.Repeat("0", len(id)-9) + "10001" // a reservation's day and number stay plausible
}

// readReply reads an answer whole.
func readReply(t testing.TB, answer *http.Response) reply {
	t.Helper()
	defer answer.Body.Close()
	raw, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return reply{answer.StatusCode, answer.Header, raw}
}

// apiSpec is what these tests read of /openapi.json.
type apiSpec struct {
	Paths      map[string]map[string]operation
	Components struct{ Schemas map[string]schema }
	operations []operation // in the order of their ids
}

type operation struct {
	method, path string
	OperationID  string
	Parameters   []struct {
		Name, In string
		Required bool
		Schema   schema
	}
	RequestBody *struct {
		Required bool
		Content  map[string]struct{ Schema schema }
	}
	Security []map[string][]string
}

func (op operation) name() string { return op.OperationID + " " + op.method + " " + op.path }

type schema struct {
	Ref                  string `json:"$ref"`
	Type                 any    // a name, or names of which one may be null
	Properties           map[string]schema
	Required             []string
	Items                *schema
	MinLength, MaxLength *int
	MinItems, MaxItems   *int
	Minimum, Maximum     *float64
	Enum                 []any
}

// kind is the type that is not null.
func (s schema) kind() string {
	if many, ok := s.Type.([]any); ok {
		return fmt.Sprint(many[0])
	}
	return fmt.Sprint(s.Type)
}

func (a *apiSpec) resolve(s schema) schema {
	if name, ok := strings.CutPrefix(s.Ref, "#/components/schemas/"); ok {
		return a.Components.Schemas[name]
	}
	return s
}

// spec reads the running service's own description.
func (town *town) spec(t *testing.T) *apiSpec {
	t.Helper()
	var api apiSpec
	if err := json.Unmarshal(town.public.get("/openapi.json").want(t, 200, "").body, &api); err != nil {
		t.Fatal(err)
	}
	for path, methods := range api.Paths {
		for method, op := range methods {
			op.method, op.path = strings.ToUpper(method), path
			api.operations = append(api.operations, op)
		}
	}
	slices.SortFunc(api.operations, func(a, b operation) int { return strings.Compare(a.OperationID, b.OperationID) })
	if len(api.operations) < 19 {
		t.Fatalf("/openapi.json lists %d operations", len(api.operations))
	}
	return &api
}
