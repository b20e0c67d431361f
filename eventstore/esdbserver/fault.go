package esdbserver

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"daybook/eventstore"
)

// Trailers by which official clients tell errors apart. What else they need to know of
// one stands in trailers of its own.
const (
	trailerException = "exception"
	trailerStream    = "stream-name"

	exceptionAccessDenied   = "access-denied"
	exceptionStreamDeleted  = "stream-deleted"
	exceptionWrongVersion   = "wrong-expected-version"
	exceptionAppendTooLarge = "maximum-append-size-exceeded"
)

// fault is a failure that clients decode into an error of their own: a status and the
// trailers that go with it. The guards send the trailers of every call that returns one.
type fault struct {
	status  *status.Status
	trailer metadata.MD
	limit   int // the size in bytes that was exceeded; 0: another fault
}

// Error implements error.
func (f *fault) Error() string { return f.status.Err().Error() }

// GRPCStatus is what gRPC sends.
func (f *fault) GRPCStatus() *status.Status { return f.status }

// newFault makes a fault of one of the exceptions that clients know; trailers are pairs
// of name and value.
func newFault(code codes.Code, exception, message string, trailers ...string) *fault {
	md := metadata.Pairs(trailerException, exception)
	for i := 0; i+1 < len(trailers); i += 2 {
		md.Set(trailers[i], printable(trailers[i+1]))
	}
	return &fault{status: status.New(code, message), trailer: md}
}

// printable is s as a header can carry it: what is not printable ASCII is escaped as in
// a URL.
func printable(s string) string {
	var b strings.Builder
	for i := range len(s) {
		if c := s[i]; c < ' ' || c > '~' {
			fmt.Fprintf(&b, "%%%02X", c)
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}

func streamDeleted(stream eventstore.StreamName) *fault {
	return newFault(codes.FailedPrecondition, exceptionStreamDeleted,
		fmt.Sprintf("Event stream '%s' is deleted.", stream), trailerStream, string(stream))
}

func accessDenied(message string) *fault {
	return newFault(codes.PermissionDenied, exceptionAccessDenied, message)
}

func appendTooLarge(limit int) *fault {
	f := newFault(codes.InvalidArgument, exceptionAppendTooLarge,
		fmt.Sprintf("an append of more than %d bytes", limit), "maximum-append-size", strconv.Itoa(limit))
	f.limit = limit
	return f
}

// wrongVersionFault is the conflict of a call that has no room for one in its answer.
func wrongVersionFault(operation string, c *eventstore.ConflictError) *fault {
	trailers := []string{trailerStream, string(c.Stream), "expected-version", strconv.FormatInt(numbered(c.Expected), 10)}
	if c.Actual.Exists {
		trailers = append(trailers, "actual-version", strconv.FormatUint(uint64(c.Actual.Revision), 10))
	}
	return newFault(codes.FailedPrecondition, exceptionWrongVersion,
		fmt.Sprintf("%s failed: stream %q is at %s, expected %s", operation, c.Stream, c.Actual, c.Expected), trailers...)
}

// numbered is an expectation as the protocol numbers it.
func numbered(e eventstore.Expected) int64 {
	switch revision, exact := e.Revision(); {
	case exact:
		return int64(revision)
	case e.Is(eventstore.NoStream()):
		return -1
	case e.Is(eventstore.Exists()):
		return -4
	default:
		return -2
	}
}

// invalid refuses a request that can never be right.
func invalid(format string, args ...any) error {
	return status.Error(codes.InvalidArgument, fmt.Sprintf(format, args...))
}

var errShuttingDown = status.Error(codes.Unavailable, "the server is shutting down")

// failure is what a client is told of an error of the store that concerns stream; empty:
// no stream. A cause that is not the client's doing goes to the log alone.
func (s *Server) failure(method string, stream eventstore.StreamName, err error) error {
	var conflict *eventstore.ConflictError
	switch {
	case errors.As(err, &conflict):
		return wrongVersionFault(method, conflict)
	case errors.Is(err, eventstore.ErrStreamDeleted):
		return streamDeleted(stream)
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
		return err // gRPC's own, from sending or receiving, or a fault
	}
	s.options.Logger.Error("esdbserver: call failed", "method", method, "stream", string(stream), "error", err)
	return status.Error(codes.Internal, "internal error")
}

// tell sends the trailers of a call that failed with a fault.
func tell(ctx context.Context, err error) {
	var f *fault
	if errors.As(err, &f) {
		_ = grpc.SetTrailer(ctx, f.trailer) // fails only outside of a call
	}
}
