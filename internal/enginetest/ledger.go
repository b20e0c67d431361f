package enginetest

import (
	"context"
	"path/filepath"
	"testing"

	"daybook/eventstore/embedded"
)

// Backup opens a backup of a ledger that was opened with these options: what that ledger would
// be if it were restored to how it is now. Both may be written to afterwards.
func Backup(t testing.TB, ledger *embedded.Store, o embedded.Options) *embedded.Store {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "backup")
	if err := ledger.Backup(context.Background(), dir); err != nil {
		t.Fatal(err)
	}
	restored, err := embedded.Open(dir, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := restored.Close(); err != nil {
			t.Error(err)
		}
	})
	return restored
}
