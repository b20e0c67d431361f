package export

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"daybook/domain"
	"daybook/eventstore"
	"daybook/eventstore/canon"
	"daybook/eventstore/codec"
	"daybook/projections/reporting"
)

// partEvents is how many events a part holds at most.
const partEvents = 500_000

// eventColumns are those of the events in Parquet and CSV.
var eventColumns = []Column{
	{"position", reporting.KindNumber, false},
	{"recorded_at", kindMoment, false},
	{"decided_at", reporting.KindInstant, true},
	{"event_id", reporting.KindText, false},
	{"stream", reporting.KindText, true},
	{"revision", reporting.KindNumber, false},
	{"type", reporting.KindText, true},
	{"version", reporting.KindNumber, true},
	{"restaurant_id", reporting.KindText, true},
	{"service_date", reporting.KindDate, true},
	{"actor_kind", reporting.KindText, true},
	{"actor_id", reporting.KindText, true},
	{"role", reporting.KindText, true},
	{"api_key", reporting.KindText, true},
	{"process", reporting.KindText, true},
	{"command_id", reporting.KindText, true},
	{"request_id", reporting.KindText, true},
	{"cause", reporting.KindText, true},
	{"correlation", reporting.KindText, true},
	{"reason", reporting.KindText, true},
	{"data", reporting.KindText, true},
	{"metadata", reporting.KindText, true},
}

// events adds the events up to a position, part by part.
func (e *exporter) events(ctx context.Context, store Store, to eventstore.Position) error {
	columns := eventColumns
	if e.Format == "ndjson" {
		columns = []Column{}
	}
	m := &e.folder.manifest
	d := m.Datasets[Events]
	if d == nil {
		d = &Dataset{Files: []File{}}
		m.Datasets[Events] = d
	}
	switch {
	case len(d.Files) == 0:
		d.Columns = columns
	case !slices.Equal(d.Columns, columns):
		return fmt.Errorf("%w: its events have other columns: name another folder", ErrForeign)
	}
	w := &eventWriter{exporter: e, dataset: d}
	for _, f := range d.Files {
		if !e.folder.has(f) {
			return fmt.Errorf("%w: its file %s is not as it was written: name another folder", ErrForeign, f.Path)
		}
		w.month = max(w.month, f.Month)
	}
	begin := d.Position
	for r, err := range store.ReadAll(ctx, begin, eventstore.Filter{}) {
		if err != nil {
			return errors.Join(err, w.abandon())
		}
		if r.Position > to {
			break
		}
		if err := w.add(r); err != nil {
			return errors.Join(err, w.abandon())
		}
		if e.report.Events%1024 == 0 {
			e.Progress(Events, uint64(r.Position-begin), uint64(to-begin))
		}
	}
	if err := w.end(); err != nil {
		return err
	}
	d.Position = to
	e.Progress(Events, 1, 1)
	return nil
}

// eventWriter adds events to parts.
type eventWriter struct {
	*exporter
	dataset *Dataset
	month   string // of the last event
	part    *part  // nil for none under way
	last    eventstore.Record
	line    []byte
}

func (w *eventWriter) add(r eventstore.Record) (err error) {
	// The clock of a store may be put back; a month that is over stays over.
	month := max(w.month, r.Recorded.UTC().Format("2006-01"))
	if w.part != nil && (month != w.month || w.part.Rows == partEvents) {
		if err := w.end(); err != nil {
			return err
		}
	}
	w.month, w.last = month, r
	if !w.within(month) {
		return nil
	}
	if w.part == nil {
		if w.part, err = w.begin(Events, month, fmt.Sprintf("part-%020d", r.Position), w.dataset.Columns); err != nil {
			return err
		}
	}
	if w.line, err = canon.AppendLine(w.line[:0], r); err != nil {
		return err
	}
	w.report.Events++
	if w.Format == "ndjson" {
		return w.part.put([]any{append(w.line, '\n')})
	}
	values, err := rowOf(r, w.line)
	if err != nil {
		return err
	}
	return w.part.put(values)
}

// end commits the part under way, so that it need not be written again.
func (w *eventWriter) end() error {
	if w.last.Position > 0 {
		w.dataset.Position, w.dataset.Last = w.last.Position, w.last.ID.String()
	}
	if w.part == nil {
		return nil
	}
	p := w.part
	w.part = nil
	f, err := p.done()
	if err != nil {
		return err
	}
	w.dataset.Files = append(w.dataset.Files, f)
	w.wrote(f)
	return w.folder.commit([]File{f}, nil)
}

func (w *eventWriter) abandon() error {
	if w.part == nil {
		return nil
	}
	return w.part.abandon()
}

// rowOf are the values of an event, in the order of eventColumns. Data and metadata are what
// its line carries.
func rowOf(r eventstore.Record, line []byte) ([]any, error) {
	l, err := canon.FromLine(line)
	if err != nil {
		return nil, err
	}
	values := []any{int64(r.Position), r.Recorded.UnixMicro(), nil, r.ID.String(), text(string(l.Stream)), int64(r.Revision), text(l.Type)}
	var version struct {
		V int64 `json:"v"`
	}
	m, err := codec.DecodeMetadata(r)
	if err != nil || json.Unmarshal(r.Metadata, &version) != nil {
		// Another client of the store wrote it: all that is known of it is what it carries.
		values = append(values, nil, nil, nil, nil, nil, nil, nil, nil, nil, nil, nil, nil, nil)
	} else {
		values[2] = int64(m.DecidedAt)
		restaurant, _ := codec.TradeOf(r.Stream)
		if restaurant == "" {
			restaurant, _ = codec.ParseWebhooksStream(r.Stream)
		}
		var command string
		if m.CommandID != [16]byte{} {
			command = eventstore.EventID(m.CommandID).String()
		}
		values = append(values, version.V, text(string(restaurant)), dateOf(r.Stream), text(string(m.Actor.Kind)), text(string(m.Actor.User)),
			text(m.Role), text(m.APIKey), text(m.Process), text(command), text(m.RequestID), text(m.Cause), text(m.CorrelationID()), text(m.Reason))
	}
	return append(values, text(string(l.Data)), text(string(l.Metadata))), nil
}

// text is none where there is no text.
func text(s string) any {
	if s == "" {
		return nil
	}
	return s
}

// dateOf is the service date that a stream is about.
func dateOf(s eventstore.StreamName) any {
	var date domain.ServiceDate
	if _, d, ok := codec.ParseDayStream(s); ok {
		date = d
	} else if _, d, ok := codec.ParseDemandStream(s); ok {
		date = d
	} else {
		return nil
	}
	return date.String()
}
