// Package processes holds the process managers: whenever this event, then that command.
//
// What belongs here: what the house does by itself. Each reads the feed from its own
// checkpoint and gives commands like anybody else; it decides nothing that a decider would
// not decide again, so two of one kind at once do no harm. What can be asked for by
// somebody is commands'; views are projections'.
package processes

import (
	"context"

	"daybook/eventstore/feed"
)

// Checkpoints keeps how far each process has come. It is a hint: a process that starts
// from an older one does again what was done, to no effect.
type Checkpoints interface {
	Load(ctx context.Context, name string) (feed.Place, error) // the start where there is none
	// Save never takes a checkpoint back; Reset takes it to the start of the ledger.
	Save(ctx context.Context, name string, at feed.Place) error
	Reset(ctx context.Context, name string) error
}
