package user

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"daybook/domain"
)

const now = domain.Instant(1_790_000_000_000)

var (
	ada  = domain.NewUserID([16]byte{1})
	noor = domain.NewUserID([16]byte{2})
)

func register() Register {
	return Register{
		Now: now, ID: ada, EmailHash: "5f2c", Email: " Ada@Example.com", FirstName: "Ada ", LastName: "Lovelace", Phone: "+44 20 7946 0000",
		PasswordHash: "$argon2id$…", Consents: []Consent{"news", "marketing", "news"},
	}
}

func registered() Registered {
	return Registered{
		Stamp: stamp(now), ID: ada, EmailHash: "5f2c", Email: "ada@example.com", FirstName: "Ada", LastName: "Lovelace", Phone: "+442079460000",
		PasswordHash: "$argon2id$…", Consents: []Consent{"marketing", "news"},
	}
}

func stamp(at domain.Instant) domain.Stamp { return domain.Stamp{At: at} }

func TestRegister(t *testing.T) {
	d := Decider()
	got, err := d.Decide(d.Initial(), register())
	if err != nil || !reflect.DeepEqual(got, []Event{registered()}) {
		t.Fatalf("got %+v, %v", got, err)
	}
	c := register()
	if _, err := d.Decide(d.Initial(), c); err != nil || !reflect.DeepEqual(c, register()) {
		t.Errorf("the command became %+v, %v", c, err)
	}
	want := State{
		ID: ada, Email: "ada@example.com", EmailHash: "5f2c", FirstName: "Ada", LastName: "Lovelace", Phone: "+442079460000",
		PasswordHash: "$argon2id$…", Consents: []Consent{"marketing", "news"}, RegisteredAt: now, ChangedAt: now,
	}
	if s := d.Fold(d.Initial(), got...); !reflect.DeepEqual(s, want) {
		t.Errorf("got %+v, want %+v", s, want)
	}
}

func TestRegisterAgain(t *testing.T) {
	d := Decider()
	s := d.Fold(d.Initial(), registered())
	for name, c := range map[string]Register{"the same": register(), "an empty one": {}} {
		_, err := d.Decide(s, c)
		if no, ok := domain.Rejected(err); !ok || no.Code != domain.CodeEmailTaken {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func TestRegistrationsThatCannotBe(t *testing.T) {
	d := Decider()
	for name, c := range map[string]struct {
		spoil func(*Register)
		field string
	}{
		"no id":               {func(c *Register) { c.ID = "usr_1" }, "user_id"},
		"no address":          {func(c *Register) { c.Email = "ada" }, "email"},
		"no first name":       {func(c *Register) { c.FirstName = " " }, "first_name"},
		"long last name":      {func(c *Register) { c.LastName = strings.Repeat("é", 101) }, "last_name"},
		"no phone":            {func(c *Register) { c.Phone = "none" }, "phone_number"},
		"no hash":             {func(c *Register) { c.EmailHash = "" }, "email_hash"},
		"long hash":           {func(c *Register) { c.EmailHash = strings.Repeat("a", MaxEmailHash+1) }, "email_hash"},
		"no password":         {func(c *Register) { c.PasswordHash = "" }, "password_hash"},
		"long password":       {func(c *Register) { c.PasswordHash = strings.Repeat("a", MaxPasswordHash+1) }, "password_hash"},
		"empty consent":       {func(c *Register) { c.Consents = []Consent{""} }, "consents"},
		"consent in prose":    {func(c *Register) { c.Consents = []Consent{"all of it"} }, "consents"},
		"long consent":        {func(c *Register) { c.Consents = []Consent{Consent(strings.Repeat("a", 41))} }, "consents"},
		"too many consents":   {func(c *Register) { c.Consents = make([]Consent, 21) }, "consents"},
		"name with a newline": {func(c *Register) { c.FirstName = "Ada\nBcc" }, "first_name"},
	} {
		t.Run(name, func(t *testing.T) {
			command := register()
			c.spoil(&command)
			_, err := d.Decide(d.Initial(), command)
			no, ok := domain.Rejected(err)
			if !ok || no.Code != domain.CodeInvalid || no.Reasons[0].Rule != c.field || no.Detail == "" {
				t.Errorf("got %v", err)
			}
		})
	}
	c := register()
	c.Phone, c.Consents = "", nil
	if _, err := d.Decide(d.Initial(), c); err != nil {
		t.Errorf("without a phone and consents: %v", err)
	}
}

func TestRecordLogin(t *testing.T) {
	d := Decider()
	first := now + domain.Instant(time.Minute.Milliseconds())
	resolution := domain.Instant(LoginResolution.Milliseconds())
	for name, c := range map[string]struct {
		given []Event
		at    domain.Instant
		want  []Event
	}{
		"the first":             {nil, first, []Event{LoggedIn{stamp(first)}}},
		"soon after":            {[]Event{LoggedIn{stamp(first)}}, first + resolution - 1, nil},
		"by a slower clock":     {[]Event{LoggedIn{stamp(first)}}, now, nil},
		"later":                 {[]Event{LoggedIn{stamp(first)}}, first + resolution, []Event{LoggedIn{stamp(first + resolution)}}},
		"never before the last": {nil, now - 5, []Event{LoggedIn{stamp(now)}}},
	} {
		t.Run(name, func(t *testing.T) {
			s := d.Fold(d.Initial(), append([]Event{registered()}, c.given...)...)
			got, err := d.Decide(s, RecordLogin{Now: c.at})
			if err != nil || !reflect.DeepEqual(got, c.want) {
				t.Errorf("got %+v, %v, want %+v", got, err, c.want)
			}
		})
	}
	_, err := d.Decide(d.Initial(), RecordLogin{Now: now})
	if no, ok := domain.Rejected(err); !ok || no.Code != domain.CodeBadCredentials {
		t.Errorf("nobody: got %v", err)
	}
}

func TestClaim(t *testing.T) {
	d := ClaimDecider()
	got, err := d.Decide(d.Initial(), Claim{Now: now, User: ada})
	if want := []ClaimEvent{Claimed{stamp(now), ada}}; err != nil || !reflect.DeepEqual(got, want) {
		t.Fatalf("got %+v, %v, want %+v", got, err, want)
	}
	s := d.Fold(d.Initial(), got...)
	if want := (ClaimState{User: ada, ClaimedAt: now}); s != want {
		t.Errorf("got %+v, want %+v", s, want)
	}
	if got, err := d.Decide(s, Claim{Now: now + 1, User: noor}); got != nil || err != nil {
		t.Errorf("claimed already: got %+v, %v", got, err)
	}
	_, err = d.Decide(d.Initial(), Claim{Now: now, User: "usr_1"})
	if no, ok := domain.Rejected(err); !ok || no.Code != domain.CodeInvalid {
		t.Errorf("no id: got %v", err)
	}
}

// house keeps the two kinds of streams as the package comment tells, and stops where told.
type house struct {
	claims map[string]ClaimState
	users  map[domain.UserID]State
}

var errCrash = errors.New("crashed")

// register follows the protocol; crashAfter counts appends.
func (h house) register(hash string, fresh domain.UserID, crashAfter int) (domain.UserID, error) {
	claims, users := ClaimDecider(), Decider()
	events, err := claims.Decide(h.claims[hash], Claim{Now: now, User: fresh})
	if err != nil {
		return "", err
	}
	h.claims[hash] = claims.Fold(h.claims[hash], events...)
	if crashAfter == 1 {
		return "", errCrash
	}
	c := register()
	c.ID, c.EmailHash = h.claims[hash].User, hash
	registered, err := users.Decide(h.users[c.ID], c)
	if err != nil {
		return "", err
	}
	h.users[c.ID] = users.Fold(h.users[c.ID], registered...)
	if crashAfter == 2 {
		return "", errCrash
	}
	return c.ID, nil
}

func TestRegisteringAfterACrash(t *testing.T) {
	for crashAfter, want := range map[int]struct {
		id   domain.UserID
		code domain.Code
	}{
		1: {id: ada},                     // the claim left behind is completed, under the id it holds
		2: {code: domain.CodeEmailTaken}, // there is an account
	} {
		t.Run(fmt.Sprintf("after append %d", crashAfter), func(t *testing.T) {
			h := house{map[string]ClaimState{}, map[domain.UserID]State{}}
			if _, err := h.register("5f2c", ada, crashAfter); err != errCrash {
				t.Fatal(err)
			}
			id, err := h.register("5f2c", noor, 0)
			var code domain.Code
			if no, ok := domain.Rejected(err); ok {
				code = no.Code
			}
			if id != want.id || code != want.code {
				t.Errorf("got %q, %v", id, err)
			}
			if len(h.users) != 1 || h.users[ada].ID != ada {
				t.Errorf("got users %+v", h.users)
			}
			if id, err := h.register("77aa", noor, 0); id != noor || err != nil {
				t.Errorf("another address: got %q, %v", id, err)
			}
		})
	}
}
