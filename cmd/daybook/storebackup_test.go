package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	official "github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"github.com/google/uuid"

	"daybook/eventstore"
	"daybook/eventstore/embedded"
)

// TestStoreBackupUnderLoad backs a served store up while clients append to it. Everything
// acknowledged before is in the backup, each stream without a gap, and nothing that was
// never sent.
func TestStoreBackupUnderLoad(t *testing.T) {
	t.Parallel()
	// A path that is too long for a socket by itself.
	data := filepath.Join(t.TempDir(), strings.Repeat("long", 30))
	s := serveStore(t, data, 1, "--listen", "127.0.0.1:0", "--insecure", "--writable")
	w := startWriters(t, s.urls[0], 8, map[string][]uuid.UUID{})
	w.waitFor(t, 500)
	w.mu.Lock()
	before := map[string][]uuid.UUID{}
	for stream, ids := range w.acked {
		before[stream] = slices.Clone(ids)
	}
	w.mu.Unlock()
	to := filepath.Join(t.TempDir(), "backup")
	out, err := daybook(t.Context(), "store", "backup", to, "--data", data).CombinedOutput()
	if err != nil || !strings.Contains(string(out), "every event up to position") || !strings.Contains(string(out), "keys of personal data are not in it") {
		t.Fatalf("%v\n%s", err, out)
	}
	w.waitFor(t, w.count()+100) // it goes on
	w.end()
	if again, err := daybook(t.Context(), "store", "backup", to, "--data", data).CombinedOutput(); err == nil || !strings.Contains(string(again), "is not empty") {
		t.Errorf("into the same folder: %v\n%s", err, again)
	}
	if err := s.stop(t); err != nil {
		t.Errorf("it ended with %v", err)
	}
	if _, err := os.Stat(filepath.Join(data, adminFolder)); err == nil {
		t.Error("the socket was left behind")
	}
	backup, err := embedded.Open(eventsFolder(to), embedded.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer backup.Close()
	there := idsOf(t, backup)
	for stream, ids := range before {
		if got := there[stream]; len(got) < len(ids) || !slices.Equal(got[:len(ids)], ids) {
			t.Errorf("stream %s: the backup has %d events, %d others were acknowledged before it", stream, len(got), len(ids))
		}
	}
	for stream, ids := range there {
		if sent := w.acked[stream]; len(ids) > len(sent)+1 || !slices.Equal(ids[:min(len(ids), len(sent))], sent[:min(len(ids), len(sent))]) {
			t.Errorf("stream %s: the backup has what was never sent", stream)
		}
	}
}

// TestBackupOfAHouse orders a backup of a serving house, restores it, and finds the house
// as it was.
func TestBackupOfAHouse(t *testing.T) {
	t.Parallel()
	data, to := t.TempDir(), t.TempDir()
	s := serve(t, data)
	owner := s.client.register("owner")
	id := owner.openRestaurant(floor{tables: map[int]int{2: 2}})
	body := fmt.Sprintf(`{"restaurantId":%q,"date":%q,"time":"19:00","party":2,"confirm":true}`, id, time.Now().AddDate(0, 0, 3).Format(time.DateOnly))
	first := owner.send(http.MethodPost, "/reservations", body).want(t, 201, "").field("reservationId")
	if out, err := daybook(t.Context(), "store", "backup", to, "--data", data).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	second := owner.send(http.MethodPost, "/reservations", body).want(t, 201, "").field("reservationId")
	s.kill(t)

	for _, err := range []error{os.RemoveAll(eventsFolder(data)), os.Rename(eventsFolder(to), eventsFolder(data))} {
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, view := range []string{"reporting", "discovery"} {
		if out, err := daybook(t.Context(), "rebuild", view, "--data", data).CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
	}
	owner.base = serve(t, data).client.base
	owner.get("/reservations/"+first).want(t, 200, "")
	owner.get("/reservations/"+second).want(t, 404, "not_found")
}

// TestOrders goes through what is answered to orders that cannot be carried out.
func TestOrders(t *testing.T) {
	t.Parallel()
	data := filledStore(t, 100)
	store, err := openStoreFolder(data)
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	orderBackup := func(ctx context.Context, to string) (backupDone, error) {
		return give[backupDone](ctx, data, backupPath, backupOrder{To: to}, nil)
	}
	if _, err := orderBackup(t.Context(), t.TempDir()); err == nil || !strings.Contains(err.Error(), "no process takes such orders") {
		t.Errorf("nobody there: %v", err)
	}
	// The command says both: who has the folder, and that it cannot be asked.
	err = run(t.Context(), []string{"store", "backup", t.TempDir(), "--data", data}, &bytes.Buffer{}, &bytes.Buffer{})
	if err == nil || !strings.Contains(err.Error(), "in use by process") || !strings.Contains(err.Error(), "no process takes such orders") {
		t.Errorf("a folder in use by one who takes no orders: %v", err)
	}

	under, finish := make(chan string), make(chan error)
	a, err := serveAdmin(data)
	if err != nil {
		t.Fatal(err)
	}
	takeOrdersFor(a, backupPath, func(ctx context.Context, o backupOrder, _ tell) (backupDone, error) {
		under <- o.To
		select {
		case err := <-finish:
			return backupDone{Position: 7, Bytes: 9}, err
		case <-ctx.Done():
			under <- "given up"
			return backupDone{}, ctx.Err()
		}
	})
	for path, want := range map[string]os.FileMode{"admin": os.ModeDir | 0o700, "admin/socket": os.ModeSocket | 0o600} {
		if info, err := os.Stat(filepath.Join(data, path)); err != nil || info.Mode() != want {
			t.Errorf("%s: %v, %v, want %v", path, info.Mode(), err, want)
		}
	}
	if _, err := give[rebuilt](t.Context(), data, rebuildPath, rebuildOrder{}, nil); !errors.Is(err, errNobodyTakesOrders) {
		t.Errorf("an order of another kind: %v", err)
	}
	if _, err := orderBackup(t.Context(), "relative"); err == nil || err.Error() != `this is no order for a backup: the folder "relative" is not named by a whole path` {
		t.Errorf("a relative path: %v", err)
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		if got, err := orderBackup(t.Context(), "/one"); err != nil || got != (backupDone{Position: 7, Bytes: 9}) {
			t.Errorf("got %+v, %v", got, err)
		}
	})
	if to := <-under; to != "/one" {
		t.Errorf("asked for a backup to %s", to)
	}
	if _, err := orderBackup(t.Context(), "/two"); err == nil || err.Error() != "a backup is under way already" {
		t.Errorf("two at a time: %v", err)
	}
	finish <- nil
	wg.Wait()

	// Whoever asked goes away, and the backup is given up.
	ctx, leave := context.WithCancel(t.Context())
	wg.Go(func() {
		if _, err := orderBackup(ctx, "/three"); err == nil {
			t.Error("an order that was taken back was carried out")
		}
	})
	<-under
	leave()
	if got := <-under; got != "given up" {
		t.Errorf("got %q", got)
	}
	wg.Wait()
	if err := a.Close(); err != nil {
		t.Error(err)
	}
}

// TestBackupWithoutAProcess copies a folder that nobody has, and refuses what is none.
func TestBackupWithoutAProcess(t *testing.T) {
	t.Parallel()
	data, to := filledStore(t, 100), t.TempDir()
	var out bytes.Buffer
	if err := run(t.Context(), []string{"store", "backup", to, "--data", data}, &out, &out); err != nil {
		t.Fatalf("%v\n%s", err, &out)
	}
	if !strings.HasPrefix(out.String(), "every event up to position 100 is in "+eventsFolder(to)) {
		t.Errorf("it says %s", &out)
	}
	backup, err := openExistingStore(to)
	if err != nil {
		t.Fatal(err)
	}
	defer backup.Close()
	if n := len(idsOf(t, backup)); n != 10 {
		t.Errorf("%d streams, want 10", n)
	}
	if err := run(t.Context(), []string{"store", "backup", t.TempDir(), "--data", t.TempDir()}, &out, &out); err == nil || !strings.Contains(err.Error(), "is no data folder") {
		t.Errorf("an empty folder: %v", err)
	}
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(eventsFolder(data), link); err != nil {
		t.Fatal(err)
	}
	for _, to := range []string{
		eventsFolder(data), filepath.Join(eventsFolder(data), "backup"), filepath.Join(data, "admin", "backup"), filepath.Join(link, "a", "backup"),
	} {
		if err := run(t.Context(), []string{"store", "backup", to, "--data", data}, &out, &out); err == nil || !strings.Contains(err.Error(), "is in the data folder") {
			t.Errorf("to %s: %v", to, err)
		}
	}
}

// TestABrokenDiskEndsTheProcess lets syncs fail: the process ends by itself, says why, and
// what it acknowledged is there.
func TestABrokenDiskEndsTheProcess(t *testing.T) {
	const said = "the event store takes no more appends"
	t.Run("store serve", func(t *testing.T) {
		data, sign := t.TempDir(), filepath.Join(t.TempDir(), "broken")
		t.Setenv(brokenDiskEnv, sign)
		s := serveStore(t, data, 1, "--listen", "127.0.0.1:0", "--insecure", "--writable")
		w := startWriters(t, s.urls[0], 4, map[string][]uuid.UUID{})
		w.waitFor(t, 100)
		if err := os.WriteFile(sign, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		err := s.cmd.Wait()
		w.end()
		if errs := s.cmd.Stderr.(*bytes.Buffer).String(); err == nil || s.cmd.ProcessState.ExitCode() != 1 || !strings.Contains(errs, said) {
			t.Errorf("it ended with %v and said\n%s", err, errs)
		}
		store, err := openExistingStore(data)
		if err != nil {
			t.Fatal(err)
		}
		defer store.Close()
		there := idsOf(t, store)
		for stream, ids := range w.acked {
			if got := there[stream]; len(got) < len(ids) || !slices.Equal(got[:len(ids)], ids) {
				t.Errorf("stream %s has %d events, %d others were acknowledged", stream, len(got), len(ids))
			}
		}
	})
	t.Run("serve", func(t *testing.T) {
		data, sign := t.TempDir(), filepath.Join(t.TempDir(), "broken")
		t.Setenv(brokenDiskEnv, sign)
		s := serve(t, data)
		owner := s.client.register("owner")
		if err := os.WriteFile(sign, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		r, err := owner.try(t.Context(), http.MethodPost, "/restaurants", `{"name":"A","cuisine":"B","address":"C","city":"D","timeZone":"Europe/Berlin"}`, "Idempotency-Key", newKey())
		if err == nil && r.status < 500 {
			t.Errorf("a write was answered %s", r)
		}
		<-s.silent
		if err := s.cmd.Wait(); err == nil || s.cmd.ProcessState.ExitCode() != 1 || !strings.Contains(s.words.String(), said) {
			t.Errorf("it ended with %v and said\n%s", err, s.words)
		}
	})
}

// TestTwoAddressesShareGroups connects a consumer at each address to one persistent
// subscription: each message goes to one of them.
func TestTwoAddressesShareGroups(t *testing.T) {
	t.Parallel()
	cert, key := testCertificate(t)
	s := serveStore(t, t.TempDir(), 2, "--listen", "127.0.0.1:0", "--insecure", "--writable",
		"--tls-listen", "127.0.0.1:0", "--tls-cert", cert, "--tls-key", key)
	clear := officialClient(t, s.urls[0])
	secure := officialClient(t, strings.Replace(s.urls[1], "PASSWORD", strings.ReplaceAll(testPassword, " ", "%20"), 1)+"?tlsCaFile="+cert)
	if err := clear.CreatePersistentSubscription(t.Context(), "work", "crew", official.PersistentStreamSubscriptionOptions{StartFrom: official.Start{}}); err != nil {
		t.Fatal(err)
	}
	const messages = 200
	type message struct {
		id     eventstore.EventID
		client int
	}
	got := make(chan message, 2*messages)
	for i, c := range []*official.Client{clear, secure} {
		sub, err := c.SubscribeToPersistentSubscription(t.Context(), "work", "crew", official.SubscribeToPersistentSubscriptionOptions{})
		if err != nil {
			t.Fatal(err)
		}
		defer sub.Close()
		go func() {
			for {
				e := sub.Recv()
				if e.EventAppeared == nil {
					return
				}
				got <- message{eventstore.EventID(e.EventAppeared.Event.OriginalEvent().EventID), i}
				if sub.Ack(e.EventAppeared.Event) != nil {
					return
				}
			}
		}()
	}
	for range messages {
		if _, err := clear.AppendToStream(t.Context(), "work", official.AppendToStreamOptions{ExpectedRevision: official.Any{}}, proposed(uuid.New())); err != nil {
			t.Fatal(err)
		}
	}
	seen, by := map[eventstore.EventID]bool{}, [2]int{}
	for range messages {
		select {
		case m := <-got:
			if seen[m.id] {
				t.Errorf("message %s came twice", m.id)
			}
			seen[m.id] = true
			by[m.client]++
		case <-time.After(30 * time.Second):
			t.Fatalf("%d messages came, want %d", len(seen), messages)
		}
	}
	if by[0] == 0 || by[1] == 0 {
		t.Errorf("the addresses got %d and %d: they do not share", by[0], by[1])
	}
	if err := s.stop(t); err != nil {
		t.Errorf("it ended with %v", err)
	}
}

// TestStoreCheck checks a sound store, a damaged one, one in use, and a folder that is none.
func TestStoreCheck(t *testing.T) {
	t.Parallel()
	data := filledStore(t, 2000)
	check := func(data string) (string, error) {
		var out bytes.Buffer
		err := run(t.Context(), []string{"store", "check", "--data", data}, &out, &out)
		return out.String(), err
	}
	said, err := check(data)
	want := "2000 records in 200 streams, up to position 2000; 0 streams have metadata, 0 were ended for ever\n"
	if err != nil || !strings.Contains(said, want) || !strings.HasSuffix(said, "the store is sound\n") {
		t.Errorf("%v\n%s\nwant\n%s", err, said, want)
	}
	// Without a flag for it nothing is made, not even by a check.
	none := filepath.Join(t.TempDir(), "none")
	if _, err := check(none); err == nil || !strings.Contains(err.Error(), "is no data folder") {
		t.Errorf("no folder: %v", err)
	}
	if _, err := os.Stat(none); err == nil {
		t.Error("the check made a folder")
	}
	store, err := openStoreFolder(data)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := check(data); err == nil || !strings.Contains(err.Error(), "in use by process") || !strings.Contains(err.Error(), "daybook store backup DIR") {
		t.Errorf("in use: %v", err)
	}
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}

	tables, err := filepath.Glob(filepath.Join(eventsFolder(data), "*.sst"))
	if err != nil || len(tables) == 0 {
		t.Fatalf("%v, %v", tables, err)
	}
	raw, err := os.ReadFile(tables[0])
	if err != nil {
		t.Fatal(err)
	}
	raw[len(raw)/3] ^= 0x40
	if err := os.WriteFile(tables[0], raw, 0o600); err != nil {
		t.Fatal(err)
	}
	said, err = check(data)
	if err == nil || !strings.Contains(err.Error(), "the store is damaged") || !strings.Contains(said, "fault: ") || strings.Contains(said, "sound") {
		t.Errorf("damaged: %v\n%s", err, said)
	}
}
