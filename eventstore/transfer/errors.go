package transfer

import (
	"bytes"
	"fmt"

	"daybook/eventstore"
)

// ForeignError says that the target holds an event that the source does not have at that
// place. The target has to be empty, or hold the first records of the same source.
type ForeignError struct {
	// Number counts from 0: so many records of the target are the source's first.
	Number uint64
	// Source is the source's record there, nil if it has no further one.
	Source *eventstore.Record
	// Target is the first record of the target that is not the source's.
	Target eventstore.Record
}

func (e *ForeignError) Error() string {
	if e.Source == nil {
		return fmt.Sprintf("transfer: the target is neither empty nor a copy of the source broken off: it goes on after the source's %d records, with %s",
			e.Number, place(&e.Target))
	}
	return fmt.Sprintf("transfer: the target is neither empty nor a copy of the source broken off: its record %d is %s, the source's is %s; they differ in %s",
		e.Number, place(&e.Target), place(e.Source), differing(e.Source, &e.Target))
}

// GapError says that the source no longer holds events that a stream once had, because
// the stream was truncated and scavenged. Revisions could not be kept, so such a stream
// cannot be copied.
type GapError struct {
	Stream eventstore.StreamName
	// Want is the first revision that is missing, Got the next one that is there.
	Want, Got eventstore.Revision
}

func (e *GapError) Error() string {
	return fmt.Sprintf("transfer: stream %q has no revision %d in the source, its next event has revision %d: a stream that was truncated cannot be copied with its revisions",
		e.Stream, e.Want, e.Got)
}

// DifferenceError is the first difference between two ledgers.
type DifferenceError struct {
	// Number counts from 0: so many records are the same in both.
	Number uint64
	// A and B are the records there, nil where the ledger has no further one.
	A, B *eventstore.Record
}

func (e *DifferenceError) Error() string {
	switch {
	case e.A == nil && e.B != nil:
		return fmt.Sprintf("transfer: the first ledger ends after %d records, the second goes on with %s", e.Number, place(e.B))
	case e.B == nil && e.A != nil:
		return fmt.Sprintf("transfer: the second ledger ends after %d records, the first goes on with %s", e.Number, place(e.A))
	case e.A == nil:
		return "transfer: the ledgers differ"
	default:
		return fmt.Sprintf("transfer: record %d is %s in the first ledger and %s in the second; they differ in %s",
			e.Number, place(e.A), place(e.B), differing(e.A, e.B))
	}
}

// place names a record without its contents, which may be personal.
func place(r *eventstore.Record) string {
	return fmt.Sprintf("%s %s at revision %d of stream %q", r.Type, r.ID, r.Revision, r.Stream)
}

// same reports whether b is a copy of a. Position and Recorded are each store's own, and
// stores do not tell nil from empty.
func same(a, b *eventstore.Record) bool {
	return a.ID == b.ID && a.Stream == b.Stream && a.Revision == b.Revision && a.Type == b.Type &&
		a.Binary == b.Binary && bytes.Equal(a.Data, b.Data) && bytes.Equal(a.Metadata, b.Metadata)
}

// differing names the first field in which two records differ.
func differing(a, b *eventstore.Record) string {
	switch {
	case a.Stream != b.Stream:
		return "stream"
	case a.Revision != b.Revision:
		return "revision"
	case a.ID != b.ID:
		return "event id"
	case a.Type != b.Type:
		return "type"
	case a.Binary != b.Binary:
		return "content type"
	case !bytes.Equal(a.Data, b.Data):
		return "data"
	case !bytes.Equal(a.Metadata, b.Metadata):
		return "metadata"
	default:
		return "nothing"
	}
}
