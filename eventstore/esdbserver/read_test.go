package esdbserver_test

import (
	"encoding/binary"
	"errors"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"

	"daybook/eventstore"
	"daybook/eventstore/esdbserver"
)

var empty = &shared.Empty{}

type readOption func(*streams.ReadReq_Options)

func fromStart() readOption {
	return func(o *streams.ReadReq_Options) {
		o.StreamOption = &streams.ReadReq_Options_All{All: &streams.ReadReq_Options_AllOptions{AllOption: &streams.ReadReq_Options_AllOptions_Start{Start: empty}}}
	}
}

func fromEnd() readOption {
	return func(o *streams.ReadReq_Options) {
		o.StreamOption = &streams.ReadReq_Options_All{All: &streams.ReadReq_Options_AllOptions{AllOption: &streams.ReadReq_Options_AllOptions_End{End: empty}}}
	}
}

func fromPosition(wire uint64) readOption {
	return func(o *streams.ReadReq_Options) {
		o.StreamOption = &streams.ReadReq_Options_All{All: &streams.ReadReq_Options_AllOptions{AllOption: &streams.ReadReq_Options_AllOptions_Position{
			Position: &streams.ReadReq_Options_Position{CommitPosition: wire, PreparePosition: wire},
		}}}
	}
}

// ofStream reads a stream: from its start if from is negative, its end if it is the
// greatest number, else from that revision.
func ofStream(stream string, from int64) readOption {
	return func(o *streams.ReadReq_Options) {
		s := &streams.ReadReq_Options_StreamOptions{StreamIdentifier: name(stream)}
		switch {
		case from < 0:
			s.RevisionOption = &streams.ReadReq_Options_StreamOptions_Start{Start: empty}
		case from == math.MaxInt64:
			s.RevisionOption = &streams.ReadReq_Options_StreamOptions_End{End: empty}
		default:
			s.RevisionOption = &streams.ReadReq_Options_StreamOptions_Revision{Revision: uint64(from)}
		}
		o.StreamOption = &streams.ReadReq_Options_Stream{Stream: s}
	}
}

func backwards(o *streams.ReadReq_Options) { o.ReadDirection = streams.ReadReq_Options_Backwards }

func count(n uint64) readOption {
	return func(o *streams.ReadReq_Options) { o.CountOption = &streams.ReadReq_Options_Count{Count: n} }
}

func filtered(f *streams.ReadReq_Options_FilterOptions) readOption {
	return func(o *streams.ReadReq_Options) { o.FilterOption = &streams.ReadReq_Options_Filter{Filter: f} }
}

func typePrefix(max uint32, multiplier uint32, prefixes ...string) *streams.ReadReq_Options_FilterOptions {
	return &streams.ReadReq_Options_FilterOptions{
		Filter:                       &streams.ReadReq_Options_FilterOptions_EventType{EventType: &streams.ReadReq_Options_FilterOptions_Expression{Prefix: prefixes}},
		Window:                       &streams.ReadReq_Options_FilterOptions_Max{Max: max},
		CheckpointIntervalMultiplier: multiplier,
	}
}

func regex(f *streams.ReadReq_Options_FilterOptions_Expression, expression string) *streams.ReadReq_Options_FilterOptions {
	f.Regex = expression
	return &streams.ReadReq_Options_FilterOptions{
		Filter: &streams.ReadReq_Options_FilterOptions_StreamIdentifier{StreamIdentifier: f},
		Window: &streams.ReadReq_Options_FilterOptions_Count{Count: empty},
	}
}

func request(options ...readOption) *streams.ReadReq {
	o := &streams.ReadReq_Options{
		CountOption:  &streams.ReadReq_Options_Count{Count: math.MaxInt64},
		FilterOption: &streams.ReadReq_Options_NoFilter{NoFilter: empty},
		UuidOption:   &streams.ReadReq_Options_UUIDOption{Content: &streams.ReadReq_Options_UUIDOption_Structured{Structured: empty}},
	}
	for _, set := range options {
		set(o)
	}
	return &streams.ReadReq{Options: o}
}

func subscription(options ...readOption) *streams.ReadReq {
	r := request(options...)
	r.Options.CountOption = &streams.ReadReq_Options_Subscription{Subscription: &streams.ReadReq_Options_SubscriptionOptions{}}
	return r
}

func read(t testing.TB, conn *grpc.ClientConn, r *streams.ReadReq) streams.Streams_ReadClient {
	t.Helper()
	stream, err := streams.NewStreamsClient(conn).Read(within(t), r)
	if err != nil {
		t.Fatalf("read: %v", err)
	}
	return stream
}

func readAll(t testing.TB, conn *grpc.ClientConn, r *streams.ReadReq) ([]*streams.ReadResp, error) {
	t.Helper()
	stream := read(t, conn, r)
	var got []*streams.ReadResp
	for {
		m, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return got, nil
		}
		if err != nil {
			return got, err
		}
		got = append(got, m)
	}
}

// onWire is how a record has to stand on the wire.
func onWire(r eventstore.Record) *streams.ReadResp {
	position := uint64(r.Position) - 1
	return &streams.ReadResp{Content: &streams.ReadResp_Event{Event: &streams.ReadResp_ReadEvent{
		Event: &streams.ReadResp_ReadEvent_RecordedEvent{
			Id: &shared.UUID{Value: &shared.UUID_Structured_{Structured: &shared.UUID_Structured{
				MostSignificantBits:  int64(binary.BigEndian.Uint64(r.ID[:8])),
				LeastSignificantBits: int64(binary.BigEndian.Uint64(r.ID[8:])),
			}}},
			StreamIdentifier: name(string(r.Stream)),
			StreamRevision:   uint64(r.Revision),
			PreparePosition:  position,
			CommitPosition:   position,
			Metadata: map[string]string{
				"type": r.Type, "content-type": "application/json",
				"created": strconv.FormatInt(r.Recorded.UnixNano()/100, 10),
			},
			CustomMetadata: r.Metadata,
			Data:           r.Data,
		},
		Position: &streams.ReadResp_ReadEvent_CommitPosition{CommitPosition: position},
	}}}
}

func same(t testing.TB, what string, got []*streams.ReadResp, want []eventstore.Record) {
	t.Helper()
	if len(got) != len(want) {
		t.Errorf("%s: %d messages, want %d", what, len(got), len(want))
		return
	}
	for i := range got {
		if w := onWire(want[i]); !proto.Equal(got[i], w) {
			t.Errorf("%s: message %d:\n got %v\nwant %v", what, i, got[i], w)
			return
		}
	}
}

func reversed(records []eventstore.Record) []eventstore.Record {
	out := slices.Clone(records)
	slices.Reverse(out)
	return out
}

func only(records []eventstore.Record, pass func(eventstore.Record) bool) []eventstore.Record {
	var out []eventstore.Record
	for _, r := range records {
		if pass(r) {
			out = append(out, r)
		}
	}
	return out
}

func TestReads(t *testing.T) {
	store := openLedger(t)
	_, conn := start(t, store, esdbserver.Options{})
	all := fill(t, store, 1400)
	day := only(all, func(r eventstore.Record) bool { return r.Stream == "day-1" })
	wire := func(r eventstore.Record) uint64 { return uint64(r.Position) - 1 }
	registered := func(r eventstore.Record) bool { return strings.HasPrefix(r.Type, "restaurant.") }
	isDay := func(r eventstore.Record) bool { return r.Stream == "day-1" }
	const end = math.MaxInt64

	cases := []struct {
		name    string
		options []readOption
		want    []eventstore.Record
	}{
		{"stream", []readOption{ofStream("day-1", -1)}, day},
		{"stream, three", []readOption{ofStream("day-1", -1), count(3)}, day[:3]},
		{"stream, none", []readOption{ofStream("day-1", -1), count(0)}, nil},
		{"stream from 10", []readOption{ofStream("day-1", 10)}, day[10:]},
		{"stream past its end", []readOption{ofStream("day-1", 5000)}, nil},
		{"stream from its end", []readOption{ofStream("day-1", end)}, nil},
		{"stream backwards", []readOption{ofStream("day-1", end), backwards}, reversed(day)},
		{"stream backwards, one", []readOption{ofStream("day-1", end), backwards, count(1)}, reversed(day)[:1]},
		{"stream backwards from 0", []readOption{ofStream("day-1", 0), backwards}, day[:1]},
		{"stream backwards from its start", []readOption{ofStream("day-1", -1), backwards}, day[:1]},
		{"stream backwards from 600", []readOption{ofStream("day-1", 600), backwards}, reversed(day[:601])},
		{"stream backwards from 255", []readOption{ofStream("day-1", 255), backwards}, reversed(day[:256])},
		{"stream backwards from 256, two", []readOption{ofStream("day-1", 256), backwards, count(2)}, reversed(day[255:257])},
		{"stream backwards from past its end", []readOption{ofStream("day-1", 5000), backwards, count(2)}, reversed(day)[:2]},
		{"all", []readOption{fromStart()}, all},
		{"all, five", []readOption{fromStart(), count(5)}, all[:5]},
		{"all from a position, which is part", []readOption{fromPosition(wire(all[700])), count(9)}, all[700:709]},
		{"all from position 0", []readOption{fromPosition(0), count(9)}, all[:9]},
		{"all from its end", []readOption{fromEnd()}, nil},
		{"all from the highest position", []readOption{fromPosition(math.MaxUint64)}, nil},
		{"all backwards", []readOption{fromEnd(), backwards}, reversed(all)},
		{"all backwards from a position, which is not part", []readOption{fromPosition(wire(all[700])), backwards}, reversed(all[:700])},
		{"all backwards from the highest position", []readOption{fromPosition(math.MaxUint64), backwards, count(4)}, reversed(all)[:4]},
		{"all backwards from position 0", []readOption{fromPosition(0), backwards}, nil},
		{"all backwards from its start", []readOption{fromStart(), backwards}, nil},
		{"all, filtered by type", []readOption{fromStart(), filtered(typePrefix(32, 1, "absent.", "restaurant."))}, only(all, registered)},
		{"all backwards, filtered by type, three", []readOption{fromEnd(), backwards, count(3), filtered(typePrefix(32, 0, "restaurant."))}, reversed(only(all, registered))[:3]},
		{"all, filtered by a heavy expression", []readOption{fromStart(), filtered(regex(&streams.ReadReq_Options_FilterOptions_Expression{},
			"^(absent|[\\pL\\pN-]{3,100}|"+strings.Repeat("x{99}|", 60)+"y)$"))}, all},
		{"all, filtered by stream", []readOption{fromStart(), filtered(regex(&streams.ReadReq_Options_FilterOptions_Expression{}, "^day-[1-9]$"))}, only(all, isDay)},
	}
	for _, c := range cases {
		got, err := readAll(t, conn, request(c.options...))
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		same(t, c.name, got, c.want)
	}

	for _, c := range [][]readOption{{ofStream("absent", -1)}, {ofStream("absent", 3)}, {ofStream("absent", math.MaxInt64), backwards}, {ofStream("absent", 3), backwards}} {
		got, err := readAll(t, conn, request(c...))
		want := &streams.ReadResp{Content: &streams.ReadResp_StreamNotFound_{StreamNotFound: &streams.ReadResp_StreamNotFound{StreamIdentifier: name("absent")}}}
		if err != nil || len(got) != 1 || !proto.Equal(got[0], want) {
			t.Errorf("read of an absent stream: %v, %v, want %v", got, err, want)
		}
	}
}

func TestReadWithTextIDs(t *testing.T) {
	store := openLedger(t)
	_, conn := start(t, store, esdbserver.Options{})
	all := fill(t, store, 1)
	r := request(fromStart())
	r.Options.UuidOption.Content = &streams.ReadReq_Options_UUIDOption_String_{String_: empty}
	got, err := readAll(t, conn, r)
	want := onWire(all[0])
	want.GetEvent().GetEvent().Id = textUUID(all[0].ID.String())
	if err != nil || len(got) != 1 || !proto.Equal(got[0], want) {
		t.Fatalf("got %v, %v, want %v", got, err, want)
	}
}

// TestContentTypeIsKept though the bytes say something else.
func TestContentTypeIsKept(t *testing.T) {
	_, conn := start(t, openLedger(t), esdbserver.Options{})
	sent := []struct{ contentType, data string }{
		{"application/octet-stream", `{"n":1}`},
		{"application/json", `{"n":1}`},
		{"application/json", "\x00\x01"},
		{"application/octet-stream", ""},
	}
	for n, c := range sent {
		m := changed(n, func(m *streams.AppendReq_ProposedMessage) {
			m.Data, m.Metadata["content-type"] = []byte(c.data), c.contentType
		})
		if _, err := send(t, conn, options("day-1"), m); err != nil {
			t.Fatalf("append: %v", err)
		}
	}
	got, err := readAll(t, conn, request(fromStart()))
	if err != nil || len(got) != len(sent) {
		t.Fatalf("%d events, %v, want %d", len(got), err, len(sent))
	}
	for i, m := range got {
		e := m.GetEvent().GetEvent()
		if e.GetMetadata()["content-type"] != sent[i].contentType || string(e.GetData()) != sent[i].data {
			t.Errorf("event %d is %q of %s, want %q", i, e.GetData(), e.GetMetadata()["content-type"], sent[i])
		}
	}
}

func TestMalformedReads(t *testing.T) {
	_, conn := start(t, openLedger(t), esdbserver.Options{})
	set := func(change func(*streams.ReadReq_Options)) *streams.ReadReq {
		r := request(fromStart())
		change(r.Options)
		return r
	}
	expression := func(e *streams.ReadReq_Options_FilterOptions_Expression) *streams.ReadReq {
		return request(fromStart(), filtered(regex(e, e.GetRegex())))
	}
	cases := map[string]*streams.ReadReq{
		"no options":           {},
		"empty options":        {Options: &streams.ReadReq_Options{}},
		"no stream option":     set(func(o *streams.ReadReq_Options) { o.StreamOption = nil }),
		"no count option":      set(func(o *streams.ReadReq_Options) { o.CountOption = nil }),
		"an unknown direction": set(func(o *streams.ReadReq_Options) { o.ReadDirection = 7 }),
		"all from nowhere":     set(func(o *streams.ReadReq_Options) { o.StreamOption = &streams.ReadReq_Options_All{} }),
		"a stream of no name":  request(ofStream("", -1)),
		"an over-long name":    request(ofStream(strings.Repeat("s", eventstore.MaxStreamName+1), -1)),
		"a stream from nowhere": set(func(o *streams.ReadReq_Options) {
			o.StreamOption = &streams.ReadReq_Options_Stream{Stream: &streams.ReadReq_Options_StreamOptions{StreamIdentifier: name("s")}}
		}),
		"prepared after committed": set(func(o *streams.ReadReq_Options) {
			o.StreamOption = &streams.ReadReq_Options_All{All: &streams.ReadReq_Options_AllOptions{AllOption: &streams.ReadReq_Options_AllOptions_Position{
				Position: &streams.ReadReq_Options_Position{CommitPosition: 3, PreparePosition: 4},
			}}}
		}),
		"a subscription backwards":   subscription(fromStart(), backwards),
		"a filtered stream":          request(ofStream("s", -1), filtered(typePrefix(1, 1, "a"))),
		"an empty filter":            request(fromStart(), filtered(nil)),
		"a filter of nothing":        request(fromStart(), filtered(typePrefix(1, 1))),
		"a window of 0":              request(fromStart(), filtered(typePrefix(0, 1, "a"))),
		"a bad regular expression":   expression(&streams.ReadReq_Options_FilterOptions_Expression{Regex: "(("}),
		"a huge regular expression":  expression(&streams.ReadReq_Options_FilterOptions_Expression{Regex: strings.Repeat("a?", 4000)}),
		"a costly expression":        expression(&streams.ReadReq_Options_FilterOptions_Expression{Regex: strings.Repeat("a{999}", 9)}),
		"nested repetitions":         expression(&streams.ReadReq_Options_FilterOptions_Expression{Regex: "((((a{3}b){3}c){3}d){3}|" + strings.Repeat("x(yz{99}){9,}", 9) + ")"}),
		"prefixes and an expression": expression(&streams.ReadReq_Options_FilterOptions_Expression{Regex: "a", Prefix: []string{"a"}}),
	}
	for name, r := range cases {
		_, err := readAll(t, conn, r)
		wantCode(t, name, err, codes.InvalidArgument)
	}
}
