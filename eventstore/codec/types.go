package codec

// The event types, as they stand in the ledger. A name here is never changed and never
// given to anything else.
const (
	TypeDayOpened             = "day.opened"
	TypeReservationHeld       = "reservation.held"
	TypeReservationReassigned = "reservation.reassigned"
	TypeReservationConfirmed  = "reservation.confirmed"
	TypeReservationCancelled  = "reservation.cancelled"
	TypeReservationExpired    = "reservation.expired"
	TypeDemandRefused         = "demand.refused"

	TypeReservationHoldExtended = "reservation.hold_extended"
	TypeReservationAmended      = "reservation.amended"
	TypeReservationTablesMoved  = "reservation.tables_moved"
	TypeReservationPinned       = "reservation.pinned"
	TypeReservationUnpinned     = "reservation.unpinned"
	TypeReservationSeated       = "reservation.seated"
	TypeReservationCompleted    = "reservation.completed"
	TypeReservationNoShow       = "reservation.no_show"
	TypeReservationReinstated   = "reservation.reinstated"
	TypeReservationMoveStarted  = "reservation.move_started"
	TypeReservationMoved        = "reservation.moved"
	TypeReservationMoveAborted  = "reservation.move_aborted"
	TypeActionUndone            = "action.undone"
	TypeWaitlistJoined          = "waitlist.joined"
	TypeWaitlistOffered         = "waitlist.offered"
	TypeWaitlistPassedOver      = "waitlist.passed_over"
	TypeWaitlistLeft            = "waitlist.left"
	TypeDayPlanFenced           = "day.plan_fenced"
	TypeDayPlanChanged          = "day.plan_changed"
	TypeReservationRecorded     = "reservation.recorded"
	TypeReservationWithdrawn    = "reservation.withdrawn"

	TypeRestaurantRegistered     = "restaurant.registered"
	TypeRestaurantProfileChanged = "restaurant.profile_changed"
	TypeRestaurantHoursSet       = "restaurant.hours_set"
	TypeRestaurantTableAdded     = "restaurant.table_added"
	TypeRestaurantTableChanged   = "restaurant.table_changed"
	TypeRestaurantTableRemoved   = "restaurant.table_removed"
	TypeRestaurantPolicySet      = "restaurant.policy_set"
	TypeRestaurantPublished      = "restaurant.published"

	TypeRestaurantSpecialDaySet      = "restaurant.special_day_set"
	TypeRestaurantSpecialDayRemoved  = "restaurant.special_day_removed"
	TypeRestaurantClosureAdded       = "restaurant.closure_added"
	TypeRestaurantClosureRemoved     = "restaurant.closure_removed"
	TypeRestaurantBlockAdded         = "restaurant.block_added"
	TypeRestaurantBlockRemoved       = "restaurant.block_removed"
	TypeRestaurantCombinationAdded   = "restaurant.combination_added"
	TypeRestaurantCombinationRemoved = "restaurant.combination_removed"

	TypeRestaurantBookingDecided = "restaurant.booking_decided"
	TypeRestaurantPlanDecided    = "restaurant.plan_decided"

	TypeWebhookCreated       = "webhook.created"
	TypeWebhookChanged       = "webhook.changed"
	TypeWebhookPaused        = "webhook.paused"
	TypeWebhookResumed       = "webhook.resumed"
	TypeWebhookSecretRotated = "webhook.secret_rotated"
	TypeWebhookReplayed      = "webhook.replayed"
	TypeWebhookTestRequested = "webhook.test_requested"
	TypeWebhookRemoved       = "webhook.removed"

	TypeRestaurantImportBegun     = "restaurant.import_begun"
	TypeRestaurantImportEnded     = "restaurant.import_ended"
	TypeRestaurantImportUndoBegun = "restaurant.import_undo_begun"
	TypeRestaurantImportUndone    = "restaurant.import_undone"

	TypeUserRegistered = "user.registered"
	TypeUserLoggedIn   = "user.logged_in"
	TypeEmailClaimed   = "email.claimed"
)

// allForms is the table of every event this program can read and write.
func allForms() []form {
	return []form{
		dayOpened, reservationHeld, reservationReassigned, reservationConfirmed, reservationCancelled, reservationExpired, demandRefused,
		reservationHoldExtended, reservationAmended, reservationTablesMoved, reservationPinned,
		reservationUnpinned, reservationSeated, reservationCompleted, reservationNoShow, reservationReinstated,
		reservationMoveStarted, reservationMoved, reservationMoveAborted, actionUndone,
		waitlistJoined, waitlistOffered, waitlistPassedOver, waitlistLeft, dayPlanFenced, dayPlanChanged,
		reservationRecorded, reservationWithdrawn,
		restaurantRegistered, restaurantProfileChanged, restaurantHoursSet, restaurantTableAdded,
		restaurantTableChanged, restaurantTableRemoved, restaurantPolicySet, restaurantPublished,
		restaurantSpecialDaySet, restaurantSpecialDayRemoved, restaurantClosureAdded, restaurantClosureRemoved,
		restaurantBlockAdded, restaurantBlockRemoved, restaurantCombinationAdded, restaurantCombinationRemoved,
		restaurantBookingDecided, restaurantPlanDecided,
		webhookCreated, webhookChanged, webhookPaused, webhookResumed, webhookSecretRotated, webhookReplayed,
		webhookTestRequested, webhookRemoved,
		restaurantImportBegun, restaurantImportEnded, restaurantImportUndoBegun, restaurantImportUndone,
		userRegistered, userLoggedIn, emailClaimed,
	}
}

// Types lists the type of every event this program can read and write.
func Types() []string {
	forms := allForms()
	names := make([]string, len(forms))
	for i, f := range forms {
		names[i] = f.typeName()
	}
	return names
}
