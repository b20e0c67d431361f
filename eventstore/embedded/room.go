package embedded

import (
	"fmt"
	"log/slog"

	"github.com/cockroachdb/pebble/v2/vfs"

	"daybook/eventstore"
)

// Pebble ends the process where it cannot make a file. So the writer stops before the
// disk is full: it refuses appends while there is too little room for what is in memory
// to be written, and goes on by itself when there is more.
type room struct {
	files   vfs.FS
	dir     string
	reserve uint64
	log     *slog.Logger

	since int   // bytes appended since it was looked
	lack  error // why nothing is appended now
}

// roomEvery is how many bytes are appended between two looks at the disk. The reserve is
// many times of it.
const roomEvery = 256 << 10

// left returns an error while the disk has too little room.
func (r *room) left() error {
	if r.reserve == 0 || r.lack == nil && r.since < roomEvery {
		return nil
	}
	r.since = 0
	usage, err := r.files.GetDiskUsage(r.dir)
	switch {
	case err != nil: // not every file system can tell
		r.lack = nil
	case usage.AvailBytes >= r.reserve && r.lack != nil:
		r.lack = nil
		r.log.Info("the disk has room again", "folder", r.dir, "bytes", usage.AvailBytes)
	case usage.AvailBytes < r.reserve:
		if r.lack == nil {
			r.log.Error("the disk is all but full: appends are refused", "folder", r.dir, "bytes", usage.AvailBytes, "reserve", r.reserve)
		}
		r.lack = fmt.Errorf("%w: the disk of %s is all but full: %d MiB left, %d MiB are kept free",
			eventstore.ErrUnavailable, r.dir, usage.AvailBytes>>20, r.reserve>>20)
	}
	return r.lack
}
