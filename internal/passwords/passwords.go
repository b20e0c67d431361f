// Package passwords hashes and checks passwords with argon2id.
package passwords

import (
	"context"
	"runtime"

	"github.com/alexedwards/argon2id"
)

// params are OWASP's second recommendation for argon2id: 19 MiB, two passes, one lane.
var params = &argon2id.Params{Memory: 19 * 1024, Iterations: 2, Parallelism: 1, SaltLength: 16, KeyLength: 32}

// Argon2id hashes as many passwords at once as there are processors, so that a flood of
// logins can take neither the memory nor all of the time. Safe for concurrent use.
type Argon2id struct {
	seats chan struct{}
}

// New makes an Argon2id.
func New() *Argon2id { return &Argon2id{seats: make(chan struct{}, runtime.GOMAXPROCS(0))} }

// Hash returns the encoded hash of password. The only error is the context's.
func (a *Argon2id) Hash(ctx context.Context, password string) (string, error) {
	if err := a.sit(ctx); err != nil {
		return "", err
	}
	defer a.rise()
	return argon2id.CreateHash(password, params)
}

// Verify reports whether hash is of password. It fails on what is no hash.
func (a *Argon2id) Verify(ctx context.Context, password, hash string) (bool, error) {
	if err := a.sit(ctx); err != nil {
		return false, err
	}
	defer a.rise()
	return argon2id.ComparePasswordAndHash(password, hash)
}

func (a *Argon2id) sit(ctx context.Context) error {
	select {
	case a.seats <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (a *Argon2id) rise() { <-a.seats }
