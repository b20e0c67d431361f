package esdbserver

import (
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"google.golang.org/protobuf/encoding/protowire"

	"daybook/eventstore"
)

// Servers since 25.0 say when a subscription reached a checkpoint, caught up or fell
// behind, and the latter two also where. The protocol's generated code here is older and
// has no fields for that; older clients skip them.
const (
	fieldTimestamp = 1
	fieldRevision  = 2
	fieldPosition  = 3
	// fieldCheckpointTimestamp comes after a checkpoint's positions.
	fieldCheckpointTimestamp = 3
)

// place is how far a subscription has come: to a revision of its stream, or to a
// position of all. A place of neither is where nothing was read yet.
type place struct {
	revision eventstore.Revision
	read     bool // revision is one that was read
	position eventstore.Position
}

// fields encodes a moment. A client that finds a time looks for a place without asking
// whether there is one, so without a place the time is left out as well.
func (p place) fields(now time.Time) []byte {
	if !p.read && p.position == eventstore.Start {
		return nil
	}
	out := appendTimestamp(nil, fieldTimestamp, now)
	if p.read {
		out = protowire.AppendTag(out, fieldRevision, protowire.VarintType)
		return protowire.AppendVarint(out, uint64(p.revision))
	}
	position := protowire.AppendTag(nil, 1, protowire.VarintType)
	position = protowire.AppendVarint(position, toWire(p.position))
	position = protowire.AppendTag(position, 2, protowire.VarintType)
	position = protowire.AppendVarint(position, toWire(p.position))
	out = protowire.AppendTag(out, fieldPosition, protowire.BytesType)
	return protowire.AppendBytes(out, position)
}

// appendTimestamp appends a google.protobuf.Timestamp.
func appendTimestamp(out []byte, field protowire.Number, t time.Time) []byte {
	stamp := protowire.AppendTag(nil, 1, protowire.VarintType)
	stamp = protowire.AppendVarint(stamp, uint64(t.Unix()))
	stamp = protowire.AppendTag(stamp, 2, protowire.VarintType)
	stamp = protowire.AppendVarint(stamp, uint64(t.Nanosecond()))
	out = protowire.AppendTag(out, field, protowire.BytesType)
	return protowire.AppendBytes(out, stamp)
}

func caughtUp(p place) *streams.ReadResp {
	m := &streams.ReadResp_CaughtUp{}
	m.ProtoReflect().SetUnknown(p.fields(time.Now()))
	return &streams.ReadResp{Content: &streams.ReadResp_CaughtUp_{CaughtUp: m}}
}

func fellBehind(p place) *streams.ReadResp {
	m := &streams.ReadResp_FellBehind{}
	m.ProtoReflect().SetUnknown(p.fields(time.Now()))
	return &streams.ReadResp{Content: &streams.ReadResp_FellBehind_{FellBehind: m}}
}

func checkpoint(p eventstore.Position) *streams.ReadResp {
	position := toWire(p)
	m := &streams.ReadResp_Checkpoint{CommitPosition: position, PreparePosition: position}
	m.ProtoReflect().SetUnknown(appendTimestamp(nil, fieldCheckpointTimestamp, time.Now()))
	return &streams.ReadResp{Content: &streams.ReadResp_Checkpoint_{Checkpoint: m}}
}
