// Package commands is what can be asked of Daybook: every use case on one page, and the one
// way in which each is handled: load, decide, append with the expected version.
//
// What belongs here: the use cases, idempotency, who may do what in which capacity, and the
// record of demand that was refused. The rules of the trade are domain's; HTTP is
// writeapi's; what happens by itself, whenever something else did, is processes'.
package commands

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"daybook/domain"
	"daybook/domain/restaurant"
	"daybook/domain/restaurantday"
	"daybook/domain/user"
	"daybook/domain/webhook"
	"daybook/eventstore"
	"daybook/eventstore/codec"
)

// UseCases is everything that can be asked. App answers all of it.
type UseCases interface {
	// People.
	RegisterUser(context.Context, Caller, RegisterUser) (Receipt[user.State], error)
	LogIn(context.Context, Caller, LogIn) (Receipt[user.State], error)

	// Restaurants.
	RegisterRestaurant(context.Context, Caller, RegisterRestaurant) (Receipt[restaurant.State], error)
	ChangeProfile(context.Context, Caller, domain.RestaurantID, ChangeProfile) (Receipt[restaurant.State], error)
	Publish(context.Context, Caller, domain.RestaurantID) (Receipt[restaurant.State], error)

	// What days are opened with: hours, special days, closures, blocks, tables, combinations, policy.
	ChangePlan(context.Context, Caller, domain.RestaurantID, PlanChange, OnOpenDays) (Receipt[restaurant.State], string, error)
	PreviewPlan(context.Context, Caller, domain.RestaurantID, PlanChange) (PlanPreview, error)

	// Booking.
	HoldTable(context.Context, Caller, HoldTable) (Booked, error)
	ConfirmReservation(context.Context, Caller, domain.ReservationID) (Booked, error)
	CancelReservation(context.Context, Caller, domain.ReservationID, string) (Booked, error)
	AmendReservation(context.Context, Caller, domain.ReservationID, AmendReservation) (Booked, error)
	MoveReservation(context.Context, Caller, domain.ReservationID, MoveReservation) (Booked, error)

	// The floor: staff's.
	SeatParty(context.Context, Caller, domain.ReservationID, domain.PartySize, []domain.TableID) (Booked, error)
	CompleteSeating(context.Context, Caller, domain.ReservationID) (Booked, error)
	MarkNoShow(context.Context, Caller, domain.ReservationID) (Booked, error)
	Reinstate(context.Context, Caller, domain.ReservationID, restaurantday.Override) (Booked, error)
	MoveTable(context.Context, Caller, domain.ReservationID, []domain.TableID) (Booked, error)
	PinTable(ctx context.Context, c Caller, id domain.ReservationID, off bool) (Booked, error)
	SeatWalkIn(context.Context, Caller, SeatWalkIn) (Booked, error)
	UndoAction(ctx context.Context, c Caller, id domain.RestaurantID, date domain.ServiceDate, action, number uint32) (Undone, error)

	// The waitlist.
	JoinWaitlist(context.Context, Caller, JoinWaitlist) (Waiting, error)
	LeaveWaitlist(context.Context, Caller, domain.WaitlistID) (Waiting, error)
	AcceptOffer(context.Context, Caller, domain.WaitlistID) (Booked, error)

	// Webhooks: the owner's.
	CreateWebhook(context.Context, Caller, domain.RestaurantID, CreateWebhook) (Webhooked, error)
	ChangeWebhook(context.Context, Caller, domain.RestaurantID, domain.WebhookID, ChangeWebhook) (Webhooked, error)
	PauseWebhook(context.Context, Caller, domain.RestaurantID, domain.WebhookID) (Webhooked, error)
	ResumeWebhook(context.Context, Caller, domain.RestaurantID, domain.WebhookID) (Webhooked, error)
	RemoveWebhook(context.Context, Caller, domain.RestaurantID, domain.WebhookID) (Webhooked, error)
	RotateWebhookSecret(ctx context.Context, c Caller, id domain.RestaurantID, hook domain.WebhookID, overlap time.Duration) (Webhooked, error)
	ReplayWebhook(ctx context.Context, c Caller, id domain.RestaurantID, hook domain.WebhookID, after uint64) (Webhooked, error)
	TestWebhook(context.Context, Caller, domain.RestaurantID, domain.WebhookID) (Webhooked, error)

	// The house itself.
	OpenDay(context.Context, domain.RestaurantID, domain.ServiceDate) (eventstore.Position, error)
	RecordLapses(context.Context, domain.RestaurantID, domain.ServiceDate) (eventstore.Position, error)
	RollOut(context.Context, domain.RestaurantID) error
	RollOutDay(context.Context, domain.RestaurantID, domain.ServiceDate) error
	GoOnWithMove(context.Context, domain.ReservationID, restaurantday.Moving) (open bool, err error)
	BringInRestaurant(context.Context, BringInRestaurant) (domain.RestaurantID, error)
	BringIn(context.Context, BringIn) ([]BroughtIn, error)

	// Bookings of other systems, recorded as they are there.
	RecordFacts(context.Context, Caller, domain.RestaurantID, RecordFacts) (FactsReport, error)
	PreviewFacts(context.Context, Caller, domain.RestaurantID, RecordFacts) (FactsReport, error)
	ZoneToManage(context.Context, Caller, domain.RestaurantID) (*time.Location, error)
	UndoFacts(ctx context.Context, c Caller, id domain.RestaurantID, batch string, force bool) (FactsUndone, error)
	SuspendWebhook(context.Context, domain.RestaurantID, domain.WebhookID, domain.Instant, webhook.Because) error
	ForgetWebhook(context.Context, domain.WebhookID) error
}

// Passwords hashes and checks passwords.
type Passwords interface {
	Hash(ctx context.Context, password string) (string, error)
	Verify(ctx context.Context, password, hash string) (bool, error)
}

// Config is what an App needs. Store, Codec, Passwords, BodyKey and EmailKey have no default.
type Config struct {
	Store     eventstore.Store
	Codec     *codec.Codec
	Passwords Passwords
	BodyKey   []byte                                                                           // keys the hash of request bodies; the same in every process
	EmailKey  []byte                                                                           // keys the hash of e-mail addresses; the same in every process
	Clock     func() time.Time                                                                 // time.Now by default
	Zones     func(name string) (*time.Location, error)                                        // time.LoadLocation by default
	Day       *domain.Decider[restaurantday.State, restaurantday.Command, restaurantday.Event] // the day's own by default
	HotDays   int                                                                              // days kept in memory, 2048 by default
	// NeighboursWithin is how long a refusal looks for alternatives on the days around, 50 ms
	// by default.
	NeighboursWithin time.Duration
	// Receiver checks an address that webhooks are to be sent to, and tells its tidied form and
	// its host. Where it is nil, webhooks are refused.
	Receiver func(url string) (tidied, host string, err error)
	Log      *slog.Logger
}

// App handles every use case. Safe for concurrent use.
type App struct {
	cfg         Config
	days        *ledger[restaurantday.State, restaurantday.Command, restaurantday.Event]
	restaurants *ledger[restaurant.State, restaurant.Command, restaurant.Event]
	users       *ledger[user.State, user.Command, user.Event]
	claims      *ledger[user.ClaimState, user.ClaimCommand, user.ClaimEvent]
	webhooks    *ledger[webhook.State, webhook.Command, webhook.Event]
	demand      *demandRecorder
	plans       planMemo
	offered     offeredMemo
	zones       sync.Map // name → *time.Location
}

var _ UseCases = (*App)(nil)

// New makes an App. Close it to write down the demand that waits.
func New(cfg Config) (*App, error) {
	switch {
	case cfg.Store == nil || cfg.Codec == nil || cfg.Passwords == nil:
		return nil, errors.New("commands: Store, Codec and Passwords must be set")
	case len(cfg.BodyKey) < 16 || len(cfg.EmailKey) < 16:
		return nil, errors.New("commands: BodyKey and EmailKey must have at least 16 bytes")
	}
	if cfg.Clock == nil {
		cfg.Clock = time.Now
	}
	if cfg.Zones == nil {
		cfg.Zones = time.LoadLocation
	}
	if cfg.Day == nil {
		d := restaurantday.Decider()
		cfg.Day = &d
	}
	if cfg.HotDays <= 0 {
		cfg.HotDays = 2048
	}
	if cfg.NeighboursWithin <= 0 {
		cfg.NeighboursWithin = neighboursWithin
	}
	if cfg.Log == nil {
		cfg.Log = slog.Default()
	}
	a := &App{
		cfg:         cfg,
		days:        newLedger(cfg.Store, cfg.Codec, *cfg.Day, cfg.Clock, cfg.HotDays),
		restaurants: newLedger(cfg.Store, cfg.Codec, restaurant.Decider(), cfg.Clock, 4096),
		users:       newLedger(cfg.Store, cfg.Codec, user.Decider(), cfg.Clock, 1024),
		claims:      newLedger(cfg.Store, cfg.Codec, user.ClaimDecider(), cfg.Clock, 256),
		webhooks:    newLedger(cfg.Store, cfg.Codec, webhook.Decider(), cfg.Clock, 256),
	}
	a.demand = newDemandRecorder(cfg.Store, cfg.Codec, cfg.Log)
	return a, nil
}

// Close writes down the demand that waits. Commands must have ended.
func (a *App) Close(ctx context.Context) error { return a.demand.close(ctx) }

// Caller is who asks, and how a repeated question is recognised.
type Caller struct {
	User      domain.UserID // empty for somebody who has not logged in
	Route     string        // such as "POST /reservations"
	Key       string        // the idempotency key; empty for none
	Body      []byte        // the request in a canonical form, which a repeat must equal
	RequestID string        // for tracing
	APIKey    string        // id of the key that the request came with; empty for none
	Import    bool          // existing bookings are brought in; never set for a request from outside
}

// Receipt is what an accepted command answers with.
type Receipt[S any] struct {
	State    S                   // right after the command
	Revision uint64              // of the stream, right after the command
	Position eventstore.Position // wait for it to read one's own write
	Replayed bool                // the command was accepted before; this is its first answer
}

func receipt[S any, E event](o Outcome[S, E]) Receipt[S] {
	return Receipt[S]{State: o.State, Revision: o.Entries - 1, Position: o.Position, Replayed: o.Replayed}
}

// commandID is the id of what caller asks of an aggregate: the same for a repeat.
func (a *App) commandID(c Caller, aggregate string) [16]byte {
	if c.Key == "" {
		return newID()
	}
	return codec.CommandID(string(c.User), c.Route, aggregate, c.Key)
}

func (a *App) keyed(key, data []byte) []byte {
	h := hmac.New(sha256.New, key)
	h.Write(data)
	return h.Sum(nil)
}

func (a *App) now() domain.Instant { return domain.InstantOf(a.cfg.Clock()) }

// zone finds a time zone by its IANA name, nil where there is none.
func (a *App) zone(name string) *time.Location {
	if found, ok := a.zones.Load(name); ok {
		return found.(*time.Location)
	}
	// "" and "Local" are no places.
	if name == "" || name == "Local" {
		return nil
	}
	loc, err := a.cfg.Zones(name)
	if err != nil {
		return nil
	}
	a.zones.Store(name, loc)
	return loc
}

// zoneOf is the time zone of a restaurant.
func (a *App) zoneOf(r restaurantOutcome) (*time.Location, error) {
	loc := a.zone(r.State.Profile.TimeZone)
	if loc == nil {
		return nil, fmt.Errorf("commands: restaurant %s has the unknown time zone %q", r.State.ID, r.State.Profile.TimeZone)
	}
	return loc, nil
}

// permissionAge is how old the state may be from which it is judged who may do what.
const permissionAge = time.Second

// restaurantState is a restaurant as it was at most a second ago.
func (a *App) restaurantState(ctx context.Context, id domain.RestaurantID) (Outcome[restaurant.State, restaurant.Event], error) {
	o, err := a.restaurants.state(ctx, codec.RestaurantStream(id), permissionAge)
	if err != nil {
		return o, err
	}
	if !o.State.Registered() {
		return o, domain.Reject(domain.CodeNotFound, fmt.Sprintf("no restaurant %s", id))
	}
	return o, nil
}

// actor is the capacity in which a caller addresses a restaurant.
func (c Caller) actor(r restaurant.State) domain.Actor {
	switch {
	case c.Import:
		return domain.Importer()
	case r.MayManage(c.User):
		return domain.Staff(c.User)
	default:
		return domain.Diner(c.User)
	}
}
