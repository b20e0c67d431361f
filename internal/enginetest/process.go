//go:build unix

package enginetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"sync"
	"syscall"
	"time"
)

const (
	stopLimit = 10 * time.Second      // for a server to end when asked to
	pollEvery = 10 * time.Millisecond // while a server starts
	logTail   = 2 << 10               // bytes of a server's log quoted in an error
	maxSocket = 100                   // bytes of a socket's path; the kernel takes 107
)

// MissingError says that an engine's program is not installed.
type MissingError struct {
	Engine  string // "PostgreSQL"
	Package string // Debian's package
}

// Error says in one line what is missing and what to do.
func (e *MissingError) Error() string {
	return fmt.Sprintf("%s is not installed: run `make engines` (on Debian: apt-get install %s), or set %s=1 to skip its tests",
		e.Engine, e.Package, SkipEnv)
}

// find returns the first of the named program in PATH and of what the patterns match,
// the last match of a pattern first (the newest version).
func find(name string, patterns ...string) (string, bool) {
	if path, err := exec.LookPath(name); err == nil {
		return path, true
	}
	for _, pattern := range patterns {
		matches, err := filepath.Glob(pattern)
		if err == nil && len(matches) > 0 {
			return matches[len(matches)-1], true
		}
	}
	return "", false
}

// root is the folder that holds every server's own folder. It belongs to this process: a
// small shell waits for the end of a pipe that only this process holds open, so it wakes
// when the process has ended, also if it was killed, then ends what is left and removes
// the folder.
var root struct {
	sync.Mutex
	dir string
	// pipe is kept so that nothing closes it before the process ends.
	pipe *os.File
}

// janitor outlives the process that started it. It ignores what a terminal sends to the
// whole group, since it is needed most after an interrupt.
const janitor = `trap '' INT TERM HUP
cat >/dev/null
for f in "$1"/*/pid; do [ -s "$f" ] && kill -KILL "$(cat "$f")" 2>/dev/null; done
n=0
while ! rm -rf "$1" 2>/dev/null && [ "$n" -lt 100 ]; do n=$((n+1)); sleep 0.1; done`

// newDir makes an empty folder for one server.
func newDir(kind string) (string, error) {
	root.Lock()
	defer root.Unlock()
	if root.dir == "" {
		if err := makeRoot(); err != nil {
			return "", err
		}
	}
	dir, err := os.MkdirTemp(root.dir, kind)
	if err != nil {
		return "", fmt.Errorf("make a folder for %s: %w", kind, err)
	}
	return dir, nil
}

func makeRoot() error {
	dir, err := os.MkdirTemp("", "daybook-")
	if err == nil && len(dir) > maxSocket-40 {
		// A socket could not be bound under a path this long.
		_ = os.Remove(dir)
		dir, err = os.MkdirTemp("/tmp", "daybook-")
	}
	if err != nil {
		return fmt.Errorf("make a folder for engines: %w", err)
	}
	// PostgreSQL runs as another user when we are root, and has to get through.
	if err := os.Chmod(dir, 0o711); err != nil {
		return fmt.Errorf("make a folder for engines: %w", err)
	}
	r, w, err := os.Pipe()
	if err != nil {
		return fmt.Errorf("watch over engines: %w", err)
	}
	cmd := exec.Command("/bin/sh", "-c", janitor, "sh", dir)
	cmd.Stdin = r
	cmd.Dir = "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	err = cmd.Start()
	_ = r.Close()
	if err != nil {
		_ = w.Close()
		_ = os.RemoveAll(dir)
		return fmt.Errorf("watch over engines: %w", err)
	}
	root.dir, root.pipe = dir, w
	return nil
}

// process is a running server. It ends at the latest when this process does.
type process struct {
	cmd  *exec.Cmd
	dir  string
	log  string
	done chan struct{} // closed when the server has ended
}

// startProcess runs a server in dir, its output going to a log there.
func startProcess(dir string, credential *syscall.Credential, path string, args ...string) (*process, error) {
	p := &process{
		cmd:  exec.Command(path, args...),
		dir:  dir,
		log:  filepath.Join(dir, "log"),
		done: make(chan struct{}),
	}
	log, err := os.OpenFile(p.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, fmt.Errorf("open the log of %s: %w", path, err)
	}
	defer log.Close() // nothing is written through this handle
	p.cmd.Dir = dir
	p.cmd.Stdout, p.cmd.Stderr = log, log
	// A group of its own keeps a terminal's interrupt away until we stop it ourselves.
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Credential: credential, Setpgid: true}
	endWithParent(p.cmd.SysProcAttr)

	started := make(chan error)
	go p.supervise(started)
	if err := <-started; err != nil {
		return nil, fmt.Errorf("start %s: %w", path, err)
	}
	return p, nil
}

// supervise starts the server and waits for its end. It keeps its thread to itself all
// the while: the kernel ends the server with the thread that started it.
func (p *process) supervise(started chan<- error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	defer close(p.done)
	if err := p.cmd.Start(); err != nil {
		started <- err
		return
	}
	pid := filepath.Join(p.dir, "pid")
	err := os.WriteFile(pid, []byte(strconv.Itoa(p.cmd.Process.Pid)), 0o644)
	if err != nil {
		_ = p.cmd.Process.Kill()
	}
	started <- err
	// How it ended does not matter: whoever waits looks at the log.
	_ = p.cmd.Wait()
	_ = os.Remove(pid)
}

// ready asks until the server answers, and fails when it ends or ctx does.
func (p *process) ready(ctx context.Context, ask func(context.Context) error) error {
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	var last error
	for {
		if last = ask(ctx); last == nil {
			return nil
		}
		select {
		case <-tick.C:
		case <-p.done:
			return fmt.Errorf("%s ended while it started:\n%s", p.cmd.Path, p.tail())
		case <-ctx.Done():
			return fmt.Errorf("%s does not answer: %w (%w)\n%s", p.cmd.Path, ctx.Err(), last, p.tail())
		}
	}
}

// stop asks the server to end with sig, and kills it if it does not within stopLimit.
func (p *process) stop(sig os.Signal) error {
	err := p.cmd.Process.Signal(sig)
	if err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("stop %s: %w", p.cmd.Path, err)
	}
	timer := time.NewTimer(stopLimit)
	defer timer.Stop()
	select {
	case <-p.done:
		return nil
	case <-timer.C:
	}
	_ = p.cmd.Process.Kill()
	<-p.done
	return fmt.Errorf("%s had to be killed: it did not end within %s of %v\n%s", p.cmd.Path, stopLimit, sig, p.tail())
}

// tail returns the end of the server's log.
func (p *process) tail() []byte {
	b, err := os.ReadFile(p.log)
	if err != nil {
		return []byte(err.Error())
	}
	return bytes.TrimSpace(b[max(0, len(b)-logTail):])
}
