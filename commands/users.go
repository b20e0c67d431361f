package commands

import (
	"context"
	"encoding/hex"
	"fmt"

	"daybook/domain"
	"daybook/domain/user"
	"daybook/eventstore/codec"
)

// RegisterUser begins an account.
type RegisterUser struct {
	Email     string
	Password  string // MinPassword to MaxPassword bytes
	FirstName string
	LastName  string
	Phone     string
	Consents  []user.Consent
}

// The length of a password in bytes.
const (
	MinPassword = 10
	MaxPassword = 256
)

// LogIn proves who one is.
type LogIn struct {
	Email    string
	Password string
}

// RegisterUser claims the address and registers the account that the claim names; package
// user tells why in this order. Caller.Body must not hold the password: a repeat under the
// same key is known by its checking out.
func (a *App) RegisterUser(ctx context.Context, c Caller, r RegisterUser) (Receipt[user.State], error) {
	if len(r.Password) < MinPassword || len(r.Password) > MaxPassword {
		return Receipt[user.State]{}, domain.Reject(domain.CodeInvalid, fmt.Sprintf(
			"a password has %d to %d bytes", MinPassword, MaxPassword), domain.Reason{Rule: "password"})
	}
	email, err := domain.NormalizeEmail("email", r.Email)
	if err != nil {
		return Receipt[user.State]{}, err
	}
	hash := a.emailHash(email)
	command := a.commandID(c, hex.EncodeToString(hash[:]))
	now := a.now()
	register := user.Register{
		Now: now, ID: domain.NewUserID(command), EmailHash: hex.EncodeToString(hash[:]), Email: email, FirstName: r.FirstName,
		LastName: r.LastName, Phone: r.Phone, PasswordHash: "not made yet", Consents: r.Consents,
	}
	// Judged as if there were no account: what nobody could register must leave no claim, and
	// is not worth the time that a hash takes.
	if _, err := a.users.decider.Decide(a.users.decider.Initial(), register); err != nil {
		return Receipt[user.State]{}, err
	}
	// Hashed before anything is claimed, too: this can fail.
	if register.PasswordHash, err = a.cfg.Passwords.Hash(ctx, r.Password); err != nil {
		return Receipt[user.State]{}, err
	}
	claim, err := a.claims.handle(ctx, codec.EmailStream(hash), Request[user.ClaimCommand]{
		Command: user.Claim{Now: now, User: register.ID},
		Meta:    a.metadata(ctx, Caller{RequestID: c.RequestID}, domain.System(), ""),
	})
	if err != nil {
		return Receipt[user.State]{}, err
	}
	id := claim.State.User
	register.ID = id
	o, err := a.users.handle(ctx, codec.UserStream(id), Request[user.Command]{
		Command: register, ID: command, Meta: a.metadata(ctx, c, domain.Diner(id), roleDiner),
	})
	if err != nil {
		return Receipt[user.State]{}, err
	}
	if o.Replayed {
		if ok, err := a.cfg.Passwords.Verify(ctx, r.Password, o.State.PasswordHash); err != nil || !ok {
			return Receipt[user.State]{}, errorOr(err, ErrKeyReused)
		}
	}
	return receipt(o), nil
}

// LogIn checks a password. Whether the address or the password is wrong is not told, nor
// shown by how long it takes.
func (a *App) LogIn(ctx context.Context, c Caller, l LogIn) (Receipt[user.State], error) {
	wrong := domain.Reject(domain.CodeBadCredentials, "there is no account with this address and password")
	email, err := domain.NormalizeEmail("email", l.Email)
	if err != nil || len(l.Password) > MaxPassword {
		return Receipt[user.State]{}, wrong
	}
	claim, err := a.claims.state(ctx, codec.EmailStream(a.emailHash(email)), 0)
	if err != nil {
		return Receipt[user.State]{}, err
	}
	var known Outcome[user.State, user.Event]
	if id := claim.State.User; id != "" {
		if known, err = a.users.state(ctx, codec.UserStream(id), 0); err != nil {
			return Receipt[user.State]{}, err
		}
	}
	if known.State.PasswordHash == "" {
		// Takes as long as a check of a real one.
		_, err := a.cfg.Passwords.Hash(ctx, l.Password)
		return Receipt[user.State]{}, errorOr(err, wrong)
	}
	ok, err := a.cfg.Passwords.Verify(ctx, l.Password, known.State.PasswordHash)
	if err != nil || !ok {
		return Receipt[user.State]{}, errorOr(err, wrong)
	}
	o, err := a.users.handle(ctx, codec.UserStream(known.State.ID), Request[user.Command]{
		Command: user.RecordLogin{Now: a.now()},
		Meta:    a.metadata(ctx, Caller{RequestID: c.RequestID}, domain.Diner(known.State.ID), roleDiner),
	})
	if err != nil {
		return Receipt[user.State]{}, err
	}
	return receipt(o), nil
}

func (a *App) emailHash(normalized string) (hash [32]byte) {
	copy(hash[:], a.keyed(a.cfg.EmailKey, []byte(normalized)))
	return hash
}

func errorOr(err, otherwise error) error {
	if err != nil {
		return err
	}
	return otherwise
}
