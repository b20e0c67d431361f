package codec

import (
	"fmt"

	"daybook/domain"
	"daybook/domain/user"
	"daybook/eventstore"
)

type userRegisteredV1 struct {
	ID        domain.UserID  `json:"id"`
	EmailHash string         `json:"emailHash"`
	Consents  []user.Consent `json:"consents,omitempty"`
	sealed
}

type userPersonal struct {
	Email        string `json:"email,omitempty"`
	FirstName    string `json:"firstName,omitempty"`
	LastName     string `json:"lastName,omitempty"`
	Phone        string `json:"phone,omitempty"`
	PasswordHash string `json:"passwordHash,omitempty"`
}

var userRegistered = &kind[user.Registered, userRegisteredV1, userPersonal]{
	name: TypeUserRegistered,
	to: func(e user.Registered) (userRegisteredV1, userPersonal) {
		return userRegisteredV1{ID: e.ID, EmailHash: e.EmailHash, Consents: e.Consents}, userPersonal{
			Email: e.Email, FirstName: e.FirstName, LastName: e.LastName, Phone: e.Phone, PasswordHash: e.PasswordHash,
		}
	},
	from: func(f userRegisteredV1, p userPersonal, s domain.Stamp) user.Registered {
		return user.Registered{
			Stamp: s, ID: f.ID, EmailHash: f.EmailHash, Consents: f.Consents, Email: p.Email,
			FirstName: p.FirstName, LastName: p.LastName, Phone: p.Phone, PasswordHash: p.PasswordHash,
		}
	},
	subject: func(_ eventstore.StreamName, e user.Registered) (string, error) {
		if e.ID == "" {
			return "", fmt.Errorf("%w: a registered user has no id", eventstore.ErrInvalid)
		}
		return string(e.ID), nil
	},
	box: func(f *userRegisteredV1) *sealed { return &f.sealed },
}

var userLoggedIn = open(TypeUserLoggedIn,
	func(user.LoggedIn) emptyV1 { return emptyV1{} },
	func(_ emptyV1, s domain.Stamp) user.LoggedIn { return user.LoggedIn{Stamp: s} })

type emailClaimedV1 struct {
	User domain.UserID `json:"user"`
}

var emailClaimed = open(TypeEmailClaimed,
	func(e user.Claimed) emailClaimedV1 { return emailClaimedV1{User: e.User} },
	func(f emailClaimedV1, s domain.Stamp) user.Claimed { return user.Claimed{Stamp: s, User: f.User} })
