package user

import (
	"fmt"
	"slices"
	"strings"
	"time"

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
	case Register:
		return s.register(c)
	case RecordLogin:
		return s.recordLogin(c)
	default:
		return nil, fmt.Errorf("user: unknown command %T", c)
	}
}

// LoginResolution is how closely logins are recorded. It tells when somebody was last
// there; finer, a client that logs in for every call would write without end.
const LoginResolution = 15 * time.Minute

// The limits of an account: names in characters, the others in bytes.
const (
	maxName         = 100
	MaxEmailHash    = 128
	MaxPasswordHash = 512
	maxConsents     = 20
	maxConsent      = 40
)

func (s State) register(c Register) ([]Event, error) {
	if s.Registered() {
		return nil, domain.Reject(domain.CodeEmailTaken, "there is an account with this e-mail address; log in instead")
	}
	if _, err := domain.ParseUserID(string(c.ID)); err != nil {
		return nil, domain.Invalid("user_id", err.Error())
	}
	email, err := domain.NormalizeEmail("email", c.Email)
	if err != nil {
		return nil, err
	}
	first, err := domain.RequiredLine("first_name", c.FirstName, maxName)
	if err != nil {
		return nil, err
	}
	last, err := domain.RequiredLine("last_name", c.LastName, maxName)
	if err != nil {
		return nil, err
	}
	phone, err := domain.NormalizePhone("phone_number", c.Phone)
	if err != nil {
		return nil, err
	}
	if n := len(c.EmailHash); n < 1 || n > MaxEmailHash {
		return nil, domain.Invalid("email_hash", fmt.Sprintf("the hash of the address has %d bytes; want 1 to %d", n, MaxEmailHash))
	}
	if n := len(c.PasswordHash); n < 1 || n > MaxPasswordHash {
		return nil, domain.Invalid("password_hash", fmt.Sprintf("the hash of the password has %d bytes; want 1 to %d", n, MaxPasswordHash))
	}
	consents, err := checkedConsents(c.Consents)
	if err != nil {
		return nil, err
	}
	return []Event{Registered{
		Stamp: domain.Stamp{At: c.Now}, ID: c.ID, EmailHash: c.EmailHash, Email: email,
		FirstName: first, LastName: last, Phone: phone, PasswordHash: c.PasswordHash, Consents: consents,
	}}, nil
}

// checkedConsents returns the purposes sorted, each once.
func checkedConsents(given []Consent) ([]Consent, error) {
	if len(given) > maxConsents {
		return nil, domain.Reject(domain.CodeInvalid, fmt.Sprintf("there are more than %d consents", maxConsents),
			domain.Reason{Rule: "consents", Limit: maxConsents, Actual: int64(len(given))})
	}
	for _, c := range given {
		if c == "" || len(c) > maxConsent || strings.Trim(string(c), "abcdefghijklmnopqrstuvwxyz0123456789_") != "" {
			return nil, domain.Invalid("consents", fmt.Sprintf(
				"a consent names its purpose in up to %d characters of a to z, 0 to 9 and _, such as marketing", maxConsent))
		}
	}
	kept := slices.Clone(given)
	slices.Sort(kept)
	return slices.Compact(kept), nil
}

func (s State) recordLogin(c RecordLogin) ([]Event, error) {
	if !s.Registered() {
		// The same as for a wrong password, so that nobody learns who has an account.
		return nil, domain.Reject(domain.CodeBadCredentials, "the e-mail address or the password is wrong")
	}
	at := max(c.Now, s.ChangedAt)
	if at < s.LastLogin.Add(LoginResolution) {
		return nil, nil
	}
	return []Event{LoggedIn{Stamp: domain.Stamp{At: at}}}, nil
}
