package esdb

import (
	"strings"
	"testing"
)

func TestParseURL(t *testing.T) {
	type target struct {
		address  string
		seeds    int
		discover bool
		noTLS    bool
		attempts int
		user     string
		password string
	}
	cases := []struct {
		url  string
		want target
	}{
		{"esdb://localhost:2113?tls=false", target{"localhost:2113", 0, false, true, discoveryAttempts, "", ""}},
		{"esdb://localhost", target{"localhost:2113", 0, false, false, discoveryAttempts, "", ""}},
		{"kurrentdb://db:2114/?tls=false&maxDiscoverAttempts=7", target{"db:2114", 0, false, true, 7, "", ""}},
		{"kdb+discover://db:2114", target{"db:2114", 0, true, false, discoveryAttempts, "", ""}},
		{"esdb://a:1,b:2,c:3?tls=true", target{"", 3, false, false, discoveryAttempts, "", ""}},
		{"esdb://user:pass@db:2113", target{"db:2113", 0, false, false, discoveryAttempts, "user", "pass"}},
		{"esdb://us%40er:p%3Fa:s#s/w@db:2113,b", target{"", 2, false, false, discoveryAttempts, "us@er", "p?a:s#s/w"}},
		{"KurrentDB+Discover://db", target{"db:2113", 0, true, false, discoveryAttempts, "", ""}},
		{"kurrentdb://a,b,c?tlsVerifyCert=false&nodePreference=Follower", target{"", 3, false, false, discoveryAttempts, "", ""}},
	}
	for _, c := range cases {
		config, err := ParseURL(c.url)
		if err != nil {
			t.Errorf("%s: %v", c.url, err)
			continue
		}
		got := target{config.Address, len(config.GossipSeeds), config.DnsDiscover, config.DisableTLS, config.MaxDiscoverAttempts, config.Username, config.Password}
		if got != c.want {
			t.Errorf("%s: %+v, want %+v", c.url, got, c.want)
		}
	}
}

func TestParseURLRefuses(t *testing.T) {
	cases := []struct{ url, says string }{
		{"", "no scheme"},
		{"localhost:2113", "no scheme"},
		{"http://localhost:2113", `scheme "http"`},
		{"esdb+srv://localhost", `scheme "esdb+srv"`},
		{"esdb://", "no host"},
		{"esdb://?tls=false", "no host"},
		{"esdb://a:2113,?tls=false", "no host"},
		{"esdb://localhost:70000", "port that is not"},
		{"esdb://localhost:port", "port that is not"},
		{"esdb://localhost:", "port that is not"},
		{"esdb://localhost:2113/streams", "path"},
		{"esdb://localhost?tsl=false", `unknown setting "tsl"`},
		{"esdb://localhost?tls=maybe", `"maybe" is neither`},
		{"esdb://localhost?gossipTimeout=0", `"0" is not a whole number`},
		{"esdb://localhost?maxDiscoverAttempts=-1", `"-1" is not a whole number`},
		{"esdb://localhost?defaultDeadline=soon", `"soon" is not a whole number`},
		{"esdb://localhost?nodePreference=nearest", "nearest"},
		{"esdb://localhost?tls=false&userCertFile=url_test.go", "userKeyFile"},
		{"esdb://localhost?%zz", "settings"},
		{"esdb://user:secret@localhost?tls=false", "tls=false"},
		{"esdb://user:secret", "port that is not"},
		{"esdb://user:sec?ret=secret@localhost", "behind the ?"},
		{"user:secret@esdb://localhost", "no scheme"},
		{"esdb://[::1]:2113", "IPv6"},
		{"esdb://a b", "no name"},
		{"esdb://a,b?tls=true&TLS=false", "twice"},
		{"esdb://localhost?tls=true&tls=false", "twice"},
		{"esdb://localhost?keepAliveInterval=-2", "neither -1"},
		{"esdb://localhost?gossipTimeout=9223372036854775807", "from 1 to"},
		{"esdb://user:secret@localhost?tlsCaFile=/nowhere/ca.pem", "setting tlsCaFile: open /nowhere/ca.pem"},
		{"esdb://user:secret@localhost?tlsCaFile=url_test.go", `"url_test.go" holds no certificate`},
		{"esdb://user:secret@localhost?userCertFile=/nowhere/me.pem", "setting userCertFile: open /nowhere/me.pem"},
		{"esdb://:secret@localhost", "credentials"},
		{"esdb://us%zzer:secret@localhost", "credentials"},
	}
	for _, c := range cases {
		_, err := ParseURL(c.url)
		if err == nil {
			t.Errorf("%q was taken", c.url)
			continue
		}
		if !strings.Contains(err.Error(), c.says) || !strings.HasPrefix(err.Error(), "esdb: ") {
			t.Errorf("%q: %v, want it to say %s", c.url, err, c.says)
		}
		if strings.Contains(err.Error(), "secret") || strings.Contains(err.Error(), "\n") {
			t.Errorf("%q: the error shows the password: %v", c.url, err)
		}
	}
}

// FuzzParseURL looks for strings that panic, that give an error of several lines or one
// with the password in it, and for configurations that cannot work.
func FuzzParseURL(f *testing.F) {
	for _, s := range []string{
		"esdb://localhost:2113?tls=false", "kurrentdb+discover://a,b:1?gossipTimeout=3", "esdb://u:%s@h", "kdb://h?x=%s",
		"esdb://u:%s", "%s://h", "esdb://h/%s", "esdb://h:%s", "esdb://u:%s@[::1]", "esdb://u:a?b=%s@h", "esdb://h?tlsCaFile=url.go",
	} {
		f.Add(s)
	}
	const secret = "Pa55-uNmistakable"
	f.Fuzz(func(t *testing.T, url string) {
		config, err := ParseURL(url)
		if err == nil {
			if config.Address == "" && len(config.GossipSeeds) == 0 || config.MaxDiscoverAttempts < 1 || config.Username != "" && config.DisableTLS {
				t.Errorf("%q gives %+v", url, config)
			}
		} else if strings.ContainsAny(err.Error(), "\n\r") || !strings.HasPrefix(err.Error(), "esdb: event store URL ") {
			t.Errorf("%q: %q", url, err)
		}
		// The same host with a password, in its place.
		scheme, rest, found := strings.Cut(url, "://")
		if !found {
			return
		}
		if _, err := ParseURL(scheme + "://user:" + secret + "@" + rest); err != nil && strings.Contains(err.Error(), secret) {
			t.Errorf("%q with a password: the error shows it: %v", url, err)
		}
	})
}
