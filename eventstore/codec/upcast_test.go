package codec

import (
	"context"
	"encoding/json"
	"errors"
	"reflect"
	"testing"
	"time"

	"daybook/domain"
	"daybook/domain/restaurant"
	"daybook/domain/restaurantday"
	"daybook/eventstore"
)

// moved is an event whose form has come to its third version.
type moved struct {
	domain.Stamp
	Party domain.PartySize
	Guest string
}

type movedV3 struct {
	Party domain.PartySize `json:"party"`
	sealed
}

type movedPersonal struct {
	Guest string `json:"guest,omitempty"`
}

// movedForm is read from three versions: the first had "covers" and two names, the second
// "partySize" and two names.
func movedForm() *kind[moved, movedV3, movedPersonal] {
	rename := func(from, to string) upcaster {
		return func(clear, _ object) error {
			if clear[from] == nil {
				return errors.New("no " + from)
			}
			clear[to] = clear[from]
			delete(clear, from)
			return nil
		}
	}
	return &kind[moved, movedV3, movedPersonal]{
		name: "test.moved",
		upcasts: []upcaster{
			rename("covers", "partySize"),
			func(clear, personal object) error {
				if err := rename("partySize", "party")(clear, personal); err != nil || len(personal) == 0 {
					return err
				}
				var first, last string
				if err := errors.Join(json.Unmarshal(personal["first"], &first), json.Unmarshal(personal["last"], &last)); err != nil {
					return err
				}
				full, err := json.Marshal(first + " " + last)
				personal["guest"] = full
				return err
			},
		},
		to: func(e moved) (movedV3, movedPersonal) { return movedV3{Party: e.Party}, movedPersonal{e.Guest} },
		from: func(f movedV3, p movedPersonal, s domain.Stamp) moved {
			return moved{Stamp: s, Party: f.Party, Guest: p.Guest}
		},
		subject: func(eventstore.StreamName, moved) (string, error) { return string(testUser), nil },
		box:     func(f *movedV3) *sealed { return &f.sealed },
	}
}

func TestUpcasting(t *testing.T) {
	ctx := context.Background()
	c := newCodec(newMemoryKeys(), []form{movedForm()}, time.Now)
	at := place{stream: testDay, id: testID, eventType: "test.moved"}
	// written is an event as an older program would have left it.
	written := func(version int, clear, personal object) eventstore.Record {
		if personal != nil {
			plain, err := json.Marshal(personal)
			if err != nil {
				t.Fatal(err)
			}
			box, err := c.ring.seal(ctx, string(testUser), at, plain)
			if err != nil {
				t.Fatal(err)
			}
			clear["subject"], _ = json.Marshal(testUser)
			clear["personal"], _ = json.Marshal(box)
		}
		data, err := json.Marshal(clear)
		if err != nil {
			t.Fatal(err)
		}
		meta := appendMetadata(nil, version, &Metadata{DecidedAt: 5})
		return record(testDay, eventstore.Event{ID: testID, Type: at.eventType, Data: data, Metadata: meta})
	}
	raw := func(s string) json.RawMessage { return json.RawMessage(s) }
	names := object{"first": raw(`"Zoë"`), "last": raw(`"Quill"`)}
	v1 := written(1, object{"covers": raw(`4`)}, names)
	whole := moved{Stamp: domain.Stamp{At: 5}, Party: 4, Guest: "Zoë Quill"}
	unnamed := whole
	unnamed.Guest = ""
	for name, tc := range map[string]struct {
		record eventstore.Record
		want   any
	}{
		"from 1":         {v1, whole},
		"from 1, nobody": {written(1, object{"covers": raw(`4`)}, nil), unnamed},
		"from 2":         {written(2, object{"partySize": raw(`4`)}, names), whole},
		"as it is":       {written(3, object{"party": raw(`4`)}, object{"guest": raw(`"Zoë Quill"`)}), whole},
	} {
		got, err := c.Decode(ctx, tc.record)
		if want := (Decoded{Event: tc.want, Meta: Metadata{DecidedAt: 5}}); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got %+v, %v\nwant %+v", name, got, err, want)
		}
	}
	if e, err := c.Encode(ctx, testDay, testID, whole, Metadata{}); err != nil || string(e.Metadata) != `{"v":3,"decidedAt":"1970-01-01T00:00:00.005Z"}` {
		t.Errorf("encode: %s, %v", e.Metadata, err)
	}
	for name, tc := range map[string]struct {
		record eventstore.Record
		want   error
	}{
		"newer":                 {written(4, object{}, nil), ErrNewerVersion},
		"an up-caster refuses":  {written(1, object{"party": raw(`4`)}, nil), ErrCorrupt},
		"no object":             {eventstore.Record{Event: eventstore.Event{Type: at.eventType, Data: []byte(`[]`), Metadata: v1.Metadata}}, ErrCorrupt},
		"does not fit the form": {written(2, object{"partySize": raw(`"four"`)}, nil), ErrCorrupt},
	} {
		if got, err := c.Decode(ctx, tc.record); !errors.Is(err, tc.want) || got.Event != nil {
			t.Errorf("%s: got %+v, %v; want %v", name, got, err, tc.want)
		}
	}
	if err := c.Forget(ctx, string(testUser)); err != nil {
		t.Fatal(err)
	}
	got, err := c.Decode(ctx, v1)
	if want := (Decoded{Event: unnamed, Meta: Metadata{DecidedAt: 5}, Erased: true}); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("erased: got %+v, %v\nwant %+v", got, err, want)
	}
}

// TestOnceInClear: what older programs wrote for all to read is read, until whom it tells of
// is erased.
func TestOnceInClear(t *testing.T) {
	ctx := context.Background()
	c := New(newMemoryKeys())
	meta := appendMetadata(nil, 1, &Metadata{DecidedAt: 5})
	stamp := domain.Stamp{At: 5}
	joined := restaurantday.WaitlistJoined{Stamp: stamp, Entry: 4, Diner: testUser, Party: 2, Details: restaurantday.Details{Occasion: "birthday"}}
	block := restaurant.BlockAdded{Stamp: stamp, Block: restaurant.Block{ID: domain.NewBlockID([16]byte{12}), Reason: "for Zoë"}}
	forgotten, unsaid := joined, block
	forgotten.Details.Occasion, unsaid.Block.Reason = "", ""
	for _, tc := range []struct {
		eventType, data, subject string
		before, after            any
	}{
		{TypeWaitlistJoined, `{"entry":4,"diner":"` + string(testUser) + `","party":2,"from":"1970-01-01T00:00:00.000Z","to":"1970-01-01T00:00:00.000Z","occasion":"birthday"}`,
			string(testUser), joined, forgotten},
		{TypeRestaurantBlockAdded, `{"id":"` + string(block.Block.ID) + `","from":"00:00","to":"00:00","reason":"for Zoë"}`, string(testRestaurant), block, unsaid},
	} {
		r := record(testDay, eventstore.Event{ID: testID, Type: tc.eventType, Data: []byte(tc.data), Metadata: meta})
		if got, err := c.Decode(ctx, r); err != nil || got.Erased || !reflect.DeepEqual(got.Event, tc.before) {
			t.Errorf("%s: got %+v, %v\nwant %+v", tc.eventType, got, err, tc.before)
		}
		if err := c.Forget(ctx, tc.subject); err != nil {
			t.Fatal(err)
		}
		if got, err := c.Decode(ctx, r); err != nil || !got.Erased || !reflect.DeepEqual(got.Event, tc.after) {
			t.Errorf("%s, erased: got %+v, %v\nwant %+v", tc.eventType, got, err, tc.after)
		}
	}
}

func TestUnreadable(t *testing.T) {
	c := New(newMemoryKeys())
	meta := `{"v":1,"decidedAt":"2026-11-21T19:00:00.000Z"}`
	for name, tc := range map[string]struct {
		eventType, data, meta string
		want                  error
	}{
		"unknown type":        {"reservation.eaten", `{}`, meta, ErrUnknownType},
		"no data":             {TypeReservationConfirmed, ``, meta, ErrCorrupt},
		"other data":          {TypeReservationConfirmed, `{"number":"one"}`, meta, ErrCorrupt},
		"more after the data": {TypeReservationConfirmed, `{"number":1}{}`, meta, ErrCorrupt},
		"no metadata":         {TypeReservationConfirmed, `{"number":1}`, ``, ErrCorrupt},
		"no version":          {TypeReservationConfirmed, `{"number":1}`, `{}`, ErrCorrupt},
		"negative version":    {TypeReservationConfirmed, `{"number":1}`, `{"v":-1}`, ErrCorrupt},
		"no command id":       {TypeReservationConfirmed, `{"number":1}`, `{"v":1,"commandId":"03040500_0000-0000-0000-000000000000"}`, ErrCorrupt},
		"newer":               {TypeReservationConfirmed, `{"number":1}`, `{"v":2,"decidedAt":"2026-11-21T19:00:00.000Z"}`, ErrNewerVersion},
		"personal, nobody's":  {TypeReservationCancelled, `{"number":1,"by":"diner","personal":"AAAA"}`, meta, ErrCorrupt},
	} {
		r := record(testDay, eventstore.Event{ID: testID, Type: tc.eventType, Data: []byte(tc.data), Metadata: []byte(tc.meta)})
		if got, err := c.Decode(context.Background(), r); !errors.Is(err, tc.want) || !reflect.DeepEqual(got, Decoded{}) {
			t.Errorf("%s: got %+v, %v; want %v", name, got, err, tc.want)
		}
	}
	if _, err := c.Encode(context.Background(), testDay, testID, "no event", Metadata{}); !errors.Is(err, ErrUnknownType) {
		t.Errorf("encode: %v", err)
	}
}

// TestForeignSpacing: other tools may have written the JSON with spaces or in another
// order; it means the same.
func TestForeignSpacing(t *testing.T) {
	c := New(newMemoryKeys())
	r := record(testDay, eventstore.Event{
		ID: testID, Type: TypeReservationCancelled, Data: []byte("{ \"by\": \"diner\",\n \"number\": 3, \"later\": true }"),
		Metadata: []byte(`{ "decidedAt": "2026-11-21T20:00:00+01:00", "v": 1 }`),
	})
	got, err := c.Decode(context.Background(), r)
	at := domain.Instant(1_795_287_600_000)
	if err != nil || got.Event.(stamped).DecidedAt() != at || got.Meta.DecidedAt != at {
		t.Errorf("got %+v, %v", got, err)
	}
	if meta, err := DecodeMetadata(r); err != nil || !reflect.DeepEqual(meta, got.Meta) {
		t.Errorf("metadata alone: %+v, %v", meta, err)
	}
}
