package esdbserver

import (
	"context"
	"errors"
	"io"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/persistent"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"

	"daybook/eventstore"
	"daybook/eventstore/esdbserver/groups"
)

// Read makes a client one of a group's consumers: it sends options first and answers then,
// and is sent a confirmation and then messages.
func (p *persistentService) Read(stream persistent.PersistentSubscriptions_ReadServer) error {
	ctx, cancel := context.WithCancelCause(stream.Context())
	defer cancel(nil)
	defer context.AfterFunc(p.server.closing, func() { cancel(errShuttingDown) })()

	options, err := p.options(ctx, stream)
	if err != nil {
		return err
	}
	key, err := keyOf(options.GetAll() != nil, options.GetStreamIdentifier(), options.GetGroupName())
	if err != nil {
		return err
	}
	consumer, err := p.groups.Connect(ctx, key, int(options.GetBufferSize()), peerOf(ctx))
	if err != nil {
		return p.failure("ReadPersistentSubscription", key, p.why(ctx, err))
	}
	defer consumer.Close()
	if err := stream.Send(&persistent.ReadResp{Content: &persistent.ReadResp_SubscriptionConfirmation_{
		SubscriptionConfirmation: &persistent.ReadResp_SubscriptionConfirmation{SubscriptionId: string(key.Stream) + "::" + key.Group},
	}}); err != nil {
		return err
	}
	// It ends when this call does, for that ends the stream.
	go func() { cancel(answers(stream, consumer)) }()

	id := structuredID
	if _, text := options.GetUuidOption().GetContent().(*persistent.ReadReq_Options_UUIDOption_String_); text {
		id = textID
	}
	for {
		d, err := consumer.Next(ctx)
		if err != nil {
			if errors.Is(context.Cause(ctx), io.EOF) {
				return nil // the client has nothing to say any more, and so cannot answer
			}
			return p.failure("ReadPersistentSubscription", key, p.why(ctx, err))
		}
		if err := stream.Send(persistentEvent(d, id)); err != nil {
			return err
		}
	}
}

// why is the reason that a call was cancelled for, where it is known.
func (p *persistentService) why(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil && errors.Is(err, context.Canceled) {
		return cause
	}
	return err
}

// options waits for the first message, which says what to read.
func (p *persistentService) options(ctx context.Context, stream persistent.PersistentSubscriptions_ReadServer) (*persistent.ReadReq_Options, error) {
	type first struct {
		message *persistent.ReadReq
		err     error
	}
	// Receiving cannot be given a deadline of its own; it ends when the call returns.
	received := make(chan first, 1)
	go func() {
		m, err := stream.Recv()
		received <- first{m, err}
	}()
	timer := time.NewTimer(p.server.options.AppendTimeout)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return nil, p.server.failure("ReadPersistentSubscription", "", p.why(ctx, ctx.Err()))
	case <-timer.C:
		return nil, status.Error(codes.DeadlineExceeded, "the options were not sent in time")
	case f := <-received:
		if errors.Is(f.err, io.EOF) {
			return nil, invalid("a persistent subscription is read without options")
		}
		if f.err != nil {
			return nil, f.err
		}
		options := f.message.GetOptions()
		if options == nil {
			return nil, invalid("a persistent subscription is read without options")
		}
		return options, nil
	}
}

// answers takes a client's answers until it has no more, io.EOF, or sends what is none.
func answers(stream persistent.PersistentSubscriptions_ReadServer, consumer *groups.Consumer) error {
	for {
		m, err := stream.Recv()
		if err != nil {
			return err
		}
		switch content := m.GetContent().(type) {
		case *persistent.ReadReq_Ack_:
			ids, err := eventIDs(content.Ack.GetIds())
			if err != nil {
				return err
			}
			if err := consumer.Ack(ids...); err != nil {
				return err
			}
		case *persistent.ReadReq_Nack_:
			ids, err := eventIDs(content.Nack.GetIds())
			if err != nil {
				return err
			}
			action, known := actions[content.Nack.GetAction()]
			if !known {
				return invalid("a message is refused with the unknown action %d", content.Nack.GetAction())
			}
			if err := consumer.Nack(action, content.Nack.GetReason(), ids...); err != nil {
				return err
			}
		case *persistent.ReadReq_Options_:
			return invalid("a persistent subscription is read with options twice")
		default:
			return invalid("a persistent subscription is sent a message of no known kind")
		}
	}
}

var actions = map[persistent.ReadReq_Nack_Action]groups.Action{
	persistent.ReadReq_Nack_Unknown: groups.Unknown,
	persistent.ReadReq_Nack_Park:    groups.Park,
	persistent.ReadReq_Nack_Retry:   groups.Retry,
	persistent.ReadReq_Nack_Skip:    groups.Skip,
	persistent.ReadReq_Nack_Stop:    groups.Stop,
}

func eventIDs(in []*shared.UUID) ([]eventstore.EventID, error) {
	out := make([]eventstore.EventID, len(in))
	for i, id := range in {
		var err error
		if out[i], err = eventID(id); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// persistentEvent is a message on the wire. Answers name the record's id, which clients take
// from the link where there is one.
func persistentEvent(d groups.Delivery, id func(eventstore.EventID) *shared.UUID) *persistent.ReadResp {
	read := &persistent.ReadResp_ReadEvent{
		Position: &persistent.ReadResp_ReadEvent_CommitPosition{CommitPosition: toWire(d.Record.Position)},
		Count:    &persistent.ReadResp_ReadEvent_RetryCount{RetryCount: int32(d.Retries)},
	}
	switch {
	case !d.Link:
		read.Event = persistentRecord(&d.Record, id)
	case d.Resolved != nil:
		read.Event = persistentRecord(d.Resolved, id)
		read.Link = persistentRecord(&d.Record, id)
	default:
		read.Link = persistentRecord(&d.Record, id)
	}
	return &persistent.ReadResp{Content: &persistent.ReadResp_Event{Event: read}}
}

// persistentRecord is what recorder.recorded makes, in the type that the protocol has for
// persistent subscriptions.
func persistentRecord(r *eventstore.Record, id func(eventstore.EventID) *shared.UUID) *persistent.ReadResp_ReadEvent_RecordedEvent {
	e := recorder{id: id}.recorded(r)
	return &persistent.ReadResp_ReadEvent_RecordedEvent{
		Id:               e.GetId(),
		StreamIdentifier: e.GetStreamIdentifier(),
		StreamRevision:   e.GetStreamRevision(),
		PreparePosition:  e.GetPreparePosition(),
		CommitPosition:   e.GetCommitPosition(),
		Metadata:         e.GetMetadata(),
		CustomMetadata:   e.GetCustomMetadata(),
		Data:             e.GetData(),
	}
}

func peerOf(ctx context.Context) groups.Peer {
	out := groups.Peer{User: callerOf(ctx), Connection: "<unknown>"}
	if p, ok := peer.FromContext(ctx); ok && p.Addr != nil {
		out.From = p.Addr.String()
	}
	md, _ := metadata.FromIncomingContext(ctx)
	if names := md.Get("connection-name"); len(names) > 0 {
		out.Connection = printable(names[0][:min(len(names[0]), 256)])
	}
	return out
}
