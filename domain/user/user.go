// Package user is one person with an account, and the claim by which an e-mail address
// belongs to one account only.
//
// What belongs here: the commands and events of a user and of a claim. Hashing passwords
// and addresses, checking passwords and making tokens are done outside; who calls a decider
// is commands'; how the fields named personal here are encrypted is eventstore/codec's.
//
// # Registering
//
// Two streams cannot be written as one, so the address is claimed first, in a stream of
// its own that is named by a keyed hash of the normalised address and holds a user id. To
// register:
//
//  1. Normalise the address (domain.NormalizeEmail) and hash it with the house's key.
//  2. Give the claim's stream a Claim with a fresh user id. Where the address is claimed
//     already, no event comes of it and that is no refusal: a claim alone is not an account.
//  3. Go on with the id that the claim holds now (ClaimState.User), which may not be the
//     fresh one.
//  4. Give that user's stream a Register with that id. Where that user is registered, it is
//     refused with domain.CodeEmailTaken; else the account exists now.
//
// Both appends go with the revision they were decided on, and are decided again on
// conflict. It can break off at two points:
//
//   - After the claim, before the user is registered: the user's stream is empty. The next
//     attempt with that address, by whomever, finds the claim and takes over its id. No one
//     has that id: nobody was told it, and no token was made for it.
//   - After the user is registered, before anybody was told: a repeat under the same
//     idempotency key finds its own event and is answered with it; any other attempt is
//     refused, and the account can be logged in to.
//
// Of two at once the second to claim decides again and goes on with the first one's id, so
// both come to one user's stream, where one wins and the other is refused.
//
// To log in, the claim's stream leads from the address to the user id.
package user

import "daybook/domain"

// State is a user, folded. It is a value: nothing reachable from it is ever written to.
type State struct {
	ID           domain.UserID // empty before it is registered
	Email        string        // normalised
	EmailHash    string
	FirstName    string
	LastName     string
	Phone        string // E.164, or empty
	PasswordHash string // secret: made and checked outside
	Consents     []Consent
	RegisteredAt domain.Instant
	LastLogin    domain.Instant // as recorded: see RecordLogin
	ChangedAt    domain.Instant // of the last event; no later decision has an earlier one
}

// Registered reports whether there is such a user.
func (s State) Registered() bool { return s.ID != "" }

// Consent names a purpose that a person has agreed to, such as "marketing".
type Consent string
