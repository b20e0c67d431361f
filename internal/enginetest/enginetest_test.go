package enginetest

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/redis/go-redis/v9"
	"go.uber.org/goleak"
)

// heldEnv, when set, makes this binary hold engines until it is killed.
const heldEnv = "ENGINETEST_HOLD"

func TestMain(m *testing.M) {
	if os.Getenv(heldEnv) != "" {
		hold()
		return
	}
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction(SupervisorFunc))
}

// hold starts one of each engine, prints the folder of all and each server's process id,
// then waits for the end of its input.
func hold() {
	ctx := context.Background()
	p, err := StartPostgres(ctx, PostgresOptions{NoSync: true})
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	r, err := StartRedis(ctx)
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	fmt.Println(filepath.Dir(p.dir), p.process.cmd.Process.Pid, r.process.cmd.Process.Pid)
	_, _ = io.Copy(io.Discard, os.Stdin)
}

func values(t *testing.T, url, sql string) string {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background()) // the query's outcome is what counts
	var v string
	if err := conn.QueryRow(t.Context(), sql).Scan(&v); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	return v
}

func TestPostgresGivesEachTestItsOwnDatabase(t *testing.T) {
	a, b := Postgres(t), Postgres(t)
	if a == b {
		t.Fatalf("both got %s", a)
	}
	const count = `SELECT count(*)::text FROM pg_tables WHERE schemaname = 'public'`
	conn, err := pgx.Connect(t.Context(), a)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Exec(t.Context(), "CREATE TABLE only_here (id int)"); err != nil {
		t.Fatal(err)
	}
	// The connection stays open: dropping the database has to end it.
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	got := []string{values(t, a, count), values(t, b, count), values(t, b, "SHOW fsync")}
	if want := []string{"1", "0", "off"}; !reflect.DeepEqual(got, want) {
		t.Errorf("tables in a, tables in b, fsync = %v, want %v", got, want)
	}
}

func TestPostgresKeepsItsPromisesUnlessTold(t *testing.T) {
	server, err := StartPostgres(t.Context(), PostgresOptions{Settings: map[string]string{"work_mem": "7MB"}})
	failOrSkip(t, err)
	url := server.URL("postgres")
	var got []string
	for _, name := range []string{"fsync", "synchronous_commit", "full_page_writes", "work_mem", "listen_addresses"} {
		got = append(got, values(t, url, "SHOW "+name))
	}
	if want := []string{"on", "on", "on", "7MB", ""}; !reflect.DeepEqual(got, want) {
		t.Errorf("settings = %q, want %q", got, want)
	}
	if err := server.Close(); err != nil {
		t.Error(err)
	}
	gone(t, server.dir)
}

func TestPostgresThatCannotStartSaysWhy(t *testing.T) {
	_, err := StartPostgres(t.Context(), PostgresOptions{Settings: map[string]string{"no_such_setting": "1"}})
	var missing *MissingError
	if errors.As(err, &missing) {
		failOrSkip(t, err)
	}
	if err == nil || !strings.Contains(err.Error(), "no_such_setting") {
		t.Errorf("error = %v, want the server's own words on no_such_setting", err)
	}
}

func keys(t *testing.T, client *redis.Client) map[string]string {
	t.Helper()
	names, err := client.Keys(t.Context(), "*").Result()
	if err != nil {
		t.Fatal(err)
	}
	held := map[string]string{}
	for _, name := range names {
		if held[name], err = client.Get(t.Context(), name).Result(); err != nil {
			t.Fatal(err)
		}
	}
	return held
}

func TestRedisIsPutBack(t *testing.T) {
	server := NewRedis(t)
	options, err := redis.ParseURL(server.URL())
	if err != nil {
		t.Fatal(err)
	}
	// One client for all: it has to find the server again after each restart.
	client := redis.NewClient(options)
	defer client.Close()
	set := func(key, value string) {
		t.Helper()
		if err := client.Set(t.Context(), key, value, 0).Err(); err != nil {
			t.Fatal(err)
		}
	}
	check := func(when string, want map[string]string) {
		t.Helper()
		if got := keys(t, client); !reflect.DeepEqual(got, want) {
			t.Errorf("%s: holds %v, want %v", when, got, want)
		}
	}

	check("new", map[string]string{})
	set("a", "1")
	earlier := server.Snapshot(t)
	set("a", "2")
	set("b", "1")
	check("before", map[string]string{"a": "2", "b": "1"})
	server.Restore(t, earlier)
	check("put back", map[string]string{"a": "1"})
	set("c", "1")
	server.Flush(t)
	check("flushed", map[string]string{})
	server.Restore(t, earlier)
	check("put back twice", map[string]string{"a": "1"})
	server.Stop(t)
	server.Stop(t)
	if err := client.Ping(t.Context()).Err(); err == nil {
		t.Error("a stopped Redis answers")
	}
	server.Start(t)
	check("started anew", map[string]string{})
}

// A server that outlived its test would fill the machine run by run.
func TestEnginesEndWithAProcessThatIsKilled(t *testing.T) {
	cmd := exec.Command(os.Args[0], "-test.run=^$")
	cmd.Env = append(os.Environ(), heldEnv+"=1")
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	defer stdin.Close()
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	fields := strings.Fields(line)
	if strings.Contains(line, "is not installed") {
		failOrSkip(t, &MissingError{Engine: "an engine", Package: "postgresql redis-server"})
	}
	if len(fields) != 3 {
		_ = cmd.Process.Kill()
		t.Fatalf("the child said %q", line)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()

	for _, field := range fields[1:] {
		pid, err := strconv.Atoi(field)
		if err != nil {
			t.Fatal(err)
		}
		eventually(t, "process "+field+" to end", func() bool { return ended(pid) })
	}
	gone(t, fields[0])
}

// ended says whether no such process runs. One that waits to be reaped by whoever adopted
// it has ended.
func ended(pid int) bool {
	if err := syscall.Kill(pid, 0); errors.Is(err, syscall.ESRCH) {
		return true
	}
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return errors.Is(err, os.ErrNotExist)
	}
	_, rest, _ := strings.Cut(string(stat), ") ")
	return strings.HasPrefix(rest, "Z")
}

func gone(t *testing.T, dir string) {
	t.Helper()
	eventually(t, dir+" to be removed", func() bool {
		_, err := os.Stat(dir)
		return errors.Is(err, os.ErrNotExist)
	})
}

func eventually(t *testing.T, what string, f func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !f(); time.Sleep(pollEvery) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

// recorder notes how a helper ended a test, without ending this one.
type recorder struct {
	testing.TB
	said string
}

type stopped struct{}

func (r *recorder) Helper() {}

func (r *recorder) Fatalf(format string, args ...any) {
	r.said = "failed: " + fmt.Sprintf(format, args...)
	panic(stopped{})
}

func (r *recorder) Skipf(format string, args ...any) {
	r.said = "skipped: " + fmt.Sprintf(format, args...)
	panic(stopped{})
}

func TestAMissingEngineFailsUnlessToldToSkip(t *testing.T) {
	end := func(err error) (said string) {
		r := &recorder{TB: t}
		defer func() {
			if v := recover(); v != nil && v != (stopped{}) {
				panic(v)
			}
			said = r.said
		}()
		failOrSkip(r, err)
		return ""
	}
	const words = "enginetest: Redis is not installed: run `make engines` (on Debian: apt-get install redis-server), or set SKIP_ENGINE_TESTS=1 to skip its tests"
	missing := fmt.Errorf("%w", &MissingError{Engine: "Redis", Package: "redis-server"})
	broken := errors.New("no room on the disk")
	for _, c := range []struct {
		skip string
		err  error
		want string
	}{
		{"", nil, ""},
		{"", missing, "failed: " + words},
		{"0", missing, "failed: " + words},
		{"1", missing, "skipped: " + words},
		{"1", broken, "failed: enginetest: no room on the disk"},
	} {
		t.Setenv(SkipEnv, c.skip)
		if got := end(c.err); got != c.want {
			t.Errorf("%s=%q, error %v: %q, want %q", SkipEnv, c.skip, c.err, got, c.want)
		}
	}
}

func TestFindLooksBesideThePath(t *testing.T) {
	dir := t.TempDir()
	for _, version := range []string{"15", "17"} {
		path := filepath.Join(dir, version, "engine-x")
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, nil, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if got, ok := find("engine-x", dir+"/*/engine-x"); !ok || got != dir+"/17/engine-x" {
		t.Errorf("find = %q, %t, want the newest version", got, ok)
	}
	if got, ok := find("engine-y", dir+"/*/engine-y"); ok {
		t.Errorf("find = %q, want nothing", got)
	}
}
