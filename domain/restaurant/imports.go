package restaurant

import (
	"fmt"
	"slices"
	"strings"

	"daybook/domain"
)

// The limits of imports.
const (
	maxImports     = 500  // batches that a restaurant has
	maxImportDates = 4000 // service dates of one batch
	maxImportName  = 64   // characters of a batch's or a source's name
)

// ImportStatus is how far an import of bookings of another system is.
type ImportStatus string

// The statuses of an import.
const (
	ImportRunning ImportStatus = "running" // or broken off: begun and not ended
	ImportDone    ImportStatus = "done"
	ImportUndoing ImportStatus = "undoing" // or broken off while it was
	ImportTaken   ImportStatus = "undone"
)

// Import is a batch of bookings of another system, and what became of it.
type Import struct {
	Batch     string // its name, which no other of the restaurant has
	Source    string // the other system; a booking's id there names it for ever
	Status    ImportStatus
	Run       uint32               // how often it was begun anew
	Over      uint32               // runs up to this one are over: the batch was taken back since; 0 for none
	Digest    string               // of what the last run reads: another file has another
	Rows      int                  // of the last run
	Dates     []domain.ServiceDate // that any run reaches, rising
	Counts    ImportCounts         // of the last run that ended
	BegunAt   domain.Instant       // the last run
	EndedAt   domain.Instant       // the last run; 0 for not yet
	UndoneAt  domain.Instant       // 0 for never
	Forced    bool                 // the last undoing took back what was changed, too
	Withdrawn int                  // by the last undoing
	Kept      int                  // by the last undoing, as somebody acted on them
}

// ImportCounts is what came of the rows of a run.
type ImportCounts struct {
	Recorded  int             // as entries of a day's book
	Known     int             // recorded by an earlier run, and the same
	Changed   int             // recorded by an earlier run, and told otherwise now: reported, not applied
	Bad       int             // that say nothing that could be recorded
	Skipped   int             // left out because the mapping says so
	Conflicts []ConflictCount // of the recorded, by rule
}

// ConflictCount is how many entries stand in conflict by one rule.
type ConflictCount struct {
	Code domain.Code
	N    int
}

// BeginImport begins a run of a batch or, where the same is not ended, goes on with it: it
// was broken off, or two are at it. While another run of the same source is not ended it is
// refused with domain.CodeImportRunning: two files at once could record one booking on two days.
type BeginImport struct {
	Now    domain.Instant
	Actor  domain.Actor
	Batch  string
	Source string
	Digest string
	Rows   int
	Dates  []domain.ServiceDate // rising, no two alike
}

// EndImport ends a run. It is already so where that run is not the one under way.
type EndImport struct {
	Now    domain.Instant
	Actor  domain.Actor
	Batch  string
	Run    uint32
	Counts ImportCounts
}

// BeginUndoImport begins to take a batch back, and ends its run. It is already so while it
// is being taken back in the same way, and where it was and nothing of it is left. A run
// that was cut off in the middle of a write can leave something all the same: whoever saw
// that says so with Left, and it is begun again.
//
// Refused with domain.CodeImportRunning while another batch of the same source is not ended:
// that run has found bookings recorded that would be gone when it says so.
type BeginUndoImport struct {
	Now   domain.Instant
	Actor domain.Actor
	Batch string
	Force bool
	Left  bool // facts of it stand in a day's book
}

// EndUndoImport says what was taken back of a batch. It is already so where those runs of it
// are not being taken back.
type EndUndoImport struct {
	Now             domain.Instant
	Actor           domain.Actor
	Batch           string
	Run             uint32 // up to which it was taken back
	Withdrawn, Kept int
}

// ImportBegun begins a run of a batch, or goes on with the one under way where it has its number.
type ImportBegun struct {
	domain.Stamp
	Batch  string
	Source string
	Digest string
	Run    uint32
	Rows   int
	Dates  []domain.ServiceDate
}

// ImportEnded ends a run of a batch.
type ImportEnded struct {
	domain.Stamp
	Batch  string
	Run    uint32
	Counts ImportCounts
}

// ImportUndoBegun says that a batch is being taken back.
type ImportUndoBegun struct {
	domain.Stamp
	Batch string
	Force bool
}

// ImportUndone says what was taken back of a batch, and what was not.
type ImportUndone struct {
	domain.Stamp
	Batch           string
	Withdrawn, Kept int
}

func (BeginImport) restaurantCommand()     {}
func (EndImport) restaurantCommand()       {}
func (BeginUndoImport) restaurantCommand() {}
func (EndUndoImport) restaurantCommand()   {}

func (ImportBegun) restaurantEvent()     {}
func (ImportEnded) restaurantEvent()     {}
func (ImportUndoBegun) restaurantEvent() {}
func (ImportUndone) restaurantEvent()    {}

// Import finds a batch by its name.
func (s State) Import(batch string) (Import, bool) {
	i := slices.IndexFunc(s.Imports, func(m Import) bool { return m.Batch == batch })
	if i < 0 {
		return Import{}, false
	}
	return s.Imports[i], true
}

// Reaches reports whether a batch is of a source, and lists the dates it reaches.
func (m Import) Reaches(source string) []domain.ServiceDate {
	if m.Source != source {
		return nil
	}
	return m.Dates
}

// CheckImportName refuses what cannot name a batch or a source: it stands in addresses.
func CheckImportName(field, name string) error {
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("._-", r)
	}
	if name == "" || len(name) > maxImportName || strings.ContainsFunc(name, func(r rune) bool { return !plain(r) }) || strings.Trim(name, ".") == "" {
		return domain.Invalid(field, fmt.Sprintf("want 1 to %d letters, digits, dots, hyphens and underscores", maxImportName))
	}
	return nil
}

// decideImports decides what is about imports.
func (s State) decideImports(c Command) ([]Event, error) {
	switch c := c.(type) {
	case BeginImport:
		return s.beginImport(c)
	case EndImport:
		m, ok := s.Import(c.Batch)
		if err := s.allow(c.Actor); err != nil || !ok || m.Status != ImportRunning || m.Run != c.Run {
			return nil, err
		}
		return []Event{ImportEnded{Stamp: s.stamp(c.Now), Batch: c.Batch, Run: c.Run, Counts: c.Counts}}, nil
	case BeginUndoImport:
		return s.beginUndoImport(c)
	case EndUndoImport:
		m, ok := s.Import(c.Batch)
		if err := s.allow(c.Actor); err != nil || !ok || m.Status != ImportUndoing || m.Over != c.Run {
			return nil, err
		}
		return []Event{ImportUndone{Stamp: s.stamp(c.Now), Batch: c.Batch, Withdrawn: c.Withdrawn, Kept: c.Kept}}, nil
	default:
		return nil, fmt.Errorf("restaurant: unknown command %T", c)
	}
}

func (s State) beginImport(c BeginImport) ([]Event, error) {
	if err := s.allow(c.Actor); err != nil {
		return nil, err
	}
	if err := CheckImportName("batch", c.Batch); err != nil {
		return nil, err
	}
	if err := CheckImportName("source", c.Source); err != nil {
		return nil, err
	}
	if s.Status != StatusOpen {
		return nil, domain.Reject(domain.CodeClosed, "the restaurant does not take bookings yet: publish it first, for its days to have books",
			domain.Reason{Rule: "status"})
	}
	old, ok := s.Import(c.Batch)
	run := old.Run + 1
	for _, other := range s.Imports {
		switch {
		case other.Batch == c.Batch && other.Source != c.Source:
			return nil, domain.Invalid("source", fmt.Sprintf("batch %s is of source %s", other.Batch, other.Source))
		case other.Batch == c.Batch && other.Status == ImportRunning && other.Digest == c.Digest:
			run = other.Run
		case other.Source == c.Source && other.Status == ImportRunning:
			return nil, notEnded(other)
		case other.Source == c.Source && other.Status == ImportUndoing:
			return nil, domain.Reject(domain.CodeImportRunning, fmt.Sprintf(
				"batch %s of the same source is being undone: finish that first", other.Batch), domain.Reason{Rule: "import", Actual: int64(other.Rows)})
		}
	}
	if !ok && len(s.Imports) >= maxImports {
		return nil, tooMany("batch", "a restaurant has at most %d batches; run one of them again", maxImports, len(s.Imports))
	}
	if n := len(merged(old.Dates, c.Dates)); n > maxImportDates {
		return nil, tooMany("dates", "a batch reaches at most %d service dates; split the file", maxImportDates, n)
	}
	return []Event{ImportBegun{
		Stamp: s.stamp(c.Now), Batch: c.Batch, Source: c.Source, Digest: c.Digest, Run: run, Rows: c.Rows, Dates: c.Dates,
	}}, nil
}

func notEnded(other Import) error {
	return domain.Reject(domain.CodeImportRunning, fmt.Sprintf(
		"batch %s of the same source is not ended: send its own file again to finish it, or undo it", other.Batch),
		domain.Reason{Rule: "import", Actual: int64(other.Rows)})
}

func (s State) beginUndoImport(c BeginUndoImport) ([]Event, error) {
	if err := s.allow(c.Actor); err != nil {
		return nil, err
	}
	m, ok := s.Import(c.Batch)
	switch {
	case !ok:
		return nil, domain.Reject(domain.CodeNotFound, "no such batch")
	case m.Status == ImportUndoing && m.Forced == c.Force, m.Status == ImportTaken && m.Kept == 0 && !c.Left:
		return nil, nil
	}
	for _, other := range s.Imports {
		if other.Batch != c.Batch && other.Source == m.Source && other.Status == ImportRunning {
			return nil, notEnded(other)
		}
	}
	return []Event{ImportUndoBegun{Stamp: s.stamp(c.Now), Batch: c.Batch, Force: c.Force}}, nil
}

// evolveImports folds what is about imports.
func evolveImports(s State, e Event) State {
	edit := func(batch string, change func(*Import)) {
		i := slices.IndexFunc(s.Imports, func(m Import) bool { return m.Batch == batch })
		if i < 0 {
			return
		}
		s.Imports = slices.Clone(s.Imports)
		change(&s.Imports[i])
	}
	switch e := e.(type) {
	case ImportBegun:
		if _, ok := s.Import(e.Batch); !ok {
			s.Imports = append(slices.Clip(s.Imports), Import{Batch: e.Batch})
		}
		edit(e.Batch, func(m *Import) {
			m.Source, m.Status, m.Run, m.Digest, m.Rows = e.Source, ImportRunning, e.Run, e.Digest, e.Rows
			m.Dates, m.BegunAt, m.EndedAt = merged(m.Dates, e.Dates), e.At, 0
		})
	case ImportEnded:
		edit(e.Batch, func(m *Import) { m.Status, m.Counts, m.EndedAt = ImportDone, e.Counts, e.At })
	case ImportUndoBegun:
		edit(e.Batch, func(m *Import) { m.Status, m.Forced, m.Over = ImportUndoing, e.Force, m.Run })
	case ImportUndone:
		edit(e.Batch, func(m *Import) { m.Status, m.Withdrawn, m.Kept, m.UndoneAt = ImportTaken, e.Withdrawn, e.Kept, e.At })
	}
	return s
}

// merged is the dates of two rising lists, rising.
func merged(a, b []domain.ServiceDate) []domain.ServiceDate {
	all := slices.Concat(a, b)
	slices.Sort(all)
	return slices.Compact(all)
}
