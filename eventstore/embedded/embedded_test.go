package embedded_test

import (
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"go.uber.org/goleak"

	"daybook/eventstore"
	"daybook/eventstore/embedded"
	"daybook/eventstore/storetest"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m)
}

// small is for tests: many stores are open at once.
func small(fs vfs.FS) embedded.Options {
	return embedded.Options{FS: fs, CacheBytes: 1 << 20, MemTableBytes: 1 << 20}
}

func TestStoreInMemory(t *testing.T) {
	storetest.Run(t, storetest.Features{}, func(t testing.TB) storetest.Opener {
		fs := vfs.NewMem()
		return func() (eventstore.Store, error) { return embedded.Open("ledger", small(fs)) }
	})
}

func TestStoreOnDisk(t *testing.T) {
	storetest.Run(t, storetest.Features{}, func(t testing.TB) storetest.Opener {
		dir := t.TempDir()
		return func() (eventstore.Store, error) { return embedded.Open(dir, small(nil)) }
	})
}
