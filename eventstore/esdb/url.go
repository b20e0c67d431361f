package esdb

import (
	"context"
	"fmt"
	"log/slog"
	neturl "net/url"
	"strconv"
	"strings"

	client "github.com/EventStore/EventStore-Client-Go/v4/esdb"
)

// discoveryAttempts is how often a client object looks for a server before it gives
// up. The adapter makes a new one at the next call, so more would only make callers
// wait who have something better to do.
const discoveryAttempts = 3

// settings are the parameters a url may have, in lower case, each with its check. The
// client would pass over a misspelt one, and take a default deadline it cannot read
// for a deadline of 0.
var settings = map[string]func(string) error{
	"tls":                 boolean,
	"tlsverifycert":       boolean,
	"tlscafile":           anything,
	"usercertfile":        anything,
	"userkeyfile":         anything,
	"nodepreference":      anything,
	"gossiptimeout":       positive,
	"discoveryinterval":   positive,
	"maxdiscoverattempts": positive,
	"keepaliveinterval":   anything,
	"keepalivetimeout":    anything,
	"defaultdeadline":     positive,
}

func anything(string) error { return nil }

func boolean(v string) error {
	if _, err := strconv.ParseBool(v); err != nil {
		return fmt.Errorf("%q is neither true nor false", v)
	}
	return nil
}

func positive(v string) error {
	if n, err := strconv.Atoi(v); err != nil || n < 1 {
		return fmt.Errorf("%q is not a whole number above 0", v)
	}
	return nil
}

// ParseURL reads a connection string of the form
// esdb[+discover]://[user:password@]host[:port][,host[:port]…][?setting=value&…]
// with the client's own settings: tls, tlsVerifyCert, tlsCaFile, userCertFile,
// userKeyFile, nodePreference, gossipTimeout (s), discoveryInterval (ms),
// maxDiscoverAttempts, keepAliveInterval and keepAliveTimeout (ms). "kurrentdb" and
// "kdb" may stand for "esdb". An error never shows the password.
func ParseURL(url string) (*client.Configuration, error) {
	scheme, rest, found := strings.Cut(url, "://")
	if !found {
		return nil, fmt.Errorf("esdb: event store URL has no scheme, want esdb://host:port")
	}
	name, discover, _ := strings.Cut(strings.ToLower(scheme), "+")
	switch name {
	case "esdb", "kurrentdb", "kdb":
	default:
		return nil, fmt.Errorf("esdb: event store URL has scheme %q, want esdb or kurrentdb", scheme)
	}
	switch discover {
	case "":
		scheme = "esdb"
	case "discover":
		scheme = "esdb+discover"
	default:
		return nil, fmt.Errorf("esdb: event store URL has scheme %q, want esdb or esdb+discover", scheme)
	}

	authority, query, _ := strings.Cut(rest, "?")
	if err := checkHosts(authority); err != nil {
		return nil, err
	}
	values, err := neturl.ParseQuery(query)
	if err != nil {
		return nil, fmt.Errorf("esdb: settings of the event store URL: %w", err)
	}
	attempts := false
	for key, given := range values {
		attempts = attempts || strings.EqualFold(key, "maxDiscoverAttempts")
		check, known := settings[strings.ToLower(key)]
		if !known {
			return nil, fmt.Errorf("esdb: event store URL has an unknown setting %q", key)
		}
		if err := check(given[0]); err != nil {
			return nil, fmt.Errorf("esdb: event store URL: setting %s: %w", key, err)
		}
	}

	config, err := client.ParseConnectionString(scheme + "://" + rest)
	if err != nil {
		if _, credentials := cutCredentials(authority); credentials {
			// The client's own error may quote the whole string.
			return nil, fmt.Errorf("esdb: event store URL is not valid (its text is kept back, it holds credentials)")
		}
		return nil, fmt.Errorf("esdb: event store URL: %w", err)
	}
	if err := config.Validate(); err != nil {
		return nil, fmt.Errorf("esdb: event store URL: %w", err)
	}
	if config.Username != "" && config.DisableTLS {
		return nil, fmt.Errorf("esdb: event store URL has credentials but tls=false: the client would leave them out")
	}
	if !attempts {
		config.MaxDiscoverAttempts = discoveryAttempts
	}
	return config, nil
}

func cutCredentials(authority string) (hosts string, found bool) {
	if i := strings.LastIndexByte(authority, '@'); i >= 0 {
		return authority[i+1:], true
	}
	return authority, false
}

// checkHosts refuses ports that the client would cut down to 16 bits.
func checkHosts(authority string) error {
	hosts, _ := cutCredentials(authority)
	hosts, path, _ := strings.Cut(hosts, "/")
	if path != "" {
		return fmt.Errorf("esdb: event store URL has a path %q, want none", path)
	}
	for _, host := range strings.Split(hosts, ",") {
		name, port, hasPort := strings.Cut(host, ":")
		if name == "" {
			return fmt.Errorf("esdb: event store URL has no host, want esdb://host:port")
		}
		if !hasPort {
			continue
		}
		if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
			return fmt.Errorf("esdb: event store URL has port %q, want 1 to 65535", port)
		}
	}
	return nil
}

// logTo passes on what the client logs. Its "errors" are mostly answers that the
// caller gets as well, so nothing of it is louder than a warning.
func logTo(logger *slog.Logger) client.LoggingFunc {
	return func(level client.LogLevel, format string, args ...any) {
		to := slog.LevelDebug
		if level == client.LogWarn {
			to = slog.LevelWarn
		}
		if logger.Enabled(context.Background(), to) {
			logger.Log(context.Background(), to, "esdb: client: "+fmt.Sprintf(format, args...))
		}
	}
}
