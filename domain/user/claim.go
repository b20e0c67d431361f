package user

import (
	"fmt"

	"daybook/domain"
)

// ClaimState is the claim of one e-mail address, folded.
type ClaimState struct {
	User      domain.UserID // who registers, or has registered, with the address; empty when nobody does
	ClaimedAt domain.Instant
}

// ClaimCommand is something asked of a claim.
type ClaimCommand interface{ claimCommand() }

// Claim asks that the address belong to an account. Where it is claimed already, for
// whomever, nothing happens: go on with ClaimState.User. It is refused only as invalid.
type Claim struct {
	Now  domain.Instant
	User domain.UserID // fresh
}

func (Claim) claimCommand() {}

// ClaimEvent is something that happened to a claim.
type ClaimEvent interface {
	DecidedAt() domain.Instant
	claimEvent()
}

// Claimed gives the address to a user id.
type Claimed struct {
	domain.Stamp
	User domain.UserID
}

func (Claimed) claimEvent() {}

// ClaimDecider returns the decider of one address's claim.
func ClaimDecider() domain.Decider[ClaimState, ClaimCommand, ClaimEvent] {
	return domain.Decider[ClaimState, ClaimCommand, ClaimEvent]{
		Initial: func() ClaimState { return ClaimState{} },
		Decide:  decideClaim,
		Evolve:  evolveClaim,
	}
}

func decideClaim(s ClaimState, c ClaimCommand) ([]ClaimEvent, error) {
	claim, ok := c.(Claim)
	if !ok {
		return nil, fmt.Errorf("user: unknown command %T", c)
	}
	if s.User != "" {
		return nil, nil
	}
	if _, err := domain.ParseUserID(string(claim.User)); err != nil {
		return nil, domain.Invalid("user_id", err.Error())
	}
	return []ClaimEvent{Claimed{Stamp: domain.Stamp{At: claim.Now}, User: claim.User}}, nil
}

func evolveClaim(s ClaimState, e ClaimEvent) ClaimState {
	if e, ok := e.(Claimed); ok {
		s.User, s.ClaimedAt = e.User, e.At
	}
	return s
}
