package esdbserver

import (
	"context"
	"math"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/persistent"

	"daybook/eventstore"
	"daybook/eventstore/esdbserver/groups"
)

// GetInfo describes one group.
func (p *persistentService) GetInfo(ctx context.Context, request *persistent.GetInfoReq) (*persistent.GetInfoResp, error) {
	o := request.GetOptions()
	key, err := keyOf(o.GetAll() != nil, o.GetStreamIdentifier(), o.GetGroupName())
	if err != nil {
		return nil, err
	}
	ctx, cancel := p.within(ctx)
	defer cancel()
	info, err := p.groups.Info(ctx, key)
	if err != nil {
		return nil, p.failure("GetPersistentSubscriptionInfo", key, err)
	}
	return &persistent.GetInfoResp{SubscriptionInfo: subscriptionInfo(info)}, nil
}

// List describes all groups, or those of one stream or of all.
func (p *persistentService) List(ctx context.Context, request *persistent.ListReq) (*persistent.ListResp, error) {
	var stream eventstore.StreamName
	switch option := request.GetOptions().GetListOption().(type) {
	case *persistent.ListReq_Options_ListAllSubscriptions:
	case *persistent.ListReq_Options_ListForStream:
		switch of := option.ListForStream.GetStreamOption().(type) {
		case *persistent.ListReq_StreamOption_All:
			stream = groups.All
		case *persistent.ListReq_StreamOption_Stream:
			name, err := streamName(of.Stream)
			if err != nil {
				return nil, err
			}
			stream = name
		default:
			return nil, invalid("a list of the persistent subscriptions to nothing")
		}
	default:
		return nil, invalid("a list of no persistent subscriptions")
	}
	ctx, cancel := p.within(ctx)
	defer cancel()
	infos, err := p.groups.List(ctx, stream)
	if err != nil {
		return nil, p.failure("ListPersistentSubscriptions", groups.Key{Stream: stream}, err)
	}
	out := &persistent.ListResp{}
	for _, info := range infos {
		out.Subscriptions = append(out.Subscriptions, subscriptionInfo(info))
	}
	return out, nil
}

func subscriptionInfo(info groups.Info) *persistent.SubscriptionInfo {
	c := info.Config
	out := &persistent.SubscriptionInfo{
		EventSource: string(c.Stream), GroupName: c.Group, Status: info.Status,
		AveragePerSecond: int32of(info.PerSecond), TotalItems: info.Total, CountSinceLastMeasurement: info.SinceLast,
		LastCheckpointedEventPosition: info.Checkpointed, LastKnownEventPosition: info.LastKnown,
		ResolveLinkTos: c.ResolveLinks, StartFrom: info.StartFrom,
		MessageTimeoutMilliseconds: int32of(c.MessageTimeout.Milliseconds()), ExtraStatistics: c.ExtraStatistics,
		MaxRetryCount: int32of(c.MaxRetryCount), LiveBufferSize: int32of(c.LiveBufferSize),
		BufferSize: int32of(c.HistoryBufferSize), ReadBatchSize: int32of(c.ReadBatchSize),
		CheckPointAfterMilliseconds: int32of(c.CheckpointAfter.Milliseconds()),
		MinCheckPointCount:          int32of(c.MinCheckpointCount), MaxCheckPointCount: int32of(c.MaxCheckpointCount),
		ReadBufferCount: int32of(info.Buffered), RetryBufferCount: int32of(info.Retrying),
		TotalInFlightMessages: int32of(info.InFlight), OutstandingMessagesCount: int32of(info.Outstanding),
		NamedConsumerStrategy: string(c.Strategy), MaxSubscriberCount: int32of(c.MaxConsumers),
		ParkedMessageCount: info.Parked,
	}
	for _, conn := range info.Connections {
		one := &persistent.SubscriptionInfo_ConnectionInfo{
			From: conn.From, Username: conn.User, ConnectionName: conn.Connection,
			AverageItemsPerSecond: int32of(conn.PerSecond), TotalItems: conn.Total, CountSinceLastMeasurement: conn.SinceLast,
			AvailableSlots: int32of(conn.Free), InFlightMessages: int32of(conn.InFlight),
		}
		for _, m := range conn.Measurements {
			one.ObservedMeasurements = append(one.ObservedMeasurements, &persistent.SubscriptionInfo_Measurement{Key: m.Name, Value: m.Value})
		}
		out.Connections = append(out.Connections, one)
	}
	return out
}

// int32of is the protocol's form of a number, as near as it comes.
func int32of[N int | int64](n N) int32 {
	return int32(min(max(int64(n), math.MinInt32), math.MaxInt32))
}
