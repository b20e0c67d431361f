package tokens

import (
	"encoding/base64"
	"errors"
	"strings"
	"testing"
	"time"
)

func TestTokens(t *testing.T) {
	now := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	clock := func() time.Time { return now }
	s, err := NewSigner([]byte(strings.Repeat("k", 32)), clock)
	if err != nil {
		t.Fatal(err)
	}
	token, lifetime, err := s.Access("usr_1")
	if err != nil || lifetime != Lifetime {
		t.Fatal(lifetime, err)
	}
	good := func() {
		t.Helper()
		for range 2 { // the second time it is remembered
			if user, err := s.User(token); err != nil || user != "usr_1" {
				t.Fatalf("got %q, %v", user, err)
			}
		}
	}
	good()
	other, err := NewSigner([]byte(strings.Repeat("o", 32)), clock)
	if err != nil {
		t.Fatal(err)
	}
	parts := strings.Split(token, ".")
	none := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none","typ":"JWT"}`)) + "." + parts[1] + "."
	forged, _, _ := other.Access("usr_1")
	for name, bad := range map[string]string{
		"empty": "", "cut": token[:len(token)-2], "no signature": none, "another key": forged, "another body": parts[0] + "." + parts[1] + "x." + parts[2],
	} {
		if user, err := s.User(bad); !errors.Is(err, ErrInvalid) {
			t.Errorf("%s: got %q, %v", name, user, err)
		}
	}
	now = now.Add(Lifetime + leeway - time.Second)
	good()
	now = now.Add(2 * time.Second) // remembered or not, it is over
	if user, err := s.User(token); !errors.Is(err, ErrInvalid) {
		t.Errorf("over: got %q, %v", user, err)
	}
}

func TestRememberedTokensAreBounded(t *testing.T) {
	s, err := NewSigner([]byte(strings.Repeat("k", 32)), time.Now)
	if err != nil {
		t.Fatal(err)
	}
	for i := range maxRemembered + 10 {
		token, _, err := s.Access("usr_" + strings.Repeat("x", i%50) + string(rune('a'+i%26)) + string(rune('a'+i/26%26)) + string(rune('a'+i/676)))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.User(token); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(s.remembered); n > maxRemembered {
		t.Errorf("%d tokens remembered, at most %d", n, maxRemembered)
	}
}

func TestShortKeysAreRefused(t *testing.T) {
	if _, err := NewSigner(make([]byte, 31), time.Now); err == nil {
		t.Error("a key of 31 bytes was taken")
	}
}
