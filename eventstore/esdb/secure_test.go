package esdb_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"daybook/eventstore"
	"daybook/eventstore/esdb"
	"daybook/eventstore/esdbserver"
)

// certificate makes a self-signed one for 127.0.0.1 and writes it to a file.
func certificate(t testing.TB) (config *tls.Config, file string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber:          big.NewInt(1),
		Subject:               pkix.Name{CommonName: "ledger"},
		NotBefore:             time.Now().Add(-time.Hour),
		NotAfter:              time.Now().Add(time.Hour),
		IPAddresses:           []net.IP{net.IPv4(127, 0, 0, 1)},
		IsCA:                  true,
		BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	file = filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}, MinVersion: tls.VersionTLS12}, file
}

func TestTLSAndCredentials(t *testing.T) {
	config, ca := certificate(t)
	url, _ := serve(t, openLedger(t), "127.0.0.1:0", esdbserver.Options{
		TLS:          config,
		Authenticate: func(user, password string) bool { return user == "daybook" && password == "right" },
	})
	host := hostOf(url)
	ctx := context.Background()

	good := connect(t, "esdb://daybook:right@"+host+"?tlsCaFile="+ca, esdb.Options{})
	if _, err := good.Append(ctx, "day-1", eventstore.NoStream(), event("day-1", 0)); err != nil {
		t.Fatalf("append with the right password: %v", err)
	}
	for who, credentials := range map[string]string{"a wrong password": "daybook:wrong@", "nobody": ""} {
		bad := connect(t, "esdb://"+credentials+host+"?tlsCaFile="+ca, esdb.Options{})
		_, appendErr := bad.Append(ctx, "day-1", eventstore.At(0), event("day-1", 1))
		_, headErr := bad.Head(ctx)
		_, subscribeErr := bad.Subscribe(ctx, eventstore.Start, eventstore.Filter{})
		for call, err := range map[string]error{"append": appendErr, "head": headErr, "subscribe": subscribeErr} {
			if !errors.Is(err, eventstore.ErrUnavailable) || errors.Is(err, eventstore.ErrUnknownOutcome) {
				t.Errorf("%s as %s: %v, want ErrUnavailable", call, who, err)
			}
		}
	}
	if head, err := good.Head(ctx); err != nil || head != 1 {
		t.Fatalf("head %d, %v: a refused append was kept", head, err)
	}

	// Whoever asks not to look at the certificate is let in by the password alone.
	trusting := connect(t, "kurrentdb://daybook:right@"+host+"?tlsVerifyCert=false", esdb.Options{})
	if _, err := trusting.Append(ctx, "day-1", eventstore.At(0), event("day-1", 1)); err != nil {
		t.Errorf("append without looking at the certificate: %v", err)
	}

	// In clear, and with an authority the client does not know, nobody gets in.
	for _, url := range []string{"esdb://" + host + "?tls=false", "esdb://daybook:right@" + host} {
		if _, err := esdb.Open(ctx, url+map[bool]string{true: "&", false: "?"}[strings.Contains(url, "?")]+"maxDiscoverAttempts=1", esdb.Options{Logger: quiet()}); !errors.Is(err, eventstore.ErrUnavailable) {
			t.Errorf("open %s: %v, want ErrUnavailable", url, err)
		}
	}
}

func TestDiscoveryByGossip(t *testing.T) {
	url, _ := serve(t, openLedger(t), "127.0.0.1:0", esdbserver.Options{})
	host := hostOf(url)
	for _, url := range []string{
		"kurrentdb+discover://" + host + "?tls=false",
		"esdb://127.0.0.1:1," + host + "?tls=false", // the first seed is not there
	} {
		s := connect(t, url, esdb.Options{})
		if _, err := s.Append(context.Background(), "day-1", eventstore.Any(), event(url, 0)); err != nil {
			t.Errorf("%s: append: %v", url, err)
		}
	}
}
