package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"
)

const (
	startLimit = 30 * time.Second
	stopLimit  = 30 * time.Second
	logLines   = 20 // kept of what a server says, for when it fails
)

// process is a server under measurement.
type process struct {
	cmd  *exec.Cmd
	addr string
	done chan struct{} // closed when it has ended
	err  error         // how; read after done

	mu   sync.Mutex
	said []string
}

// listening finds the address in the line that a server logs once it can be reached.
var listening = regexp.MustCompile(`\blistening addr=(\S+)`)

// start runs a server and waits until it is ready. It ends at the latest with this process.
func start(ctx context.Context, env []string, path string, args ...string) (*process, error) {
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	p := &process{cmd: exec.Command(path, args...), done: make(chan struct{})}
	p.cmd.Env = append(os.Environ(), env...)
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	endWithParent(p.cmd.SysProcAttr)
	addr, failed := make(chan string, 1), make(chan error, 1)
	go p.supervise(addr, failed)
	select {
	case p.addr = <-addr:
	case err := <-failed:
		return nil, fmt.Errorf("start %s: %w", path, err)
	case <-p.done:
		return nil, fmt.Errorf("%s ended while it started: %w\n%s", path, p.err, p.tail())
	case <-ctx.Done():
		return nil, errors.Join(fmt.Errorf("%s does not listen: %w\n%s", path, ctx.Err(), p.tail()), p.stop())
	}
	if err := p.ready(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("%s is not ready: %w\n%s", path, err, p.tail()), p.stop())
	}
	return p, nil
}

// supervise starts the server, reads what it says and waits for its end. It keeps its
// thread to itself all the while: the kernel ends the server with the thread that started it.
func (p *process) supervise(addr chan<- string, failed chan<- error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	out, err := p.cmd.StderrPipe()
	if err == nil {
		err = p.cmd.Start()
	}
	if err != nil {
		failed <- err
		return
	}
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if found := listening.FindStringSubmatch(lines.Text()); found != nil {
			addr <- found[1]
		}
		p.mu.Lock()
		p.said = append(p.said, lines.Text())
		p.said = p.said[max(0, len(p.said)-logLines):]
		p.mu.Unlock()
	}
	p.err = p.cmd.Wait()
	close(p.done)
}

func (p *process) tail() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return strings.Join(p.said, "\n")
}

func (p *process) ready(ctx context.Context) error {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+p.addr+"/readyz", nil)
		if err != nil {
			return err
		}
		answer, err := http.DefaultClient.Do(r)
		if err == nil {
			_ = answer.Body.Close()
			if answer.StatusCode == http.StatusOK {
				return nil
			}
			err = errors.New(answer.Status)
		}
		select {
		case <-tick.C:
		case <-p.done:
			return fmt.Errorf("it ended: %w", p.err)
		case <-ctx.Done():
			return errors.Join(ctx.Err(), err)
		}
	}
}

// stop asks the server to end, and kills it if it does not within stopLimit.
func (p *process) stop() error {
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("stop %s: %w", p.cmd.Path, err)
	}
	timer := time.NewTimer(stopLimit)
	defer timer.Stop()
	select {
	case <-p.done:
		if p.err != nil {
			return fmt.Errorf("%s: %w\n%s", p.cmd.Path, p.err, p.tail())
		}
		return nil
	case <-timer.C:
	}
	_ = p.cmd.Process.Kill()
	<-p.done
	return fmt.Errorf("%s had to be killed: it did not end within %s\n%s", p.cmd.Path, stopLimit, p.tail())
}
