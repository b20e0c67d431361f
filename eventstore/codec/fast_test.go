package codec

import (
	"encoding/json"
	"reflect"
	"testing"

	"daybook/domain"
	"daybook/domain/restaurantday"

	"pgregory.net/rapid"
)

// fastForm is a form with a writer and a scanner of its own.
type fastForm[F any] struct {
	name  string
	write func([]byte, *F) []byte
	scan  func([]byte, *F) bool
}

// check holds both to encoding/json. plain says that f has no text that is written with
// escapes, so that the scanner must not give up on it.
func (ff fastForm[F]) check(t interface{ Fatalf(string, ...any) }, f F, plain bool) {
	want, err := json.Marshal(&f)
	if err != nil {
		t.Fatalf("%s: %v", ff.name, err)
	}
	got := ff.write(nil, &f)
	if string(got) != string(want) {
		t.Fatalf("%s: wrote %s\nwant %s", ff.name, got, want)
	}
	if !ff.agrees(t, got) && plain {
		t.Fatalf("%s: gave up on %s", ff.name, got)
	}
}

// agrees fails if the scanner takes data and reads it otherwise than encoding/json.
func (ff fastForm[F]) agrees(t interface{ Fatalf(string, ...any) }, data []byte) (taken bool) {
	var got, want F
	if !ff.scan(data, &got) {
		return false
	}
	if err := json.Unmarshal(data, &want); err != nil {
		t.Fatalf("%s: took %q, but: %v", ff.name, data, err)
	}
	if !reflect.DeepEqual(got, want) {
		t.Fatalf("%s: read %q as %+v\nwant %+v", ff.name, data, got, want)
	}
	return true
}

var (
	fastMetadata  = fastForm[metadataV1]{"metadata", writeMetadata, scanMetadata}
	fastHeld      = fastForm[heldV2]{"held", writeHeld, scanHeld}
	fastConfirmed = fastForm[confirmedV1]{"confirmed", writeConfirmed, scanConfirmed}
	fastCancelled = fastForm[cancelledV1]{"cancelled", writeCancelled, scanCancelled}
)

func TestFastForms(t *testing.T) {
	for _, plain := range []bool{true, false} {
		rapid.Check(t, func(t *rapid.T) {
			text := rapid.StringMatching(`[a-zA-Z0-9 _.:+/=-]{0,12}`)
			if !plain {
				text = rapid.OneOf(rapid.String(), rapid.StringMatching(`[<>&"\\\x00-\x1f\x7f]{0,4}`),
					rapid.Map(rapid.SliceOfN(rapid.Byte(), 0, 6), func(b []byte) string { return string(b) }))
			}
			draw := func() string { return text.Draw(t, "text") }
			// Up to 9999, where years still have four digits; from 0, so that zero is frequent.
			instants := rapid.Int64Range(0, int64(lastInstant))
			if !plain {
				instants = rapid.Int64Range(int64(firstInstant), int64(lastInstant))
			}
			instant := func() domain.Instant { return domain.Instant(instants.Draw(t, "instant")) }
			interval := func() intervalV1 { return intervalV1{From: instant(), To: instant()} }
			number := rapid.Uint32().Draw(t, "number")
			raw := rapid.SliceOf(rapid.Byte()).Draw(t, "raw")
			box := sealed{Subject: draw(), Personal: raw}

			fastMetadata.check(t, metadataV1{
				Version: int(number >> 3), DecidedAt: instant(), CommandID: rapid.Make[[16]byte]().Draw(t, "id"), BodyHash: raw,
				Actor: actorV1{Kind: domain.ActorKind(draw()), User: domain.UserID(draw())}, Reason: draw(), RequestID: draw(),
				Role: draw(), APIKey: draw(), Process: draw(), Cause: draw(), Correlation: draw(),
			}, plain)
			fastHeld.check(t, heldV2{
				Number: number, Diner: domain.UserID(draw()), Party: domain.PartySize(number >> 3),
				Slot: slotV1{Time: draw(), StartsAt: instant(), Closes: instant(), Shift: draw()},
				Turn: interval(), Occupied: interval(), ExpiresAt: instant(), Code: draw(), sealed: box,
				Tables: each(make([]struct{}, number%4), func(struct{}) domain.TableID { return domain.TableID(draw()) }),
				Wish:   wishV1{Table: domain.TableID(draw()), Area: draw()},
				Bound:  number%3 == 0, Online: number%5 == 0, Source: restaurantday.Source(draw()), Entry: number % 7,
				MovedFrom: domain.ReservationID(draw()), Override: domain.Code(draw()),
			}, plain)
			fastConfirmed.check(t, confirmedV1{Number: number, Staff: number%3 == 0}, true)
			fastCancelled.check(t, cancelledV1{
				Number: number, Diner: domain.UserID(draw()), By: restaurantday.CancelledBy(draw()), Late: number%3 == 0, Change: draw(), sealed: box,
			}, plain)
		})
	}
}

// TestInstantsOutOfRange: what has no four-digit year is written as domain writes it.
func TestInstantsOutOfRange(t *testing.T) {
	for _, i := range []domain.Instant{firstInstant - 1, lastInstant + 1} {
		if got, want := string(appendInstant(nil, i)), `"`+i.String()+`"`; got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

// FuzzScan: whatever the bytes, a scanner that takes them reads them as encoding/json does.
func FuzzScan(f *testing.F) {
	for _, text := range []string{
		`{"v":1,"decidedAt":"2026-11-21T19:00:00.000Z","commandId":"03040500-0000-0000-0000-0000000000FF","bodyHash":"AAAA","actor":{"kind":"diner","user":"usr_1"},"reason":"r","requestId":"q"}`,
		`{"v":1,"decidedAt":"2026-11-21T19:00:00.000Z","requestId":"q","role":"owner","apiKey":"k","process":"moves","cause":"e","correlation":"c"}`,
		`{"v":1,"decidedAt":"2026-11-21T19:00:00.000Z","role":"diner","correlation":""}`,
		`{"v":01,"decidedAt":"2026-02-28T23:00:00.000Z"}`,
		`{"v":1,"decidedAt":"2026-02-29T23:00:00.000Z"}`,
		`{"v":1,"decidedAt":"2026-00-01T23:00:00.000Z"}`,
		`{"v":1,"decidedAt":"2026-13-01T23:00:00.000Z"}`,
		`{"v":1,"decidedAt":"2026-01-00T23:00:00.000Z"}`,
		`{"v":1,"decidedAt":"2026-01-01T24:00:00.000Z"}`,
		`{"v":1,"decidedAt":"2026-01-01T23:60:00.000Z"}`,
		`{"v":1,"decidedAt":"2026-01-01T23:00:60.000Z"}`,
		`{"number":1,"diner":"usr_1","party":4,"slot":{"time":"19:00","startsAt":"2026-11-21T19:00:00.000Z","closes":"2024-02-29T23:59:59.999Z","shift":"D"},"turn":{"from":"2026-11-21T19:00:00.000Z","to":"2026-11-21T19:00:00.000Z"},"occupied":{"from":"2026-11-21T19:00:00.000Z","to":"2026-11-21T19:00:00.000Z"},"tables":["a","b"],"expiresAt":"2026-11-21T19:00:00.000Z","code":"K","source":"o","subject":"s","personal":"AA=="}`,
		`{"number":4294967296}`,
		`{"number":1,"diner":"","by":"diner","subject":"\u0041","personal":"A"}`,
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		fastMetadata.agrees(t, data)
		fastHeld.agrees(t, data)
		fastConfirmed.agrees(t, data)
		fastCancelled.agrees(t, data)
	})
}
