package esdb

import (
	"context"
	"crypto/x509"
	"fmt"
	"log/slog"
	"maps"
	neturl "net/url"
	"os"
	"regexp"
	"slices"
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
	"tlscafile":           certificates,
	"usercertfile":        readable,
	"userkeyfile":         readable,
	"nodepreference":      preference,
	"gossiptimeout":       positive,
	"discoveryinterval":   positive,
	"maxdiscoverattempts": positive,
	"keepaliveinterval":   milliseconds,
	"keepalivetimeout":    milliseconds,
	"defaultdeadline":     positive,
}

func boolean(v string) error {
	if _, err := strconv.ParseBool(v); err != nil {
		return fmt.Errorf("%q is neither true nor false", v)
	}
	return nil
}

// longest is the largest number a setting takes. Beyond it seconds no longer fit into
// the client's durations; nobody waits for a month.
const longest = 30 * 24 * 60 * 60

func positive(v string) error {
	if n, err := strconv.Atoi(v); err != nil || n < 1 || n > longest {
		return fmt.Errorf("%q is not a whole number from 1 to %d", v, longest)
	}
	return nil
}

func milliseconds(v string) error {
	if v == "-1" {
		return nil
	}
	if n, err := strconv.Atoi(v); err != nil || n < 0 || n > longest {
		return fmt.Errorf("%q is neither -1, for never, nor a whole number up to %d", v, longest)
	}
	return nil
}

func preference(v string) error {
	switch strings.ToLower(v) {
	case "leader", "follower", "readonlyreplica", "random":
		return nil
	default:
		return fmt.Errorf("%q is none of leader, follower, readOnlyReplica, random", v)
	}
}

func readable(v string) error {
	f, err := os.Open(v)
	if err != nil {
		return err
	}
	return f.Close()
}

func certificates(v string) error {
	text, err := os.ReadFile(v)
	if err != nil {
		return err
	}
	if !x509.NewCertPool().AppendCertsFromPEM(text) {
		return fmt.Errorf("%q holds no certificate in PEM", v)
	}
	return nil
}

// ParseURL reads a connection string of the form
// esdb[+discover]://[user:password@]host[:port][,host[:port]…][?setting=value&…]
// with the client's own settings: tls, tlsVerifyCert, tlsCaFile, userCertFile,
// userKeyFile, nodePreference, gossipTimeout (s), discoveryInterval (ms),
// maxDiscoverAttempts, keepAliveInterval and keepAliveTimeout (ms, -1 for never),
// defaultDeadline (ms). "kurrentdb" and "kdb" may stand for "esdb". In user and password,
// and in the value of a setting, "@", "?", "&" and "%" are written as in any URL: %40, %3F,
// %26, %25.
//
// An error is one line that says what is wrong, and never shows a password, also where
// it stands in the wrong place.
func ParseURL(url string) (*client.Configuration, error) {
	scheme, rest, found := strings.Cut(url, "://")
	if !found {
		return nil, wrongURL("has no scheme, want esdb://host:port")
	}
	scheme, err := schemeOf(scheme)
	if err != nil {
		return nil, err
	}
	authority, query, _ := strings.Cut(rest, "?")
	if strings.Contains(query, "@") {
		return nil, wrongURL("has an @ behind the ?: in a password write %%3F for ?, in a setting %%40 for @")
	}
	hosts, user, password, err := credentialsOf(authority)
	if err != nil {
		return nil, err
	}
	hosts = strings.TrimSuffix(hosts, "/")
	if err := checkHosts(hosts); err != nil {
		return nil, err
	}
	values, err := settingsOf(query)
	if err != nil {
		return nil, err
	}
	// The client gets to see no credentials, for its errors may quote all it was given; and
	// it would make a path out of commas in a setting.
	config, err := client.ParseConnectionString(scheme + "://" + hosts + "?" + values.Encode())
	if err != nil {
		return nil, wrongURL("%v", err)
	}
	config.Username, config.Password = user, password
	if err := config.Validate(); err != nil {
		return nil, wrongURL("%v", err)
	}
	if user != "" && config.DisableTLS {
		return nil, wrongURL("has credentials but tls=false: the client would leave them out")
	}
	if !values.Has("maxdiscoverattempts") {
		config.MaxDiscoverAttempts = discoveryAttempts
	}
	return config, nil
}

func wrongURL(format string, args ...any) error {
	return fmt.Errorf("esdb: event store URL "+format, args...)
}

// word is what may be quoted of a url without showing what was meant to be secret.
var word = regexp.MustCompile(`^[A-Za-z0-9+.-]{1,32}$`)

// schemeOf is the client's form of a scheme.
func schemeOf(scheme string) (string, error) {
	name, discover, plus := strings.Cut(strings.ToLower(scheme), "+")
	switch {
	case name != "esdb" && name != "kurrentdb" && name != "kdb", plus && discover != "discover":
		if !word.MatchString(scheme) {
			return "", wrongURL("has no scheme, want esdb://host:port")
		}
		return "", wrongURL("has scheme %q, want esdb, kurrentdb or kdb, each alone or with +discover", scheme)
	case plus:
		return "esdb+discover", nil
	default:
		return "esdb", nil
	}
}

func credentialsOf(authority string) (hosts, user, password string, err error) {
	i := strings.LastIndexByte(authority, '@')
	if i < 0 {
		return authority, "", "", nil
	}
	name, secret, _ := strings.Cut(authority[:i], ":")
	user, nameErr := neturl.PathUnescape(name)
	password, secretErr := neturl.PathUnescape(secret)
	switch {
	case nameErr != nil || secretErr != nil:
		return "", "", "", wrongURL("has credentials with a %% that stands for nothing: write %%25")
	case user == "":
		return "", "", "", wrongURL("has credentials without a user")
	}
	return authority[i+1:], user, password, nil
}

var hostName = regexp.MustCompile(`^[A-Za-z0-9._-]{1,253}$`)

// checkHosts refuses ports that the client would cut down to 16 bits, and what it would
// take for something else. It quotes nothing: a url without "@" may have its password
// where the port should be.
func checkHosts(hosts string) error {
	if strings.Contains(hosts, "/") {
		return wrongURL("has a path, want none")
	}
	if strings.ContainsAny(hosts, "[]") {
		return wrongURL("has an IPv6 address, which the client cannot read: give it a name")
	}
	for _, host := range strings.Split(hosts, ",") {
		name, port, hasPort := strings.Cut(host, ":")
		if name == "" {
			return wrongURL("has no host, or an empty one in its list, want esdb://host:port")
		}
		if !hostName.MatchString(name) {
			return wrongURL("has a host that is no name or IPv4 address")
		}
		if !hasPort {
			continue
		}
		if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
			return wrongURL("has a port that is not a number from 1 to 65535")
		}
	}
	return nil
}

// settingsOf reads and checks the settings. Their keys come back in lower case.
func settingsOf(query string) (neturl.Values, error) {
	given, err := neturl.ParseQuery(query)
	if err != nil {
		return nil, wrongURL("has settings that cannot be read: %v", err)
	}
	values := neturl.Values{}
	for _, key := range slices.Sorted(maps.Keys(given)) {
		check, known := settings[strings.ToLower(key)]
		switch {
		case !known && word.MatchString(key):
			return nil, wrongURL("has an unknown setting %q", key)
		case !known:
			return nil, wrongURL("has a setting that is unknown")
		case len(given[key]) > 1 || values.Has(strings.ToLower(key)):
			return nil, wrongURL("has setting %s twice", key)
		}
		if err := check(given[key][0]); err != nil {
			return nil, wrongURL("has setting %s: %w", key, err)
		}
		values.Set(strings.ToLower(key), given[key][0])
	}
	return values, nil
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
