package esdbserver

import (
	"context"
	"math"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/persistent"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"google.golang.org/grpc/metadata"

	"daybook/eventstore/esdbserver/groups"
)

// keyOf names the group that a request is about.
func keyOf(all bool, stream *shared.StreamIdentifier, group string) (groups.Key, error) {
	if group == "" {
		return groups.Key{}, invalid("a persistent subscription has no group name")
	}
	if all {
		return groups.Key{Stream: groups.All, Group: group}, nil
	}
	name, err := streamName(stream)
	if err != nil {
		return groups.Key{}, err
	}
	return groups.Key{Stream: name, Group: group}, nil
}

func parseCreate(o *persistent.CreateReq_Options) (groups.Config, error) {
	settings, err := parseSettings(o.GetSettings())
	if err != nil {
		return groups.Config{}, err
	}
	// Newer clients write the strategy's name, the others one of an enumeration.
	settings.Strategy = groups.Strategy(o.GetSettings().GetNamedConsumerStrategy().String()) //nolint:staticcheck // for older clients
	if named := o.GetSettings().GetConsumerStrategy(); named != "" {
		settings.Strategy = groups.Strategy(named)
	}
	out := groups.Config{Settings: settings}
	switch source := o.GetStreamOption().(type) {
	case *persistent.CreateReq_Options_All:
		if out.Key, err = keyOf(true, nil, o.GetGroupName()); err != nil {
			return groups.Config{}, err
		}
		switch from := source.All.GetAllOption().(type) {
		case *persistent.CreateReq_AllOptions_Position:
			out.From, err = fromPosition(from.Position.GetCommitPosition(), from.Position.GetPreparePosition())
		case *persistent.CreateReq_AllOptions_Start:
		case *persistent.CreateReq_AllOptions_End:
			out.From.End = true
		default:
			err = invalid("a persistent subscription to all from nowhere")
		}
		if err != nil {
			return groups.Config{}, err
		}
		if f, filtered := source.All.GetFilterOption().(*persistent.CreateReq_AllOptions_Filter); filtered {
			out.Filter, err = parseGroupFilter(f.Filter)
		}
		return out, err
	case *persistent.CreateReq_Options_Stream:
		out.Key, err = streamKey(source.Stream.GetStreamIdentifier(), o.GetGroupName())
		switch from := source.Stream.GetRevisionOption().(type) {
		case *persistent.CreateReq_StreamOptions_Revision:
			out.From = fromRevision(from.Revision)
		case *persistent.CreateReq_StreamOptions_Start:
		case *persistent.CreateReq_StreamOptions_End:
			out.From.End = true
		default:
			return groups.Config{}, invalid("a persistent subscription to a stream from nowhere")
		}
		return out, err
	default:
		// Clients before 21.10 name the stream and where to start in fields of their own.
		out.Key, err = streamKey(o.GetStreamIdentifier(), o.GetGroupName()) //nolint:staticcheck // for older clients
		out.From = fromRevision(o.GetSettings().GetRevision())              //nolint:staticcheck // for older clients
		return out, err
	}
}

func parseUpdate(o *persistent.UpdateReq_Options) (groups.Config, error) {
	settings, err := parseSettings(o.GetSettings())
	if err != nil {
		return groups.Config{}, err
	}
	settings.Strategy = groups.Strategy(o.GetSettings().GetNamedConsumerStrategy().String())
	out := groups.Config{Settings: settings}
	switch source := o.GetStreamOption().(type) {
	case *persistent.UpdateReq_Options_All:
		if out.Key, err = keyOf(true, nil, o.GetGroupName()); err != nil {
			return groups.Config{}, err
		}
		switch from := source.All.GetAllOption().(type) {
		case *persistent.UpdateReq_AllOptions_Position:
			out.From, err = fromPosition(from.Position.GetCommitPosition(), from.Position.GetPreparePosition())
		case *persistent.UpdateReq_AllOptions_Start:
		case *persistent.UpdateReq_AllOptions_End:
			out.From.End = true
		default:
			err = invalid("a persistent subscription to all from nowhere")
		}
		return out, err
	case *persistent.UpdateReq_Options_Stream:
		out.Key, err = streamKey(source.Stream.GetStreamIdentifier(), o.GetGroupName())
		switch from := source.Stream.GetRevisionOption().(type) {
		case *persistent.UpdateReq_StreamOptions_Revision:
			out.From = fromRevision(from.Revision)
		case *persistent.UpdateReq_StreamOptions_Start:
		case *persistent.UpdateReq_StreamOptions_End:
			out.From.End = true
		default:
			return groups.Config{}, invalid("a persistent subscription to a stream from nowhere")
		}
		return out, err
	default:
		out.Key, err = streamKey(o.GetStreamIdentifier(), o.GetGroupName()) //nolint:staticcheck // for older clients
		out.From = fromRevision(o.GetSettings().GetRevision())              //nolint:staticcheck // for older clients
		return out, err
	}
}

// streamKey is the key of a group over one stream. The whole ledger has options of its own.
func streamKey(stream *shared.StreamIdentifier, group string) (groups.Key, error) {
	key, err := keyOf(false, stream, group)
	if err == nil && key.Stream == groups.All {
		return groups.Key{}, invalid("a persistent subscription to %s is made with the options for all", groups.All)
	}
	return key, err
}

// fromRevision is where a group over a stream starts. Older clients write "the end" as the
// highest number.
func fromRevision(revision uint64) groups.From {
	if revision == math.MaxUint64 {
		return groups.From{End: true}
	}
	return groups.From{At: revision}
}

func fromPosition(commit, prepare uint64) (groups.From, error) {
	if prepare > commit {
		return groups.From{}, invalid("a position is prepared after it is committed")
	}
	return fromRevision(commit), nil
}

// settingsRequest is what creating and updating a group have in common: the protocol has a
// type of its own for each.
type settingsRequest interface {
	comparable
	GetResolveLinks() bool
	GetExtraStatistics() bool
	GetMaxRetryCount() int32
	GetMinCheckpointCount() int32
	GetMaxCheckpointCount() int32
	GetMaxSubscriberCount() int32
	GetLiveBufferSize() int32
	GetReadBatchSize() int32
	GetHistoryBufferSize() int32
	GetMessageTimeoutTicks() int64
	GetMessageTimeoutMs() int32
	GetCheckpointAfterTicks() int64
	GetCheckpointAfterMs() int32
}

func parseSettings[S settingsRequest](s S) (groups.Settings, error) {
	var none S
	if s == none {
		return groups.Settings{}, invalid("a persistent subscription without settings")
	}
	timeout, err := duration(s.GetMessageTimeoutMs(), s.GetMessageTimeoutTicks())
	if err != nil {
		return groups.Settings{}, err
	}
	after, err := duration(s.GetCheckpointAfterMs(), s.GetCheckpointAfterTicks())
	if err != nil {
		return groups.Settings{}, err
	}
	return groups.Settings{
		ResolveLinks:       s.GetResolveLinks(),
		ExtraStatistics:    s.GetExtraStatistics(),
		MessageTimeout:     timeout,
		MaxRetryCount:      int(s.GetMaxRetryCount()),
		HistoryBufferSize:  int(s.GetHistoryBufferSize()),
		LiveBufferSize:     int(s.GetLiveBufferSize()),
		ReadBatchSize:      int(s.GetReadBatchSize()),
		CheckpointAfter:    after,
		MinCheckpointCount: int(s.GetMinCheckpointCount()),
		MaxCheckpointCount: int(s.GetMaxCheckpointCount()),
		MaxConsumers:       int(s.GetMaxSubscriberCount()),
	}, nil
}

// duration is a time that clients give in milliseconds or in ticks of 100 ns.
func duration(ms int32, ticks int64) (time.Duration, error) {
	const tick = 100 * time.Nanosecond
	if ticks > math.MaxInt64/int64(tick) || ticks < math.MinInt64/int64(tick) {
		return 0, invalid("a time of %d ticks", ticks)
	}
	if ticks != 0 {
		return (time.Duration(ticks) * tick).Truncate(time.Millisecond), nil
	}
	return time.Duration(ms) * time.Millisecond, nil
}

func parseGroupFilter(o *persistent.CreateReq_AllOptions_FilterOptions) (*groups.Filter, error) {
	switch f := o.GetFilter().(type) {
	case *persistent.CreateReq_AllOptions_FilterOptions_StreamIdentifier:
		return &groups.Filter{Prefixes: f.StreamIdentifier.GetPrefix(), Regex: f.StreamIdentifier.GetRegex()}, nil
	case *persistent.CreateReq_AllOptions_FilterOptions_EventType:
		return &groups.Filter{Types: true, Prefixes: f.EventType.GetPrefix(), Regex: f.EventType.GetRegex()}, nil
	default:
		return nil, invalid("a filter of neither streams nor types")
	}
}

// callerOf is the user's name that a call brings, for records and statistics alone.
func callerOf(ctx context.Context) string {
	md, _ := metadata.FromIncomingContext(ctx)
	for _, header := range md.Get("authorization") {
		if user, _, ok := basicAuth(header); ok {
			return user
		}
	}
	return "anonymous"
}
