package esdb

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"time"

	client "github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"daybook/eventstore"
)

// codeOf finds the client's code in err, wrapped or not: the client's own FromError
// looks at the outermost error only.
func codeOf(err error) client.ErrorCode {
	var e *client.Error
	if errors.As(err, &e) {
		return e.Code()
	}
	return client.ErrorCodeUnknown
}

// broken reports whether err shows that a link is of no use any more.
func broken(err error) bool {
	switch codeOf(err) {
	case client.ErrorUnavailable, client.ErrorCodeConnectionClosed:
		return true
	default:
		return errors.Is(err, errClientPanic) || status.Code(err) == codes.Unavailable
	}
}

// late reports whether err is a server that kept a call waiting past its deadline. The
// server may only be slow; but a connection that something on the way has dropped without
// a word looks just so, until a ping finds it out much later.
func late(err error) bool { return codeOf(err) == client.ErrorCodeDeadlineExceeded }

// leaderMoves is how often one call goes after a leader that has moved.
const leaderMoves = 3

// moved reports whether a call that failed with err for the attempt-th time, counted from
// 0, should be made again: the server has done nothing and told who leads instead, and the
// client object connects to that one by itself.
func (s *Store) moved(ctx context.Context, err error, attempt int) bool {
	if codeOf(err) != client.ErrorCodeNotLeader || attempt >= leaderMoves || ctx.Err() != nil || s.open.Err() != nil {
		return false
	}
	s.counters.leaders.Add(1)
	return true
}

// refused reports whether err is a server's answer that the request can never be
// right.
func refused(err error) bool {
	return status.Code(err) == codes.InvalidArgument
}

// readFailure is the contract's error for a failed read or subscription. ctx is the
// caller's.
func (s *Store) readFailure(ctx context.Context, u *use, err error) error {
	if broken(err) {
		s.links.fail(u.link)
	}
	switch {
	case ended(ctx) != nil:
		return ended(ctx)
	case s.open.Err() != nil, errors.Is(err, eventstore.ErrClosed):
		return eventstore.ErrClosed
	case errors.Is(err, eventstore.ErrUnavailable):
		return err
	case refused(err):
		return fmt.Errorf("%w: %v", eventstore.ErrInvalid, err)
	}
	switch codeOf(err) {
	case client.ErrorCodeResourceNotFound:
		return eventstore.ErrStreamNotFound
	case client.ErrorCodeStreamDeleted:
		return eventstore.ErrStreamDeleted
	default:
		return unavailable(err)
	}
}

// unavailable is the contract's error for a server that does not do what it was asked. It
// is ErrDenied too where the server says that this user may not have it.
func unavailable(err error) error {
	switch codeOf(err) {
	case client.ErrorCodeAccessDenied, client.ErrorCodeUnauthenticated:
		return fmt.Errorf("%w: %w: %v", eventstore.ErrUnavailable, eventstore.ErrDenied, err)
	default:
		return fmt.Errorf("%w: %v", eventstore.ErrUnavailable, err)
	}
}

// appendFailure is the contract's error for an append that failed other than by a
// conflict. ctx is the caller's.
func appendFailure(ctx context.Context, err error) error {
	switch {
	case refused(err):
		return fmt.Errorf("%w: %v", eventstore.ErrInvalid, err)
	case codeOf(err) == client.ErrorCodeStreamDeleted:
		return eventstore.ErrStreamDeleted
	case !handedOver(err):
		if err := ended(ctx); err != nil {
			return err
		}
		return unavailable(err)
	}
	// The cause is not wrapped: whoever asks for the context's error must not read
	// "nothing was appended" out of this one.
	return fmt.Errorf("%w: %v", eventstore.ErrUnknownOutcome, err)
}

// ended is the error of a context that is over. A server told of the deadline may
// answer a moment before the context's own timer runs.
func ended(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if deadline, ok := ctx.Deadline(); ok && !time.Now().Before(deadline) {
		return context.DeadlineExceeded
	}
	return nil
}

// handedOver reports whether the server may hold the whole append. It cannot where it
// said so, nor where the client failed before the end of its request: the client then
// wraps its error, and leaves only the errors of waiting for the answer bare.
func handedOver(err error) bool {
	var e *client.Error
	if !errors.As(err, &e) {
		return true
	}
	if error(e) != err { //nolint:errorlint // whether it is wrapped is the question
		return false
	}
	switch e.Code() {
	case client.ErrorCodeConnectionClosed, client.ErrorCodeNotLeader, client.ErrorCodeAccessDenied,
		client.ErrorCodeUnauthenticated, client.ErrorCodeUnsupportedFeature, client.ErrorCodeStreamDeleted:
		return false
	default:
		return true
	}
}

// actualInText finds where a conflict's text says the stream is.
var actualInText = regexp.MustCompile(`but got '([^']*)'`)

// actualOf reads a conflict's actual state out of its text, the only place the client
// leaves it in; ok is false where it is not there.
func actualOf(err error) (actual eventstore.Actual, ok bool) {
	found := actualInText.FindStringSubmatch(err.Error())
	if found == nil {
		return eventstore.Actual{}, false
	}
	if found[1] == "no_stream" {
		return eventstore.Actual{}, true
	}
	revision, parseErr := strconv.ParseUint(found[1], 10, 64)
	if parseErr != nil {
		return eventstore.Actual{}, false
	}
	return eventstore.Actual{Exists: true, Revision: eventstore.Revision(revision)}, true
}
