package export

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"daybook/projections/reporting"
)

// columnsOf are those of a table's files.
func columnsOf(t reporting.Table) []Column {
	all := make([]Column, len(t.Columns))
	for i, c := range t.Columns {
		all[i] = Column{Name: c.Name, Type: c.Kind, Nullable: c.Nullable}
	}
	return all
}

// tables writes the months of tables that changed, and stages them.
func (e *exporter) tables(ctx context.Context, s *reporting.Snapshot) error {
	for _, t := range reporting.Tables() {
		if !slices.Contains(e.What, t.Name) {
			continue
		}
		if err := e.table(ctx, s, t); err != nil {
			return fmt.Errorf("export: %s: %w", t.Name, err)
		}
	}
	return nil
}

func (e *exporter) table(ctx context.Context, s *reporting.Snapshot, t reporting.Table) error {
	months, err := s.Months(ctx, t)
	if err != nil {
		return err
	}
	if t.Month == "" && len(months) == 0 {
		months = []reporting.Month{{}} // a table that stays whole has its file, with or without rows
	}
	before := e.folder.manifest.Datasets[t.Name]
	now := &Dataset{Position: s.Position, Made: s.Made, Columns: columnsOf(t), Files: []File{}}
	there := map[string]File{}
	if before != nil {
		for _, f := range before.Files {
			there[f.Month] = f
		}
	}
	for i, m := range months {
		e.Progress(t.Name, uint64(i), uint64(len(months)))
		if !e.within(m.Month) {
			continue
		}
		old, known := there[m.Month]
		delete(there, m.Month)
		if known && old.Mark == m.Mark && before.Made == s.Made && slices.Equal(before.Columns, now.Columns) && e.folder.has(old) {
			now.Files = append(now.Files, old)
			e.report.Kept++
			continue
		}
		p, err := e.begin(t.Name, m.Month, "part", now.Columns)
		if err != nil {
			return err
		}
		if err := s.Rows(ctx, t, m.Month, p.put); err != nil {
			return errors.Join(err, p.abandon())
		}
		p.Mark = m.Mark
		file, err := p.done()
		if err != nil {
			return err
		}
		now.Files = append(now.Files, file)
		e.staged = append(e.staged, file)
		e.wrote(file)
		e.report.Rows += uint64(file.Rows)
	}
	for _, f := range there {
		e.gone = append(e.gone, f.Path)
	}
	e.Progress(t.Name, 1, 1)
	e.ready[t.Name] = now
	return nil
}

func (e *exporter) wrote(f File) {
	e.report.Files++
	e.report.Bytes += f.Bytes
}
