package esdbserver

import (
	"context"
	"encoding/base64"
	"errors"
	"runtime/debug"
	"strings"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"daybook/eventstore"
)

func (s *Server) guardUnary(ctx context.Context, request any, info *grpc.UnaryServerInfo, next grpc.UnaryHandler) (response any, err error) {
	defer s.recovered(info.FullMethod, &err)
	if err := s.authenticate(ctx, info.FullMethod); err != nil {
		return nil, err
	}
	return next(ctx, request)
}

func (s *Server) guardStream(service any, stream grpc.ServerStream, info *grpc.StreamServerInfo, next grpc.StreamHandler) (err error) {
	defer s.recovered(info.FullMethod, &err)
	if err := s.authenticate(stream.Context(), info.FullMethod); err != nil {
		return err
	}
	return next(service, stream)
}

// recovered turns a panic of one call into the failure of that call alone: a server
// that a message from outside can end is worse than the fault itself.
func (s *Server) recovered(method string, err *error) {
	if p := recover(); p != nil {
		s.options.Logger.Error("esdbserver: call panicked", "method", method, "panic", p, "stack", string(debug.Stack()))
		*err = status.Error(codes.Internal, "internal error")
	}
}

// authenticate checks the credentials of calls that touch the ledger. Discovery stays
// open: official clients send no credentials with it.
func (s *Server) authenticate(ctx context.Context, method string) error {
	if s.options.Authenticate == nil || !strings.HasPrefix(method, "/"+streams.Streams_ServiceDesc.ServiceName+"/") {
		return nil
	}
	md, _ := metadata.FromIncomingContext(ctx)
	for _, header := range md.Get("authorization") {
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

// failure is what a client is told of an error of the store. A cause that is not the
// client's doing goes to the log alone.
func (s *Server) failure(method string, err error) error {
	switch {
	case errors.Is(err, eventstore.ErrInvalid), errors.Is(err, eventstore.ErrNoExpectation):
		return status.Error(codes.InvalidArgument, err.Error())
	case errors.Is(err, eventstore.ErrUnknownOutcome):
		// Before the context's errors: an unknown outcome must not look like a refusal.
		return status.Error(codes.Unknown, "the append may or may not have happened")
	case errors.Is(err, context.Canceled):
		if s.closing.Err() != nil {
			return errShuttingDown
		}
		return status.Error(codes.Canceled, "cancelled")
	case errors.Is(err, context.DeadlineExceeded):
		return status.Error(codes.DeadlineExceeded, "deadline exceeded")
	case errors.Is(err, eventstore.ErrUnavailable), errors.Is(err, eventstore.ErrClosed):
		return status.Error(codes.Unavailable, "the store is not available")
	}
	if _, already := status.FromError(err); already {
		return err // gRPC's own, from sending or receiving
	}
	s.options.Logger.Error("esdbserver: call failed", "method", method, "error", err)
	return status.Error(codes.Internal, "internal error")
}

var errShuttingDown = status.Error(codes.Unavailable, "the server is shutting down")
