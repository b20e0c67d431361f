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
	}
	cases := []struct {
		url  string
		want target
	}{
		{"esdb://localhost:2113?tls=false", target{"localhost:2113", 0, false, true, discoveryAttempts}},
		{"esdb://localhost", target{"localhost:2113", 0, false, false, discoveryAttempts}},
		{"kurrentdb://db:2114/?tls=false&maxDiscoverAttempts=7", target{"db:2114", 0, false, true, 7}},
		{"kdb+discover://db:2114", target{"db:2114", 0, true, false, discoveryAttempts}},
		{"esdb://a:1,b:2,c:3?tls=true", target{"", 3, false, false, discoveryAttempts}},
		{"esdb://user:pass@db:2113", target{"db:2113", 0, false, false, discoveryAttempts}},
	}
	for _, c := range cases {
		config, err := ParseURL(c.url)
		if err != nil {
			t.Errorf("%s: %v", c.url, err)
			continue
		}
		got := target{config.Address, len(config.GossipSeeds), config.DnsDiscover, config.DisableTLS, config.MaxDiscoverAttempts}
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
		{"esdb://localhost:70000", `port "70000"`},
		{"esdb://localhost:port", `port "port"`},
		{"esdb://localhost:", `port ""`},
		{"esdb://localhost:2113/streams", "path"},
		{"esdb://localhost?tsl=false", `unknown setting "tsl"`},
		{"esdb://localhost?tls=maybe", `"maybe" is neither`},
		{"esdb://localhost?gossipTimeout=0", `"0" is not a whole number`},
		{"esdb://localhost?maxDiscoverAttempts=-1", `"-1" is not a whole number`},
		{"esdb://localhost?defaultDeadline=soon", `"soon" is not a whole number`},
		{"esdb://localhost?nodePreference=nearest", "nearest"},
		{"esdb://localhost?tls=false&userCertFile=a.pem", "userKeyFile"},
		{"esdb://localhost?%zz", "settings"},
		{"esdb://user:secret@localhost?tls=false", "tls=false"},
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
		if strings.Contains(err.Error(), "secret") {
			t.Errorf("%q: the error shows the password: %v", c.url, err)
		}
	}
}
