package availability

import (
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"
)

// Connect makes a client of the Redis at url (redis://, rediss:// or unix://), set up as
// the view needs it. It does not dial yet.
func Connect(url string) (*redis.Client, error) {
	o, err := redis.ParseURL(url)
	if err != nil {
		// The error of the library shows the URL, and with it the password.
		return nil, fmt.Errorf("availability: the Redis URL cannot be read: want redis://, rediss:// or unix://")
	}
	o.DialTimeout = time.Second
	o.DialerRetries = 1
	o.ReadTimeout, o.WriteTimeout, o.PoolTimeout = 2*time.Second, 2*time.Second, time.Second
	// A deadline of the caller's is kept: readers give up long before the runner does.
	o.ContextTimeoutEnabled = true
	// A command is never sent twice: the second half of a transaction must not run without
	// what it watches.
	o.MaxRetries = -1
	return redis.NewClient(o), nil
}
