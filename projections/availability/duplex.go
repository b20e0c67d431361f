package availability

import (
	"io"
	"net"
	"os"
	"sync"
	"time"
)

// newDuplex returns the two ends of a connection in memory. Unlike net.Pipe it buffers, as
// a socket does: one end can write a whole pipeline of commands while the other already
// answers the first. What is buffered is bounded by what clients have asked for, since
// they wait for the answers. It has no deadlines.
func newDuplex() (a, b net.Conn) {
	there, back := newLane(), newLane()
	return &duplex{in: back, out: there}, &duplex{in: there, out: back}
}

type duplex struct{ in, out *lane }

func (d *duplex) Read(b []byte) (int, error)  { return d.in.read(b) }
func (d *duplex) Write(b []byte) (int, error) { return d.out.write(b) }

// Close ends both directions; what was written before can still be read.
func (d *duplex) Close() error {
	d.in.close()
	d.out.close()
	return nil
}

func (*duplex) LocalAddr() net.Addr                { return memoryAddr{} }
func (*duplex) RemoteAddr() net.Addr               { return memoryAddr{} }
func (*duplex) SetDeadline(t time.Time) error      { return noDeadline(t) }
func (*duplex) SetReadDeadline(t time.Time) error  { return noDeadline(t) }
func (*duplex) SetWriteDeadline(t time.Time) error { return noDeadline(t) }

// noDeadline refuses a deadline, and takes that there is to be none.
func noDeadline(t time.Time) error {
	if t.IsZero() {
		return nil
	}
	return os.ErrNoDeadline
}

type memoryAddr struct{}

func (memoryAddr) Network() string { return "memory" }
func (memoryAddr) String() string  { return "in-process" }

// lane is one direction.
type lane struct {
	mu     sync.Mutex
	filled sync.Cond
	buf    []byte
	off    int // of the first byte not read yet
	closed bool
}

// keptBuffer is the largest buffer kept once it was read empty.
const keptBuffer = 64 << 10

func newLane() *lane {
	l := &lane{}
	l.filled.L = &l.mu
	return l
}

func (l *lane) write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return 0, io.ErrClosedPipe
	}
	l.buf = append(l.buf, b...)
	l.filled.Signal()
	return len(b), nil
}

func (l *lane) read(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for l.off == len(l.buf) {
		if l.closed {
			return 0, io.EOF
		}
		l.filled.Wait()
	}
	n := copy(b, l.buf[l.off:])
	l.off += n
	if l.off == len(l.buf) {
		l.off = 0
		if l.buf = l.buf[:0]; cap(l.buf) > keptBuffer {
			l.buf = nil
		}
	}
	return n, nil
}

func (l *lane) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
	l.filled.Broadcast()
}
