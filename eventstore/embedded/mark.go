package embedded

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"strings"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"daybook/eventstore"
)

// The mark is a file beside Pebble's that says how far the ledger reached not long ago: it
// is written when it is opened and closed, and in between every Options.MarkEvery. A ledger that ends before its mark has lost its end: damage
// to the last blocks of Pebble's log or manifest looks to Pebble like the torn end
// that a crash leaves, and would go by unnoticed. A mark is only ever written of what
// is durable, so it never cries without reason; without a mark nothing is checked.
const (
	markName = "LEDGER-END"
	markSize = 8 + 4 // position, CRC-32C of it
)

// keepMark writes the mark again and again until the ledger is closed. A mark that cannot
// be written leaves the last one, which is as true as before.
func (s *Store) keepMark(stop <-chan struct{}) {
	tick := time.NewTicker(s.opts.MarkEvery)
	defer tick.Stop()
	for marked := s.end(); ; {
		select {
		case <-tick.C:
		case <-stop:
			return
		}
		end := s.end()
		if end == marked || s.Failure() != nil {
			continue
		}
		if err := writeMark(s.files, s.dir, end); err != nil {
			s.opts.Logger.Warn("how far the ledger reaches could not be noted", "error", err)
			continue
		}
		marked = end
	}
}

func writeMark(files vfs.FS, dir string, end eventstore.Position) error {
	var b [markSize]byte
	binary.BigEndian.PutUint64(b[:], uint64(end))
	binary.BigEndian.PutUint32(b[8:], crc32.Checksum(b[:8], castagnoli))
	name := files.PathJoin(dir, markName)
	f, err := files.Create(name+".new", vfs.WriteCategoryUnspecified)
	if err != nil {
		return fmt.Errorf("embedded: write mark: %w", err)
	}
	_, err = f.Write(b[:])
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("embedded: write mark: %w", err)
	}
	if err := files.Rename(name+".new", name); err != nil {
		return fmt.Errorf("embedded: write mark: %w", err)
	}
	return syncFolder(files, dir)
}

// checkMark refuses a ledger that ends before its mark.
func checkMark(files vfs.FS, dir string, end eventstore.Position) error {
	f, err := files.Open(files.PathJoin(dir, markName))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("embedded: read mark: %w", err)
	}
	b, err := io.ReadAll(io.LimitReader(f, markSize+1))
	if err = errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("embedded: read mark: %w", err)
	}
	if len(b) != markSize || crc32.Checksum(b[:8], castagnoli) != binary.BigEndian.Uint32(b[8:]) {
		return fmt.Errorf("%w: %s; to open the folder without it, remove that file", ErrCorrupt, markName)
	}
	if mark := eventstore.Position(binary.BigEndian.Uint64(b)); end < mark {
		return fmt.Errorf("%w: the ledger ends at position %d, it has reached %d before", ErrCorrupt, end, mark)
	}
	return nil
}

// markerPrefix begins the name of the empty file by which Pebble knows its newest manifest.
const markerPrefix = "marker.manifest."

// checkMarker refuses a folder that held a ledger and has lost that file. To Pebble it would
// be a new folder: opening it would make an empty ledger there and remove the tables of the
// old one, which a copy of the file can still bring back. A folder whose making was broken
// off has neither tables nor a mark.
func checkMarker(dir string, files vfs.FS) error {
	names, err := files.List(dir)
	if err != nil {
		return fmt.Errorf("embedded: list %s: %w", dir, err)
	}
	held := ""
	for _, name := range names {
		switch {
		case strings.HasPrefix(name, markerPrefix):
			return nil
		case name == markName || strings.HasSuffix(name, ".sst"):
			held = name
		}
	}
	if held != "" {
		return fmt.Errorf("%w: %s holds %s, but the file %s* is missing: nothing was changed, restore a backup", ErrCorrupt, dir, held, markerPrefix)
	}
	return nil
}
