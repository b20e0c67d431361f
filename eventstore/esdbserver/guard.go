package esdbserver

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"runtime/debug"
	"strings"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/emptypb"
)

// Access is what a call asks of its caller.
type Access uint8

const (
	// Writes are refused where Options.ReadOnly is set, and need a user. It is the zero
	// value: a method that nobody thought of is guarded the most.
	Writes Access = iota
	// Reads need a user.
	Reads
	// Open is for anyone who reaches the listener. Official clients send no credentials
	// with the calls by which they find a server.
	Open
)

// open and reads list the methods that are not Writes, as gRPC names them.
var (
	open = []string{
		"/event_store.client.server_features.ServerFeatures/GetSupportedMethods",
		"/event_store.client.gossip.Gossip/Read",
	}
	reads = []string{
		"/event_store.client.streams.Streams/Read",
		"/event_store.client.persistent_subscriptions.PersistentSubscriptions/GetInfo",
		"/event_store.client.persistent_subscriptions.PersistentSubscriptions/List",
	}
)

// methods is the table of what is not Writes.
var methods = func() map[string]Access {
	table := make(map[string]Access)
	for _, m := range open {
		table[m] = Open
	}
	for _, m := range reads {
		table[m] = Reads
	}
	return table
}()

// AccessOf returns what a method asks, given its full name: "/package.Service/Method".
func AccessOf(method string) Access { return methods[method] }

// Permit refuses a call that its caller may not make: with UNAUTHENTICATED without a user
// whom Options.Authenticate lets pass, with PERMISSION_DENIED and the access-denied
// trailer where it writes to a server that is read-only. The guards ask it for every
// call of every service, so that no service has to.
func (s *Server) Permit(ctx context.Context, access Access) error {
	if access == Open {
		return nil
	}
	if err := s.authenticate(ctx); err != nil {
		return err
	}
	if access == Writes && s.options.ReadOnly {
		return accessDenied("this server is read-only: writing past the domain has to be allowed with --writable")
	}
	return nil
}

// User returns an Options.Authenticate that lets one user pass. How long it takes says
// nothing about how much of a name or password was right.
func User(name, password string) func(user, password string) bool {
	wantName, wantPassword := sha256.Sum256([]byte(name)), sha256.Sum256([]byte(password))
	return func(user, given string) bool {
		gotName, gotPassword := sha256.Sum256([]byte(user)), sha256.Sum256([]byte(given))
		return subtle.ConstantTimeCompare(wantName[:], gotName[:])&subtle.ConstantTimeCompare(wantPassword[:], gotPassword[:]) == 1
	}
}

func (s *Server) guardUnary(ctx context.Context, request any, info *grpc.UnaryServerInfo, next grpc.UnaryHandler) (response any, err error) {
	defer func() { tell(ctx, err) }()
	defer s.recovered(info.FullMethod, &err)
	if err := s.Permit(ctx, AccessOf(info.FullMethod)); err != nil {
		return nil, err
	}
	return next(ctx, request)
}

func (s *Server) guardStream(service any, stream grpc.ServerStream, info *grpc.StreamServerInfo, next grpc.StreamHandler) (err error) {
	defer func() { tell(stream.Context(), err) }()
	defer s.recovered(info.FullMethod, &err)
	if err := s.Permit(stream.Context(), AccessOf(info.FullMethod)); err != nil {
		if info.IsClientStream && !info.IsServerStream {
			s.drain(stream)
		}
		return err
	}
	return next(service, stream)
}

// drain takes what a client sends that is refused anyway: one that is refused while it
// sends sees the end of the stream and not the reason. One that sends too much or too
// long is cut off.
func (s *Server) drain(stream grpc.ServerStream) {
	ctx, cancel := context.WithTimeout(stream.Context(), s.options.AppendTimeout)
	defer cancel()
	over := make(chan struct{})
	go func() {
		defer close(over)
		for size := 0; size <= maxDrained; {
			// A message of no fields keeps all of them as unknown ones, so any kind fits.
			m := &emptypb.Empty{}
			if err := stream.RecvMsg(m); err != nil {
				return // io.EOF mostly; the caller has a better reason for whatever it is
			}
			size += proto.Size(m)
		}
	}()
	select {
	case <-over:
	case <-ctx.Done():
	}
}

// recovered turns a panic of one call into the failure of that call alone: a server
// that a message from outside can end is worse than the fault itself.
func (s *Server) recovered(method string, err *error) {
	if p := recover(); p != nil {
		s.options.Logger.Error("esdbserver: call panicked", "method", method, "panic", p, "stack", string(debug.Stack()))
		*err = status.Error(codes.Internal, "internal error")
	}
}

// maxCredentials is how many credentials of one call are looked at.
const maxCredentials = 4

func (s *Server) authenticate(ctx context.Context) error {
	if s.options.Authenticate == nil {
		return nil
	}
	md, _ := metadata.FromIncomingContext(ctx)
	headers := md.Get("authorization")
	for _, header := range headers[:min(len(headers), maxCredentials)] {
		if user, password, ok := basicAuth(header); ok && s.options.Authenticate(user, password) {
			return nil
		}
	}
	return status.Error(codes.Unauthenticated, "user and password required")
}

func basicAuth(header string) (user, password string, ok bool) {
	scheme, value, found := strings.Cut(header, " ")
	if !found || !strings.EqualFold(scheme, "basic") {
		return "", "", false
	}
	decoded, err := base64.StdEncoding.DecodeString(strings.TrimSpace(value))
	if err != nil {
		return "", "", false
	}
	return strings.Cut(string(decoded), ":")
}
