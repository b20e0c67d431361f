package esdbserver

import (
	"regexp"
	"regexp/syntax"
	"strings"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"

	"daybook/eventstore"
)

const (
	// maxExpression bounds a filter: the length of a regular expression or of all
	// prefixes together, in bytes.
	maxExpression = 4 << 10
	// maxProgram bounds what a regular expression is compiled to, in instructions, which a
	// few repetitions inside each other make millions of.
	maxProgram = 8 << 10
	// defaultWindow is the search window of a filter that names none.
	defaultWindow = 32
)

// readRequest is a checked ReadReq.
type readRequest struct {
	stream    eventstore.StreamName // empty: all
	backwards bool
	from      origin
	subscribe bool
	count     uint64
	links     bool    // hand out what links lead to
	places    bool    // the client understands where a stream begins and ends
	filter    *filter // nil: every record
	record    recorder
}

// origin is where a read begins: at either end, or at a revision or wire position.
type origin struct {
	start, end bool
	at         uint64
}

// filter is a server-side filter of all streams.
type filter struct {
	passes func(eventstore.Record) bool
	// every is how many records are looked at between two checkpoints.
	every uint64
}

func (f *filter) pass(r eventstore.Record) bool { return f == nil || f.passes(r) }

func parseRead(request *streams.ReadReq) (readRequest, error) {
	o := request.GetOptions()
	if o == nil {
		return readRequest{}, invalid("a read without options")
	}
	out := readRequest{
		record: newRecorder(o.GetUuidOption()),
		links:  o.GetResolveLinks(),
		places: o.GetControlOption().GetCompatibility() >= 1,
	}
	switch o.GetReadDirection() {
	case streams.ReadReq_Options_Forwards:
	case streams.ReadReq_Options_Backwards:
		out.backwards = true
	default:
		return readRequest{}, invalid("a read in an unknown direction")
	}
	switch count := o.GetCountOption().(type) {
	case *streams.ReadReq_Options_Count:
		out.count = count.Count
	case *streams.ReadReq_Options_Subscription:
		out.subscribe = true
	default:
		return readRequest{}, invalid("a read without a count that is no subscription")
	}
	if out.subscribe && out.backwards {
		return readRequest{}, invalid("a subscription cannot go backwards")
	}
	var err error
	switch source := o.GetStreamOption().(type) {
	case *streams.ReadReq_Options_Stream:
		if out.stream, err = streamName(source.Stream.GetStreamIdentifier()); err != nil {
			return readRequest{}, err
		}
		out.from, err = streamOrigin(source.Stream)
	case *streams.ReadReq_Options_All:
		out.from, err = allOrigin(source.All)
	default:
		return readRequest{}, invalid("a read of neither a stream nor all")
	}
	if err != nil {
		return readRequest{}, err
	}
	if f, filtered := o.GetFilterOption().(*streams.ReadReq_Options_Filter); filtered {
		if out.stream != "" {
			return readRequest{}, invalid("a read of one stream cannot be filtered")
		}
		if out.filter, err = parseFilter(f.Filter); err != nil {
			return readRequest{}, err
		}
	}
	return out, nil
}

func streamOrigin(o *streams.ReadReq_Options_StreamOptions) (origin, error) {
	switch from := o.GetRevisionOption().(type) {
	case *streams.ReadReq_Options_StreamOptions_Revision:
		return origin{at: from.Revision}, nil
	case *streams.ReadReq_Options_StreamOptions_Start:
		return origin{start: true}, nil
	case *streams.ReadReq_Options_StreamOptions_End:
		return origin{end: true}, nil
	default:
		return origin{}, invalid("a read of a stream from nowhere")
	}
}

func allOrigin(o *streams.ReadReq_Options_AllOptions) (origin, error) {
	switch from := o.GetAllOption().(type) {
	case *streams.ReadReq_Options_AllOptions_Position:
		if from.Position.GetPreparePosition() > from.Position.GetCommitPosition() {
			return origin{}, invalid("a position is prepared after it is committed")
		}
		return origin{at: from.Position.GetCommitPosition()}, nil
	case *streams.ReadReq_Options_AllOptions_Start:
		return origin{start: true}, nil
	case *streams.ReadReq_Options_AllOptions_End:
		return origin{end: true}, nil
	default:
		return origin{}, invalid("a read of all from nowhere")
	}
}

func parseFilter(o *streams.ReadReq_Options_FilterOptions) (*filter, error) {
	var subject func(eventstore.Record) string
	var expression *streams.ReadReq_Options_FilterOptions_Expression
	switch f := o.GetFilter().(type) {
	case *streams.ReadReq_Options_FilterOptions_StreamIdentifier:
		subject, expression = func(r eventstore.Record) string { return string(r.Stream) }, f.StreamIdentifier
	case *streams.ReadReq_Options_FilterOptions_EventType:
		subject, expression = func(r eventstore.Record) string { return r.Type }, f.EventType
	default:
		return nil, invalid("a filter of neither streams nor types")
	}
	matches, err := matcher(expression)
	if err != nil {
		return nil, err
	}
	window := uint64(defaultWindow)
	if m, limited := o.GetWindow().(*streams.ReadReq_Options_FilterOptions_Max); limited {
		if m.Max == 0 {
			return nil, invalid("a filter with a search window of 0")
		}
		window = uint64(m.Max)
	}
	// Reads leave the multiplier out: they have no checkpoints.
	multiplier := max(1, uint64(o.GetCheckpointIntervalMultiplier()))
	return &filter{
		passes: func(r eventstore.Record) bool { return matches(subject(r)) },
		every:  window * multiplier,
	}, nil
}

func matcher(e *streams.ReadReq_Options_FilterOptions_Expression) (func(string) bool, error) {
	size := len(e.GetRegex())
	for _, p := range e.GetPrefix() {
		size += len(p)
	}
	if size > maxExpression {
		return nil, invalid("a filter of %d bytes, at most %d", size, maxExpression)
	}
	if prefixes := e.GetPrefix(); len(prefixes) > 0 {
		if e.GetRegex() != "" {
			return nil, invalid("a filter takes prefixes or a regular expression, not both")
		}
		return func(s string) bool {
			for _, p := range prefixes {
				if strings.HasPrefix(s, p) {
					return true
				}
			}
			return false
		}, nil
	}
	if e.GetRegex() == "" {
		return nil, invalid("a filter with neither prefixes nor a regular expression")
	}
	parsed, err := syntax.Parse(e.GetRegex(), syntax.Perl)
	if err != nil {
		return nil, invalid("a filter's regular expression: %v", err)
	}
	if instructions(parsed) > maxProgram {
		return nil, invalid("a filter's regular expression repeats too much")
	}
	compiled, err := regexp.Compile(e.GetRegex())
	if err != nil {
		return nil, invalid("a filter's regular expression: %v", err)
	}
	return compiled.MatchString, nil
}

// instructions estimates what an expression is compiled to; beyond maxProgram it only
// says that it is more.
func instructions(e *syntax.Regexp) int {
	n := 1
	if e.Op == syntax.OpLiteral {
		n = len(e.Rune)
	}
	for _, sub := range e.Sub {
		n = min(n+instructions(sub), maxProgram+1)
	}
	if e.Op == syntax.OpRepeat {
		n = min(n*max(e.Min, e.Max, 1), maxProgram+1)
	}
	return n
}
