package user

import (
	"fmt"

	"daybook/domain"
)

// Command is something asked of a user. The commands of this package are all there are.
type Command interface{ userCommand() }

// Register begins an account with the id that the address's claim holds. Where the user is
// registered it is refused with domain.CodeEmailTaken: see the package comment.
type Register struct {
	Now          domain.Instant
	ID           domain.UserID
	EmailHash    string // of the normalised address, keyed, made outside; at most MaxEmailHash bytes
	Email        string // need not be normalised
	FirstName    string
	LastName     string
	Phone        string // E.164 with optional separators, or empty
	PasswordHash string // opaque; never the password
	Consents     []Consent
}

// RecordLogin records that the user has proved who he is. A login less than
// LoginResolution after the last one recorded is not recorded again.
type RecordLogin struct {
	Now domain.Instant
}

func (Register) userCommand()    {}
func (RecordLogin) userCommand() {}

// Decider returns the user's decider.
func Decider() domain.Decider[State, Command, Event] {
	return domain.Decider[State, Command, Event]{
		Initial: func() State { return State{} },
		Decide:  decide,
		Evolve:  evolve,
	}
}

func decide(s State, c Command) ([]Event, error) {
	switch c := c.(type) {
	default:
		return nil, fmt.Errorf("user: unknown command %T", c)
	}
}

func invalid(field, detail string) *domain.Rejection {
	return domain.Reject(domain.CodeInvalid, detail, domain.Reason{Rule: field})
}
