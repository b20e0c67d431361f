package esdb_test

import (
	"net"
	"sync"
	"sync/atomic"
	"testing"
)

// proxy is a TCP relay that can keep the server's answers to itself, break off, and lose
// connections without a word.
type proxy struct {
	lis    net.Listener
	target string
	done   sync.WaitGroup
	down   atomic.Int64 // bytes passed on from the server

	mu    sync.Mutex
	muted bool
	lost  int // connections before this one, counted from 0, lead nowhere
	conns []net.Conn
}

func newProxy(t testing.TB, target string) *proxy {
	t.Helper()
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatalf("listen: %v", err)
	}
	p := &proxy{lis: lis, target: target}
	p.done.Add(1)
	go p.accept()
	t.Cleanup(func() {
		_ = lis.Close()
		p.cut()
		p.done.Wait()
	})
	return p
}

func (p *proxy) url() string { return "esdb://" + p.lis.Addr().String() + "?tls=false" }

func (p *proxy) accept() {
	defer p.done.Done()
	for {
		in, err := p.lis.Accept()
		if err != nil {
			return
		}
		out, err := net.Dial("tcp", p.target)
		if err != nil {
			_ = in.Close()
			continue
		}
		p.mu.Lock()
		number := len(p.conns) / 2
		p.conns = append(p.conns, in, out)
		p.mu.Unlock()
		p.done.Add(2)
		go p.relay(in, out, func() bool { return p.isLost(number) })
		go p.relay(out, in, func() bool { return p.isMuted() || p.isLost(number) })
	}
}

func (p *proxy) isMuted() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.muted
}

func (p *proxy) isLost(number int) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return number < p.lost
}

// lose makes all connections that are open lead nowhere, as a router does that forgot
// them: nothing is passed on and nobody is told. New ones work.
func (p *proxy) lose() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.lost = len(p.conns) / 2
}

func (p *proxy) relay(from, to net.Conn, swallow func() bool) {
	defer p.done.Done()
	buffer := make([]byte, 32<<10)
	for {
		n, err := from.Read(buffer)
		if err != nil {
			_ = to.Close()
			return
		}
		if swallow() {
			continue
		}
		if to.LocalAddr().String() == p.lis.Addr().String() {
			p.down.Add(int64(n))
		}
		if _, err := to.Write(buffer[:n]); err != nil {
			_ = from.Close()
			return
		}
	}
}

func (p *proxy) mute(on bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.muted = on
}

// cut breaks all connections off.
func (p *proxy) cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range p.conns {
		_ = c.Close()
	}
}
