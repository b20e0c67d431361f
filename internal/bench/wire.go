package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"time"
)

// wire is one persistent HTTP/1.1 connection that asks one thing at a time. It shares the
// processor with the server it measures, so it writes what was formatted before, reads what
// it needs and keeps its buffers. It knows what Go's own server answers, and no more.
type wire struct {
	conn net.Conn
	in   *bufio.Reader
	out  []byte
	body []byte
}

// answerLimit bounds how long one answer may take: longer than any server here does.
const answerLimit = 30 * time.Second

// maxAnswer bounds a body in bytes.
const maxAnswer = 4 << 20

func dial(ctx context.Context, addr string) (*wire, error) {
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	return &wire{conn: conn, in: bufio.NewReaderSize(conn, 16<<10)}, nil
}

func (w *wire) close() error { return w.conn.Close() }

// reply is an answer. body is good until the next question.
type reply struct {
	status   int
	position uint64 // of the write in the ledger; 0 if it was none
	body     []byte
}

// head begins a request in the wire's buffer; send ends it.
func (w *wire) head(method string, path ...string) {
	w.out = append(append(w.out[:0], method...), ' ')
	for _, part := range path {
		w.out = append(w.out, part...)
	}
	w.out = append(w.out, " HTTP/1.1\r\nHost: bench\r\n"...)
}

func (w *wire) header(name, value string) {
	w.out = append(append(append(append(w.out, name...), ": "...), value...), "\r\n"...)
}

// send ends the request with a body, asks, and reads the answer.
func (w *wire) send(body []byte) (reply, error) {
	if len(body) > 0 {
		w.out = append(w.out, "Content-Type: application/json\r\nContent-Length: "...)
		w.out = append(strconv.AppendInt(w.out, int64(len(body)), 10), "\r\n"...)
	}
	w.out = append(append(w.out, "\r\n"...), body...)
	if err := w.conn.SetDeadline(time.Now().Add(answerLimit)); err != nil {
		return reply{}, err
	}
	if _, err := w.conn.Write(w.out); err != nil {
		return reply{}, err
	}
	return w.read()
}

var errAnswer = errors.New("the answer is no HTTP/1.1 that the load generator reads")

func (w *wire) line() ([]byte, error) {
	line, err := w.in.ReadSlice('\n')
	if err != nil {
		return nil, err
	}
	return bytes.TrimRight(line, "\r\n"), nil
}

func (w *wire) read() (r reply, err error) {
	line, err := w.line()
	if err != nil {
		return r, err
	}
	if len(line) < 12 || !bytes.HasPrefix(line, []byte("HTTP/1.1 ")) {
		return r, fmt.Errorf("%w: %.60q", errAnswer, line)
	}
	if r.status, err = strconv.Atoi(string(line[9:12])); err != nil {
		return r, fmt.Errorf("%w: %.60q", errAnswer, line)
	}
	length, chunked := 0, false
	for {
		if line, err = w.line(); err != nil {
			return r, err
		}
		if len(line) == 0 {
			break
		}
		name, value, _ := bytes.Cut(line, []byte(": "))
		switch string(name) {
		case "Content-Length":
			length, err = strconv.Atoi(string(value))
		case "Transfer-Encoding":
			chunked = true
		case "Ledger-Position":
			r.position, err = strconv.ParseUint(string(value), 10, 64)
		}
		if err != nil || length < 0 || length > maxAnswer {
			return r, fmt.Errorf("%w: %.60q", errAnswer, line)
		}
	}
	w.body = w.body[:0]
	if chunked {
		err = w.readChunks()
	} else {
		err = w.readBody(length)
	}
	r.body = w.body
	return r, err
}

func (w *wire) readBody(n int) error {
	have := len(w.body)
	if need := have + n; need > cap(w.body) {
		w.body = append(make([]byte, 0, 2*need), w.body...)
	}
	w.body = w.body[:have+n]
	_, err := io.ReadFull(w.in, w.body[have:])
	return err
}

func (w *wire) readChunks() error {
	for {
		line, err := w.line()
		if err != nil {
			return err
		}
		n, err := strconv.ParseUint(string(line), 16, 31)
		if err != nil || len(w.body)+int(n) > maxAnswer {
			return fmt.Errorf("%w: a chunk of %.20q", errAnswer, line)
		}
		if err := w.readBody(int(n)); err != nil {
			return err
		}
		if _, err := w.line(); err != nil { // the end of the chunk, or of the trailer
			return err
		}
		if n == 0 {
			return nil
		}
	}
}

// text returns the string value of a field in a JSON object, as far as ids and codes go:
// they hold nothing that is escaped.
func text(body []byte, field string) string {
	var mark [40]byte
	m := append(append(append(mark[:0], '"'), field...), `":"`...)
	_, rest, ok := bytes.Cut(body, m)
	if !ok {
		return ""
	}
	value, _, ok := bytes.Cut(rest, []byte{'"'})
	if !ok {
		return ""
	}
	return string(value)
}
