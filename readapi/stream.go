package readapi

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"daybook/internal/httpapi"
	"daybook/internal/problem"
	"daybook/projections/availability"
)

// Limits of streams.
const (
	maxStreams = 2000             // open at once in this process
	beatEvery  = 15 * time.Second // a line at least so often; the day is read again then, too
	sendWithin = 10 * time.Second // a client that takes longer for an event is let go
	maxAge     = time.Hour        // after that the client comes again
	comeAgain  = 2 * time.Second  // and waits so long before it does
)

func (r *reads) stream(api *httpapi.API) {
	op := get("stream-availability", "/restaurants/{id}/availability/stream", "What a day offers a party, now and after each change", "Booking")
	op.Description = "Server-sent events named availability, whose data is what GET …/availability answers with and whose id is its revision. " +
		"A client that comes again with Last-Event-ID is told nothing that it knows. Who reads slowly is told of the latest only."
	op.Errors = append(op.Errors, http.StatusNotFound)
	op.Responses = map[string]*huma.Response{"200": {
		Description: "events, until the client goes; a comment now and then shows that the line stands",
		Content:     map[string]*huma.MediaType{"text/event-stream": {Schema: &huma.Schema{Type: huma.TypeString}}},
	}}
	httpapi.Handle(api, op, func(ctx context.Context, in *struct {
		After
		DayQuery
		Limit int    `query:"limit" minimum:"0" maximum:"1000" doc:"end after so many events; 0, the default, for never"`
		Last  uint64 `header:"Last-Event-ID" doc:"the id of the last event that was received; 0 for none"`
	}) (*huma.StreamResponse, error) {
		asked, err := in.read()
		if err != nil {
			return nil, err
		}
		select {
		case r.streams <- struct{}{}:
		default:
			return nil, problem.New(problem.Overloaded, "as many streams are open as this service has room for; read availability instead, or come again")
		}
		// Watched before it is read: a change in between is told of.
		changed, stop := r.Availability.Watch(availability.DayKey{Restaurant: asked.restaurant, Date: asked.date})
		done := func() { stop(); <-r.streams }
		first, err := r.offers(ctx, in.After, asked)
		if err != nil {
			done()
			return nil, err
		}
		f := &follower{reads: r, asked: asked, changed: changed, left: in.Limit, known: in.Last}
		return &huma.StreamResponse{Body: func(hc huma.Context) {
			defer done()
			hc.SetHeader("Content-Type", "text/event-stream")
			hc.SetHeader("Cache-Control", "no-store")
			hc.SetHeader("X-Accel-Buffering", "no") // proxies hand on each event as it comes
			if w, ok := hc.BodyWriter().(http.ResponseWriter); ok {
				f.out, f.line = w, http.NewResponseController(w)
				f.run(httpapi.OpenEnded(hc.Context()), first)
			}
		}}, nil
	})
}

// follower tells one client of a day.
type follower struct {
	*reads
	asked   dayAsked
	changed <-chan struct{}
	left    int    // events before it ends; 0 for never
	known   uint64 // the id of the last event that the client has; 0 for none
	sent    []byte // the last event's data
	out     http.ResponseWriter
	line    *http.ResponseController
}

var errEnough = errors.New("as many events as were asked for")

// run tells of first, and then of each change, until the client goes, takes too long, or the
// house closes. ctx is that of a request without a time limit.
func (f *follower) run(ctx context.Context, first availabilityBody) {
	// The server's own limit is for requests that are to come in at once.
	if err := f.line.SetReadDeadline(time.Time{}); err != nil {
		return
	}
	if f.send(fmt.Sprintf("retry: %d\n\n", comeAgain.Milliseconds())) != nil || f.tell(first) != nil {
		return
	}
	beat, end := time.NewTicker(beatEvery), time.NewTimer(maxAge)
	defer beat.Stop()
	defer end.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-f.Closing:
			return
		case <-end.C:
			return
		case <-beat.C:
			if f.send(": still here\n\n") != nil {
				return
			}
		case <-f.changed:
		}
		now, err := f.read(ctx)
		if err != nil {
			continue // an engine is away: the line stands, and the day is read again
		}
		if f.tell(now) != nil {
			return
		}
	}
}

func (f *follower) read(ctx context.Context) (availabilityBody, error) {
	ctx, cancel := context.WithTimeout(ctx, 2*patience)
	defer cancel()
	return f.offers(ctx, After{}, f.asked)
}

// tell sends what the client does not know yet.
func (f *follower) tell(b availabilityBody) error {
	id := strconv.FormatUint(b.Revision, 10)
	data, err := json.Marshal(b)
	if err != nil {
		return err
	}
	if f.sent == nil && f.known != 0 && f.known == b.Revision || bytes.Equal(f.sent, data) {
		f.sent = data
		return nil
	}
	f.sent = data
	if err := f.send("id: " + id + "\nevent: availability\ndata: " + string(data) + "\n\n"); err != nil {
		return err
	}
	if f.left > 0 {
		if f.left--; f.left == 0 {
			return errEnough
		}
	}
	return nil
}

func (f *follower) send(text string) error {
	if err := f.line.SetWriteDeadline(time.Now().Add(sendWithin)); err != nil {
		return err
	}
	if _, err := f.out.Write([]byte(text)); err != nil {
		return err
	}
	return f.line.Flush()
}
