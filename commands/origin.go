package commands

import (
	"context"

	"daybook/domain"
	"daybook/domain/restaurant"
	"daybook/eventstore"
	"daybook/eventstore/codec"
)

// The processes that act within the request of whoever sets them off, too, and on their own
// only where that was cut short.
const (
	ProcessMoves       = "moves"
	ProcessPlanRollout = "plan-rollout"
)

// Origin is what brings a command about, beside the request that it comes with. It goes on
// record with every event and decides nothing.
type Origin struct {
	Process     string // name of the process manager that acts; empty for none
	Cause       string // id of the event that makes the command, or the batch of an import
	Correlation string // what all that follows from one request shares; see codec.Metadata
}

type originKey struct{}

// From gives the commands under ctx their origin. It travels like a trace does, so that a
// use case need not hand on what only the record wants.
func From(ctx context.Context, o Origin) context.Context {
	return context.WithValue(ctx, originKey{}, o)
}

func originOf(ctx context.Context) Origin {
	o, _ := ctx.Value(originKey{}).(Origin)
	return o
}

// onRecord puts what it knows of a command's origin into its metadata.
func onRecord(ctx context.Context, m codec.Metadata) codec.Metadata {
	o := originOf(ctx)
	m.Process, m.Cause = o.Process, o.Cause
	if o.Correlation != m.RequestID {
		m.Correlation = o.Correlation
	}
	return m
}

// metadata is what goes on record with each event of a caller's command.
func (a *App) metadata(ctx context.Context, c Caller, actor domain.Actor, role string) codec.Metadata {
	return onRecord(ctx, codec.Metadata{
		BodyHash: a.keyed(a.cfg.BodyKey, c.Body)[:16], Actor: actor, Role: role, APIKey: c.APIKey, RequestID: c.RequestID,
	})
}

// byItself is what goes on record with what the house does by itself.
func byItself(ctx context.Context, reason string) codec.Metadata {
	return onRecord(ctx, codec.Metadata{Actor: domain.System(), Reason: reason})
}

// following is the origin of what a process does because of an event.
func following(process string, id eventstore.EventID, m codec.Metadata) Origin {
	return Origin{Process: process, Cause: id.String(), Correlation: m.CorrelationID()}
}

// roleDiner is what somebody is at a restaurant who is nothing else there.
const roleDiner = "diner"

// role is what a caller is at a restaurant; empty for somebody who has not logged in.
func (c Caller) role(r restaurant.State) string {
	switch {
	case c.Import || c.User == "":
		return ""
	case r.MayManage(c.User):
		return string(r.Role(c.User))
	default:
		return roleDiner
	}
}
