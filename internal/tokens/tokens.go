// Package tokens makes and checks access tokens: JWTs that say who somebody is and nothing
// else. What he may do is decided where it is done.
package tokens

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// Lifetime is how long an access token is good for.
const Lifetime = time.Hour

const (
	issuer   = "daybook"
	audience = "daybook-api"
	// leeway is how far the clocks of two processes may be apart.
	leeway = 30 * time.Second
)

// ErrInvalid says that a token is not, or no longer, good. Why is in the text, for the log.
var ErrInvalid = errors.New("tokens: invalid access token")

// Signer makes and checks tokens. Safe for concurrent use.
type Signer struct {
	key    []byte
	clock  func() time.Time
	parser *jwt.Parser

	mu         sync.Mutex
	remembered map[string]known // by token
}

// known is a token that was checked: a client sends the same one for an hour.
type known struct {
	user  string
	until time.Time
}

const maxRemembered = 4096

// NewSigner makes a Signer with a key of at least 32 bytes, the same in every process.
func NewSigner(key []byte, clock func() time.Time) (*Signer, error) {
	if len(key) < 32 {
		return nil, fmt.Errorf("tokens: a key of %d bytes, want at least 32", len(key))
	}
	return &Signer{key: key, clock: clock, remembered: map[string]known{}, parser: jwt.NewParser(
		// One algorithm: a token that names another, or none, is no token.
		jwt.WithValidMethods([]string{jwt.SigningMethodHS256.Alg()}),
		jwt.WithIssuer(issuer), jwt.WithAudience(audience), jwt.WithExpirationRequired(),
		jwt.WithLeeway(leeway), jwt.WithTimeFunc(clock),
	)}, nil
}

// Access makes an access token for a user.
func (s *Signer) Access(user string) (token string, expiresIn time.Duration, err error) {
	now := s.clock()
	token, err = jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.RegisteredClaims{
		Issuer: issuer, Subject: user, Audience: jwt.ClaimStrings{audience},
		IssuedAt: jwt.NewNumericDate(now), ExpiresAt: jwt.NewNumericDate(now.Add(Lifetime)),
	}).SignedString(s.key)
	return token, Lifetime, err
}

// User checks a token and returns whose it is.
func (s *Signer) User(token string) (string, error) {
	now := s.clock()
	s.mu.Lock()
	k, ok := s.remembered[token]
	s.mu.Unlock()
	if ok && now.Before(k.until) {
		return k.user, nil
	}
	var claims jwt.RegisteredClaims
	if _, err := s.parser.ParseWithClaims(token, &claims, func(*jwt.Token) (any, error) { return s.key, nil }); err != nil {
		return "", fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	if claims.Subject == "" {
		return "", fmt.Errorf("%w: no subject", ErrInvalid)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.remembered) >= maxRemembered {
		clear(s.remembered)
	}
	s.remembered[token] = known{claims.Subject, claims.ExpiresAt.Add(leeway)}
	return claims.Subject, nil
}
