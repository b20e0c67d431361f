package eventstore

import "context"

// Engine is a Store together with what EventStoreDB keeps beside a ledger's events: the
// engine's own streams, the metadata of streams, and deletion. A server of its protocol
// needs an Engine; whatever decides about a table needs a Store, and never deletes.
//
// The metadata of a stream are the last event of the stream MetadataOf names: JSON, of
// which the engine minds three fields and keeps the rest. A stream shows its newest
// $maxCount events, none older than $maxAge seconds, and none before revision $tb. What
// is hidden is hidden from reads of the stream only: reads of all show it, and its
// revision and position stay taken. Of a stream of metadata the last event alone is
// shown, always.
//
// An Engine takes any number for a position: clients of the protocol send what they like.
type Engine interface {
	Store

	// Write is Append to any stream, the engine's own too, of any type but StreamDeletedType.
	// Metadata that the engine cannot read are refused with ErrInvalid. A stream with
	// metadata and no event exists for a writer who expects Exists.
	Write(ctx context.Context, stream StreamName, expected Expected, events ...Event) (Appended, error)

	// Delete hides all events that stream has now, by writing metadata that are nothing but
	// $tb, and returns the position of that record. A later append goes on at the next
	// revision and rewrites $tb to it; a writer may expect NoStream of it. Writing metadata
	// recreates the stream as well, empty. A stream that is deleted already gets no second
	// record; whoever expects it to exist is answered ErrStreamDeleted. Errors: as Append,
	// with a *ConflictError also where there is neither an event nor metadata, whatever was
	// expected, and ErrInvalid for a stream of metadata.
	Delete(ctx context.Context, stream StreamName, expected Expected) (Position, error)

	// Tombstone ends stream for ever, also one that has no event yet, and returns the
	// position of the record that says so: type StreamDeletedType, revision
	// DeletedRevision. Its metadata end with it. Errors: as Append, and ErrStreamDeleted,
	// which also answers a retry.
	Tombstone(ctx context.Context, stream StreamName, expected Expected) (Position, error)

	// Look returns where a stream stands.
	Look(ctx context.Context, stream StreamName) (StreamState, error)
}

// MetadataType is the type of the metadata that an engine writes by itself.
const MetadataType = "$metadata"

// StreamDeletedType is the type of the record that ends a stream for ever.
const StreamDeletedType = "$streamDeleted"

// DeletedRevision is the revision of that record, the highest there can be.
const DeletedRevision Revision = 1<<63 - 1

// LinkType is the type of an event that stands for another: its data is that event's
// "revision@stream".
const LinkType = "$>"

// StreamState is where a stream stands, as far as it is shown.
type StreamState struct {
	// Shown says that there is an event to read. Without it First and Last say nothing.
	Shown       bool
	First, Last Revision
	// Position is that of the newest record, shown or not; Start if there never was one.
	Position Position
	// Deleted says that the stream was ended for ever.
	Deleted bool
}

// MetadataOf names the stream that holds the metadata of stream.
func MetadataOf(stream StreamName) StreamName { return "$$" + stream }
