package codec

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"daybook/domain"
	"daybook/domain/restaurant"
	"daybook/domain/restaurantday"
	"daybook/domain/user"
	"daybook/domain/webhook"
	"daybook/eventstore"
)

// goldenEnv set to "write" writes golden files that are missing. It overwrites none: a
// golden file is what ledgers hold.
const goldenEnv = "DAYBOOK_GOLDEN"

// golden is one event as it stands in a ledger, and what it must be read as, for ever.
type golden struct {
	file    string // type, then version, then what else sets it apart
	version int    // of the form; an older one is read only
	stream  eventstore.StreamName
	event   any
}

func goldens() []golden {
	stamp := domain.Stamp{At: 1_795_201_200_123}
	at := domain.Instant(1_795_287_600_000)
	email := EmailStream([32]byte{0xab})
	table := restaurantday.Table{ID: domain.NewTableID([16]byte{9}), Number: "12", Min: 2, Max: 4, Area: "terrace"}
	policy := restaurantday.Policy{
		HoldMinutes: 10, HorizonDays: 60, NoticeMinutes: 30, BufferMinutes: 15, PacingCovers: 24,
		Turns: []restaurantday.TurnTime{{UpToParty: 2, Minutes: 90}, {UpToParty: 500, Minutes: 120}},
	}
	offline := restaurantday.Table{ID: domain.NewTableID([16]byte{10}), Number: "13", Min: 1, Max: 4, OfflineOnly: true}
	late := policy
	late.CancelMinutes, late.WaitlistOfferMinutes, late.Assignment = 1440, 15, restaurantday.LateBinding
	slot := restaurantday.Slot{Time: "19:00", StartsAt: at, Closes: at.AddMinutes(300), Shift: "Dinner"}
	profile := restaurant.Profile{
		Name: "Chez Œuf & Söhne", Cuisine: "French", Address: "1 Quay St", City: "Portland", State: "OR", Zip: "97201",
		Location: &restaurant.Location{Lat: 45.5231, Lng: -122.6765}, TimeZone: "America/Los_Angeles", PriceLevel: 3,
		Features: []string{"terrace", "wheelchair"}, Description: "Eggs <all day>", ContactEmail: "hello@example.com", ContactPhone: "+15035550100",
	}
	held := restaurantday.Held{
		Stamp: stamp, Number: 117, Diner: testUser, Party: 4, Slot: slot,
		Turn: domain.Interval{From: at, To: at.AddMinutes(120)}, Occupied: domain.Interval{From: at, To: at.AddMinutes(135)},
		Tables: []domain.TableID{table.ID}, ExpiresAt: stamp.At.AddMinutes(10), Code: "K7WQ2M",
	}
	told, guest := held, held
	told.Details = restaurantday.Details{Notes: "a quiet corner", SpecialRequests: "one high chair", Occasion: "birthday"}
	guest.Diner = ""
	guest.Details = restaurantday.Details{Guest: restaurantday.Guest{Name: "Zoë Quill", Email: "zoe@example.com", Phone: "+15035550101"}}
	walkIn, amended := told, restaurantday.Amended{
		Stamp: stamp, Number: 117, Diner: testUser, Party: 3, Slot: slot,
		Turn: domain.Interval{From: at, To: at.AddMinutes(120)}, Occupied: domain.Interval{From: at, To: at.AddMinutes(135)},
		Tables: []domain.TableID{table.ID}, Wish: restaurantday.Wish{Area: "terrace"}, Bound: true, Staff: true,
		Override: restaurantday.Override{Rule: domain.CodePacingFull, Reason: "the kitchen agreed"},
	}
	walkIn.Wish, walkIn.Bound, walkIn.Source, walkIn.Entry = restaurantday.Wish{Table: table.ID, Area: "terrace"}, true, restaurantday.SourceWalkIn, 4
	walkIn.Override, walkIn.Online = restaurantday.Override{Rule: domain.CodeOutsideHours, Reason: "old friends"}, true
	walkIn.MovedFrom = domain.NewReservationID(testRestaurant, testDate-1, 9)
	details := amended
	details.Told, details.Details = true, told.Details
	joined := restaurantday.WaitlistJoined{
		Stamp: stamp, Entry: 4, Diner: testUser, Party: 4, From: at, To: at.AddMinutes(120), Wish: restaurantday.Wish{Area: "terrace"},
		Online: true, Code: "K7WQ2M",
	}
	atTheDoor := joined
	atTheDoor.Diner, atTheDoor.Online, atTheDoor.WalkIn, atTheDoor.Quoted = "", false, true, at.AddMinutes(35)
	atTheDoor.Details = guest.Details
	hook, hooks := domain.NewWebhookID([16]byte{15}), WebhooksStream(testRestaurant)
	fact := restaurantday.Recorded{
		Stamp: stamp, Number: 117, Status: restaurantday.StatusConfirmed, Party: 6, Slot: slot, Turn: held.Turn, Occupied: held.Occupied,
		Fact: restaurantday.Fact{
			Batch: "march", Run: 2, Source: "old-book", External: "R-4711", Digest: "9c1e", MadeAt: stamp.At - 86_400_000, Named: []string{"12", "40"},
		},
		Tables: []domain.TableID{table.ID}, Bound: true, Code: "K7WQ2M",
		Conflicts: []restaurantday.Conflict{
			{Code: domain.CodeTableUnknown}, {Code: domain.CodePacingFull, Limit: 24, Actual: 28, Entries: []uint32{3, 9}},
		},
	}
	factTold, factAmended := fact, amended
	factTold.Status, factTold.FreedAt, factTold.Conflicts = restaurantday.StatusCompleted, at.AddMinutes(120), nil
	factTold.Details = restaurantday.Details{Guest: guest.Details.Guest, Notes: "a quiet corner", Occasion: "birthday"}
	factAmended.Conflicts = fact.Conflicts
	all := []golden{
		{"day.opened.v1", 1, testDay, restaurantday.Opened{Stamp: stamp, Restaurant: testRestaurant, Date: testDate, Plan: restaurantday.Plan{
			Revision: 5, Zone: "America/Los_Angeles", Slots: []restaurantday.Slot{slot}, Tables: []restaurantday.Table{table},
			Policy: policy, BookableFrom: at - 60*86_400_000,
		}}},
		{"day.opened.v1.whole", 1, testDay, restaurantday.Opened{Stamp: stamp, Restaurant: testRestaurant, Date: testDate, Plan: restaurantday.Plan{
			Revision: 9, Zone: "America/Los_Angeles", Slots: []restaurantday.Slot{slot}, Tables: []restaurantday.Table{table, offline},
			Policy: late, BookableFrom: at - 60*86_400_000,
			Shifts: []restaurantday.ShiftPlan{{Name: "Dinner", Turns: []restaurantday.TurnTime{{UpToParty: 500, Minutes: 150}}, PacingCovers: 12}},
			Combinations: []restaurantday.Combination{{
				ID: domain.NewCombinationID([16]byte{11}), Tables: []domain.TableID{table.ID, offline.ID}, Min: 5, Max: 8,
			}},
			Blocks: []restaurantday.Block{{
				ID: domain.NewBlockID([16]byte{12}), Tables: []domain.TableID{offline.ID},
				During: domain.Interval{From: at, To: at.AddMinutes(90)}, Reason: "a wobbly leg",
			}, {ID: domain.NewBlockID([16]byte{13}), During: domain.Interval{From: at.AddMinutes(180), To: at.AddMinutes(240)}}},
		}}},
		{"day.opened.v1.closed", 1, testDay, restaurantday.Opened{Stamp: stamp, Restaurant: testRestaurant, Date: testDate, Plan: restaurantday.Plan{
			Revision: 9, Zone: "America/Los_Angeles", Tables: []restaurantday.Table{table}, Policy: policy,
			BookableFrom: at - 60*86_400_000, Closure: "summer holidays",
		}}},
		{"reservation.held.v1", 1, testDay, held},
		{"reservation.held.v1.personal", 1, testDay, told},
		{"reservation.held.v1.guest", 1, testDay, guest},
		{"reservation.reassigned.v1", 1, testDay, restaurantday.Reassigned{
			Stamp: stamp, Number: 117, Tables: []domain.TableID{table.ID, offline.ID}, For: 118,
		}},
		{"reservation.confirmed.v1", 1, testDay, restaurantday.Confirmed{Stamp: stamp, Number: 117}},
		{"reservation.cancelled.v1", 1, testDay, restaurantday.Cancelled{Stamp: stamp, Number: 117, Diner: testUser, By: restaurantday.ByDiner}},
		{"reservation.cancelled.v1.reason", 1, testDay, restaurantday.Cancelled{Stamp: stamp, Number: 117, By: restaurantday.ByRestaurant, Reason: "caught a cold"}},
		{"reservation.expired.v1", 1, testDay, restaurantday.Expired{Stamp: stamp, Number: 117, LapsedAt: stamp.At - 1000}},
		{"reservation.held.v1.whole", 1, testDay, walkIn},
		{"reservation.confirmed.v1.followed", 1, testDay, restaurantday.Confirmed{Stamp: stamp, Number: 117}},
		{"reservation.confirmed.v1.staff", 1, testDay, restaurantday.Confirmed{Stamp: stamp, Number: 117, Staff: true}},
		{"reservation.cancelled.v1.late", 1, testDay, restaurantday.Cancelled{
			Stamp: stamp, Number: 117, By: restaurantday.ByRestaurant, Late: true, Change: "new-hours",
		}},
		{"reservation.hold_extended.v1", 1, testDay, restaurantday.HoldExtended{Stamp: stamp, Number: 117, ExpiresAt: at}},
		{"reservation.amended.v1", 1, testDay, amended},
		{"reservation.amended.v1.personal", 1, testDay, details},
		{"reservation.tables_moved.v1", 1, testDay, restaurantday.TablesMoved{Stamp: stamp, Number: 117, Tables: []domain.TableID{offline.ID}}},
		{"reservation.pinned.v1", 1, testDay, restaurantday.Pinned{Stamp: stamp, Number: 117}},
		{"reservation.unpinned.v1", 1, testDay, restaurantday.Unpinned{Stamp: stamp, Number: 117}},
		{"reservation.seated.v1", 1, testDay, restaurantday.Seated{
			Stamp: stamp, Number: 117, Covers: 2, Tables: []domain.TableID{table.ID}, Occupied: held.Occupied,
		}},
		{"reservation.completed.v1", 1, testDay, restaurantday.Completed{Stamp: stamp, Number: 117, FreedAt: at.AddMinutes(70)}},
		{"reservation.no_show.v1", 1, testDay, restaurantday.NoShow{Stamp: stamp, Number: 117}},
		{"reservation.reinstated.v1", 1, testDay, restaurantday.Reinstated{
			Stamp: stamp, Number: 117, From: restaurantday.StatusCompleted, To: restaurantday.StatusSeated, Covers: 2,
			Tables: []domain.TableID{table.ID}, Bound: true, Turn: held.Turn, Occupied: held.Occupied,
		}},
		{"reservation.reinstated.v1.pending", 1, testDay, restaurantday.Reinstated{
			Stamp: stamp, Number: 117, From: restaurantday.StatusConfirmed, To: restaurantday.StatusPending,
			Tables: []domain.TableID{table.ID}, Turn: held.Turn, Occupied: held.Occupied, ExpiresAt: at,
		}},
		{"reservation.move_started.v1", 1, testDay, restaurantday.MoveStarted{
			Stamp: stamp, Number: 117, To: testDate + 1, Time: "19:00", StartsAt: at + 86_400_000, Party: 6, Move: "m-1",
		}},
		{"reservation.moved.v1", 1, testDay, restaurantday.Moved{Stamp: stamp, Number: 117, To: domain.NewReservationID(testRestaurant, testDate+1, 3)}},
		{"reservation.move_aborted.v1", 1, testDay, restaurantday.MoveAborted{Stamp: stamp, Number: 117, Move: "m-1", Reason: domain.CodeNoTable}},
		{"action.undone.v1", 1, testDay, restaurantday.Undone{Stamp: stamp, Number: 117, Action: 12, Kind: restaurantday.ActionSeat}},
		{"waitlist.joined.v1", 1, testDay, joined},
		{"waitlist.joined.v1.walk_in", 1, testDay, atTheDoor},
		{"waitlist.offered.v1", 1, testDay, restaurantday.WaitlistOffered{Stamp: stamp, Entry: 4, Number: 118, ExpiresAt: at}},
		{"waitlist.passed_over.v1", 1, testDay, restaurantday.WaitlistPassedOver{Stamp: stamp, Entry: 3, For: 4, Code: domain.CodeNoTable}},
		{"waitlist.left.v1", 1, testDay, restaurantday.WaitlistLeft{Stamp: stamp, Entry: 4, By: restaurantday.ByDiner, Reason: restaurantday.LeftDeclined}},
		{"day.plan_fenced.v1", 1, testDay, restaurantday.PlanFenced{
			Stamp: stamp, Change: "new-hours", Slots: []domain.Instant{at},
			Blocks: []restaurantday.Block{{ID: domain.NewBlockID([16]byte{12}), Tables: []domain.TableID{offline.ID}, During: held.Occupied}},
		}},
		{"day.plan_changed.v1", 1, testDay, restaurantday.PlanChanged{Stamp: stamp, Change: "new-hours", Kept: []uint32{117}, Plan: restaurantday.Plan{
			Revision: 12, Zone: "America/Los_Angeles", Slots: []restaurantday.Slot{slot}, Tables: []restaurantday.Table{table},
			Policy: policy, BookableFrom: at - 60*86_400_000,
		}}},
		{"day.plan_fenced.v1.revision", 1, testDay, restaurantday.PlanFenced{
			Stamp: stamp, Change: "12", Revision: 12, Slots: []domain.Instant{at}, Combinations: []domain.CombinationID{domain.NewCombinationID([16]byte{11})},
		}},
		{"day.plan_changed.v1.settled", 1, testDay, restaurantday.PlanChanged{
			Stamp: stamp, Change: "12", Kept: []uint32{117, 118},
			Plan: restaurantday.Plan{Revision: 12, Zone: "America/Los_Angeles", Tables: []restaurantday.Table{table}, Policy: policy, Closure: "Summer holidays"},
			Settled: []restaurantday.Settlement{
				{Number: 117, Asked: restaurantday.Keep, Done: restaurantday.Keep, Code: domain.CodeClosed},
				{Number: 118, Done: restaurantday.Keep, Code: domain.CodeNoTable, NoTable: true},
			},
		}},
		{"reservation.amended.v1.conflicts", 1, testDay, factAmended},
		{"reservation.reinstated.v1.conflicts", 1, testDay, restaurantday.Reinstated{
			Stamp: stamp, Number: 117, From: restaurantday.StatusCancelled, To: restaurantday.StatusConfirmed, Turn: held.Turn, Occupied: held.Occupied,
			Conflicts: fact.Conflicts,
		}},
		{"reservation.recorded.v1", 1, testDay, fact},
		{"reservation.recorded.v1.personal", 1, testDay, factTold},
		{"reservation.withdrawn.v1", 1, testDay, restaurantday.Withdrawn{Stamp: stamp, Number: 117, Batch: "march", Forced: true}},
		{"restaurant.import_begun.v1", 1, RestaurantStream(testRestaurant), restaurant.ImportBegun{
			Stamp: stamp, Batch: "march", Source: "old-book", Digest: "5f2a", Run: 2, Rows: 120, Dates: []domain.ServiceDate{testDate, testDate + 1},
		}},
		{"restaurant.import_ended.v1", 1, RestaurantStream(testRestaurant), restaurant.ImportEnded{
			Stamp: stamp, Batch: "march", Run: 2, Counts: restaurant.ImportCounts{
				Recorded: 110, Known: 4, Changed: 1, Bad: 3, Skipped: 2, Conflicts: []restaurant.ConflictCount{{Code: domain.CodeNoTable, N: 5}},
			},
		}},
		{"restaurant.import_undo_begun.v1", 1, RestaurantStream(testRestaurant), restaurant.ImportUndoBegun{Stamp: stamp, Batch: "march", Force: true}},
		{"restaurant.import_undone.v1", 1, RestaurantStream(testRestaurant), restaurant.ImportUndone{Stamp: stamp, Batch: "march", Withdrawn: 108, Kept: 2}},
		{"demand.refused.v1", 1, DemandStream(testRestaurant, testDate), restaurantday.Refused{
			Stamp: stamp, Code: domain.CodeNoTable, Party: 6, Time: "19:00", StartsAt: at, Seen: 41,
		}},
		{"demand.refused.v1.wish", 1, DemandStream(testRestaurant, testDate), restaurantday.Refused{
			Stamp: stamp, Code: domain.CodeNoTable, Party: 6, StartsAt: at, Seen: 41,
			Wish: restaurantday.Wish{Table: table.ID, Area: "terrace"}, By: domain.ActorStaff, Skip: domain.CodePacingFull,
		}},
		{"demand.refused.v1.slot", 1, DemandStream(testRestaurant, testDate), restaurantday.Refused{
			Stamp: stamp, Code: domain.CodeNoTable, Party: 6, Time: "19:00", Seen: 41, By: domain.ActorDiner, Slot: slot,
		}},
		{"restaurant.registered.v1", 1, RestaurantStream(testRestaurant), restaurant.Registered{
			Stamp: stamp, ID: testRestaurant, Owner: testUser, Profile: profile, DayBoundary: 300, Policy: policy,
		}},
		{"restaurant.profile_changed.v1", 1, RestaurantStream(testRestaurant), restaurant.ProfileChanged{Stamp: stamp, Profile: profile}},
		{"restaurant.hours_set.v1", 1, RestaurantStream(testRestaurant), restaurant.HoursSet{Stamp: stamp, DayBoundary: 300, Shifts: []restaurant.Shift{{
			Days: restaurant.On(time.Friday, time.Saturday), Name: "Dinner", Opens: 1050, LastSeating: 30, Closes: 120, SlotMinutes: 15,
		}}}},
		{"restaurant.table_added.v1", 1, RestaurantStream(testRestaurant), restaurant.TableAdded{Stamp: stamp, Table: table}},
		{"restaurant.table_changed.v1", 1, RestaurantStream(testRestaurant), restaurant.TableChanged{Stamp: stamp, Table: table}},
		{"restaurant.table_removed.v1", 1, RestaurantStream(testRestaurant), restaurant.TableRemoved{Stamp: stamp, ID: table.ID}},
		{"restaurant.policy_set.v1", 1, RestaurantStream(testRestaurant), restaurant.PolicySet{Stamp: stamp, Policy: policy}},
		{"restaurant.table_added.v1.offline", 1, RestaurantStream(testRestaurant), restaurant.TableAdded{Stamp: stamp, Table: offline}},
		{"restaurant.policy_set.v1.late", 1, RestaurantStream(testRestaurant), restaurant.PolicySet{Stamp: stamp, Policy: late}},
		{"restaurant.hours_set.v1.own", 1, RestaurantStream(testRestaurant), restaurant.HoursSet{Stamp: stamp, DayBoundary: 300, Shifts: []restaurant.Shift{{
			Days: restaurant.On(time.Sunday), Name: "Brunch", Opens: 600, LastSeating: 780, Closes: 900, SlotMinutes: 30,
			Turns: []restaurantday.TurnTime{{UpToParty: 500, Minutes: 75}}, PacingCovers: 16,
		}}}},
		{"restaurant.special_day_set.v1", 1, RestaurantStream(testRestaurant), restaurant.SpecialDaySet{Stamp: stamp, Day: restaurant.SpecialDay{
			Date: testDate, Name: "New Year's Eve", Shifts: []restaurant.Shift{{
				Name: "Menu", Opens: 1140, LastSeating: 1200, Closes: 60, SlotMinutes: 60,
				Turns: []restaurantday.TurnTime{{UpToParty: 500, Minutes: 360}}, PacingCovers: 40,
			}},
		}}},
		{"restaurant.special_day_set.v1.closed", 1, RestaurantStream(testRestaurant), restaurant.SpecialDaySet{
			Stamp: stamp, Day: restaurant.SpecialDay{Date: testDate},
		}},
		{"restaurant.special_day_removed.v1", 1, RestaurantStream(testRestaurant), restaurant.SpecialDayRemoved{Stamp: stamp, Date: testDate}},
		{"restaurant.closure_added.v1", 1, RestaurantStream(testRestaurant), restaurant.ClosureAdded{Stamp: stamp, Closure: restaurant.Closure{
			ID: domain.NewClosureID([16]byte{14}), From: testDate, To: testDate + 13, Reason: "summer holidays",
		}}},
		{"restaurant.closure_removed.v1", 1, RestaurantStream(testRestaurant), restaurant.ClosureRemoved{Stamp: stamp, ID: domain.NewClosureID([16]byte{14})}},
		{"restaurant.block_added.v1", 1, RestaurantStream(testRestaurant), restaurant.BlockAdded{Stamp: stamp, Block: restaurant.Block{
			ID: domain.NewBlockID([16]byte{12}), Tables: []domain.TableID{offline.ID}, Date: testDate, From: 1140, To: 30, Reason: "a wobbly leg",
		}}},
		{"restaurant.block_added.v1.floor", 1, RestaurantStream(testRestaurant), restaurant.BlockAdded{Stamp: stamp, Block: restaurant.Block{
			ID: domain.NewBlockID([16]byte{13}), Date: testDate, From: 1080, To: 1140,
		}}},
		{"restaurant.block_removed.v1", 1, RestaurantStream(testRestaurant), restaurant.BlockRemoved{Stamp: stamp, ID: domain.NewBlockID([16]byte{12})}},
		{"restaurant.combination_added.v1", 1, RestaurantStream(testRestaurant), restaurant.CombinationAdded{Stamp: stamp, Combination: restaurantday.Combination{
			ID: domain.NewCombinationID([16]byte{11}), Tables: []domain.TableID{table.ID, offline.ID}, Min: 5, Max: 8,
		}}},
		{"restaurant.combination_removed.v1", 1, RestaurantStream(testRestaurant), restaurant.CombinationRemoved{
			Stamp: stamp, ID: domain.NewCombinationID([16]byte{11}),
		}},
		{"restaurant.booking_decided.v1", 1, RestaurantStream(testRestaurant), restaurant.BookingDecided{Stamp: stamp, BookingDecision: restaurant.BookingDecision{
			Reservation: domain.NewReservationID(testRestaurant, testDate, 117), Do: restaurantday.Relocate,
		}}},
		{"restaurant.booking_decided.v1.message", 1, RestaurantStream(testRestaurant), restaurant.BookingDecided{Stamp: stamp, BookingDecision: restaurant.BookingDecision{
			Reservation: domain.NewReservationID(testRestaurant, testDate, 117), Diner: testUser, Do: restaurantday.CallOff, Message: "Dear Zoë, a pipe burst.",
		}}},
		{"restaurant.plan_decided.v1", 1, RestaurantStream(testRestaurant), restaurant.PlanDecided{
			Stamp: stamp, Days: []restaurant.DaySeen{{Date: testDate, Revision: 41}}, Default: restaurantday.Keep,
		}},
		{"restaurant.published.v1", 1, RestaurantStream(testRestaurant), restaurant.Published{Stamp: stamp}},
		{"webhook.created.v1", 1, hooks, webhook.Created{
			Stamp: stamp, ID: hook, Host: "hooks.example.com", URL: "https://hooks.example.com/in?token=abc", Secret: "whsec_c2VjcmV0",
		}},
		{"webhook.created.v1.whole", 1, hooks, webhook.Created{
			Stamp: stamp, ID: hook, After: new(uint64), Events: []string{"day.", "reservation."}, Personal: true, Host: "hooks.example.com",
			URL: "https://hooks.example.com/in", Description: "the till", Secret: "whsec_c2VjcmV0",
		}},
		{"webhook.changed.v1", 1, hooks, webhook.Changed{
			Stamp: stamp, ID: hook, Events: []string{"reservation.held"}, Personal: true, Host: "hooks.example.com",
			URL: "https://hooks.example.com/in", Description: "the till",
		}},
		{"webhook.paused.v1", 1, hooks, webhook.Paused{Stamp: stamp, ID: hook, Because: webhook.BecauseFailing}},
		{"webhook.resumed.v1", 1, hooks, webhook.Resumed{Stamp: stamp, ID: hook}},
		{"webhook.secret_rotated.v1", 1, hooks, webhook.SecretRotated{Stamp: stamp, ID: hook, OldUntil: at, Secret: "whsec_bmV3"}},
		{"webhook.replayed.v1", 1, hooks, webhook.Replayed{Stamp: stamp, ID: hook, After: 41}},
		{"webhook.test_requested.v1", 1, hooks, webhook.TestRequested{Stamp: stamp, ID: hook}},
		{"webhook.removed.v1", 1, hooks, webhook.Removed{Stamp: stamp, ID: hook}},
		{"user.registered.v1", 1, UserStream(testUser), user.Registered{
			Stamp: stamp, ID: testUser, EmailHash: string(email)[len(EmailPrefix):], Email: "zoe@example.com", FirstName: "Zoë", LastName: "Quill",
			Phone: "+15035550101", PasswordHash: "$argon2id$v=19$m=65536,t=1,p=2$c2FsdA$aGFzaA", Consents: []user.Consent{"marketing"},
		}},
		{"user.logged_in.v1", 1, UserStream(testUser), user.LoggedIn{Stamp: stamp}},
		{"email.claimed.v1", 1, email, user.Claimed{Stamp: stamp, User: testUser}},
	}
	// What the second versions no longer have in clear is sealed in them: they say the same.
	for _, g := range all {
		switch g.event.(type) {
		case restaurantday.Held, restaurantday.Amended, restaurantday.Recorded, restaurantday.WaitlistJoined,
			restaurantday.Opened, restaurantday.PlanFenced, restaurantday.PlanChanged, restaurant.BlockAdded:
			all = append(all, golden{strings.Replace(g.file, ".v1", ".v2", 1), 2, g.stream, g.event})
		}
	}
	return all
}

// meta is what stands beside the event.
func (g golden) meta() Metadata {
	if strings.HasSuffix(g.file, ".followed") {
		return fullMeta
	}
	return testMeta
}

// ledgerEntry is a golden file's content.
type ledgerEntry struct {
	Stream   eventstore.StreamName `json:"stream"`
	ID       string                `json:"id"`
	Type     string                `json:"type"`
	Data     json.RawMessage       `json:"data"`
	Metadata json.RawMessage       `json:"metadata"`
}

func TestGolden(t *testing.T) {
	for _, g := range goldens() {
		t.Run(g.file, func(t *testing.T) {
			path := filepath.Join("testdata", g.file+".json")
			// Keys and nonces are fixed here, so that the ciphertexts are too.
			keys := newMemoryKeys()
			c := New(keys)
			c.ring.random = bytes.NewReader([]byte("twelve bytes"))
			id := EventID(g.stream, testMeta.CommandID, 0)
			e, err := c.Encode(context.Background(), g.stream, id, g.event, g.meta())
			if err != nil {
				t.Fatal(err)
			}
			today, err := json.MarshalIndent(ledgerEntry{g.stream, id.String(), e.Type, e.Data, e.Metadata}, "", "  ")
			if err != nil {
				t.Fatal(err)
			}
			today = append(today, '\n')
			written, err := os.ReadFile(path)
			if os.IsNotExist(err) && os.Getenv(goldenEnv) == "write" {
				written, err = today, os.WriteFile(path, today, 0o644)
			}
			if err != nil {
				t.Fatalf("%v\nwrite it with %s=write and keep it for ever", err, goldenEnv)
			}
			var entry ledgerEntry
			if err := json.Unmarshal(written, &entry); err != nil {
				t.Fatal(err)
			}
			got, err := c.Decode(context.Background(), eventstore.Record{Stream: entry.Stream, Event: eventstore.Event{
				ID: id, Type: entry.Type, Data: compact(t, entry.Data), Metadata: compact(t, entry.Metadata),
			}})
			meta := g.meta()
			meta.DecidedAt = g.event.(stamped).DecidedAt()
			if want := (Decoded{Event: g.event, Meta: meta}); err != nil || !reflect.DeepEqual(got, want) {
				t.Errorf("reads as %+v, %v\nwant     %+v", got, err, want)
			}
			if g.version == c.byType[reflect.TypeOf(g.event)].version() && string(today) != string(written) {
				t.Errorf("is written today as\n%swant\n%s", today, written)
			}
		})
	}
}

// TestGoldenIsComplete sees to it that every version of every form has a golden file, and
// that no golden file goes unread.
func TestGoldenIsComplete(t *testing.T) {
	var listed []string
	versions := map[string]bool{}
	for _, g := range goldens() {
		listed = append(listed, filepath.Join("testdata", g.file+".json"))
		versions[fmt.Sprintf("%v version %d", reflect.TypeOf(g.event), g.version)] = true
	}
	for _, f := range allForms() {
		for v := 1; v <= f.version(); v++ {
			if !versions[fmt.Sprintf("%v version %d", f.goType(), v)] {
				t.Errorf("%s version %d has no golden file", f.typeName(), v)
			}
		}
	}
	files, err := filepath.Glob(filepath.Join("testdata", "*.json"))
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(listed)
	slices.Sort(files)
	if !slices.Equal(files, listed) {
		t.Errorf("testdata has %q\nthe table has %q", files, listed)
	}
}

func compact(t *testing.T, b []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	if err := json.Compact(&out, b); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}
