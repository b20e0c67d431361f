// Package esdbserver speaks the EventStoreDB gRPC protocol over any
// eventstore.Engine, so that official clients, in whatever language, and further
// processes of Daybook can append to, read and follow one ledger.
//
// What belongs here: the protocol — the translation between its messages and the
// contract, its limits, and who may do what. What does not: keeping events and deciding
// which of them are shown (look in embedded), the other end of the wire (esdb), and
// anything that knows what an event means (codec).
//
// # Positions on the wire
//
// The protocol counts from 0, the contract from 1: a record at eventstore.Position p
// stands at commit and prepare position p-1 on the wire. The esdb adapter adds the 1
// again, so a position means the same to a process that holds the store and to one
// that reaches it through this server, and both may share one checkpoint.
//
// # Who may do what
//
// Permit is the one place that decides. Whoever finds a server by gossip or asks for its
// features needs no user. All else needs the one that Options.Authenticate lets pass, if
// it is set, and may then read every stream, the engine's own too: access lists in the
// metadata of streams are kept and not minded. With Options.ReadOnly nobody writes.
//
// # What is not spoken
//
// Server-side projections, user management, scavenging, the multi-stream append of
// KurrentDB 25.1, the operations and monitoring services, and everything that HTTP
// alone offers. A call to one of them is answered with UNIMPLEMENTED, and ServerFeatures
// lists none. Regular expressions of filters are those of RE2: one that looks ahead or
// behind is refused with INVALID_ARGUMENT. An event has at most 1 MiB, an append 4 MiB
// and 4096 events.
package esdbserver

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/gossip"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/persistent"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/serverfeatures"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"github.com/google/uuid"
	"golang.org/x/net/netutil"
	"golang.org/x/sync/semaphore"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/keepalive"

	"daybook/eventstore"
	"daybook/eventstore/esdbserver/groups"
)

const (
	// maxMessage bounds one message from a client: the largest append, which a batch may
	// carry whole, and room for the rest of its envelope.
	maxMessage = eventstore.MaxAppendSize + 1<<20
	// maxHeaders bounds the headers of one call, in bytes.
	maxHeaders = 16 << 10
	// streamWindow and connWindow are what a client may send of one call, and over one
	// connection, before the server has taken it. Growing windows, gRPC's default, would
	// let a call that waits its turn keep 16 MiB.
	streamWindow = 256 << 10
	connWindow   = 1 << 20
	// handshakeTimeout bounds the time from accepting a connection to its first call.
	handshakeTimeout = 10 * time.Second
	// minPing is the shortest time between two pings that a client may send. Official
	// clients ping every 10 s, also without a call under way; gRPC's own default would
	// throw them out.
	minPing = 5 * time.Second
	// pingAfter and pingTimeout find clients that went away without a word, whose
	// subscriptions would otherwise stay for ever.
	pingAfter   = 30 * time.Second
	pingTimeout = 15 * time.Second
	// maxIntakes is how many appends are taken in at a time. Each may hold an append and
	// a message; further ones wait.
	maxIntakes = 256
	// maxBatchers is how many BatchAppend calls are open at a time. Each may hold
	// maxPendingSize, maxUnderWay and a message; further ones are refused. Official
	// clients open one each.
	maxBatchers = 128
)

// Options of a Server. The zero value serves anyone who can reach the listener, in
// clear, and lets them write: fit for a loopback port or a socket in a guarded folder only.
type Options struct {
	// Authenticate decides on the user and password of each call; see User. With nil all
	// pass, whatever credentials they bring, as EventStoreDB does with --insecure.
	// Official clients send credentials over TLS only.
	Authenticate func(user, password string) bool
	// ReadOnly refuses every call that writes.
	ReadOnly bool
	// TLS of the listener; nil serves in clear.
	TLS *tls.Config
	// Groups are the persistent subscriptions, for several servers of one engine to share:
	// each of two that kept its own would hand out every message. Who made them closes
	// them, after Shutdown. Nil: the server makes its own, and closes them.
	Groups *groups.Groups
	// Advertise is the "host:port" that clients which discover nodes by gossip are told
	// to dial. Empty: the address that the asking client reached.
	Advertise string
	// MaxConnections open at a time, 256 if 0. Further ones wait.
	MaxConnections int
	// MaxCalls under way at a time on one connection, 1000 if 0.
	MaxCalls uint32
	// AppendTimeout is how long a client may take to send one append, and the store to
	// do it; 15 s if 0.
	AppendTimeout time.Duration
	// Logger receives the causes that clients are not told; slog's default if nil.
	Logger *slog.Logger
}

// Server serves one Engine. Safe for concurrent use.
type Server struct {
	engine  eventstore.Engine
	options Options
	grpc    *grpc.Server
	// persistent has goroutines and unwritten checkpoints, which Shutdown ends and writes.
	persistent *persistentService

	intakes  *semaphore.Weighted
	batchers *semaphore.Weighted
	// closing ends subscriptions, which no client ends by itself, when Shutdown begins.
	closing context.Context
	close   context.CancelFunc

	mu   sync.Mutex
	addr net.Addr
}

// New returns a server of engine. It neither listens yet nor owns the engine: who made
// the engine closes it, after Shutdown.
func New(engine eventstore.Engine, options Options) *Server {
	if options.MaxConnections <= 0 {
		options.MaxConnections = 256
	}
	if options.MaxCalls == 0 {
		options.MaxCalls = 1000
	}
	if options.AppendTimeout <= 0 {
		options.AppendTimeout = 15 * time.Second
	}
	if options.Logger == nil {
		options.Logger = slog.Default()
	}
	s := &Server{
		engine: engine, options: options,
		intakes:  semaphore.NewWeighted(maxIntakes),
		batchers: semaphore.NewWeighted(maxBatchers),
	}
	s.closing, s.close = context.WithCancel(context.Background())

	grpcOptions := []grpc.ServerOption{
		grpc.MaxRecvMsgSize(maxMessage),
		grpc.MaxConcurrentStreams(options.MaxCalls),
		grpc.MaxHeaderListSize(maxHeaders),
		grpc.StaticStreamWindowSize(streamWindow),
		grpc.StaticConnWindowSize(connWindow),
		grpc.ConnectionTimeout(handshakeTimeout),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: minPing, PermitWithoutStream: true}),
		grpc.KeepaliveParams(keepalive.ServerParameters{Time: pingAfter, Timeout: pingTimeout}),
		grpc.ChainUnaryInterceptor(s.guardUnary),
		grpc.ChainStreamInterceptor(s.guardStream),
	}
	if options.TLS != nil {
		grpcOptions = append(grpcOptions, grpc.Creds(credentials.NewTLS(options.TLS)))
	}
	s.grpc = grpc.NewServer(grpcOptions...)
	streams.RegisterStreamsServer(s.grpc, &streamsService{server: s})
	gossip.RegisterGossipServer(s.grpc, &gossipService{server: s, instance: eventstore.EventID(uuid.New())})
	serverfeatures.RegisterServerFeaturesServer(s.grpc, &featuresService{server: s})
	s.persistent = newPersistentService(s)
	persistent.RegisterPersistentSubscriptionsServer(s.grpc, s.persistent)
	return s
}

// Serve answers clients of lis until Shutdown, which makes it return nil. It owns lis
// and may be called once.
func (s *Server) Serve(lis net.Listener) error {
	s.mu.Lock()
	if s.addr != nil {
		s.mu.Unlock()
		return errors.New("esdbserver: already serving")
	}
	s.addr = lis.Addr()
	s.mu.Unlock()
	if err := s.grpc.Serve(netutil.LimitListener(lis, s.options.MaxConnections)); err != nil && !errors.Is(err, grpc.ErrServerStopped) {
		return fmt.Errorf("esdbserver: serve %s: %w", lis.Addr(), err)
	}
	return nil
}

// Addr returns the address that is served, nil before Serve.
func (s *Server) Addr() net.Addr {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.addr
}

// Shutdown stops accepting, breaks subscriptions off, writes how far persistent ones are,
// lets appends and reads under way finish, and returns. If ctx ends first it cuts them off
// and returns ctx's error.
func (s *Server) Shutdown(ctx context.Context) error {
	s.close()
	// First, for it is short: whoever is slow to finish must not cost others their place.
	var unwritten error
	if s.options.Groups == nil {
		if unwritten = s.persistent.groups.Close(ctx); unwritten != nil {
			unwritten = fmt.Errorf("esdbserver: last checkpoints of persistent subscriptions: %w", unwritten)
		}
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.grpc.GracefulStop()
	}()
	select {
	case <-done:
		return unwritten
	case <-ctx.Done():
		s.grpc.Stop()
		<-done
		return ctx.Err()
	}
}
