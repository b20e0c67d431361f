package restaurant

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"daybook/domain"
	"daybook/domain/restaurantday"
)

const now = domain.Instant(1_790_000_000_000)

var (
	id      = domain.NewRestaurantID([16]byte{1})
	owner   = domain.NewUserID([16]byte{1})
	other   = domain.NewUserID([16]byte{2})
	actor   = domain.Diner(owner)
	tableA  = restaurantday.Table{ID: domain.NewTableID([16]byte{1}), Number: "1", Min: 1, Max: 2}
	tableB  = restaurantday.Table{ID: domain.NewTableID([16]byte{2}), Number: "2", Min: 2, Max: 4, Area: "terrace"}
	weekend = Shift{Days: On(time.Friday, time.Saturday), Name: "dinner", Opens: 17 * 60, LastSeating: 23*60 + 30, Closes: 60, SlotMinutes: 30}
)

func zone(t testing.TB, name string) *time.Location {
	t.Helper()
	loc, err := time.LoadLocation(name)
	if err != nil {
		t.Fatal(err)
	}
	return loc
}

func profile() Profile {
	return Profile{
		Name: "Zum Anker", Cuisine: "German", Address: "Hafenstr. 1", City: "Berlin", Location: &Location{Lat: 52.5, Lng: 13.4},
		TimeZone: "Europe/Berlin", PriceLevel: 2, Features: []string{"terrace"}, ContactEmail: "anker@example.com",
	}
}

func register(t testing.TB) Register {
	return Register{Now: now, Actor: actor, ID: id, Owner: owner, Profile: profile(), Zone: zone(t, "Europe/Berlin")}
}

// given folds the events of commands that must all be accepted, after a registration.
func given(t testing.TB, commands ...Command) State {
	t.Helper()
	d := Decider()
	s := d.Initial()
	for i, c := range append([]Command{register(t)}, commands...) {
		events, err := d.Decide(s, c)
		if err != nil {
			t.Fatalf("command %d: %v", i, err)
		}
		s = d.Fold(s, events...)
	}
	return s
}

func decided(t testing.TB, s State, c Command) []Event {
	t.Helper()
	events, err := Decider().Decide(s, c)
	if err != nil {
		t.Fatalf("refused: %v", err)
	}
	return events
}

func refused(t testing.TB, s State, c Command) *domain.Rejection {
	t.Helper()
	events, err := Decider().Decide(s, c)
	no, ok := domain.Rejected(err)
	if !ok {
		t.Fatalf("got %v, %v, want a rejection", events, err)
	}
	return no
}

func stamp(at domain.Instant) domain.Stamp { return domain.Stamp{At: at} }

func same(t *testing.T, got []Event, want ...Event) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got\n%+v\nwant\n%+v", got, want)
	}
}

func TestRegister(t *testing.T) {
	t.Run("keeps the profile tidied, with the defaults of the day", func(t *testing.T) {
		c := register(t)
		c.Profile.Name, c.Profile.ContactEmail, c.Profile.ContactPhone = " Zum Anker ", "Anker@Example.com", "+49 30 1234567"
		c.Profile.Features = []string{"terrace", " Terrace "}
		want := profile()
		want.ContactPhone = "+49301234567"
		same(t, decided(t, State{}, c), Registered{
			Stamp: stamp(now), ID: id, Owner: owner, Profile: want, DayBoundary: 300,
			Policy: restaurantday.Policy{HoldMinutes: 5, HorizonDays: 90, Turns: []restaurantday.TurnTime{
				{UpToParty: 2, Minutes: 90}, {UpToParty: 4, Minutes: 105}, {UpToParty: 6, Minutes: 120}, {UpToParty: 500, Minutes: 150},
			}, WaitlistOfferMinutes: 10, Assignment: restaurantday.LateBinding},
		})
	})
	t.Run("twice is already so", func(t *testing.T) { same(t, decided(t, given(t), register(t))) })
	t.Run("an import may leave the owner open, and keeps tables as booked", func(t *testing.T) {
		c := register(t)
		c.Actor, c.Owner = domain.Importer(), ""
		want := DefaultPolicy()
		want.Assignment = restaurantday.FirstFit
		same(t, decided(t, State{}, c), Registered{Stamp: stamp(now), ID: id, Profile: profile(), DayBoundary: 300, Policy: want})
	})
	t.Run("nobody registers for another", func(t *testing.T) {
		for name, c := range map[string]Register{
			"other owner": {Actor: domain.Diner(other), Owner: owner}, "staff": {Actor: domain.Staff(other), Owner: owner}, "nobody": {Actor: domain.Diner("")},
		} {
			if no := refused(t, State{}, c); no.Code != domain.CodeForbidden {
				t.Errorf("%s: got %s", name, no.Code)
			}
		}
		c := register(t)
		c.Actor, c.Owner = domain.Diner(other), other
		if no := refused(t, given(t), c); no.Code != domain.CodeForbidden {
			t.Errorf("an id that is another's: got %s", no.Code)
		}
	})
}

func TestProfilesThatCannotBe(t *testing.T) {
	for name, c := range map[string]struct {
		spoil func(*Register)
		field string
	}{
		"no name":           {func(c *Register) { c.Profile.Name = " " }, "name"},
		"long name":         {func(c *Register) { c.Profile.Name = strings.Repeat("é", 201) }, "name"},
		"no cuisine":        {func(c *Register) { c.Profile.Cuisine = "" }, "cuisine"},
		"no address":        {func(c *Register) { c.Profile.Address = "" }, "address"},
		"no city":           {func(c *Register) { c.Profile.City = "" }, "city"},
		"two-line state":    {func(c *Register) { c.Profile.State = "a\nb" }, "state"},
		"long zip":          {func(c *Register) { c.Profile.Zip = strings.Repeat("1", 21) }, "zip"},
		"long description":  {func(c *Register) { c.Profile.Description = strings.Repeat("a", 4001) }, "description"},
		"no e-mail":         {func(c *Register) { c.Profile.ContactEmail = "anker" }, "contact_email"},
		"no phone":          {func(c *Register) { c.Profile.ContactPhone = "call us" }, "contact_phone"},
		"price too high":    {func(c *Register) { c.Profile.PriceLevel = 5 }, "price_level"},
		"price too low":     {func(c *Register) { c.Profile.PriceLevel = -1 }, "price_level"},
		"off the globe":     {func(c *Register) { c.Profile.Location = &Location{Lat: 90.1} }, "location"},
		"no number":         {func(c *Register) { c.Profile.Location = &Location{Lng: nan()} }, "location"},
		"empty feature":     {func(c *Register) { c.Profile.Features = []string{""} }, "features"},
		"too many features": {func(c *Register) { c.Profile.Features = make([]string, 51) }, "features"},
		"no zone":           {func(c *Register) { c.Zone = nil }, "time_zone"},
		"no zone name":      {func(c *Register) { c.Profile.TimeZone = "" }, "time_zone"},
		"another zone":      {func(c *Register) { c.Profile.TimeZone = "Asia/Tokyo" }, "time_zone"},
		"machine's zone":    {func(c *Register) { c.Profile.TimeZone, c.Zone = "Local", time.Local }, "time_zone"},
		"no id":             {func(c *Register) { c.ID = "rst_1" }, "restaurant_id"},
		"no owner id":       {func(c *Register) { c.Owner, c.Actor = "usr_1", domain.Diner("usr_1") }, "owner"},
	} {
		t.Run(name, func(t *testing.T) {
			command := register(t)
			c.spoil(&command)
			no := refused(t, State{}, command)
			if no.Code != domain.CodeInvalid || len(no.Reasons) != 1 || no.Reasons[0].Rule != c.field || no.Detail == "" {
				t.Errorf("got %+v", no)
			}
		})
	}
}

func nan() float64 { zero := 0.0; return zero / zero }

func TestChangeProfile(t *testing.T) {
	name, tokyo, features := "Zur Linde", "Asia/Tokyo", []string{}
	change := func(changes ProfileChanges, loc *time.Location) ChangeProfile {
		return ChangeProfile{Now: now + 1, Actor: actor, Changes: changes, Zone: loc}
	}
	t.Run("only what is given", func(t *testing.T) {
		want := profile()
		want.Name, want.Features, want.Location = name, nil, &Location{Lat: 1, Lng: 2}
		same(t, decided(t, given(t), change(ProfileChanges{Name: &name, Features: &features, Location: &Location{Lat: 1, Lng: 2}}, nil)),
			ProfileChanged{Stamp: stamp(now + 1), Profile: want})
	})
	t.Run("the zone with its proof", func(t *testing.T) {
		want := profile()
		want.TimeZone = tokyo
		same(t, decided(t, given(t), change(ProfileChanges{TimeZone: &tokyo}, zone(t, tokyo))), ProfileChanged{Stamp: stamp(now + 1), Profile: want})
		if no := refused(t, given(t), change(ProfileChanges{TimeZone: &tokyo}, nil)); no.Reasons[0].Rule != "time_zone" {
			t.Errorf("got %+v", no)
		}
	})
	t.Run("nothing new is already so", func(t *testing.T) {
		p := profile()
		same(t, decided(t, given(t), change(ProfileChanges{Name: &p.Name, Location: p.Location, Features: &p.Features}, nil)))
	})
	t.Run("into what cannot be", func(t *testing.T) {
		empty := ""
		if no := refused(t, given(t), change(ProfileChanges{City: &empty}, nil)); no.Reasons[0].Rule != "city" {
			t.Errorf("got %+v", no)
		}
	})
}

func TestWhoMayChange(t *testing.T) {
	commands := func(a domain.Actor) []Command {
		return []Command{
			ChangeProfile{Actor: a}, SetHours{Actor: a}, AddTable{Actor: a, Table: tableA}, ChangeTable{Actor: a, ID: tableA.ID},
			RemoveTable{Actor: a, ID: tableA.ID}, SetPolicy{Actor: a, Policy: DefaultPolicy()}, Publish{Actor: a},
			SetSpecialDay{Now: now, Actor: a, Day: SpecialDay{Date: today}}, RemoveSpecialDay{Actor: a, Date: today},
			AddClosure{Now: now, Actor: a, Closure: Closure{ID: domain.NewClosureID([16]byte{1}), From: today, To: today, Reason: "works"}},
			RemoveClosure{Actor: a, ID: "cls_1"}, AddBlock{Now: now, Actor: a, Block: Block{ID: domain.NewBlockID([16]byte{1}), Date: today, From: 600, To: 700}},
			RemoveBlock{Actor: a, ID: "blk_1"}, AddCombination{Actor: a, Combination: restaurantday.Combination{
				ID: domain.NewCombinationID([16]byte{1}), Tables: []domain.TableID{tableA.ID, tableB.ID}, Max: 6}},
			RemoveCombination{Actor: a, ID: "cmb_1"},
		}
	}
	s := given(t, AddTable{Actor: actor, Table: tableA}, AddTable{Actor: actor, Table: tableB}, SetHours{Actor: actor, Shifts: []Shift{weekend}})
	for _, a := range []domain.Actor{domain.Diner(other), domain.Diner(""), domain.Staff(other), domain.Staff(""), {}, {Kind: "root"}} {
		for _, c := range commands(a) {
			if no := refused(t, s, c); no.Code != domain.CodeForbidden {
				t.Errorf("%v, %T: got %s", a, c, no.Code)
			}
		}
	}
	for _, a := range []domain.Actor{actor, domain.Staff(owner), domain.System(), domain.Importer()} {
		for _, c := range commands(a) {
			decided(t, s, c)
		}
	}
	for _, c := range commands(actor) {
		if no := refused(t, State{}, c); no.Code != domain.CodeNotFound {
			t.Errorf("%T of none: got %s", c, no.Code)
		}
	}
	if s.Role(owner) != RoleOwner || s.Role(other) != RoleNone || s.MayManage(other) || !s.MayManage(owner) || (State{}).MayManage("") {
		t.Error("roles are wrong")
	}
}

func TestTables(t *testing.T) {
	s := given(t, AddTable{Now: now, Actor: actor, Table: tableA}, AddTable{Now: now, Actor: actor, Table: tableB})
	add := func(spoil func(*restaurantday.Table)) AddTable {
		table := restaurantday.Table{ID: domain.NewTableID([16]byte{3}), Number: "3", Min: 1, Max: 4}
		spoil(&table)
		return AddTable{Now: now, Actor: actor, Table: table}
	}
	t.Run("added", func(t *testing.T) {
		want := restaurantday.Table{ID: domain.NewTableID([16]byte{3}), Number: "3", Min: 1, Max: 4, Area: "bar"}
		same(t, decided(t, s, add(func(t *restaurantday.Table) { t.Number, t.Min, t.Area = " 3 ", 0, "bar " })), TableAdded{stamp(now), want})
	})
	t.Run("added again is already so", func(t *testing.T) { same(t, decided(t, s, AddTable{Now: now, Actor: actor, Table: tableA})) })
	t.Run("number taken", func(t *testing.T) {
		got := refused(t, s, add(func(t *restaurantday.Table) { t.Number = "2" }))
		want := domain.Reject(domain.CodeTableNumberUsed, "there is a table 2 already",
			domain.Reason{Rule: "table_number", Blocked: []domain.Block{{Table: tableB.ID}}})
		if !reflect.DeepEqual(got, want) {
			t.Errorf("got %+v", got)
		}
		number := "1"
		if no := refused(t, s, ChangeTable{Actor: actor, ID: tableB.ID, Number: &number}); no.Code != domain.CodeTableNumberUsed {
			t.Errorf("changed into: got %s", no.Code)
		}
	})
	for name, c := range map[string]struct {
		spoil func(*restaurantday.Table)
		field string
	}{
		"no id":          {func(t *restaurantday.Table) { t.ID = "tbl_3" }, "table_id"},
		"id of another":  {func(t *restaurantday.Table) { t.ID = tableA.ID }, "table_id"},
		"no number":      {func(t *restaurantday.Table) { t.Number = "" }, "table_number"},
		"long number":    {func(t *restaurantday.Table) { t.Number = strings.Repeat("1", 21) }, "table_number"},
		"long area":      {func(t *restaurantday.Table) { t.Area = strings.Repeat("a", 61) }, "area"},
		"seats none":     {func(t *restaurantday.Table) { t.Max = 0 }, "capacity"},
		"seats too many": {func(t *restaurantday.Table) { t.Max = 501 }, "capacity"},
		"min below 1":    {func(t *restaurantday.Table) { t.Min = -1 }, "min_capacity"},
		"min over max":   {func(t *restaurantday.Table) { t.Min = 5 }, "min_capacity"},
	} {
		t.Run(name, func(t *testing.T) {
			if no := refused(t, s, add(c.spoil)); no.Code != domain.CodeInvalid || no.Reasons[0].Rule != c.field {
				t.Errorf("got %+v", no)
			}
		})
	}
	t.Run("changed", func(t *testing.T) {
		most, want := domain.PartySize(6), tableB
		want.Max = 6
		same(t, decided(t, s, ChangeTable{Now: now + 1, Actor: actor, ID: tableB.ID, Max: &most}), TableChanged{stamp(now + 1), want})
		same(t, decided(t, s, ChangeTable{Now: now + 1, Actor: actor, ID: tableB.ID, Max: &tableB.Max}))
		if no := refused(t, s, ChangeTable{Actor: actor, ID: "tbl_none", Max: &most}); no.Code != domain.CodeNotFound {
			t.Errorf("got %s", no.Code)
		}
	})
	t.Run("removed", func(t *testing.T) {
		c := RemoveTable{Now: now + 1, Actor: actor, ID: tableA.ID}
		same(t, decided(t, s, c), TableRemoved{stamp(now + 1), tableA.ID})
		after := given(t, AddTable{Actor: actor, Table: tableA}, AddTable{Actor: actor, Table: tableB}, c)
		if want := []restaurantday.Table{tableB}; !reflect.DeepEqual(after.Tables, want) {
			t.Errorf("got %+v, want %+v", after.Tables, want)
		}
		same(t, decided(t, after, c))
	})
	t.Run("at most 500", func(t *testing.T) {
		full := s
		for i := len(s.Tables); i < maxTables; i++ {
			table := restaurantday.Table{ID: domain.NewTableID([16]byte{9, byte(i >> 8), byte(i)}), Number: "n" + string(rune('a'+i)), Min: 1, Max: 2}
			full = evolve(full, TableAdded{stamp(now), table})
		}
		if no := refused(t, full, add(func(*restaurantday.Table) {})); no.Code != domain.CodeInvalid || no.Reasons[0].Limit != 500 {
			t.Errorf("got %+v", no)
		}
	})
}

func TestSetPolicy(t *testing.T) {
	policy := func(spoil func(*restaurantday.Policy)) SetPolicy {
		p := DefaultPolicy()
		spoil(&p)
		return SetPolicy{Now: now + 1, Actor: actor, Policy: p}
	}
	c := policy(func(p *restaurantday.Policy) { p.PacingCovers = 20 })
	same(t, decided(t, given(t), c), PolicySet{stamp(now + 1), c.Policy})
	same(t, decided(t, given(t, c), c))
	first := policy(func(p *restaurantday.Policy) {
		p.CancelMinutes, p.WaitlistOfferMinutes, p.Assignment = 120, 0, restaurantday.FirstFit
	})
	tidied := first.Policy
	tidied.WaitlistOfferMinutes = 10
	same(t, decided(t, given(t), first), PolicySet{stamp(now + 1), tidied})
	first.KeepAssignment = true
	tidied.Assignment = restaurantday.LateBinding
	same(t, decided(t, given(t), first), PolicySet{stamp(now + 1), tidied})
	for name, c := range map[string]struct {
		spoil func(*restaurantday.Policy)
		field string
	}{
		"no time to confirm":  {func(p *restaurantday.Policy) { p.HoldMinutes = 0 }, "hold_minutes"},
		"long holds":          {func(p *restaurantday.Policy) { p.HoldMinutes = 61 }, "hold_minutes"},
		"far horizon":         {func(p *restaurantday.Policy) { p.HorizonDays = 731 }, "horizon_days"},
		"long notice":         {func(p *restaurantday.Policy) { p.NoticeMinutes = 10081 }, "notice_minutes"},
		"negative buffer":     {func(p *restaurantday.Policy) { p.BufferMinutes = -1 }, "buffer_minutes"},
		"negative pacing":     {func(p *restaurantday.Policy) { p.PacingCovers = -1 }, "pacing_covers"},
		"no turns":            {func(p *restaurantday.Policy) { p.Turns = nil }, "turn_minutes"},
		"too many turns":      {func(p *restaurantday.Policy) { p.Turns = make([]restaurantday.TurnTime, 21) }, "turn_minutes"},
		"turns not rising":    {func(p *restaurantday.Policy) { p.Turns[1].UpToParty = 2 }, "turn_minutes"},
		"turn for nobody":     {func(p *restaurantday.Policy) { p.Turns[0].UpToParty = 0 }, "turn_minutes"},
		"turn for a thousand": {func(p *restaurantday.Policy) { p.Turns[3].UpToParty = 1000 }, "turn_minutes"},
		"free for ever":       {func(p *restaurantday.Policy) { p.CancelMinutes = 43_201 }, "cancel_minutes"},
		"never free":          {func(p *restaurantday.Policy) { p.CancelMinutes = -1 }, "cancel_minutes"},
		"a long offer":        {func(p *restaurantday.Policy) { p.WaitlistOfferMinutes = 121 }, "waitlist_offer_minutes"},
		"no time to answer":   {func(p *restaurantday.Policy) { p.WaitlistOfferMinutes = -1 }, "waitlist_offer_minutes"},
		"bound by lot":        {func(p *restaurantday.Policy) { p.Assignment = "lot" }, "assignment"},
		"no time to eat":      {func(p *restaurantday.Policy) { p.Turns[0].Minutes = 4 }, "turn_minutes"},
	} {
		t.Run(name, func(t *testing.T) {
			if no := refused(t, given(t), policy(c.spoil)); no.Code != domain.CodeInvalid || no.Reasons[0].Rule != c.field {
				t.Errorf("got %+v", no)
			}
		})
	}
}

func TestPublish(t *testing.T) {
	publish := Publish{Now: now + 1, Actor: actor}
	hours := SetHours{Actor: actor, Shifts: []Shift{weekend}}
	table := AddTable{Actor: actor, Table: tableA}
	want := domain.Reject(domain.CodeNotReady, "to take bookings the restaurant still needs a table and a shift",
		domain.Reason{Rule: "tables", Limit: 1}, domain.Reason{Rule: "shifts", Limit: 1})
	if got := refused(t, given(t), publish); !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if got := refused(t, given(t, table), publish).Reasons; len(got) != 1 || got[0].Rule != "shifts" {
		t.Errorf("got %+v", got)
	}
	same(t, decided(t, given(t, table, hours), publish), Published{stamp(now + 1)})
	open := given(t, table, hours, publish)
	same(t, decided(t, open, publish))
	if open.Status != StatusOpen {
		t.Errorf("got %s", open.Status)
	}
}

func TestTheClockNeverGoesBack(t *testing.T) {
	s := given(t, AddTable{Now: now + 10, Actor: actor, Table: tableA})
	same(t, decided(t, s, AddTable{Now: now, Actor: actor, Table: tableB}), TableAdded{stamp(now + 10), tableB})
}

// Folding shares what does not change; it must never write to it.
func TestFoldingTwiceFromOneBase(t *testing.T) {
	made := []Command{
		AddTable{Now: now, Actor: actor, Table: tableA}, AddTable{Now: now, Actor: actor, Table: tableB},
		combine(1, 3, 6, tableA.ID, tableB.ID), block(1, today, 600, 660, tableA.ID), block(2, today, 600, 660, tableA.ID, tableB.ID),
		special(today+1, brunch()), special(today + 3),
		AddClosure{Now: now, Actor: actor, Closure: Closure{ID: domain.NewClosureID([16]byte{1}), From: today, To: today, Reason: "works"}},
	}
	base, snapshot := given(t, made...), given(t, made...)
	wide := tableA
	wide.Max = 8
	third := restaurantday.Table{ID: "tbl_3", Number: "3", Min: 1, Max: 2}
	for _, e := range []Event{
		TableChanged{stamp(now), wide}, TableRemoved{stamp(now), tableA.ID}, TableAdded{stamp(now), third}, TableAdded{stamp(now), tableB},
		HoursSet{stamp(now), []Shift{weekend}, 240}, PolicySet{stamp(now), restaurantday.Policy{}}, ProfileChanged{stamp(now), Profile{Name: "x"}}, Published{stamp(now)},
		SpecialDaySet{stamp(now), SpecialDay{Date: today + 2}}, SpecialDaySet{stamp(now), SpecialDay{Date: today + 1}}, SpecialDayRemoved{stamp(now), today + 1},
		ClosureAdded{stamp(now), Closure{ID: "cls_2", From: today - 1}}, ClosureRemoved{stamp(now), domain.NewClosureID([16]byte{1})},
		BlockAdded{stamp(now), Block{ID: "blk_3", Date: today - 1}}, BlockRemoved{stamp(now), domain.NewBlockID([16]byte{1})},
		CombinationAdded{stamp(now), restaurantday.Combination{ID: "cmb_2"}}, CombinationRemoved{stamp(now), domain.NewCombinationID([16]byte{1})},
	} {
		if one, two := evolve(base, e), evolve(base, e); !reflect.DeepEqual(one, two) {
			t.Errorf("%T: got %+v and %+v", e, one, two)
		}
		if !reflect.DeepEqual(base, snapshot) {
			t.Fatalf("%T changed the base to %+v", e, base)
		}
	}
}

// A command's slices and pointers stay the caller's: what was decided does not change with them.
func TestEventsDoNotShareWithTheCommand(t *testing.T) {
	r := register(t)
	got := decided(t, State{}, r)
	r.Profile.Features[0], r.Profile.Location.Lat = "written over", 0
	if p := got[0].(Registered).Profile; p.Features[0] != "terrace" || p.Location.Lat != 52.5 {
		t.Errorf("got %+v", p)
	}
	h := SetHours{Now: now, Actor: actor, Shifts: []Shift{weekend}}
	got = decided(t, given(t), h)
	h.Shifts[0].Name = "written over"
	p := SetPolicy{Now: now, Actor: actor, Policy: restaurantday.Policy{HoldMinutes: 1, Turns: []restaurantday.TurnTime{{UpToParty: 2, Minutes: 60}}}}
	got = append(got, decided(t, given(t), p)...)
	p.Policy.Turns[0].Minutes = 1
	same(t, got, HoursSet{stamp(now), []Shift{weekend}, 300},
		PolicySet{stamp(now), restaurantday.Policy{HoldMinutes: 1, WaitlistOfferMinutes: 10, Turns: []restaurantday.TurnTime{{UpToParty: 2, Minutes: 60}}}})
}
