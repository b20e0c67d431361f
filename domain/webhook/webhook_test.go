package webhook

import (
	"fmt"
	"reflect"
	"slices"
	"testing"
	"time"

	"daybook/domain"
)

var id = domain.NewWebhookID([16]byte{1})

const noon = domain.Instant(1_795_000_000_000)

func stamp(at domain.Instant) domain.Stamp { return domain.Stamp{At: at} }

func created() Created {
	return Created{Stamp: stamp(noon), ID: id, Host: "example.com", URL: "https://example.com/in", Secret: "whsec_1"}
}

func paused(because Because) Paused { return Paused{Stamp: stamp(noon + 5), ID: id, Because: because} }

// TestDecisions gives what happened, what is asked, and what comes of it.
func TestDecisions(t *testing.T) {
	later, url, host, told, empty := noon+10, "https://example.org", "example.org", "the till", []string{}
	after := uint64(3)
	full := make([]Event, MaxWebhooks)
	for i := range full {
		e := created()
		e.ID = domain.NewWebhookID([16]byte{100, byte(i)})
		full[i] = e
	}
	for name, c := range map[string]struct {
		given []Event
		when  Command
		then  []Event
		code  domain.Code
	}{
		"create": {nil, Create{Now: noon, ID: id, URL: "https://example.com/in", Host: "example.com", Secret: "whsec_1", Description: " the till ",
			Events: []string{"waitlist.", "day.", "day."}, Personal: true, After: &after},
			[]Event{Created{Stamp: stamp(noon), ID: id, Host: "example.com", URL: "https://example.com/in", Secret: "whsec_1", Description: "the till",
				Events: []string{"day.", "waitlist."}, Personal: true, After: &after}}, ""},
		"create, so already":     {[]Event{created()}, Create{Now: later, ID: id}, nil, ""},
		"create, one too many":   {full, Create{Now: later, ID: id}, nil, domain.CodeInvalid},
		"create, no event type":  {nil, Create{Now: noon, ID: id, Events: []string{"Day."}}, nil, domain.CodeInvalid},
		"create, too many types": {nil, Create{Now: noon, ID: id, Events: slices.Repeat([]string{"day."}, MaxEvents+1)}, nil, domain.CodeInvalid},
		"create, no text":        {nil, Create{Now: noon, ID: id, Description: "a\x00b"}, nil, domain.CodeInvalid},
		"change all": {[]Event{created()}, Change{Now: later, ID: id, URL: &url, Host: &host, Description: &told, Events: &[]string{"day."}, Personal: new(bool)},
			[]Event{Changed{Stamp: stamp(later), ID: id, URL: url, Host: host, Description: told, Events: []string{"day."}}}, ""},
		"change nothing":           {[]Event{created()}, Change{Now: later, ID: id, Events: &empty, Personal: new(bool)}, nil, ""},
		"change to what is none":   {[]Event{created()}, Change{Now: later, ID: id, Events: &[]string{""}}, nil, domain.CodeInvalid},
		"pause":                    {[]Event{created()}, Pause{Now: later, ID: id, Because: ByOwner}, []Event{Paused{Stamp: stamp(later), ID: id, Because: ByOwner}}, ""},
		"pause, so already":        {[]Event{created(), paused(ByOwner)}, Pause{Now: later, ID: id, Because: BecauseGone}, nil, ""},
		"pause what fails":         {[]Event{created()}, Pause{Now: later, ID: id, Because: BecauseFailing, Since: noon}, []Event{Paused{Stamp: stamp(later), ID: id, Because: BecauseFailing}}, ""},
		"pause what failed before": {[]Event{created(), paused(ByOwner), Resumed{Stamp: stamp(noon + 6), ID: id}}, Pause{Now: later, ID: id, Because: BecauseFailing, Since: noon}, nil, ""},
		"resume":                   {[]Event{created(), paused(BecauseGone)}, Resume{Now: later, ID: id}, []Event{Resumed{Stamp: stamp(later), ID: id}}, ""},
		"resume, so already":       {[]Event{created()}, Resume{Now: later, ID: id}, nil, ""},
		"rotate": {[]Event{created()}, Rotate{Now: later, ID: id, Secret: "whsec_2", Overlap: time.Hour},
			[]Event{SecretRotated{Stamp: stamp(later), ID: id, Secret: "whsec_2", OldUntil: later.AddMinutes(60)}}, ""},
		"rotate, for too long":       {[]Event{created()}, Rotate{Now: later, ID: id, Overlap: MaxOverlap + 1}, nil, domain.CodeInvalid},
		"replay":                     {[]Event{created()}, Replay{Now: later, ID: id, After: 3}, []Event{Replayed{Stamp: stamp(later), ID: id, After: 3}}, ""},
		"test":                       {[]Event{created(), paused(ByOwner)}, Test{Now: later, ID: id}, []Event{TestRequested{Stamp: stamp(later), ID: id}}, ""},
		"remove":                     {[]Event{created()}, Remove{Now: later, ID: id}, []Event{Removed{Stamp: stamp(later), ID: id}}, ""},
		"what is not there":          {nil, Resume{Now: later, ID: id}, nil, domain.CodeNotFound},
		"what is no longer there":    {[]Event{created(), Removed{Stamp: stamp(noon + 1), ID: id}}, Test{Now: later, ID: id}, nil, domain.CodeNotFound},
		"a clock that has gone back": {[]Event{created(), paused(ByOwner)}, Resume{Now: noon, ID: id}, []Event{Resumed{Stamp: stamp(noon + 5), ID: id}}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			d := Decider()
			got, err := d.Decide(d.Fold(d.Initial(), c.given...), c.when)
			no, _ := domain.Rejected(err)
			if !reflect.DeepEqual(got, c.then) || (err != nil) != (c.code != "") || (no != nil && no.Code != c.code) {
				t.Errorf("got %+v, %v\nwant %+v, %q", got, err, c.then, c.code)
			}
		})
	}
}

// TestFold follows a webhook through all that can happen to it, and sees that no state is
// written to once there is another.
func TestFold(t *testing.T) {
	d := Decider()
	first := d.Fold(d.Initial(), created())
	one := Webhook{
		ID: id, URL: "https://example.com/in", Host: "example.com", Secrets: []Secret{{Value: "whsec_1"}}, Status: StatusActive,
		CreatedAt: noon, ChangedAt: noon, ActiveSince: noon, Rounds: 1,
	}
	want := State{Webhooks: []Webhook{one}, Created: 1, ChangedAt: noon}
	whole := d.Fold(first,
		Changed{Stamp: stamp(noon + 1), ID: id, URL: "u", Host: "h", Description: "d", Events: []string{"day."}, Personal: true},
		SecretRotated{Stamp: stamp(noon + 2), ID: id, Secret: "whsec_2", OldUntil: noon + 50},
		SecretRotated{Stamp: stamp(noon + 3), ID: id, Secret: "whsec_3", OldUntil: noon + 60},
		Replayed{Stamp: stamp(noon + 4), ID: id, After: 7}, TestRequested{Stamp: stamp(noon + 4), ID: id},
		paused(BecauseFailing), Resumed{Stamp: stamp(noon + 6), ID: id}, Paused{Stamp: stamp(noon + 7), ID: id, Because: ByOwner})
	if !reflect.DeepEqual(first, want) {
		t.Errorf("the first state is now %+v", first)
	}
	two := Webhook{
		ID: id, URL: "u", Host: "h", Description: "d", Events: []string{"day."}, Personal: true,
		Secrets: []Secret{{Value: "whsec_3"}, {Value: "whsec_2", Until: noon + 60}}, Status: StatusPaused, Because: ByOwner,
		CreatedAt: noon, ChangedAt: noon + 7, PausedAt: noon + 7, ActiveSince: noon + 6, Rounds: 2, Tests: 1,
	}
	if want := (State{Webhooks: []Webhook{two}, Created: 1, ChangedAt: noon + 7}); !reflect.DeepEqual(whole, want) {
		t.Errorf("got  %+v\nwant %+v", whole, want)
	}
	if got := [][]string{two.Signing(noon + 59), two.Signing(noon + 60)}; !reflect.DeepEqual(got, [][]string{{"whsec_3", "whsec_2"}, {"whsec_3"}}) {
		t.Errorf("signing: %q", got)
	}
	if !one.Wants("user.x") || two.Wants("user.x") || !two.Wants("day.opened") {
		t.Error("what is wanted")
	}
	if got := d.Fold(whole, Removed{Stamp: stamp(noon + 8), ID: id}); len(got.Webhooks) != 0 || got.Created != 1 {
		t.Errorf("removed: %+v", got)
	}
	for _, e := range []Event{
		created(), Changed{ID: id}, Paused{ID: id}, Resumed{ID: id}, SecretRotated{ID: id}, Replayed{ID: id}, TestRequested{ID: id}, Removed{ID: id},
	} {
		if IDOf(e) != id {
			t.Errorf("%T is about %q", e, IDOf(e))
		}
	}
}

func TestSchedule(t *testing.T) {
	var got []string
	for attempts := range 13 {
		wait, ok := DefaultSchedule.Next(attempts, 0, 0)
		got = append(got, fmt.Sprint(wait, " ", ok))
	}
	want := []string{
		"0s false", "5s true", "30s true", "5m0s true", "30m0s true", "2h0m0s true", "5h0m0s true", "10h0m0s true", "14h0m0s true",
		"20h0m0s true", "24h0m0s true", "0s false", "0s false",
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %q", got)
	}
	for _, c := range []struct {
		asked  time.Duration
		chance float64
		want   time.Duration
	}{{0, 0.5, 5500 * time.Millisecond}, {time.Minute, 0, time.Minute}, {time.Minute, 0.5, 66 * time.Second}, {-time.Hour, 0, 5 * time.Second}, {48 * time.Hour, 0, 24 * time.Hour}} {
		if got, _ := DefaultSchedule.Next(1, c.asked, c.chance); got != c.want {
			t.Errorf("asked for %s, by chance %v: got %s, want %s", c.asked, c.chance, got, c.want)
		}
	}
	if got, want := DefaultSchedule.Whole(), 75*time.Hour+35*time.Minute+35*time.Second; got != want {
		t.Errorf("in all %s, want %s", got, want)
	}
}

// TestMessageIDsStay pins what receivers know messages by.
func TestMessageIDsStay(t *testing.T) {
	if got, want := MessageID(id, [16]byte{2}), "msg_a51a5905dcb6893f3a1d7b3a5ecc3691"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
