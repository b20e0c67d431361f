package esdbserver

import (
	"context"
	"errors"
	"strconv"
	"strings"

	"daybook/eventstore"
)

// linkTarget reads the data of a link: "revision@stream".
func linkTarget(data []byte) (eventstore.StreamName, eventstore.Revision, bool) {
	number, name, found := strings.Cut(string(data), "@")
	if !found {
		return "", 0, false
	}
	revision, err := strconv.ParseUint(number, 10, 63)
	if err != nil || eventstore.CheckStream(eventstore.StreamName(name)) != nil {
		return "", 0, false
	}
	return eventstore.StreamName(name), eventstore.Revision(revision), true
}

// Resolve returns the event that a reader is given for record: record itself, or where
// record is a link what it leads to, and record as the link. A link that leads nowhere,
// because its target was deleted or is hidden, gives a nil event.
func (s *Server) Resolve(ctx context.Context, record *eventstore.Record) (event, link *eventstore.Record, err error) {
	if record.Type != eventstore.LinkType {
		return record, nil, nil
	}
	stream, revision, ok := linkTarget(record.Data)
	if !ok {
		return nil, record, nil
	}
	for target, err := range s.engine.ReadStream(ctx, stream, revision) {
		switch {
		case errors.Is(err, eventstore.ErrStreamNotFound), errors.Is(err, eventstore.ErrStreamDeleted):
			return nil, record, nil
		case err != nil:
			return nil, nil, err
		case target.Revision == revision:
			return &target, record, nil
		}
		break
	}
	return nil, record, nil
}
