package proof

import (
	"encoding/binary"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"os"
	"path/filepath"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"golang.org/x/mod/sumdb/tlog"

	"daybook/eventstore"
)

// What lies in the folder. Every key begins with the generation of its log, so that one
// can be built beside the live one; generation 0 holds only which one is live.
//
//	generation "s"               → size, position
//	generation "l" index         → the entry: leaf hash, event id, revision, position, stream
//	generation "n" level, number → the hash of a node above the leaves
//	generation "i" event id      → index
const (
	kindState = 's'
	kindLeaf  = 'l'
	kindNode  = 'n'
	kindID    = 'i'
)

// Log is the leaves and nodes of a log as they lie on disk. Safe for concurrent use; it
// may grow meanwhile, and what was there never changes.
type Log struct {
	db         *pebble.DB
	generation uint32
	size       atomic.Uint64
	closer     func() error
}

// Entry is a leaf and the event that it stands for.
type Entry struct {
	Index    uint64
	Leaf     Hash
	ID       eventstore.EventID
	Stream   eventstore.StreamName
	Revision eventstore.Revision
	Position eventstore.Position // in the store that the log was built from
}

// openFolder opens the folder of a log. What Pebble has to say goes to the log at debug.
func openFolder(dir string, files vfs.FS, log *slog.Logger, readOnly bool) (*pebble.DB, error) {
	if files == nil {
		files = vfs.Default
		if !readOnly {
			if err := os.MkdirAll(dir, 0o700); err != nil {
				return nil, fmt.Errorf("proof: %w", err)
			}
		}
	}
	cache := pebble.NewCache(8 << 20)
	defer cache.Unref()
	db, err := pebble.Open(dir, &pebble.Options{
		FS: files, ReadOnly: readOnly, Cache: cache, MemTableSize: 8 << 20,
		// Fixed, so that a newer library makes no folder that this version cannot open.
		FormatMajorVersion: pebble.FormatTableFormatV6,
		Logger:             libraryLog{log},
	})
	if err != nil {
		return nil, fmt.Errorf("proof: open %s: %w", dir, err)
	}
	return db, nil
}

// OpenLog opens a log for reading alone. No process may have it. It is an error that is
// os.ErrNotExist where there is none.
func OpenLog(dir string) (*Log, error) {
	if _, err := os.Stat(filepath.Join(dir, "CURRENT")); errors.Is(err, os.ErrNotExist) {
		// Pebble names the newest description of its files in a marker; an older one in CURRENT.
		markers, _ := filepath.Glob(filepath.Join(dir, "marker.manifest.*"))
		if len(markers) == 0 {
			return nil, fmt.Errorf("proof: no log in %s: %w", dir, os.ErrNotExist)
		}
	}
	db, err := openFolder(dir, nil, slog.New(slog.DiscardHandler), true)
	if err != nil {
		return nil, err
	}
	at, err := readGenerations(db)
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	b, err := openBuilder(db, at.live)
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	b.log.closer = db.Close
	return b.log, nil
}

// Close closes a log that OpenLog opened.
func (l *Log) Close() error {
	if l.closer == nil {
		return nil
	}
	return l.closer()
}

// openBuilder takes up a generation where it was left, or begins it.
func openBuilder(db *pebble.DB, generation uint32) (*builder, error) {
	b := &builder{log: &Log{db: db, generation: generation}}
	state, err := b.log.get(b.log.key(kindState, 0))
	if errors.Is(err, pebble.ErrNotFound) {
		return b, nil
	}
	if err != nil || len(state) != 16 {
		return nil, fmt.Errorf("%w: state of %d bytes: %w", ErrFormat, len(state), err)
	}
	size := binary.BigEndian.Uint64(state)
	b.at.Store(binary.BigEndian.Uint64(state[8:]))
	b.log.size.Store(size)
	for level := range b.edge {
		if size>>level&1 == 0 {
			continue
		}
		if b.edge[level], err = b.log.node(level, size>>level-1); err != nil {
			return nil, err
		}
	}
	return b, nil
}

func stateValue(size uint64, at eventstore.Position) []byte {
	return binary.BigEndian.AppendUint64(indexValue(size), uint64(at))
}

func indexValue(index uint64) []byte { return binary.BigEndian.AppendUint64(nil, index) }

func (l *Log) prefix(kind byte) []byte {
	return append(binary.BigEndian.AppendUint32(make([]byte, 0, 24), l.generation), kind)
}

func (l *Log) key(kind byte, number uint64) []byte {
	return binary.BigEndian.AppendUint64(l.prefix(kind), number)
}

func (l *Log) nodeKey(level int, number uint64) []byte {
	return binary.BigEndian.AppendUint64(append(l.prefix(kindNode), byte(level)), number)
}

func (l *Log) idKey(id eventstore.EventID) []byte { return append(l.prefix(kindID), id[:]...) }

func (l *Log) get(key []byte) ([]byte, error) {
	value, closer, err := l.db.Get(key)
	if err != nil {
		return nil, err
	}
	defer closer.Close()
	return append([]byte(nil), value...), nil
}

func (e *Entry) appendRow(b []byte) []byte {
	b = append(append(b, e.Leaf[:]...), e.ID[:]...)
	b = binary.AppendUvarint(b, uint64(e.Revision))
	b = binary.AppendUvarint(b, uint64(e.Position))
	return append(b, e.Stream...)
}

func (e *Entry) readRow(row []byte) error {
	if len(row) < len(e.Leaf)+len(e.ID) {
		return fmt.Errorf("%w: entry %d has %d bytes", ErrFormat, e.Index, len(row))
	}
	row = row[copy(e.Leaf[:], row):]
	row = row[copy(e.ID[:], row):]
	revision, n := binary.Uvarint(row)
	if n <= 0 {
		return fmt.Errorf("%w: entry %d has no revision", ErrFormat, e.Index)
	}
	position, m := binary.Uvarint(row[n:])
	if m <= 0 {
		return fmt.Errorf("%w: entry %d has no position", ErrFormat, e.Index)
	}
	e.Revision, e.Position = eventstore.Revision(revision), eventstore.Position(position)
	e.Stream = eventstore.StreamName(row[n+m:])
	return nil
}

// Size is how many leaves the log has.
func (l *Log) Size() uint64 { return l.size.Load() }

// Entry is the leaf of this index. ErrSize where the log is not that long.
func (l *Log) Entry(index uint64) (Entry, error) {
	e := Entry{Index: index}
	if index >= l.Size() {
		return e, fmt.Errorf("%w: index %d of %d", ErrSize, index, l.Size())
	}
	row, err := l.get(l.key(kindLeaf, index))
	if err != nil {
		return e, fmt.Errorf("proof: entry %d: %w", index, err)
	}
	return e, e.readRow(row)
}

// IndexOf is where the event of this id stands; of several, the last. ErrUnknown for none.
func (l *Log) IndexOf(id eventstore.EventID) (uint64, error) {
	value, err := l.get(l.idKey(id))
	if errors.Is(err, pebble.ErrNotFound) {
		return 0, fmt.Errorf("%w: %s", ErrUnknown, id)
	}
	if err != nil || len(value) != 8 {
		return 0, fmt.Errorf("proof: index of %s: %w", id, errors.Join(err, lengthOf(value, 8)))
	}
	return binary.BigEndian.Uint64(value), nil
}

func lengthOf(value []byte, want int) error {
	if len(value) == want {
		return nil
	}
	return fmt.Errorf("%w: a value of %d bytes, want %d", ErrFormat, len(value), want)
}

// Entries yields the leaves in order, up to the log's size at the time of the call.
func (l *Log) Entries() iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		size := l.Size()
		it, err := l.db.NewIter(&pebble.IterOptions{LowerBound: l.key(kindLeaf, 0), UpperBound: l.key(kindLeaf, size)})
		if err != nil {
			yield(Entry{}, err)
			return
		}
		defer it.Close() //nolint:errcheck // its error is asked for below
		index := uint64(0)
		for ok := it.First(); ok; ok = it.Next() {
			e := Entry{Index: index}
			err := e.readRow(it.Value())
			if err == nil && binary.BigEndian.Uint64(it.Key()[5:]) != index {
				err = fmt.Errorf("%w: entry %d is missing", ErrFormat, index)
			}
			if !yield(e, err) || err != nil {
				return
			}
			index++
		}
		if err = it.Error(); err == nil && index < size {
			err = fmt.Errorf("%w: entry %d is missing", ErrFormat, index)
		}
		if err != nil {
			yield(Entry{}, err)
		}
	}
}

func (l *Log) node(level int, number uint64) (h Hash, err error) {
	if level == 0 {
		e, err := l.Entry(number)
		return e.Leaf, err
	}
	value, err := l.get(l.nodeKey(level, number))
	if err != nil {
		return h, fmt.Errorf("proof: node %d of level %d: %w", number, level, err)
	}
	copy(h[:], value)
	return h, lengthOf(value, len(h))
}

// ReadHashes implements tlog.HashReader.
func (l *Log) ReadHashes(indexes []int64) ([]Hash, error) {
	hashes := make([]Hash, len(indexes))
	for i, index := range indexes {
		level, number := tlog.SplitStoredHashIndex(index)
		h, err := l.node(level, uint64(number))
		if err != nil {
			return nil, err
		}
		hashes[i] = h
	}
	return hashes, nil
}

// Root is that of the log's first size leaves. ErrSize where it has not as many.
func (l *Log) Root(size uint64) (Hash, error) {
	if err := l.reached(size); err != nil {
		return Hash{}, err
	}
	return tlog.TreeHash(int64(size), l)
}

func (l *Log) reached(size uint64) error {
	if reached := l.Size(); size > reached {
		return fmt.Errorf("%w: %d of %d", ErrSize, size, reached)
	}
	return nil
}

// Inclusion proves that the leaf of this index is among the first size ones: the hashes of
// RFC 6962's audit path, at most 64 and about log₂ of size. ErrSize.
func (l *Log) Inclusion(index, size uint64) ([]Hash, error) {
	if err := l.reached(size); err != nil {
		return nil, err
	}
	if index >= size {
		return nil, fmt.Errorf("%w: index %d is not among the first %d", ErrSize, index, size)
	}
	return tlog.ProveRecord(int64(size), int64(index), l)
}

// Consistency proves that the log of size to begins with the one of size from: the hashes
// of RFC 6962's consistency proof. From 0 there is nothing to prove. ErrSize.
func (l *Log) Consistency(from, to uint64) ([]Hash, error) {
	if err := l.reached(to); err != nil {
		return nil, err
	}
	if from > to {
		return nil, fmt.Errorf("%w: %d comes after %d", ErrSize, from, to)
	}
	if from == 0 {
		return nil, nil
	}
	return tlog.ProveTree(int64(to), int64(from), l)
}

// CheckInclusion checks a proof by Inclusion against a head: an error if it does not hold.
func CheckInclusion(head Head, index uint64, leaf Hash, hashes []Hash) error {
	if index >= head.Size || head.Size > maxSize {
		return fmt.Errorf("%w: index %d is not among the first %d", ErrSize, index, head.Size)
	}
	return tlog.CheckRecord(hashes, int64(head.Size), head.Root, int64(index), leaf)
}

// CheckConsistency checks a proof by Consistency: an error if it does not hold.
func CheckConsistency(from, to Head, hashes []Hash) error {
	if from.Size > to.Size || to.Size > maxSize {
		return fmt.Errorf("%w: %d comes after %d", ErrSize, from.Size, to.Size)
	}
	if from.Size == 0 {
		if from.Root != (&edge{}).root(0) || len(hashes) > 0 {
			return errors.New("proof: a log of nothing has another root, and needs no proof")
		}
		return nil
	}
	return tlog.CheckTree(hashes, int64(to.Size), to.Root, int64(from.Size), from.Root)
}

// libraryLog hands Pebble's log on.
type libraryLog struct{ log *slog.Logger }

func (l libraryLog) Infof(format string, args ...any) {}

func (l libraryLog) Errorf(format string, args ...any) {
	l.log.Error("proof: the log's store", "error", fmt.Sprintf(format, args...))
}

// Fatalf must not return: Pebble calls it where going on would damage the folder, with its
// locks held. The log is disposable; the process is not, but there is no way back.
func (l libraryLog) Fatalf(format string, args ...any) {
	l.log.Error("proof: the log's store cannot go on, and the process ends; remove its folder if it does so again",
		"error", fmt.Sprintf(format, args...))
	os.Exit(2)
}
