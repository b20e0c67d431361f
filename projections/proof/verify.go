package proof

import (
	"cmp"
	"errors"
	"iter"
	"slices"
)

// Against is what a ledger is held to. The zero value holds it to itself alone.
type Against struct {
	// Heads are signed heads whose signatures were checked, in any order.
	Heads []Head
	// Log is the log kept beside the ledger; nil for none. It proves nothing by itself: it
	// names what a head says was altered, as far as the head confirms it.
	Log *Log
	// Dir is where what does not fit into memory goes; "" for the system's folder.
	Dir string
	// Progress, where set, is told from time to time how many events were read.
	Progress func(events uint64)
}

// Verified is what came of a verification.
type Verified struct {
	Size uint64 // events of the ledger
	Root Hash   // of all of them
	// Held is how many of the heads the ledger contains, and Covered the size of the largest.
	Held    int
	Covered uint64
	// Findings tell what is wrong, the first in the ledger first: none for a ledger that is
	// what was signed. What follows from the first one is not told again.
	Findings []Finding
	// Further counts findings that are left out.
	Further int
	// LogAltered says that the log kept beside the ledger is not the one that was signed,
	// though the ledger is: it has to be built anew.
	LogAltered bool
	// LogSize is the size of the log kept beside the ledger, 0 where there is none.
	LogSize uint64
}

// Sound reports whether nothing was found.
func (v Verified) Sound() bool { return len(v.Findings) == 0 }

// Verify reads a ledger once and holds it to what it is given; where something is wrong,
// once more to name it. Its memory is bounded, whatever the ledger's size. An error is of
// reading: it says nothing of what was altered.
func Verify(source Source, against Against) (v Verified, err error) {
	r := run{source: source, against: against, structure: newStructure(against.Dir)}
	defer func() { err = errors.Join(err, r.structure.close()) }()
	if err := r.read(); err != nil {
		return Verified{}, err
	}
	if err := r.conclude(); err != nil {
		return Verified{}, err
	}
	return r.result, nil
}

// run is one verification.
type run struct {
	source    Source
	against   Against
	structure *structure
	result    Verified

	heads  []Head // by size
	failed *Head  // the smallest head that the ledger does not contain
	// logHolds says that the log contains the failed head, and so tells the truth up to it.
	logHolds bool
	logShort bool   // the log does not reach that head
	parted   bool   // ledger and log are not the same at all indexes that both have
	at       uint64 // where they part
	here     *Item  // what the ledger has there; nil for its end
	there    Entry  // what the log has there
}

// progressEvery is after how many events progress is told.
const progressEvery = 4096

// read reads ledger and log side by side.
func (r *run) read() error {
	r.heads = slices.Clone(r.against.Heads)
	slices.SortStableFunc(r.heads, func(a, b Head) int { return cmp.Compare(a.Size, b.Size) })

	items, stopItems := iter.Pull2(r.source())
	defer stopItems()
	entries, stopEntries := iter.Pull2(r.entries())
	defer stopEntries()

	var mine, logs edge
	heads, inLedger, inLog := r.heads, true, true
	for index := uint64(0); ; index++ {
		for len(heads) > 0 && heads[0].Size == index {
			r.compare(heads[0], inLedger, mine.root(index), inLog, logs.root(index))
			heads = heads[1:]
		}
		var item Item
		var entry Entry
		var err error
		if inLedger {
			if item, inLedger, err = pull(items); err != nil {
				return err
			}
		}
		if inLog {
			if entry, inLog, err = pull(entries); err != nil {
				return err
			}
		}
		if !inLedger && !inLog {
			break
		}
		if inLedger {
			if err := r.structure.add(index, &item); err != nil {
				return err
			}
			mine.add(index, item.Leaf, nil)
			r.result.Size = index + 1
			if r.result.Size%progressEvery == 0 && r.against.Progress != nil {
				r.against.Progress(r.result.Size)
			}
		}
		if inLog {
			logs.add(index, entry.Leaf, nil)
		}
		if !r.parted && inLog && (!inLedger || item.Leaf != entry.Leaf) {
			r.parted, r.at, r.there = true, index, entry
			if inLedger {
				r.here = &item
			}
		}
	}
	for _, h := range heads { // of more than there is
		r.compare(h, false, Hash{}, false, Hash{})
	}
	r.result.Root = mine.root(r.result.Size)
	return nil
}

func pull[T any](next func() (T, error, bool)) (t T, more bool, err error) {
	t, err, more = next()
	return t, more, err
}

func (r *run) entries() iter.Seq2[Entry, error] {
	if r.against.Log == nil {
		return func(func(Entry, error) bool) {}
	}
	r.result.LogSize = r.against.Log.Size()
	return r.against.Log.Entries()
}

// compare holds ledger and log to a head.
func (r *run) compare(h Head, inLedger bool, mine Hash, inLog bool, logs Hash) {
	holds := inLedger && mine == h.Root
	switch {
	case holds && r.failed == nil:
		r.result.Held++
		r.result.Covered = h.Size
	case r.failed == nil:
		r.failed, r.logHolds, r.logShort = &h, inLog && logs == h.Root, !inLog
	}
}

// conclude says what it all means.
func (r *run) conclude() error {
	faults, all, err := r.structure.faults()
	if err != nil {
		return err
	}
	switch {
	case r.failed != nil && r.logHolds && r.parted:
		err = r.name(true)
	case r.failed != nil:
		r.result.Findings = append(r.result.Findings, Finding{
			Kind: Differs, From: r.result.Covered, To: r.failed.Size, Size: r.result.Size, Signed: true,
		})
		if r.parted && r.logShort {
			err = r.name(false) // nothing speaks against the log as far as it goes
		}
	case r.parted && r.at < r.result.Covered:
		r.result.LogAltered = true
	case r.parted:
		err = r.name(false)
	}
	if err != nil {
		return err
	}
	return r.addFaults(faults, all)
}

// addFaults names what the structure shows. It follows from what was named before, where
// that is no range.
func (r *run) addFaults(faults []fault, all int) error {
	if len(faults) == 0 {
		return nil
	}
	wanted := map[uint64]*Item{}
	for _, f := range faults {
		wanted[f.index] = nil
		if f.kind != Gap {
			wanted[f.other] = nil
		}
	}
	if err := r.find(func(index uint64, item *Item) bool {
		if _, is := wanted[index]; is {
			found := *item
			wanted[index] = &found
		}
		return true
	}); err != nil {
		return err
	}
	for _, f := range faults {
		finding := Finding{Kind: f.kind, Index: f.index, Event: eventOf(wanted[f.index]), Want: f.want, UpTo: f.upTo, Size: r.result.Size}
		if f.kind != Gap {
			finding.OtherIndex, finding.Other = f.other, eventOf(wanted[f.other])
		}
		r.result.Findings = append(r.result.Findings, finding)
	}
	r.result.Further = all - len(faults)
	return nil
}

// find reads the ledger once more, until f has had enough.
func (r *run) find(f func(index uint64, item *Item) bool) error {
	index := uint64(0)
	for item, err := range r.source() {
		if err != nil {
			return err
		}
		if !f(index, &item) {
			break
		}
		index++
	}
	return nil
}

// name says what happened at the place where ledger and log part. signed says that a head
// confirms the log there.
func (r *run) name(signed bool) error {
	f := Finding{Index: r.at, Other: eventOfEntry(r.there), OtherIndex: r.at, Size: r.result.Size, Signed: signed}
	// Events are known again by their ids: in a copy made through a store those behind one that
	// was dropped have other revisions, and so other leaves. Where the log's event is now, if it
	// is still there, and whether the ledger's is a copy.
	elsewhere, found, copied := uint64(0), false, false
	err := r.find(func(index uint64, item *Item) bool {
		switch {
		case index <= r.at:
		case item.ID == r.there.ID && !found:
			elsewhere, found = index, true
		case r.here != nil && item.ID == r.here.ID:
			copied = true
		}
		return !found || !copied
	})
	if err != nil {
		return err
	}
	if r.here == nil {
		f.Kind = Dropped
		r.result.Findings = append(r.result.Findings, f)
		return nil
	}
	f.Event = eventOf(r.here)
	belongs, err := r.against.Log.IndexOf(r.here.ID)
	if err != nil && !errors.Is(err, ErrUnknown) {
		return err
	}
	later := err == nil && belongs > r.at && !copied
	switch {
	case later && found:
		f.Kind, f.OtherIndex, f.Elsewhere = Moved, belongs, elsewhere
	case later:
		f.Kind = Dropped
	case found:
		f.Kind = Inserted
	case r.here.ID == r.there.ID, r.here.Stream == r.there.Stream && r.here.Revision == r.there.Revision:
		f.Kind = Altered
	default:
		f.Kind = Replaced
	}
	r.result.Findings = append(r.result.Findings, f)
	return nil
}
