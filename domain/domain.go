// Package domain holds what every aggregate shares: the decider, the values of the
// trade (party size, service date, instant), typed ids and the rejection.
//
// What belongs here: pure values and rules. Nothing here reads a clock, a file, a
// network or a log, and nothing knows how it is stored or shown: time and ids come in
// with the command. Each aggregate has a package of its own beside this one; how events
// become bytes is eventstore/codec's, who calls a decider is commands'.
package domain

// A Decider is one aggregate as three functions. Decide judges a command on a state and
// returns the events that make it so; no events and no error mean that it is so already.
// Evolve folds one event into a state: it never fails, never validates, and never writes
// to what it was given, so folding twice from one base agrees.
type Decider[S, C, E any] struct {
	Initial func() S
	Decide  func(S, C) ([]E, error)
	Evolve  func(S, E) S
}

// Fold evolves state by events, in order.
func (d Decider[S, C, E]) Fold(state S, events ...E) S {
	for _, e := range events {
		state = d.Evolve(state, e)
	}
	return state
}

// Stamp is the instant at which an event was decided, by the aggregate's own clock. It is
// embedded in every event and kept in the event's metadata.
type Stamp struct {
	At Instant
}

// DecidedAt returns the stamp.
func (s Stamp) DecidedAt() Instant { return s.At }

// Actor is who gives a command.
type Actor struct {
	Kind ActorKind
	User UserID // empty for ActorSystem and ActorImport
}

// ActorKind says in which capacity somebody acts.
type ActorKind string

// The capacities.
const (
	ActorDiner  ActorKind = "diner"
	ActorStaff  ActorKind = "staff"  // works at the restaurant addressed
	ActorSystem ActorKind = "system" // a process manager
	ActorImport ActorKind = "import" // existing bookings brought in
)

// Diner is a user who books for himself.
func Diner(u UserID) Actor { return Actor{Kind: ActorDiner, User: u} }

// Staff is a user who acts for the restaurant addressed.
func Staff(u UserID) Actor { return Actor{Kind: ActorStaff, User: u} }

// System is the house itself.
func System() Actor { return Actor{Kind: ActorSystem} }

// Importer is the import of existing bookings.
func Importer() Actor { return Actor{Kind: ActorImport} }

// Speaks reports whether the actor may act for diner: the diner, the restaurant's staff,
// the house.
func (a Actor) Speaks(diner UserID) bool {
	return a.Kind != ActorDiner || (a.User != "" && a.User == diner)
}
