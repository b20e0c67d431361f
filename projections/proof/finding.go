package proof

import (
	"fmt"
	"strings"

	"daybook/eventstore"
)

// Kind is a way in which a ledger is not the one that was signed.
type Kind string

// The kinds of findings.
const (
	Altered  Kind = "altered"  // an event is there with other contents
	Dropped  Kind = "dropped"  // an event is not there
	Inserted Kind = "inserted" // an event is there that was not
	Moved    Kind = "moved"    // events stand in another order
	Replaced Kind = "replaced" // another event stands in the place of one
	Differs  Kind = "differs"  // the ledger parts from what was signed, between two sizes

	Gap           Kind = "gap"            // a stream lacks revisions
	RevisionTwice Kind = "revision_twice" // a stream has a revision twice
	Disorder      Kind = "disorder"       // a stream's revisions do not come in order
	Repeated      Kind = "repeated"       // an event's id stands twice
)

// Finding is one thing that is wrong. Which fields say something depends on its kind.
type Finding struct {
	Kind Kind `json:"kind"`
	// Index is the place in the ledger as it is, from 0, and Event what stands there; nil at
	// its end.
	Index uint64 `json:"index"`
	Event *Event `json:"event,omitempty"`
	// Other is the event that belongs at Index, by the log kept beside the ledger. For Moved
	// OtherIndex is where Event belongs, and Elsewhere where Other is now. For Repeated,
	// RevisionTwice and Disorder Other is the event, at OtherIndex, that Event is at odds with.
	Other      *Event `json:"other,omitempty"`
	OtherIndex uint64 `json:"otherIndex,omitempty"`
	Elsewhere  uint64 `json:"elsewhere,omitempty"`
	// From and To, for Differs, are the sizes of the signed heads between which the first
	// difference lies: the ledger contains the one of From, 0 for none, and not that of To.
	From uint64 `json:"from,omitempty"`
	To   uint64 `json:"to,omitempty"`
	// Want and UpTo, for Gap, are the first and the last revision that are missing before Event.
	Want eventstore.Revision `json:"want,omitempty"`
	UpTo eventstore.Revision `json:"upTo,omitempty"`
	// Size is how many events the ledger has.
	Size uint64 `json:"size"`
	// Signed says that a signed head confirms it. Otherwise it is the word of the log kept
	// beside the ledger, for what came after the newest head, or of the streams themselves.
	Signed bool `json:"signed"`
}

// Event names an event.
type Event struct {
	ID       string              `json:"id"`
	Stream   string              `json:"stream"`
	Revision eventstore.Revision `json:"revision"`
	Type     string              `json:"type,omitempty"`     // not known of events that are gone
	Position eventstore.Position `json:"position,omitempty"` // in the store that it was read off
}

func eventOf(i *Item) *Event {
	if i == nil {
		return nil
	}
	return &Event{ID: i.ID.String(), Stream: string(i.Stream), Revision: i.Revision, Type: i.Type, Position: i.Position}
}

func eventOfEntry(e Entry) *Event {
	return &Event{ID: e.ID.String(), Stream: string(e.Stream), Revision: e.Revision, Position: e.Position}
}

func (e *Event) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s, revision %d of %q", e.ID, e.Revision, e.Stream)
	if e.Type != "" {
		fmt.Fprintf(&b, ", %q", e.Type)
	}
	if e.Position > 0 {
		fmt.Fprintf(&b, ", position %d", e.Position)
	}
	return b.String()
}

// String says it in a line.
func (f Finding) String() string {
	s := f.text()
	switch f.Kind {
	case Gap, RevisionTwice, Disorder, Repeated, Differs:
	case Altered, Dropped, Inserted, Moved, Replaced:
		if !f.Signed {
			s += " (no signed head reaches that far: the log kept beside the ledger says so)"
		}
	}
	return s
}

func (f Finding) text() string {
	switch f.Kind {
	case Altered:
		if f.Event.ID != f.Other.ID || f.Event.Stream != f.Other.Stream || f.Event.Revision != f.Other.Revision {
			return fmt.Sprintf("event %d was altered: it is %s, and was %s", f.Index, f.Event, f.Other)
		}
		return fmt.Sprintf("event %d was altered: %s", f.Index, f.Event)
	case Dropped:
		if f.Event == nil {
			return fmt.Sprintf("the end was dropped from event %d on, of which the first is %s", f.Index, f.Other)
		}
		return fmt.Sprintf("an event was dropped at %d: %s", f.Index, f.Other)
	case Inserted:
		return fmt.Sprintf("event %d was inserted: %s", f.Index, f.Event)
	case Moved:
		return fmt.Sprintf("events stand in another order: %d is %s, which belongs at %d; %s, which belongs here, is at %d",
			f.Index, f.Event, f.OtherIndex, f.Other, f.Elsewhere)
	case Replaced:
		return fmt.Sprintf("event %d was replaced: it is %s, and was %s", f.Index, f.Event, f.Other)
	case Differs:
		if f.Size < f.To {
			return fmt.Sprintf("the ledger ends after %d events, and a head of %d was signed; up to %d it is what was signed", f.Size, f.To, f.From)
		}
		return fmt.Sprintf("the ledger is not what was signed: the first difference is behind event %d and before event %d, counted from 1", f.From, f.To)
	case Gap:
		return fmt.Sprintf("revisions %d to %d are missing before event %d: %s", f.Want, f.UpTo, f.Index, f.Event)
	case RevisionTwice:
		return fmt.Sprintf("event %d has a revision that event %d has: %s, and %s", f.Index, f.OtherIndex, f.Event, f.Other)
	case Disorder:
		return fmt.Sprintf("event %d comes after event %d of its stream, and belongs before: %s, after %s", f.Index, f.OtherIndex, f.Event, f.Other)
	case Repeated:
		return fmt.Sprintf("event %d has the id of event %d: %s, and %s", f.Index, f.OtherIndex, f.Event, f.Other)
	default:
		return string(f.Kind)
	}
}
