package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	official "github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"github.com/google/uuid"

	"daybook/eventstore"
	"daybook/eventstore/esdb"
)

// servedStore is a store that a process of its own serves.
type servedStore struct {
	cmd  *exec.Cmd
	urls []string // as it prints them
}

// serveStore starts daybook store serve and waits for so many addresses.
func serveStore(t *testing.T, data string, addresses int, flags ...string) *servedStore {
	t.Helper()
	s := &servedStore{cmd: daybook(t.Context(), append([]string{"store", "serve", "--data", data}, flags...)...)}
	s.cmd.Env = append(s.cmd.Env, storePasswordEnv+"="+testPassword)
	var errs bytes.Buffer
	s.cmd.Stderr = &errs
	pipe, err := s.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = s.cmd.Process.Kill()
		_ = s.cmd.Wait()
	})
	for lines := bufio.NewScanner(pipe); len(s.urls) < addresses; {
		if !lines.Scan() {
			_ = s.cmd.Wait()
			t.Fatalf("it never served:\n%s", &errs)
		}
		url, _, _ := strings.Cut(lines.Text(), ",")
		s.urls = append(s.urls, url)
	}
	return s
}

func (s *servedStore) kill(t *testing.T) {
	t.Helper()
	if err := s.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = s.cmd.Wait() // it was killed, and says so
}

// stop ends it as an operator does, and says how it ended.
func (s *servedStore) stop(t *testing.T) error {
	t.Helper()
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	return s.cmd.Wait()
}

// officialClient is EventStoreDB's own client.
func officialClient(t *testing.T, url string) *official.Client {
	t.Helper()
	c := dialOfficially(t, url)
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// dialOfficially leaves the client open. One that hangs in a call panics when it is closed.
func dialOfficially(t *testing.T, url string) *official.Client {
	t.Helper()
	config, err := official.ParseConnectionString(url)
	if err != nil {
		t.Fatal(err)
	}
	config.Logger = official.NoopLogging()
	c, err := official.NewClient(config)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func proposed(id uuid.UUID) official.EventData {
	return official.EventData{EventID: id, EventType: "written", ContentType: official.ContentTypeJson, Data: []byte(`{"by":"a test"}`)}
}

// writers append to a stream each, one event after the other, until told to stop; acked is
// what was acknowledged, by stream.
type writers struct {
	mu    sync.Mutex
	acked map[string][]uuid.UUID
	wg    sync.WaitGroup
	stop  context.CancelFunc
}

// startWriters goes on behind what was acknowledged before. A writer ends with its first
// error: after it, nobody knows where its stream is.
func startWriters(t *testing.T, url string, n int, acked map[string][]uuid.UUID) *writers {
	t.Helper()
	w := &writers{acked: acked}
	ctx, stop := context.WithCancel(t.Context())
	w.stop = stop
	c := dialOfficially(t, url)
	for i := range n {
		stream := fmt.Sprintf("stream-%d", i)
		w.mu.Lock()
		next := len(acked[stream])
		w.mu.Unlock()
		w.wg.Go(func() {
			for ; ctx.Err() == nil; next++ {
				var expected official.ExpectedRevision = official.NoStream{}
				if next > 0 {
					expected = official.Revision(uint64(next - 1))
				}
				id, answered := uuid.New(), make(chan error, 1)
				go func() { // a client whose server is gone may hang for ever, whatever its context says
					_, err := c.AppendToStream(ctx, stream, official.AppendToStreamOptions{ExpectedRevision: expected}, proposed(id))
					answered <- err
				}()
				select {
				case err := <-answered:
					if err != nil {
						return
					}
				case <-ctx.Done():
					return
				}
				w.mu.Lock()
				acked[stream] = append(acked[stream], id)
				w.mu.Unlock()
			}
		})
	}
	return w
}

func (w *writers) count() (n int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, ids := range w.acked {
		n += len(ids)
	}
	return n
}

// waitFor waits until n events are acknowledged in all.
func (w *writers) waitFor(t *testing.T, n int) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); w.count() < n; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d events in a minute, want %d", w.count(), n)
		}
	}
}

func (w *writers) end() {
	w.stop()
	w.wg.Wait()
}

// idsOf reads the ids of every stream, and fails on a gap.
func idsOf(t *testing.T, store eventstore.Reader) map[string][]uuid.UUID {
	t.Helper()
	all := map[string][]uuid.UUID{}
	for r, err := range store.ReadAll(t.Context(), eventstore.Start, eventstore.Filter{}) {
		if err != nil {
			t.Fatal(err)
		}
		ids := all[string(r.Stream)]
		if int(r.Revision) != len(ids) {
			t.Fatalf("stream %s: revision %d where %d belongs", r.Stream, r.Revision, len(ids))
		}
		all[string(r.Stream)] = append(ids, uuid.UUID(r.ID))
	}
	return all
}

// TestStoreKilledUnderLoad kills a served store again and again while official clients
// append: what was acknowledged is there, in place, and of the rest at most what each
// writer had under way.
func TestStoreKilledUnderLoad(t *testing.T) {
	t.Parallel()
	rounds := 3
	if os.Getenv("DAYBOOK_SOAK") != "" {
		rounds = 50
	}
	data := t.TempDir()
	acked := map[string][]uuid.UUID{}
	for round := range rounds {
		s := serveStore(t, data, 1, "--listen", "127.0.0.1:0", "--insecure", "--writable")
		w := startWriters(t, s.urls[0], 8, acked)
		w.waitFor(t, w.count()+200)
		s.kill(t)
		w.end()

		again := serveStore(t, data, 1, "--listen", "127.0.0.1:0", "--insecure")
		reader, err := esdb.Open(t.Context(), again.urls[0], esdb.Options{})
		if err != nil {
			t.Fatal(err)
		}
		there := idsOf(t, reader)
		for stream, ids := range acked {
			got := there[stream]
			if len(got) < len(ids) || !slices.Equal(got[:len(ids)], ids) {
				t.Fatalf("round %d: stream %s has %d events, and %d others were acknowledged", round, stream, len(got), len(ids))
			}
			if len(got) > len(ids)+1 {
				t.Errorf("round %d: stream %s has %d events more than were sent", round, stream, len(got)-len(ids)-1)
			}
			acked[stream] = got
		}
		if err := reader.Close(); err != nil {
			t.Error(err)
		}
		if err := again.stop(t); err != nil {
			t.Errorf("it ended with %v", err)
		}
	}
}

// testCertificate writes a certificate for localhost and its key.
func testCertificate(t *testing.T) (cert, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	form := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "localhost"}, NotAfter: time.Now().Add(time.Hour),
		DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	signed, err := x509.CreateCertificate(rand.Reader, form, form, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	cert, key = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	for name, block := range map[string]*pem.Block{cert: {Type: "CERTIFICATE", Bytes: signed}, key: {Type: "PRIVATE KEY", Bytes: raw}} {
		if err := os.WriteFile(name, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return cert, key
}

// TestStoreServeTLS serves one folder in clear and with TLS.
func TestStoreServeTLS(t *testing.T) {
	t.Parallel()
	cert, key := testCertificate(t)
	s := serveStore(t, t.TempDir(), 2, "--listen", "127.0.0.1:0", "--insecure", "--writable",
		"--tls-listen", "127.0.0.1:0", "--tls-cert", cert, "--tls-key", key)
	secure := strings.Replace(s.urls[1], "PASSWORD", strings.ReplaceAll(testPassword, " ", "%20"), 1) + "?tlsCaFile=" + cert
	id := uuid.New()
	if _, err := officialClient(t, s.urls[0]).AppendToStream(t.Context(), "one", official.AppendToStreamOptions{ExpectedRevision: official.NoStream{}}, proposed(id)); err != nil {
		t.Fatal(err)
	}
	store, err := esdb.Open(t.Context(), secure, esdb.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	guess := strings.Replace(s.urls[1], "PASSWORD", "guess", 1) + "?tlsCaFile=" + cert
	if out, err := daybook(ctx, "store", "copy", "--from", guess, "--to", t.TempDir()).CombinedOutput(); err == nil || ctx.Err() != nil || !strings.Contains(string(out), "access denied") {
		t.Errorf("copied with a wrong password: %v\n%s", err, out)
	}
	if got := idsOf(t, store); len(got["one"]) != 1 || got["one"][0] != id {
		t.Errorf("with TLS it has %v, want %s", got, id)
	}
	for what, url := range map[string]string{
		"a wrong password": strings.Replace(s.urls[1], "PASSWORD", "guess", 1) + "?tlsCaFile=" + cert,
		"no password":      strings.Replace(s.urls[1], "admin:PASSWORD@", "", 1) + "?tlsCaFile=" + cert,
	} {
		_, err := officialClient(t, url).AppendToStream(t.Context(), "one", official.AppendToStreamOptions{ExpectedRevision: official.Any{}}, proposed(uuid.New()))
		if failed, _ := official.FromError(err); failed == nil || !failed.IsErrorCode(official.ErrorCodeUnauthenticated) {
			t.Errorf("%s: %v, want unauthenticated", what, err)
		}
	}
	if err := s.stop(t); err != nil {
		t.Errorf("it ended with %v", err)
	}
}

// TestStoreServeReads lets nobody write unless it is told to.
func TestStoreServeReads(t *testing.T) {
	t.Parallel()
	s := serveStore(t, t.TempDir(), 1, "--listen", "127.0.0.1:0", "--insecure")
	c := officialClient(t, s.urls[0])
	if _, err := c.AppendToStream(t.Context(), "one", official.AppendToStreamOptions{ExpectedRevision: official.Any{}}, proposed(uuid.New())); err == nil {
		t.Error("it took an append")
	}
	if _, err := c.TombstoneStream(t.Context(), "one", official.TombstoneStreamOptions{ExpectedRevision: official.Any{}}); err == nil {
		t.Error("it took a tombstone")
	}
	store, err := esdb.Open(t.Context(), s.urls[0], esdb.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	if got := idsOf(t, store); len(got) > 0 {
		t.Errorf("it has %v", got)
	}
	// A subscription, which would go on for ever, keeps nobody from stopping.
	following, err := c.SubscribeToAll(t.Context(), official.SubscribeToAllOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer following.Close()
	began := time.Now()
	if err := s.stop(t); err != nil || time.Since(began) > stopTimeout/2 {
		t.Errorf("it ended after %s with %v", time.Since(began), err)
	}
	for e := following.Recv(); e.SubscriptionDropped == nil; e = following.Recv() {
		continue
	}
}

// TestServeBesideTheHouse opens the ledger of a serving house to clients, who read what it
// wrote and write only where they were let.
func TestServeBesideTheHouse(t *testing.T) {
	t.Parallel()
	for _, writable := range []bool{false, true} {
		flags := []string{"--eventstore-listen", "127.0.0.1:0"}
		if writable {
			flags = append(flags, "--eventstore-writable")
		}
		s := serve(t, t.TempDir(), flags...)
		s.client.register("owner")
		_, rest, _ := strings.Cut(s.words.String(), `"url":"`)
		url, _, _ := strings.Cut(rest, `"`)
		store, err := esdb.Open(t.Context(), url, esdb.Options{})
		if err != nil {
			t.Fatalf("%v\n%s", err, s.words)
		}
		defer store.Close()
		var types []string
		for r, err := range store.ReadAll(t.Context(), eventstore.Start, eventstore.Filter{}) {
			if err != nil {
				t.Fatal(err)
			}
			types = append(types, r.Type)
		}
		if !slices.Contains(types, "user.registered") {
			t.Errorf("clients find %v", types)
		}
		_, err = store.Append(t.Context(), "notes-1", eventstore.NoStream(), eventstore.Event{ID: eventstore.EventID(uuid.New()), Type: "note.written", Data: []byte("{}")})
		if (err == nil) != writable {
			t.Errorf("writable %v: an append answers %v", writable, err)
		}
	}
}

// TestWrongFlags goes through what a command refuses before it does anything.
func TestWrongFlags(t *testing.T) {
	cert, key := testCertificate(t)
	empty, full := t.TempDir(), t.TempDir()
	s, err := openStoreFolder(full)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for _, c := range []struct {
		args, password, want string
	}{
		{"store serve", "", "say how to serve"},
		{"store serve --insecure --listen 0.0.0.0:0", "", "or say --insecure-remote"},
		{"store serve --insecure --listen nonsense", "", "missing port"},
		{"store serve --insecure-remote --tls-cert " + cert + " --tls-key " + key, "p", "goes with --insecure"},
		{"store serve --tls-cert " + cert + " --tls-key " + key, "", "set " + storePasswordEnv},
		{"store serve --tls-cert " + cert, "p", "TLS needs both"},
		{"store serve --tls-cert " + key + " --tls-key " + cert, "p", "certificate " + key},
		{"store serve --tls-cert " + cert + " --tls-key " + key + " --tls-listen 127.0.0.1:0", "p", "--tls-listen is a second address"},
		{"store serve --insecure --tls-cert " + cert + " --tls-key " + key, "p", "give --tls-listen"},
		{"store serve --insecure --tls-listen 127.0.0.1:0", "p", "give --tls-listen"},
		{"store serve --insecure --tls-cert nope --tls-key nope", "p", "no such file"},
		{"serve --eventstore-listen 0.0.0.0:0 --listen 127.0.0.1:0", "", "name a loopback address, or serve with TLS"},
		{"serve --eventstore-listen 0.0.0.0:0 --listen 127.0.0.1:0 --eventstore-tls-cert " + cert + " --eventstore-tls-key " + key, "", "set " + storePasswordEnv},
		{"serve --eventstore-writable", "", "go with --eventstore-listen"},
		{"serve --eventstore-listen 127.0.0.1:0 --eventstore-url esdb://127.0.0.1:1?tls=false", "", "elsewhere already"},
		{"store copy --from EMPTY --to x", "", "is no data folder"},
		{"store copy --from x", "", "missing flags: --to"},
		{"store copy --from FULL --to embedded:FULL", "", "are the same store"},
		{"store copy --from FULL --to x", "", "is in use"},
		{"store copy --from embedded: --to x", "", "no data folder is named"},
		{"store copy --from postgres://x --to x", "", `scheme "postgres"`},
		{"store copy --from esdb://a:secret@b?tls=perhaps --to x", "", "tls"},
	} {
		t.Setenv(storePasswordEnv, c.password)
		args := strings.Fields(strings.NewReplacer("EMPTY", empty, "FULL", full).Replace(c.args))
		if !strings.Contains(c.args, "--from") {
			args = append(args, "--data", t.TempDir())
		}
		var out, errs bytes.Buffer
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		err := run(ctx, args, &out, &errs)
		cancel()
		if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "secret") {
			t.Errorf("daybook %s:\n%v, want %q", c.args, err, c.want)
		}
	}
}
