package proof

import (
	"bufio"
	"bytes"
	"container/heap"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
)

// sortedRow is what a sorter sorts, as bytes.
type sortedRow [32]byte

// rowsInMemory bounds what a sorter keeps in memory: 16 MiB.
const rowsInMemory = 1 << 19

// sorter sorts any number of rows in bounded memory: what does not fit is written to files
// as sorted runs, which are merged when they are read.
type sorter struct {
	dir   string
	limit int
	rows  []sortedRow
	runs  []*os.File
}

func newSorter(dir string) *sorter { return &sorter{dir: dir, limit: rowsInMemory} }

func (s *sorter) add(r sortedRow) error {
	if len(s.rows) == s.limit {
		if err := s.spill(); err != nil {
			return fmt.Errorf("proof: sort on disk: %w", err)
		}
	}
	s.rows = append(s.rows, r)
	return nil
}

func compareRows(a, b sortedRow) int { return bytes.Compare(a[:], b[:]) }

func (s *sorter) spill() error {
	f, err := os.CreateTemp(s.dir, "daybook-verify-")
	if err != nil {
		return err
	}
	s.runs = append(s.runs, f)
	// Nothing refers to it by its name, and so nothing of it stays when the process is killed.
	if err := os.Remove(f.Name()); err != nil {
		return err
	}
	slices.SortFunc(s.rows, compareRows)
	out := bufio.NewWriterSize(f, 1<<18)
	for i := range s.rows {
		if _, err := out.Write(s.rows[i][:]); err != nil {
			return err
		}
	}
	s.rows = s.rows[:0]
	if err := out.Flush(); err != nil {
		return err
	}
	_, err = f.Seek(0, io.SeekStart)
	return err
}

// each calls f for every row in order. It is called once.
func (s *sorter) each(f func(sortedRow)) error {
	slices.SortFunc(s.rows, compareRows)
	var m merge
	for _, run := range s.runs {
		r := &sortedRun{in: bufio.NewReaderSize(run, 1<<16)}
		if more, err := r.next(); err != nil {
			return err
		} else if more {
			m = append(m, r)
		}
	}
	heap.Init(&m)
	rest := s.rows
	for len(m) > 0 || len(rest) > 0 {
		if len(m) == 0 || len(rest) > 0 && compareRows(rest[0], m[0].row) <= 0 {
			f(rest[0])
			rest = rest[1:]
			continue
		}
		f(m[0].row)
		more, err := m[0].next()
		switch {
		case err != nil:
			return err
		case more:
			heap.Fix(&m, 0)
		default:
			heap.Pop(&m)
		}
	}
	return nil
}

func (s *sorter) close() error {
	var err error
	for _, f := range s.runs {
		err = errors.Join(err, f.Close())
	}
	s.runs, s.rows = nil, nil
	return err
}

// sortedRun is a run that is being merged, and the row it stands at.
type sortedRun struct {
	in  *bufio.Reader
	row sortedRow
}

func (r *sortedRun) next() (more bool, err error) {
	_, err = io.ReadFull(r.in, r.row[:])
	if errors.Is(err, io.EOF) {
		return false, nil
	}
	return err == nil, err
}

type merge []*sortedRun

func (m merge) Len() int           { return len(m) }
func (m merge) Less(i, j int) bool { return compareRows(m[i].row, m[j].row) < 0 }
func (m merge) Swap(i, j int)      { m[i], m[j] = m[j], m[i] }
func (m *merge) Push(x any)        { *m = append(*m, x.(*sortedRun)) }
func (m *merge) Pop() any {
	last := (*m)[len(*m)-1]
	*m = (*m)[:len(*m)-1]
	return last
}
