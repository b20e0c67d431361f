package restaurant

import (
	"reflect"
	"testing"

	"daybook/domain"
)

func begins(batch, source, digest string, dates ...domain.ServiceDate) BeginImport {
	return BeginImport{Now: now, Actor: actor, Batch: batch, Source: source, Digest: digest, Rows: 3, Dates: dates}
}

func ends(batch string, run uint32) EndImport {
	return EndImport{Now: now, Actor: actor, Batch: batch, Run: run, Counts: ImportCounts{Recorded: 3}}
}

func undoes(batch string) BeginUndoImport {
	return BeginUndoImport{Now: now, Actor: actor, Batch: batch}
}

func undone(batch string, run uint32, kept int) EndUndoImport {
	return EndUndoImport{Now: now, Actor: actor, Batch: batch, Run: run, Withdrawn: 3 - kept, Kept: kept}
}

// imports is what is told of the batches of a restaurant after these commands.
func imports(t *testing.T, commands ...Command) []Import {
	t.Helper()
	return open(t, "UTC", 0, weekendUntilMidnight()).with(t, commands...).Imports
}

func (s State) with(t *testing.T, commands ...Command) State {
	t.Helper()
	for _, c := range commands {
		s = Decider().Fold(s, decided(t, s, c)...)
	}
	return s
}

func TestWhatBecomesOfABatch(t *testing.T) {
	m := Import{Batch: "march", Source: "old", Digest: "d", Rows: 3, BegunAt: now, Dates: []domain.ServiceDate{today, today + 1}, Run: 1}
	begin, again := begins("march", "old", "d", today, today+1), begins("march", "old", "d", today+1, today+2)
	for _, c := range []struct {
		what     string
		commands []Command
		want     func(*Import)
	}{
		{"begun", []Command{begin}, func(m *Import) { m.Status = ImportRunning }},
		{"gone on with", []Command{begin, begin}, func(m *Import) { m.Status = ImportRunning }},
		{"ended", []Command{begin, ends("march", 1)}, func(m *Import) {
			m.Status, m.EndedAt, m.Counts = ImportDone, now, ImportCounts{Recorded: 3}
		}},
		{"a run that is not the one under way does not end it", []Command{begin, ends("march", 2)}, func(m *Import) { m.Status = ImportRunning }},
		{"run again, with other dates", []Command{begin, ends("march", 1), again}, func(m *Import) {
			m.Status, m.Run, m.Counts, m.Dates = ImportRunning, 2, ImportCounts{Recorded: 3}, []domain.ServiceDate{today, today + 1, today + 2}
		}},
		{"being undone", []Command{begin, undoes("march"), undoes("march"), ends("march", 1)}, func(m *Import) { m.Status, m.Over = ImportUndoing, 1 }},
		{"undone", []Command{begin, undoes("march"), undone("march", 1, 0), undoes("march")}, func(m *Import) {
			m.Status, m.Over, m.Withdrawn, m.UndoneAt = ImportTaken, 1, 3, now
		}},
		{"an undoing of earlier runs does not end a later one", []Command{
			begin, undoes("march"), undone("march", 1, 0), begin, undoes("march"), undone("march", 1, 0),
		}, func(m *Import) { m.Status, m.Run, m.Over, m.Withdrawn, m.UndoneAt = ImportUndoing, 2, 2, 3, now }},
		{"a later run is not over", []Command{begin, undoes("march"), undone("march", 1, 1), begin}, func(m *Import) {
			m.Status, m.Run, m.Over, m.Withdrawn, m.Kept, m.UndoneAt = ImportRunning, 2, 1, 2, 1, now
		}},
	} {
		want := m
		c.want(&want)
		if got := imports(t, c.commands...); !reflect.DeepEqual(got, []Import{want}) {
			t.Errorf("%s: got\n%+v\nwant\n%+v", c.what, got, want)
		}
	}
}

// Two files of a source are never recorded, or recorded and taken back, at once.
func TestOneBatchOfASourceAtATime(t *testing.T) {
	begin := begins("march", "old", "d", today)
	other, otherSource := begins("april", "old", "e", today), begins("may", "new", "e", today)
	for _, c := range []struct {
		what     string
		commands []Command
		next     Command
		want     domain.Code
	}{
		{"another batch while one runs", []Command{begin}, other, domain.CodeImportRunning},
		{"another file of the batch while it runs", []Command{begin}, begins("march", "old", "other", today), domain.CodeImportRunning},
		{"another source while one runs", []Command{begin}, otherSource, ""},
		{"another batch once it ended", []Command{begin, ends("march", 1)}, other, ""},
		{"another batch while it is undone", []Command{begin, undoes("march")}, other, domain.CodeImportRunning},
		{"the batch itself while it is undone", []Command{begin, undoes("march")}, begin, domain.CodeImportRunning},
		{"another batch once it is undone", []Command{begin, undoes("march"), undone("march", 1, 0)}, other, ""},
		{"undone while another runs", []Command{begin, ends("march", 1), other}, undoes("march"), domain.CodeImportRunning},
		{"undone while it runs itself", []Command{begin, ends("march", 1), other}, undoes("april"), ""},
		{"undone while another source runs", []Command{begin, ends("march", 1), otherSource}, undoes("march"), ""},
		{"a batch of another source", []Command{begin, ends("march", 1)}, begins("march", "new", "d", today), domain.CodeInvalid},
		{"no such batch", nil, undoes("march"), domain.CodeNotFound},
		{"a name that is none", nil, begins("..", "old", "d", today), domain.CodeInvalid},
	} {
		s := open(t, "UTC", 0, weekendUntilMidnight()).with(t, c.commands...)
		_, err := Decider().Decide(s, c.next)
		no, _ := domain.Rejected(err)
		if (no == nil && (c.want != "" || err != nil)) || (no != nil && no.Code != c.want) {
			t.Errorf("%s: %v, want %q", c.what, err, c.want)
		}
	}
}
