package esdbserver

import (
	"context"
	"errors"
	"fmt"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/persistent"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"google.golang.org/grpc/codes"

	"daybook/eventstore"
	"daybook/eventstore/esdbserver/groups"
)

const (
	trailerGroup = "group-name"

	exceptionGroupExists    = "persistent-subscription-exists"
	exceptionGroupNotFound  = "persistent-subscription-does-not-exist"
	exceptionGroupFailed    = "persistent-subscription-failed"
	exceptionGroupDropped   = "persistent-subscription-dropped"
	exceptionGroupConsumers = "maximum-subscribers-reached"
)

// persistentService translates between the protocol's persistent subscriptions and
// groups.Groups, which does the work.
type persistentService struct {
	persistent.UnimplementedPersistentSubscriptionsServer
	server *Server
	groups *groups.Groups
}

func newPersistentService(s *Server) *persistentService {
	shared := s.options.Groups
	if shared == nil {
		shared = groups.New(s.engine, groups.Options{Logger: s.options.Logger})
	}
	return &persistentService{server: s, groups: shared}
}

// within bounds a call that writes: it may wait for others, and must not do so for ever.
func (p *persistentService) within(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, p.server.options.AppendTimeout)
}

// Create makes a group.
func (p *persistentService) Create(ctx context.Context, request *persistent.CreateReq) (*persistent.CreateResp, error) {
	config, err := parseCreate(request.GetOptions())
	if err != nil {
		return nil, err
	}
	ctx, cancel := p.within(ctx)
	defer cancel()
	if err := p.groups.Create(ctx, config, callerOf(ctx)); err != nil {
		return nil, p.failure("CreatePersistentSubscription", config.Key, err)
	}
	return &persistent.CreateResp{}, nil
}

// Update gives a group new settings and drops its consumers.
func (p *persistentService) Update(ctx context.Context, request *persistent.UpdateReq) (*persistent.UpdateResp, error) {
	config, err := parseUpdate(request.GetOptions())
	if err != nil {
		return nil, err
	}
	ctx, cancel := p.within(ctx)
	defer cancel()
	if err := p.groups.Update(ctx, config, callerOf(ctx)); err != nil {
		return nil, p.failure("UpdatePersistentSubscription", config.Key, err)
	}
	return &persistent.UpdateResp{}, nil
}

// Delete ends a group and drops its consumers.
func (p *persistentService) Delete(ctx context.Context, request *persistent.DeleteReq) (*persistent.DeleteResp, error) {
	o := request.GetOptions()
	key, err := keyOf(o.GetAll() != nil, o.GetStreamIdentifier(), o.GetGroupName())
	if err != nil {
		return nil, err
	}
	ctx, cancel := p.within(ctx)
	defer cancel()
	if err := p.groups.Delete(ctx, key, callerOf(ctx)); err != nil {
		return nil, p.failure("DeletePersistentSubscription", key, err)
	}
	return &persistent.DeleteResp{}, nil
}

// ReplayParked gives parked messages out again, all or up to a revision of the stream that
// they are parked in.
func (p *persistentService) ReplayParked(ctx context.Context, request *persistent.ReplayParkedReq) (*persistent.ReplayParkedResp, error) {
	o := request.GetOptions()
	key, err := keyOf(o.GetAll() != nil, o.GetStreamIdentifier(), o.GetGroupName())
	if err != nil {
		return nil, err
	}
	var until eventstore.Revision
	switch stop := o.GetStopAtOption().(type) {
	case *persistent.ReplayParkedReq_Options_NoLimit:
		until = eventstore.Last
	case *persistent.ReplayParkedReq_Options_StopAt:
		if stop.StopAt < 0 {
			return nil, invalid("a replay cannot stop at %d", stop.StopAt)
		}
		until = eventstore.Revision(stop.StopAt)
	default:
		return nil, invalid("a replay that says neither where to stop nor not to")
	}
	ctx, cancel := p.within(ctx)
	defer cancel()
	if err := p.groups.Replay(ctx, key, until); err != nil {
		return nil, p.failure("ReplayParkedMessages", key, err)
	}
	return &persistent.ReplayParkedResp{}, nil
}

// RestartSubsystem drops all consumers and reads the groups from the ledger again.
func (p *persistentService) RestartSubsystem(ctx context.Context, _ *shared.Empty) (*shared.Empty, error) {
	ctx, cancel := p.within(ctx)
	defer cancel()
	if err := p.groups.Restart(ctx); err != nil {
		return nil, p.failure("RestartPersistentSubscriptions", groups.Key{}, err)
	}
	return &shared.Empty{}, nil
}

// failure is what a client is told of an error that concerns a group.
func (p *persistentService) failure(method string, key groups.Key, err error) error {
	about := []string{trailerStream, string(key.Stream), trailerGroup, key.Group}
	name := fmt.Sprintf("Subscription group %s on stream %s", key.Group, key.Stream)
	switch {
	case errors.Is(err, groups.ErrExists):
		return newFault(codes.AlreadyExists, exceptionGroupExists, name+" exists.", about...)
	case errors.Is(err, groups.ErrNotFound):
		return newFault(codes.NotFound, exceptionGroupNotFound, name+" does not exist.", about...)
	case errors.Is(err, groups.ErrTooManyConsumers):
		return newFault(codes.FailedPrecondition, exceptionGroupConsumers, name+" has as many subscribers as it takes.", about...)
	case errors.Is(err, groups.ErrDropped):
		return newFault(codes.Canceled, exceptionGroupDropped, name+" was dropped.", about...)
	case errors.Is(err, groups.ErrTooManyGroups):
		return newFault(codes.ResourceExhausted, exceptionGroupFailed, name+" failed: "+err.Error(), append(about, "reason", err.Error())...)
	case errors.Is(err, groups.ErrDamaged):
		p.server.options.Logger.Error("esdbserver: a persistent subscription cannot be read", "method", method, "stream", string(key.Stream), "group", key.Group, "error", err)
		return newFault(codes.FailedPrecondition, exceptionGroupFailed, name+" failed: "+err.Error(), append(about, "reason", err.Error())...)
	case errors.Is(err, groups.ErrClosed):
		return errShuttingDown
	}
	return p.server.failure(method, key.Stream, err)
}
