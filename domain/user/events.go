package user

import "daybook/domain"

// Event is something that happened to a user. The events of this package are all there are.
type Event interface {
	DecidedAt() domain.Instant
	userEvent()
}

// Registered begins an account.
type Registered struct {
	domain.Stamp
	ID           domain.UserID
	EmailHash    string    // keyed: names the claim's stream, and outlives the address
	Email        string    // personal
	FirstName    string    // personal
	LastName     string    // personal
	Phone        string    // personal
	PasswordHash string    // secret: kept as personal data is
	Consents     []Consent // sorted
}

// LoggedIn records that the user proved who he is.
type LoggedIn struct {
	domain.Stamp
}

func (Registered) userEvent() {}
func (LoggedIn) userEvent()   {}

func evolve(s State, e Event) State {
	s.ChangedAt = max(s.ChangedAt, e.DecidedAt())
	switch e := e.(type) {
	case Registered:
		s.ID, s.Email, s.EmailHash = e.ID, e.Email, e.EmailHash
		s.FirstName, s.LastName, s.Phone = e.FirstName, e.LastName, e.Phone
		s.PasswordHash, s.Consents, s.RegisteredAt = e.PasswordHash, e.Consents, e.At
	case LoggedIn:
		s.LastLogin = e.At
	}
	return s
}
