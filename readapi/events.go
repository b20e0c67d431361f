package readapi

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"daybook/domain"
	"daybook/eventstore"
	"daybook/internal/httpapi"
	"daybook/internal/problem"
	"daybook/projections/ledger"
)

// Limits of reading the ledger.
const (
	maxLedgerEvents   = 100_000         // of one answer that is not followed
	maxLedgerReads    = 64              // open at once in this process
	maxLedgerOfCaller = 4               // and of one caller
	slowAfter         = 5 * time.Second // for a part of what is sent
	ledgerBeat        = 15 * time.Second
	ledgerContentType = "application/x-ndjson"
)

// eventsQuery is what the ledger is asked.
type eventsQuery struct {
	After       string `query:"after" maxLength:"20" pattern:"^[0-9]+$" default:"0" doc:"the position to go on from: of the last line that was received; 0 for the beginning"`
	Types       string `query:"types" maxLength:"2000" doc:"event types with commas between; one that ends in . stands for all that begin so, such as reservation."`
	Stream      string `query:"stream" maxLength:"512" doc:"the name of one stream; one that ends in - stands for all that begin so, such as day-"`
	Restaurants string `query:"restaurantId" maxLength:"2000" doc:"ids of restaurants with commas between, whose events alone are wanted; an owner names its own"`
	Limit       int    `query:"limit" minimum:"0" maximum:"100000" default:"1000" doc:"end after so many events; with follow, 0 is for never"`
	Follow      bool   `query:"follow" doc:"go on with each event as it is recorded"`
}

// openReads counts those of the ledger that are under way.
type openReads struct {
	mu       sync.Mutex
	all      int
	ofCaller map[string]int
}

// begin takes a place for a caller; the answer is false where none is left.
func (o *openReads) begin(caller string) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.all >= maxLedgerReads || o.ofCaller[caller] >= maxLedgerOfCaller {
		return false
	}
	if o.ofCaller == nil {
		o.ofCaller = make(map[string]int)
	}
	o.all++
	o.ofCaller[caller]++
	return true
}

// end gives the place back.
func (o *openReads) end(caller string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.all--
	if o.ofCaller[caller]--; o.ofCaller[caller] == 0 {
		delete(o.ofCaller, caller)
	}
}

func (r *reads) events(api *httpapi.API) {
	op := get("ledger-events", "/ledger/events", "The ledger's events, from any position on", "Ledger")
	op.Description = "A line of JSON for each event: {\"position\", \"recordedAt\", \"event\"}, where event is the canonical form: what is personal is replaced by the hash " +
		"of its ciphertext, and nothing else is changed, so that each line can be verified. To go on, send the position of the last line as after. " +
		"With follow=true the answer goes on with each event as it is recorded; a line {\"position\"} without an event, at least every 15 seconds, tells that nothing before it is left out. " +
		"A line with end is the last one and says why: closing, age, slow, forbidden or unavailable; go on from its position. " +
		"An owner names its restaurants, or a stream of one of them; whoever runs the service reads all, with the operator's token."
	op.Security, op.Errors = httpapi.LoggedInOrOperator, append(op.Errors, http.StatusNotFound, http.StatusForbidden)
	op.Responses = map[string]*huma.Response{"200": {
		Description: "events, in the order of the ledger",
		Content:     map[string]*huma.MediaType{ledgerContentType: {Schema: &huma.Schema{Type: huma.TypeString}}},
	}}
	httpapi.Handle(api, op, func(ctx context.Context, in *eventsQuery) (*huma.StreamResponse, error) {
		s, err := r.eventsAsked(ctx, in)
		if err != nil {
			return nil, err
		}
		if !r.ledgerReads.begin(s.caller) {
			return nil, problem.New(problem.Overloaded, "you read the ledger "+strconv.Itoa(maxLedgerOfCaller)+
				" times at once already, or this service is read by as many as it has room for; let one end first")
		}
		if err := s.open(httpapi.OpenEnded(ctx), in.Follow); err != nil {
			r.ledgerReads.end(s.caller)
			return nil, err
		}
		return &huma.StreamResponse{Body: func(hc huma.Context) {
			defer r.ledgerReads.end(s.caller)
			defer s.close()
			hc.SetHeader("Content-Type", ledgerContentType)
			hc.SetHeader("Cache-Control", "no-store")
			hc.SetHeader("X-Accel-Buffering", "no")
			if w, ok := hc.BodyWriter().(http.ResponseWriter); ok {
				s.out, s.line = w, http.NewResponseController(w)
				s.run()
			}
		}}, nil
	})
}

// eventsAsked checks what is asked, and that the caller may ask it.
func (r *reads) eventsAsked(ctx context.Context, in *eventsQuery) (*lines, error) {
	s := &lines{reads: r, choice: ledger.Choice{Stream: in.Stream}, left: in.Limit, caller: "operator"}
	after, err := strconv.ParseUint(in.After, 10, 64)
	if err != nil {
		return nil, badQuery("after", "want a position of the ledger, a whole number below 2⁶⁴")
	}
	s.at = eventstore.Position(after)
	if in.Types != "" {
		s.choice.Types = strings.Split(in.Types, ",")
		if err := s.choice.Check(); err != nil {
			return nil, badQuery("types", "every one must be an event type, such as reservation.held, or the beginning of one up to a full stop")
		}
	}
	if strings.HasPrefix(in.Stream, "$") {
		return nil, badQuery("stream", "streams that begin with $ are the engine's own and are not shown")
	}
	if in.Limit == 0 && !in.Follow {
		return nil, badQuery("limit", "0, for never, goes with follow=true")
	}
	if in.Restaurants != "" {
		for name := range strings.SplitSeq(in.Restaurants, ",") {
			id, err := domain.ParseRestaurantID(name)
			if err != nil {
				return nil, badQuery("restaurantId", err.Error())
			}
			s.choice.Restaurants = append(s.choice.Restaurants, id)
		}
	}
	if !httpapi.Operator(ctx) {
		user := httpapi.User(ctx)
		s.caller, s.user = string(user), user
		if len(s.choice.Restaurants) == 0 {
			id, ok := ledger.Owner(in.Stream)
			if !ok {
				return nil, domain.Reject(domain.CodeForbidden,
					"name restaurants of yours with restaurantId, or a stream of one of them; only whoever runs the service reads the whole ledger")
			}
			s.choice.Restaurants = []domain.RestaurantID{id}
		}
		if err := s.allowed(ctx); err != nil {
			return nil, err
		}
	}
	head, err := r.Events.Head(ctx)
	if err == nil && s.at > head {
		return nil, badQuery("after", "the ledger ends at position "+strconv.FormatUint(uint64(head), 10))
	}
	if err == nil {
		err = r.Events.Check(ctx, s.at)
	}
	if errors.Is(err, eventstore.ErrInvalid) {
		return nil, badQuery("after", "no event has that position")
	}
	return s, err
}

// lines is one answer.
type lines struct {
	*reads
	choice ledger.Choice
	caller string        // by whom open reads are counted
	user   domain.UserID // empty for the operator
	left   int           // events that are wanted; 0 for all that come
	at     eventstore.Position

	ctx  context.Context // of a request without a time limit
	tail *ledger.Tail    // nil where the ledger is not followed
	stop context.CancelFunc
	out  http.ResponseWriter
	line *http.ResponseController
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

// open begins to follow, so that what cannot be is told in time.
func (s *lines) open(ctx context.Context, follow bool) (err error) {
	s.ctx, s.stop = context.WithTimeout(ctx, maxAge)
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
	beat := time.NewTicker(ledgerBeat)
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
			if err := s.allowed(s.ctx); err != nil {
				return err
			}
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
	switch {
	case errors.Is(why, errSlow):
		m.End, m.Detail = "slow", "you took longer than "+slowAfter.String()+" for a part of it"
	case errors.Is(why, errClosing):
		m.End, m.Detail = "closing", "this process ends"
	case errors.Is(why, context.DeadlineExceeded):
		m.End, m.Detail = "age", "no answer goes on for longer than "+maxAge.String()
	case errors.Is(why, context.Canceled):
		return
	case refused:
		m.End, m.Detail = string(no.Code), no.Detail
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
		if err := s.line.SetWriteDeadline(time.Now().Add(sendWithin)); err != nil {
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
		slow = slow || time.Since(began) > slowAfter
	}
	return slow, nil
}
