package commands

import (
	"context"
	"encoding/hex"
	"errors"
	"reflect"
	"sync"
	"testing"
	"time"

	"daybook/domain"
	"daybook/domain/user"
	"daybook/eventstore"
	"daybook/eventstore/codec"
)

const address = "Ada@Example.com"

func adaRegisters() RegisterUser {
	return RegisterUser{
		Email: address, Password: "correct horse", FirstName: "Ada", LastName: "Lovelace", Phone: "+442079460000",
		Consents: []user.Consent{"news"},
	}
}

func signup(key string) Caller {
	return Caller{Route: "POST /users", Key: key, Body: []byte("all but the password"), RequestID: "req"}
}

func (h *house) claim() eventstore.StreamName {
	return codec.EmailStream(h.app().emailHash("ada@example.com"))
}

func TestRegisterAndLogIn(t *testing.T) {
	h := newHouse(t)
	pass := &plainPasswords{}
	a := h.app(func(c *Config) { c.Passwords = pass })
	first, err := a.RegisterUser(t.Context(), signup("k"), adaRegisters())
	if err != nil {
		t.Fatal(err)
	}
	now := domain.InstantOf(morning)
	hash := a.emailHash("ada@example.com")
	want := user.State{
		ID: first.State.ID, Email: "ada@example.com", EmailHash: hex.EncodeToString(hash[:]), FirstName: "Ada", LastName: "Lovelace",
		Phone: "+442079460000", PasswordHash: "1$correct horse", Consents: []user.Consent{"news"}, RegisteredAt: now, ChangedAt: now,
	}
	if !reflect.DeepEqual(first.State, want) || first.Replayed {
		t.Errorf("got %+v, want %+v", first, want)
	}
	again, err := h.app().RegisterUser(t.Context(), signup("k"), adaRegisters())
	first.Replayed = true
	if err != nil || !reflect.DeepEqual(again, first) {
		t.Errorf("again: got\n%+v, %v\nwant\n%+v", again, err, first)
	}
	other := adaRegisters()
	other.Password = "another password"
	if _, err := a.RegisterUser(t.Context(), signup("k"), other); !errors.Is(err, ErrKeyReused) {
		t.Errorf("with another password: got %v", err)
	}
	if _, err := a.RegisterUser(t.Context(), signup("l"), adaRegisters()); code(err) != domain.CodeEmailTaken {
		t.Errorf("under another key: got %v", err)
	}

	h.clock.set(morning.Add(time.Hour))
	in, err := a.LogIn(t.Context(), signup(""), LogIn{Email: " ADA@example.com ", Password: "correct horse"})
	if err != nil || in.State.ID != want.ID || in.State.LastLogin != domain.InstantOf(morning.Add(time.Hour)) {
		t.Errorf("got %+v, %v", in, err)
	}
	types := []string{codec.TypeUserRegistered, codec.TypeUserLoggedIn}
	if got := h.types(codec.UserStream(want.ID)); !reflect.DeepEqual(got, types) {
		t.Errorf("the user's stream has %v", got)
	}
	if n := len(h.records(h.claim())); n != 1 {
		t.Errorf("the claim has %d entries", n)
	}
}

// Neither the answer nor the time it takes tells who has an account.
func TestLogInInVain(t *testing.T) {
	h := newHouse(t)
	pass := &plainPasswords{}
	a := h.app(func(c *Config) { c.Passwords = pass })
	registered, err := a.RegisterUser(t.Context(), signup("k"), adaRegisters())
	if err != nil {
		t.Fatal(err)
	}
	var answers []error
	for name, c := range map[string]struct {
		LogIn
		hashed, verified int64
	}{
		"unknown address": {LogIn{"noor@example.com", "correct horse"}, 1, 0},
		"wrong password":  {LogIn{address, "wrong horse"}, 0, 1},
		"no password":     {LogIn{address, ""}, 0, 1},
		"no address":      {LogIn{"ada", "correct horse"}, 0, 0},
		"endless":         {LogIn{address, string(make([]byte, MaxPassword+1))}, 0, 0},
	} {
		pass.hashed.Store(0)
		pass.verified.Store(0)
		_, err := a.LogIn(t.Context(), signup(""), c.LogIn)
		if code(err) != domain.CodeBadCredentials || pass.hashed.Load() != c.hashed || pass.verified.Load() != c.verified {
			t.Errorf("%s: got %v after %d hashes and %d checks", name, err, pass.hashed.Load(), pass.verified.Load())
		}
		answers = append(answers, err)
	}
	for _, err := range answers {
		if err.Error() != answers[0].Error() {
			t.Errorf("%q is not %q", err, answers[0])
		}
	}
	if n := len(h.records(codec.UserStream(registered.State.ID))); n != 1 {
		t.Errorf("the user's stream has %d entries", n)
	}
}

// An account whose key was dropped has no password any more.
func TestLogInAfterErasure(t *testing.T) {
	h := newHouse(t)
	r, err := h.app().RegisterUser(t.Context(), signup("k"), adaRegisters())
	if err != nil {
		t.Fatal(err)
	}
	if err := h.keys.Drop(t.Context(), string(r.State.ID)); err != nil {
		t.Fatal(err)
	}
	pass := &plainPasswords{}
	a := h.app(func(c *Config) { c.Passwords = pass })
	if _, err := a.LogIn(t.Context(), signup(""), LogIn{address, "correct horse"}); code(err) != domain.CodeBadCredentials || pass.hashed.Load() != 1 {
		t.Errorf("got %v after %d hashes", err, pass.hashed.Load())
	}
}

func TestRegistrationsThatLeaveNothing(t *testing.T) {
	h := newHouse(t)
	broken := errors.New("out of memory")
	for name, c := range map[string]struct {
		spoil func(*RegisterUser)
		fail  error
		check func(error) bool
	}{
		"short password": {func(r *RegisterUser) { r.Password = "123456789" }, nil, func(err error) bool { return code(err) == domain.CodeInvalid }},
		"long password":  {func(r *RegisterUser) { r.Password = string(make([]byte, 257)) }, nil, func(err error) bool { return code(err) == domain.CodeInvalid }},
		"no address":     {func(r *RegisterUser) { r.Email = "ada" }, nil, func(err error) bool { return code(err) == domain.CodeInvalid }},
		"no name":        {func(r *RegisterUser) { r.FirstName = " " }, nil, func(err error) bool { return code(err) == domain.CodeInvalid }},
		"no hash":        {func(*RegisterUser) {}, broken, func(err error) bool { return errors.Is(err, broken) }},
	} {
		r := adaRegisters()
		c.spoil(&r)
		pass := &plainPasswords{fail: c.fail}
		a := h.app(func(cfg *Config) { cfg.Passwords = pass })
		if _, err := a.RegisterUser(t.Context(), signup("k"), r); !c.check(err) {
			t.Errorf("%s: got %v", name, err)
		}
		if n := pass.hashed.Load(); c.fail == nil && n != 0 {
			t.Errorf("%s: %d passwords were hashed for nothing", name, n)
		}
	}
	if l := h.ledger(); len(l) != 0 {
		t.Errorf("left %v", l)
	}
}

// The process dies at either write of a registration, before or after it. Who comes next,
// under the same key or another, by the same process or another, gets the one account.
func TestRegistrationAfterACrash(t *testing.T) {
	for _, c := range []struct {
		name    string
		append  int
		written bool
		key     string
		want    domain.Code // of the next attempt
	}{
		{"before the claim", 0, false, "k", ""},
		{"after the claim, same key", 0, true, "k", ""},
		{"after the claim, another key", 0, true, "l", ""},
		{"before the user", 1, false, "l", ""},
		{"after the user, same key", 1, true, "k", ""},
		{"after the user, another key", 1, true, "l", domain.CodeEmailTaken},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := newHouse(t)
			store, dead := mortal(h.store, c.append, c.written)
			if _, err := h.app(on(store)).RegisterUser(t.Context(), signup("k"), adaRegisters()); err == nil || !dead() {
				t.Fatalf("survived: %v", err)
			}
			r, err := h.app().RegisterUser(t.Context(), signup(c.key), adaRegisters())
			if code(err) != c.want || err == nil && r.Replayed != (c.append == 1 && c.written) {
				t.Fatalf("got %+v, %v", r, err)
			}
			in, err := h.app().LogIn(t.Context(), signup(""), LogIn{address, "correct horse"})
			if err != nil {
				t.Fatal(err)
			}
			users := 0
			for stream, list := range h.ledger() {
				if _, ok := codec.ParseUserStream(stream); ok {
					users++
					if list[0].Type != codec.TypeUserRegistered || len(list) != 2 || stream != codec.UserStream(in.State.ID) {
						t.Errorf("%s: %v", stream, list)
					}
				}
			}
			if users != 1 || len(h.records(h.claim())) != 1 {
				t.Errorf("%d accounts, %d claims", users, len(h.records(h.claim())))
			}
		})
	}
}

func TestOneAddressAtOnce(t *testing.T) {
	for name, key := range map[string]func(int) string{
		"many people": func(i int) string { return string(rune('a' + i)) },
		"one key":     func(int) string { return "k" },
	} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t)
			apps := []*App{h.app(), h.app()}
			var mu sync.Mutex
			var wg sync.WaitGroup
			ids := map[domain.UserID]int{}
			first := 0
			for i := range 8 {
				wg.Go(func() {
					r, err := apps[i%2].RegisterUser(context.Background(), signup(key(i)), adaRegisters())
					mu.Lock()
					defer mu.Unlock()
					switch {
					case err == nil:
						ids[r.State.ID]++
						if !r.Replayed {
							first++
						}
					case code(err) != domain.CodeEmailTaken:
						t.Error(err)
					}
				})
			}
			wg.Wait()
			if len(ids) != 1 || first != 1 {
				t.Errorf("%d accounts, %d first answers", len(ids), first)
			}
			for id := range ids {
				if n := len(h.records(codec.UserStream(id))); n != 1 || name == "one key" && ids[id] != 8 {
					t.Errorf("%d entries, answered %d times", n, ids[id])
				}
			}
		})
	}
}
