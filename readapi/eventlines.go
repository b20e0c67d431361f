package readapi

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"strconv"
	"sync"
	"time"

	"daybook/domain"
	"daybook/eventstore"
	"daybook/internal/problem"
	"daybook/projections/ledger"
)

// pace is how fast an answer goes, and how fast its reader must be.
type pace struct {
	beat time.Duration // a line at least so often; rights are judged again then, too
	slow time.Duration // for a part of what is sent; who takes longer is slow
	gone time.Duration // and who takes so long is let go
}

var ledgerPace = pace{beat: 15 * time.Second, slow: 5 * time.Second, gone: sendWithin}

// lines is one answer.
type lines struct {
	*reads
	choice ledger.Choice
	caller string        // by whom open reads are counted
	user   domain.UserID // empty for the operator
	left   int           // events that are wanted; 0 for all that come
	at     eventstore.Position
	pace   pace

	stillIn func() bool // the caller's token is good

	ctx    context.Context // of a request without a time limit
	judged time.Time       // when it was last asked whether the caller may read
	tail   *ledger.Tail    // nil where the ledger is not followed
	stop   context.CancelFunc
	out    http.ResponseWriter
	line   *http.ResponseController
}

// allowed refuses a user who does not own each of the restaurants. The operator may read
// all, whichever it names.
func (s *lines) allowed(ctx context.Context) error {
	if s.user == "" {
		return nil
	}
	for _, id := range s.choice.Restaurants {
		state, _, err := s.restaurant(ctx, After{}, string(id))
		if err != nil {
			return err
		}
		if !state.MayManage(s.user) {
			return domain.Reject(domain.CodeForbidden, "only those who manage a restaurant read its events")
		}
	}
	return nil
}

// mayGoOn refuses a caller whose token is no longer good or who, as is asked now and then,
// has lost his rights.
func (s *lines) mayGoOn() error {
	if !s.stillIn() {
		return problem.New(problem.Unauthenticated, "the access token is no longer good; log in again")
	}
	if time.Since(s.judged) < s.pace.beat {
		return nil
	}
	s.judged = time.Now()
	return s.allowed(s.ctx)
}

// open begins to follow, so that what cannot be is told in time.
func (s *lines) open(ctx context.Context, follow bool) (err error) {
	s.ctx, s.stop = context.WithTimeout(ctx, maxAge)
	s.judged = time.Now()
	if follow {
		s.tail, err = s.Events.Tail(s.ctx, s.at, s.choice)
	}
	if err != nil {
		s.stop()
	}
	return err
}

func (s *lines) close() {
	s.stop()
	if s.tail != nil {
		_ = s.tail.Close() // it only reads
	}
}

// Why an answer ends before its reader does.
var (
	errClosing = errors.New("closing")
	errSlow    = errors.New("slow")
	errGone    = errors.New("gone") // nobody is there to be told
)

// run sends what there is, and with a tail what comes.
func (s *lines) run() {
	// The server's own limit is for requests that are to come in at once.
	if err := s.line.SetReadDeadline(time.Time{}); err != nil {
		return
	}
	var err error
	if s.tail != nil {
		err = s.follow()
	} else {
		err = s.Events.Page(s.ctx, s.at, s.choice, s.left, func(p ledger.Piece) error {
			select {
			case <-s.Closing:
				return errClosing
			default:
				return s.send(p)
			}
		})
	}
	if err != nil && !errors.Is(err, errGone) {
		s.end(err)
	}
}

// follow sends each piece as it comes. One piece is read ahead, no more.
func (s *lines) follow() error {
	ctx, stop := context.WithCancel(s.ctx)
	pieces, failed := make(chan ledger.Piece), make(chan error, 1)
	var reading sync.WaitGroup
	reading.Go(func() { failed <- s.read(ctx, s.left, pieces) })
	defer reading.Wait()
	defer stop()
	beat := time.NewTicker(s.pace.beat)
	defer beat.Stop()
	for sent := false; ; {
		select {
		case <-s.ctx.Done():
			return s.ctx.Err()
		case <-s.Closing:
			return errClosing
		case err := <-failed:
			return err
		case p := <-pieces:
			if p.Events == 0 && sent {
				s.at = p.Position // the next beat tells
				continue
			}
			sent = true
			if err := s.send(p); err != nil {
				return err
			}
		case <-beat.C:
			if err := s.send(ledger.Piece{Position: s.at}); err != nil {
				return err
			}
		}
	}
}

// read hands on limit events, 0 for as many as come, or what kept it from doing so.
func (s *lines) read(ctx context.Context, limit int, to chan<- ledger.Piece) error {
	for left := limit; limit == 0 || left > 0; {
		p, err := s.tail.Next(ctx, left)
		if err != nil {
			return err
		}
		left -= p.Events
		select {
		case to <- p:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// mark is a line without an event.
type mark struct {
	Position eventstore.Position `json:"position"`
	End      string              `json:"end,omitempty"`
	Detail   string              `json:"detail,omitempty"`
}

// end writes the last line.
func (s *lines) end(why error) {
	m := mark{Position: s.at}
	no, refused := domain.Rejected(why)
	var p *problem.Problem
	switch {
	case errors.Is(why, errSlow):
		m.End, m.Detail = "slow", "you took longer than "+s.pace.slow.String()+" for a part of it"
	case errors.Is(why, errClosing):
		m.End, m.Detail = "closing", "this process ends"
	case errors.Is(why, context.DeadlineExceeded):
		m.End, m.Detail = "age", "no answer goes on for longer than "+maxAge.String()
	case errors.Is(why, context.Canceled):
		return
	case refused:
		m.End, m.Detail = string(no.Code), no.Detail
	case errors.As(why, &p):
		m.End, m.Detail = string(p.Code), p.Detail
	default:
		slog.Warn("the ledger cannot be read on for somebody", "position", uint64(s.at), "error", why)
		m.End, m.Detail = string(problem.Unavailable), "the ledger cannot be read just now"
	}
	m.Detail += "; go on with after=" + strconv.FormatUint(uint64(s.at), 10)
	if text, err := json.Marshal(m); err == nil {
		_, _ = s.write(append(text, '\n')) // it may have gone
	}
}

// send writes a piece's lines, or where it has none a line that tells its position.
func (s *lines) send(p ledger.Piece) error {
	if err := s.mayGoOn(); err != nil {
		return err
	}
	text := p.Lines
	if p.Events == 0 {
		var err error
		if text, err = json.Marshal(mark{Position: p.Position}); err != nil {
			return err
		}
		text = append(text, '\n')
	}
	slow, err := s.write(text)
	if err != nil {
		return errGone
	}
	s.at = p.Position
	if slow {
		return errSlow
	}
	return nil
}

// write sends text in small parts. Each has its own time: a client whose line is thin gets
// all of it, one that has stopped to read is let go, and one that nearly has is slow.
func (s *lines) write(text []byte) (slow bool, err error) {
	const part = 32 << 10
	for len(text) > 0 {
		if err := s.line.SetWriteDeadline(time.Now().Add(s.pace.gone)); err != nil {
			return slow, err
		}
		began := time.Now()
		n := min(part, len(text))
		if _, err := s.out.Write(text[:n]); err != nil {
			return slow, err
		}
		text = text[n:]
		if len(text) == 0 {
			if err := s.line.Flush(); err != nil {
				return slow, err
			}
		}
		slow = slow || time.Since(began) > s.pace.slow
	}
	return slow, nil
}
