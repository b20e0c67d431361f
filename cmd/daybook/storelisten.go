package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"time"

	"daybook/eventstore"
	"daybook/eventstore/esdbserver"
	"daybook/eventstore/esdbserver/groups"
)

const (
	// storeUser is the one user whom the served store knows.
	storeUser = "admin"
	// storePasswordEnv holds the user's password. There is no flag for it: flags stand in
	// the process list.
	storePasswordEnv = "DAYBOOK_STORE_ADMIN_PASSWORD" //nolint:gosec // the variable's name, not a password
)

// storeAccess is one address at which a store is served, and to whom.
type storeAccess struct {
	flag     string // the flag that names the address, for messages
	addr     string
	cert     string // files; both empty to serve in clear, without a password
	key      string
	password string
	writable bool
	// remote lets an address that is served in clear be one that other machines reach;
	// remoteFlag is the flag that says so, empty where none does.
	remote     bool
	remoteFlag string
}

func (a storeAccess) mode() string {
	if a.writable {
		return "writable"
	}
	return "read-only"
}

// storeServer serves a store at one address.
type storeServer struct {
	server   *esdbserver.Server
	listener net.Listener
	// url is what a client is given to connect with; the password in it is a placeholder.
	url string
}

// listenStore takes the address; nobody is served before serve. Listeners of one store
// share its persistent subscriptions; one that is alone may leave them out.
func listenStore(ctx context.Context, store eventstore.Engine, a storeAccess, shared *groups.Groups) (*storeServer, error) {
	options := esdbserver.Options{ReadOnly: !a.writable, Groups: shared}
	var names *x509.Certificate
	if a.cert != "" || a.key != "" {
		if a.cert == "" || a.key == "" {
			return nil, errors.New("TLS needs both, the certificate and its key")
		}
		if a.password == "" {
			return nil, fmt.Errorf("with TLS everybody is asked for a password: set %s", storePasswordEnv)
		}
		pair, err := tls.LoadX509KeyPair(a.cert, a.key)
		if err != nil {
			return nil, fmt.Errorf("certificate %s with key %s: %w", a.cert, a.key, err)
		}
		if names = pair.Leaf; time.Now().After(names.NotAfter) {
			slog.Warn("the certificate has expired: clients that verify it will not connect", "file", a.cert, "at", names.NotAfter)
		}
		options.TLS = &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12}
		options.Authenticate = esdbserver.User(storeUser, a.password)
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", a.addr)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", a.flag, err)
	}
	at, ok := listener.Addr().(*net.TCPAddr)
	if options.TLS == nil && !a.remote && (!ok || !at.IP.IsLoopback()) {
		remedy := "name a loopback address, or serve with TLS"
		if a.remoteFlag != "" {
			remedy += ", or say " + a.remoteFlag
		}
		return nil, errors.Join(fmt.Errorf("%s %s: other machines reach this address, and without TLS nobody is asked for a password there: %s",
			a.flag, a.addr, remedy), listener.Close())
	}
	return &storeServer{esdbserver.New(store, options), listener, storeURL(listener.Addr(), names)}, nil
}

// serve answers clients until shutdown.
func (s *storeServer) serve() error { return s.server.Serve(s.listener) }

// shutdown ends what serve began. It also gives the address back where serve never began.
func (s *storeServer) shutdown(ctx context.Context) error {
	err := s.server.Shutdown(ctx)
	_ = s.listener.Close() // the server has closed it, if it ever had it
	return err
}

// storeURL is the connection string of a listener. With TLS the host has to be a name
// that the certificate is for.
func storeURL(addr net.Addr, cert *x509.Certificate) string {
	at, ok := addr.(*net.TCPAddr)
	if !ok {
		return "esdb://" + addr.String()
	}
	host := at.IP.String()
	if at.IP.IsUnspecified() {
		host = "localhost"
		if name, err := os.Hostname(); err == nil && cert == nil {
			host = name
		}
	}
	if cert == nil {
		return fmt.Sprintf("esdb://%s?tls=false", net.JoinHostPort(host, fmt.Sprint(at.Port)))
	}
	if cert.VerifyHostname(host) != nil {
		switch {
		case len(cert.DNSNames) > 0:
			host = cert.DNSNames[0]
		case len(cert.IPAddresses) > 0:
			host = cert.IPAddresses[0].String()
		}
	}
	return fmt.Sprintf("esdb://%s:PASSWORD@%s", storeUser, net.JoinHostPort(host, fmt.Sprint(at.Port)))
}
