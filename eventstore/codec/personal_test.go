package codec

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"daybook/domain"
	"daybook/domain/restaurant"
	"daybook/domain/restaurantday"
	"daybook/domain/user"
	"daybook/eventstore"
)

// inClear lists the texts of each event that stand in the ledger for all to read. Any
// other text of an event is personal: before a field is added here, somebody has asked
// whether it tells of a person.
var inClear = map[string][]string{
	TypeDayOpened: {
		"Restaurant", "Plan.Zone", "Plan.Slots[].Time", "Plan.Slots[].Shift",
		"Plan.Tables[].ID", "Plan.Tables[].Number", "Plan.Tables[].Area", "Plan.Policy.Assignment", "Plan.Shifts[].Name",
		"Plan.Combinations[].ID", "Plan.Combinations[].Tables[]", "Plan.Closure", "Plan.Blocks[].ID", "Plan.Blocks[].Tables[]",
	},
	TypeReservationHeld: {"Diner", "Slot.Time", "Slot.Shift", "Tables[]", "Code",
		"Wish.Table", "Wish.Area", "Source", "MovedFrom", "Override.Rule"},
	TypeReservationAmended: {"Diner", "Slot.Time", "Slot.Shift", "Tables[]", "Wish.Table", "Wish.Area", "Override.Rule", "Conflicts[].Code"},
	// The id that a booking has in another system is for nothing personal, as the mapping's page says.
	TypeReservationRecorded: {"Fact.Batch", "Fact.Source", "Fact.External", "Fact.Digest", "Fact.Named[]", "Status", "Slot.Time", "Slot.Shift",
		"Tables[]", "Code", "Conflicts[].Code"},
	TypeReservationWithdrawn:   {"Batch"},
	TypeReservationTablesMoved: {"Tables[]"},
	TypeReservationSeated:      {"Tables[]"},
	TypeReservationReinstated:  {"From", "To", "Tables[]", "Conflicts[].Code"},
	TypeActionUndone:           {"Kind"},
	TypeReservationMoveStarted: {"Time", "Move"},
	TypeReservationMoved:       {"To"},
	TypeReservationMoveAborted: {"Move", "Reason"},
	TypeWaitlistJoined:         {"Diner", "Wish.Table", "Wish.Area", "Code"},
	TypeWaitlistPassedOver:     {"Code"},
	TypeWaitlistLeft:           {"By", "Reason"},
	TypeDayPlanFenced:          {"Change", "Blocks[].ID", "Blocks[].Tables[]", "Combinations[]"},
	TypeDayPlanChanged: {"Change",
		"Plan.Zone", "Plan.Slots[].Time", "Plan.Slots[].Shift", "Plan.Tables[].ID", "Plan.Tables[].Number", "Plan.Tables[].Area",
		"Plan.Policy.Assignment", "Plan.Shifts[].Name", "Plan.Combinations[].ID", "Plan.Combinations[].Tables[]", "Plan.Closure",
		"Plan.Blocks[].ID", "Plan.Blocks[].Tables[]",
		"Settled[].Asked", "Settled[].Done", "Settled[].Code",
	},
	TypeReservationReassigned:    {"Tables[]"},
	TypeReservationCancelled:     {"Diner", "By", "Change"},
	TypeDemandRefused:            {"Code", "Time", "Wish.Table", "Wish.Area", "By", "Skip", "Slot.Time", "Slot.Shift"},
	TypeRestaurantRegistered:     append([]string{"ID", "Owner", "Policy.Assignment"}, profileInClear...),
	TypeRestaurantProfileChanged: profileInClear,
	TypeRestaurantHoursSet:       {"Shifts[].Name"},
	TypeRestaurantTableAdded:     {"Table.ID", "Table.Number", "Table.Area"},
	TypeRestaurantTableChanged:   {"Table.ID", "Table.Number", "Table.Area"},
	TypeRestaurantTableRemoved:   {"ID"},
	TypeRestaurantPolicySet:      {"Policy.Assignment"},
	TypeRestaurantSpecialDaySet:  {"Day.Name", "Day.Shifts[].Name"},
	// Reasons of closures are for guests to read.
	TypeRestaurantClosureAdded:       {"Closure.ID", "Closure.Reason"},
	TypeRestaurantClosureRemoved:     {"ID"},
	TypeRestaurantBlockAdded:         {"Block.ID", "Block.Tables[]"},
	TypeRestaurantBlockRemoved:       {"ID"},
	TypeRestaurantCombinationAdded:   {"Combination.ID", "Combination.Tables[]"},
	TypeRestaurantCombinationRemoved: {"ID"},
	TypeRestaurantBookingDecided:     {"BookingDecision.Reservation", "BookingDecision.Diner", "BookingDecision.Do"},
	TypeRestaurantPlanDecided:        {"Default"},
	TypeWebhookCreated:               {"ID", "Events[]", "Host"},
	TypeWebhookChanged:               {"ID", "Events[]", "Host"},
	TypeWebhookPaused:                {"ID", "Because"},
	TypeWebhookResumed:               {"ID"},
	TypeWebhookSecretRotated:         {"ID"},
	TypeWebhookReplayed:              {"ID"},
	TypeWebhookTestRequested:         {"ID"},
	TypeWebhookRemoved:               {"ID"},
	TypeRestaurantImportBegun:        {"Batch", "Source", "Digest"},
	TypeRestaurantImportEnded:        {"Batch", "Counts.Conflicts[].Code"},
	TypeRestaurantImportUndoBegun:    {"Batch"},
	TypeRestaurantImportUndone:       {"Batch"},
	TypeUserRegistered:               {"ID", "EmailHash", "Consents[]"},
	TypeEmailClaimed:                 {"User"},
}

// profileInClear: a restaurant shows its profile to everybody.
var profileInClear = []string{
	"Profile.Name", "Profile.Cuisine", "Profile.Address", "Profile.City", "Profile.State", "Profile.Zip", "Profile.TimeZone",
	"Profile.Features[]", "Profile.Description", "Profile.ContactEmail", "Profile.ContactPhone",
}

func TestPersonalDataIsNeverInClear(t *testing.T) {
	c := New(newMemoryKeys())
	for _, f := range allForms() {
		event := filled(t, f.goType())
		e, err := c.Encode(context.Background(), testDay, testID, event, testMeta)
		if err != nil {
			t.Fatal(err)
		}
		texts := map[string][]string{}
		collectTexts(reflect.ValueOf(event), "", texts)
		for path, values := range texts {
			clear := slices.Contains(inClear[f.typeName()], path)
			for _, v := range values {
				if got := bytes.Contains(slices.Concat(e.Data, e.Metadata), []byte(v)); got != clear {
					t.Errorf("%s: %s stands in clear: %t, want %t\n%s", f.typeName(), path, got, clear, e.Data)
				}
			}
		}
		for _, path := range inClear[f.typeName()] {
			if texts[path] == nil {
				t.Errorf("%s: no field %s", f.typeName(), path)
			}
		}
	}
}

func collectTexts(v reflect.Value, path string, into map[string][]string) {
	switch v.Kind() {
	case reflect.String:
		into[path] = append(into[path], v.String())
	case reflect.Struct:
		for i := range v.NumField() {
			collectTexts(v.Field(i), strings.TrimPrefix(path+"."+v.Type().Field(i).Name, "."), into)
		}
	case reflect.Slice, reflect.Array:
		for i := range v.Len() {
			collectTexts(v.Index(i), path+"[]", into)
		}
	case reflect.Pointer:
		collectTexts(v.Elem(), path, into)
	default: // no other kind holds text in an event
	}
}

func guestHeld() restaurantday.Held {
	e := plainHeld()
	e.Diner = ""
	e.Details = restaurantday.Details{Guest: restaurantday.Guest{Name: "Zoë"}, Notes: "window", Occasion: "birthday"}
	return e
}

// without is what is left of an event whose key is gone.
func without(e restaurantday.Held) restaurantday.Held {
	e.Details = restaurantday.Details{}
	return e
}

func TestSubjects(t *testing.T) {
	diner, plain := guestHeld(), plainHeld()
	diner.Diner = testUser
	rsv := string(domain.NewReservationID(testRestaurant, testDate, 117))
	for _, tc := range []struct {
		event any
		want  map[string]Key
	}{
		{guestHeld(), map[string]Key{rsv: {1}}},
		{diner, map[string]Key{string(testUser): {1}}},
		{plain, map[string]Key{}},
		{restaurantday.Cancelled{Number: 117, Reason: "ill"}, map[string]Key{rsv: {1}}},
		{restaurantday.Cancelled{Number: 117, Diner: testUser, Reason: "ill"}, map[string]Key{string(testUser): {1}}},
		{restaurantday.Cancelled{Number: 117}, map[string]Key{}},
		{restaurantday.WaitlistJoined{Entry: 4, Diner: testUser, Details: restaurantday.Details{Occasion: "birthday"}}, map[string]Key{string(testUser): {1}}},
		{restaurantday.Opened{Plan: restaurantday.Plan{Blocks: []restaurantday.Block{{}, {Reason: "for Zoë"}}}}, map[string]Key{string(testRestaurant): {1}}},
		{restaurantday.Opened{Plan: restaurantday.Plan{Blocks: []restaurantday.Block{{}}}}, map[string]Key{}},
		{restaurant.BlockAdded{Block: restaurant.Block{Reason: "for Zoë"}}, map[string]Key{string(testRestaurant): {1}}},
		{user.Registered{ID: testUser, PasswordHash: "x"}, map[string]Key{string(testUser): {1}}},
	} {
		keys := newMemoryKeys()
		e, err := New(keys).Encode(context.Background(), testDay, testID, tc.event, testMeta)
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(keys.keys, tc.want) {
			t.Errorf("%+v: keys %v, want %v", tc.event, keys.keys, tc.want)
		}
		if len(tc.want) == 0 && (keys.asked > 0 || bytes.Contains(e.Data, []byte("personal"))) {
			t.Errorf("nothing personal, yet keys were asked for %d times: %s", keys.asked, e.Data)
		}
	}
	for _, e := range []any{
		guestHeld(), restaurantday.Cancelled{Reason: "ill"}, user.Registered{Email: "a@b"}, restaurant.BlockAdded{Block: restaurant.Block{Reason: "for Zoë"}},
	} {
		if _, err := New(newMemoryKeys()).Encode(context.Background(), "elsewhere", testID, e, testMeta); !errors.Is(err, eventstore.ErrInvalid) {
			t.Errorf("%T of nobody: got %v, want ErrInvalid", e, err)
		}
	}
}

func TestErasure(t *testing.T) {
	ctx := context.Background()
	keys := newMemoryKeys()
	c := New(keys)
	e, err := c.Encode(ctx, testDay, testID, guestHeld(), testMeta)
	if err != nil {
		t.Fatal(err)
	}
	r := record(testDay, e)
	if got, err := c.Decode(ctx, r); err != nil || got.Erased || !reflect.DeepEqual(got.Event, guestHeld()) {
		t.Fatalf("before: %+v, %v", got, err)
	}
	rsv := string(domain.NewReservationID(testRestaurant, testDate, 117))
	if err := c.Forget(ctx, rsv); err != nil {
		t.Fatal(err)
	}
	for name, reader := range map[string]*Codec{"this codec": c, "another": New(keys), "one with other keys": New(newMemoryKeys())} {
		got, err := reader.Decode(ctx, r)
		if err != nil || !got.Erased || !reflect.DeepEqual(got.Event, without(guestHeld())) {
			t.Errorf("%s: got %+v, %v", name, got, err)
		}
	}
	if _, err := c.Encode(ctx, testDay, testID, guestHeld(), testMeta); !errors.Is(err, ErrErased) {
		t.Errorf("encode for an erased subject: %v", err)
	}
	keys.fail = errors.New("the store is away")
	if err := c.Forget(ctx, "somebody"); !errors.Is(err, keys.fail) {
		t.Errorf("forget without a key store: %v", err)
	}
}

// TestKeyStoreFailure: a store that cannot answer is no proof that somebody was erased.
func TestKeyStoreFailure(t *testing.T) {
	ctx := context.Background()
	keys := newMemoryKeys()
	e, err := New(keys).Encode(ctx, testDay, testID, guestHeld(), testMeta)
	if err != nil {
		t.Fatal(err)
	}
	c := New(keys)
	keys.fail = context.DeadlineExceeded
	if got, err := c.Decode(ctx, record(testDay, e)); !errors.Is(err, context.DeadlineExceeded) || got.Erased {
		t.Errorf("decode: %+v, %v", got, err)
	}
	if _, err := c.Encode(ctx, testDay, testID, guestHeld(), testMeta); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("encode: %v", err)
	}
	keys.fail = nil
	if got, err := c.Decode(ctx, record(testDay, e)); err != nil || got.Erased || !reflect.DeepEqual(got.Event, guestHeld()) {
		t.Errorf("once it is back: %+v, %v", got, err)
	}
}

func TestKeysAreRemembered(t *testing.T) {
	ctx := context.Background()
	keys := newMemoryKeys()
	now := time.Unix(0, 0)
	c := newCodec(keys, allForms(), func() time.Time { return now })
	e, err := c.Encode(ctx, testDay, testID, guestHeld(), testMeta)
	if err != nil {
		t.Fatal(err)
	}
	decode := func() Decoded {
		t.Helper()
		got, err := c.Decode(ctx, record(testDay, e))
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	for range 100 {
		decode()
	}
	if keys.asked != 1 {
		t.Errorf("the key store was asked %d times, want 1", keys.asked)
	}
	// Another process drops the key: this one finds out when its memory is too old.
	rsv := string(domain.NewReservationID(testRestaurant, testDate, 117))
	if err := keys.Drop(ctx, rsv); err != nil {
		t.Fatal(err)
	}
	now = now.Add(ringAge - 1)
	if decode().Erased {
		t.Error("forgot a key too early")
	}
	now = now.Add(1)
	if !decode().Erased {
		t.Error("used a key for longer than ringAge")
	}
	asked := keys.asked
	now = now.Add(100 * ringAge)
	if !decode().Erased || keys.asked != asked {
		t.Errorf("erased is for ever, yet the key store was asked %d times again", keys.asked-asked)
	}
}

func TestRingIsBounded(t *testing.T) {
	ctx := context.Background()
	keys := newMemoryKeys()
	r := newRing(keys, time.Now)
	seal := func(i int) {
		if _, err := r.seal(ctx, fmt.Sprint(i), place{}, nil); err != nil {
			t.Fatal(err)
		}
	}
	for i := range ringSize + 50 {
		seal(i)
		seal(0) // stays in use
	}
	if len(r.known) != ringSize || r.used.Len() != ringSize {
		t.Errorf("remembers %d and %d, want %d", len(r.known), r.used.Len(), ringSize)
	}
	if want := ringSize + 50; keys.asked != want {
		t.Errorf("the key store was asked %d times, want %d: what is in use must not be forgotten", keys.asked, want)
	}
}

// droppingKeys drops a subject's key just after it was read.
type droppingKeys struct {
	*memoryKeys
	then func(subject string)
}

func (k droppingKeys) Get(ctx context.Context, subject string) (Key, error) {
	key, err := k.memoryKeys.Get(ctx, subject)
	k.then(subject)
	return key, err
}

// TestDropDuringLookup: a key read before a drop must not be remembered after it.
func TestDropDuringLookup(t *testing.T) {
	ctx := context.Background()
	keys := newMemoryKeys()
	e, err := New(keys).Encode(ctx, testDay, testID, guestHeld(), testMeta)
	if err != nil {
		t.Fatal(err)
	}
	var c *Codec
	c = New(droppingKeys{keys, func(subject string) {
		if err := c.Forget(ctx, subject); err != nil {
			t.Error(err)
		}
	}})
	for range 2 {
		if _, err := c.Decode(ctx, record(testDay, e)); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := c.Decode(ctx, record(testDay, e)); err != nil || !got.Erased {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestCiphertextIsBoundToItsPlace(t *testing.T) {
	ctx := context.Background()
	c := New(newMemoryKeys())
	diner := guestHeld()
	diner.Diner = testUser
	e, err := c.Encode(ctx, testDay, testID, diner, testMeta)
	if err != nil {
		t.Fatal(err)
	}
	same := record(testDay, e)
	otherStream, otherID, otherType, tampered := same, same, same, same
	otherStream.Stream = DayStream(testRestaurant, testDate+1)
	otherID.ID = EventID(testDay, [16]byte{3}, 1)
	otherType.Type = TypeReservationAmended
	i := bytes.Index(e.Data, []byte(`"personal":"`)) + 60
	tampered.Data = bytes.Clone(e.Data)
	if tampered.Data[i]++; tampered.Data[i] == '"' {
		t.Fatal("hit a quote")
	}
	if _, err := c.Decode(ctx, same); err != nil {
		t.Fatal(err)
	}
	for name, r := range map[string]eventstore.Record{"stream": otherStream, "id": otherID, "type": otherType, "bytes": tampered} {
		if got, err := c.Decode(ctx, r); !errors.Is(err, ErrCorrupt) || got.Erased {
			t.Errorf("other %s: got %+v, %v; want ErrCorrupt", name, got, err)
		}
	}
	// The same event sealed twice differs: the nonce is random.
	again, err := c.Encode(ctx, testDay, testID, diner, testMeta)
	if err != nil || bytes.Equal(again.Data, e.Data) {
		t.Errorf("sealed twice alike (%v): %s", err, again.Data)
	}
}
