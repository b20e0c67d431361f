package esdbserver

import (
	"encoding/binary"
	"math"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"github.com/google/uuid"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"daybook/eventstore"
)

// Names in an event's protocol metadata.
const (
	metaType        = "type"
	metaContentType = "content-type"
	metaCreated     = "created"

	contentJSON   = "application/json"
	contentBinary = "application/octet-stream"
)

// toWire is the protocol's form of a record's position; see the package comment.
func toWire(p eventstore.Position) uint64 { return uint64(p) - 1 }

// fromWire is the contract's form of a position on the wire. Clients write "the end"
// as the highest number, so it must not wrap around.
func fromWire(w uint64) eventstore.Position {
	if w == math.MaxUint64 {
		return math.MaxUint64
	}
	return eventstore.Position(w + 1)
}

// ticks counts 100 ns since 1970, as clients expect an event's creation.
func ticks(t time.Time) int64 { return t.Unix()*10_000_000 + int64(t.Nanosecond())/100 }

func structuredID(id eventstore.EventID) *shared.UUID {
	return &shared.UUID{Value: &shared.UUID_Structured_{Structured: &shared.UUID_Structured{
		MostSignificantBits:  int64(binary.BigEndian.Uint64(id[:8])),
		LeastSignificantBits: int64(binary.BigEndian.Uint64(id[8:])),
	}}}
}

func textID(id eventstore.EventID) *shared.UUID {
	return &shared.UUID{Value: &shared.UUID_String_{String_: id.String()}}
}

// eventID reads both forms that clients use.
func eventID(id *shared.UUID) (eventstore.EventID, error) {
	switch v := id.GetValue().(type) {
	case *shared.UUID_Structured_:
		if v.Structured == nil {
			break
		}
		var out eventstore.EventID
		binary.BigEndian.PutUint64(out[:8], uint64(v.Structured.GetMostSignificantBits()))
		binary.BigEndian.PutUint64(out[8:], uint64(v.Structured.GetLeastSignificantBits()))
		return out, nil
	case *shared.UUID_String_:
		parsed, err := uuid.Parse(v.String_)
		if err != nil {
			return eventstore.EventID{}, status.Errorf(codes.InvalidArgument, "event id %.64q is not a UUID", v.String_)
		}
		return eventstore.EventID(parsed), nil
	}
	return eventstore.EventID{}, status.Error(codes.InvalidArgument, "an event has no id")
}

func streamName(id *shared.StreamIdentifier) (eventstore.StreamName, error) {
	name := eventstore.StreamName(id.GetStreamName())
	if err := eventstore.CheckStream(name); err != nil {
		return "", status.Error(codes.InvalidArgument, err.Error())
	}
	if !utf8.ValidString(string(name)) {
		return "", status.Error(codes.InvalidArgument, "the stream name is not UTF-8")
	}
	return name, nil
}

func streamIdentifier(name eventstore.StreamName) *shared.StreamIdentifier {
	return &shared.StreamIdentifier{StreamName: []byte(name)}
}

// proposed is the event of one message of an append.
func proposed(m message) (eventstore.Event, error) {
	id, err := eventID(m.GetId())
	if err != nil {
		return eventstore.Event{}, err
	}
	contentType := m.GetMetadata()[metaContentType]
	switch contentType {
	case contentJSON, contentBinary:
	default:
		return eventstore.Event{}, status.Errorf(codes.InvalidArgument, "event %s: %s is %.64q, want %s or %s",
			id, metaContentType, contentType, contentJSON, contentBinary)
	}
	eventType := m.GetMetadata()[metaType]
	if !utf8.ValidString(eventType) {
		return eventstore.Event{}, invalid("event %s: the type is not UTF-8", id)
	}
	return eventstore.Event{
		ID:       id,
		Type:     eventType,
		Data:     m.GetData(),
		Metadata: m.GetCustomMetadata(),
		Binary:   contentType == contentBinary,
	}, nil
}

// recorder makes read responses, with ids in the form the client asked for.
type recorder struct {
	id func(eventstore.EventID) *shared.UUID
}

func newRecorder(option *streams.ReadReq_Options_UUIDOption) recorder {
	if _, text := option.GetContent().(*streams.ReadReq_Options_UUIDOption_String_); text {
		return recorder{id: textID}
	}
	return recorder{id: structuredID}
}

// event is the response for one record; link is the record that stood for it, nil where
// none did. Of a link that leads nowhere the event is left out.
func (c recorder) event(event, link *eventstore.Record) *streams.ReadResp {
	original := event
	if link != nil {
		original = link
	}
	read := &streams.ReadResp_ReadEvent{
		Position: &streams.ReadResp_ReadEvent_CommitPosition{CommitPosition: toWire(original.Position)},
	}
	if event != nil {
		read.Event = c.recorded(event)
	}
	if link != nil {
		read.Link = c.recorded(link)
	}
	return &streams.ReadResp{Content: &streams.ReadResp_Event{Event: read}}
}

func (c recorder) recorded(r *eventstore.Record) *streams.ReadResp_ReadEvent_RecordedEvent {
	position := toWire(r.Position)
	return &streams.ReadResp_ReadEvent_RecordedEvent{
		Id:               c.id(r.ID),
		StreamIdentifier: streamIdentifier(r.Stream),
		StreamRevision:   uint64(r.Revision),
		PreparePosition:  position,
		CommitPosition:   position,
		Metadata: map[string]string{
			metaType:        r.Type,
			metaContentType: contentType(r.Binary),
			metaCreated:     strconv.FormatInt(ticks(r.Recorded), 10),
		},
		CustomMetadata: r.Metadata,
		Data:           r.Data,
	}
}

func contentType(binary bool) string {
	if binary {
		return contentBinary
	}
	return contentJSON
}
