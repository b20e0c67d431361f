package embedded

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"daybook/eventstore"
)

// narrow is a disk that tells how much room it has.
type narrow struct {
	vfs.FS
	free  atomic.Uint64
	asked atomic.Int64
}

func (n *narrow) GetDiskUsage(string) (vfs.DiskUsage, error) {
	n.asked.Add(1)
	free := n.free.Load()
	return vfs.DiskUsage{AvailBytes: free, TotalBytes: 1 << 40, UsedBytes: 1<<40 - free}, nil
}

// TestAlmostFullDisk refuses appends while there is too little room, goes on reading, and
// takes appends again when there is more. What was refused is nowhere.
func TestAlmostFullDisk(t *testing.T) {
	disk := &narrow{FS: vfs.NewMem()}
	disk.free.Store(5 << 20)
	s, err := Open("ledger", quietOptions(disk)) // keeps 4 MiB free
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	ctx := context.Background()
	if _, err := s.Append(ctx, "day", eventstore.NoStream(), numbered(1)...); err != nil {
		t.Fatal(err)
	}
	disk.free.Store(4<<20 - 1)
	refused := numbered(1)
	refused[0].Data = make([]byte, roomEvery)
	if _, err := s.Append(ctx, "day", eventstore.At(0), refused...); err != nil {
		t.Fatal(err) // no one has looked yet
	}
	for range 3 {
		_, err := s.Append(ctx, "day", eventstore.At(1), numbered(1)...)
		if !errors.Is(err, eventstore.ErrUnavailable) || !strings.Contains(err.Error(), "all but full") {
			t.Fatalf("append to a disk that is all but full: %v, want ErrUnavailable", err)
		}
		if _, err := s.Delete(ctx, "day", eventstore.At(1)); !errors.Is(err, eventstore.ErrUnavailable) {
			t.Fatalf("delete on a disk that is all but full: %v, want ErrUnavailable", err)
		}
	}
	if got := everything(t, s); len(got) != 2 {
		t.Fatalf("%d records, want 2", len(got))
	}
	if err := s.Failure(); err != nil {
		t.Fatalf("the store has failed: %v", err)
	}
	disk.free.Store(4 << 20)
	asked := disk.asked.Load()
	for range 100 {
		if _, err := s.Append(ctx, "day", eventstore.Any(), numbered(1)...); err != nil {
			t.Fatal(err)
		}
	}
	if n := disk.asked.Load() - asked; n != 1 {
		t.Errorf("the disk was asked %d times in 100 small appends, want once", n)
	}
}
