package proof

import (
	"bufio"
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
)

// ErrHeads says that the file of signed heads cannot be gone on with: it holds something
// else, or what another key signed.
var ErrHeads = errors.New("proof: the file of signed heads cannot be used")

// maxKept bounds the file of heads to about a megabyte.
const maxKept = 4096

// keptHeads is the file of the heads that were signed: the newest, and of those before it
// the fewer the older they are. Anybody can ask for a head, so not all of them can stay.
type keptHeads struct {
	path   string
	f      *os.File
	end    int64 // of what is whole
	newest Head  // Note is nil while there is none
	count  int
	most   int // maxKept
}

// openHeads opens the file, or begins one. Its end may be half a head, which nobody was
// shown: it is cut off.
func openHeads(path string, v *Verifier) (*keptHeads, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, fmt.Errorf("proof: %w", err)
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("proof: %w", err)
	}
	k := &keptHeads{path: path, f: f, most: maxKept}
	var last []byte
	err = eachNote(f, func(text []byte, end int64) error {
		last, k.end = text, end
		k.count++
		return nil
	})
	if err == nil || errors.Is(err, errTorn) {
		err = k.cutOff(v)
	}
	if err == nil && last != nil {
		if k.newest, err = v.Open(last); err != nil {
			err = fmt.Errorf("%w: %w", ErrHeads, err)
		}
	}
	if err == nil {
		err = syncFolder(filepath.Dir(path))
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("heads in %s: %w", path, err), k.close())
	}
	return k, nil
}

// cutOff removes half a head from the end, and refuses to remove anything else.
func (k *keptHeads) cutOff(v *Verifier) error {
	rest, err := io.ReadAll(io.NewSectionReader(k.f, k.end, maxNote))
	if err != nil {
		return err
	}
	// A file system may give a file its new length before its contents: then it ends in zeros
	// after a power failure.
	rest = bytes.TrimRight(rest, "\x00")
	begins := []byte(v.Name() + "\n")
	if n := min(len(rest), len(begins)); !bytes.Equal(rest[:n], begins[:n]) {
		return fmt.Errorf("%w: it ends in %.60q, which is no head of %s", ErrHeads, rest, v.Name())
	}
	return k.f.Truncate(k.end)
}

func syncFolder(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// keep appends a head; it is on disk when keep returns.
func (k *keptHeads) keep(h Head) error {
	if k.count >= k.most {
		if err := k.thin(); err != nil {
			return fmt.Errorf("proof: thin the heads out: %w", err)
		}
	}
	_, err := k.f.WriteAt(h.Note, k.end)
	if err == nil {
		err = k.f.Sync()
	}
	if err != nil {
		return fmt.Errorf("proof: keep a head: %w", errors.Join(err, k.f.Truncate(k.end)))
	}
	k.end += int64(len(h.Note))
	k.count++
	k.newest = h
	return nil
}

// thin drops every second head, never the newest. The file is replaced by another: whenever
// the process is killed, one of them is there.
func (k *keptHeads) thin() (err error) {
	var text []byte
	number, left := 0, 0
	if err := eachNote(io.NewSectionReader(k.f, 0, k.end), func(note []byte, _ int64) error {
		if number++; number%2 == k.count%2 {
			text = append(text, note...)
			left++
		}
		return nil
	}); err != nil {
		return err
	}
	f, err := os.OpenFile(k.path+".thinned", os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	if _, err = f.Write(text); err == nil {
		err = f.Sync()
	}
	if err == nil {
		err = os.Rename(f.Name(), k.path)
	}
	if err != nil {
		return errors.Join(err, f.Close())
	}
	err = errors.Join(k.f.Close(), syncFolder(filepath.Dir(k.path)))
	k.f, k.end, k.count = f, int64(len(text)), left
	return err
}

func (k *keptHeads) close() error {
	if k == nil {
		return nil
	}
	return k.f.Close()
}

// KeptHeads reads the file of signed heads as it lies: those that v signed, and how many
// others. Half a head at its end is passed over. Errors: fs.ErrNotExist, ErrHeads.
func KeptHeads(path string, v *Verifier) (heads []Head, others int, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, 0, fmt.Errorf("proof: %w", err)
	}
	defer f.Close()
	err = eachNote(f, func(text []byte, _ int64) error {
		h, err := v.Open(text)
		if errors.Is(err, ErrSignature) {
			others++
			return nil
		}
		heads = append(heads, h)
		return err
	})
	if err != nil && !errors.Is(err, errTorn) {
		return nil, 0, fmt.Errorf("%w: %s: %w", ErrHeads, path, err)
	}
	return heads, others, nil
}

// heads reads those that are kept, in the order of their sizes.
func (k *keptHeads) heads() ([]Head, error) {
	var all []Head
	err := eachNote(io.NewSectionReader(k.f, 0, k.end), func(text []byte, _ int64) error {
		h, err := ParseHead(text)
		all = append(all, h)
		return err
	})
	slices.SortStableFunc(all, func(a, b Head) int { return cmp.Compare(a.Size, b.Size) })
	return all, err
}

// errTorn says that the last head is not whole.
var errTorn = fmt.Errorf("%w: it ends in the middle", ErrNote)

// eachNote calls each for every checkpoint of a text, with where it ends. Blank lines
// before one are passed over.
func eachNote(r io.Reader, each func(text []byte, end int64) error) error {
	in := bufio.NewReader(r)
	var text []byte
	var at int64
	blank, signed := false, false
	done := func(end int64) error {
		whole := text
		text, blank, signed = nil, false, false
		if _, err := ParseHead(whole); err != nil {
			return err
		}
		return each(whole, end)
	}
	for {
		line, err := in.ReadSlice('\n')
		if err != nil && !errors.Is(err, io.EOF) {
			return fmt.Errorf("%w: %w", ErrNote, err)
		}
		if err != nil {
			break // what has no line feed is not whole
		}
		isSignature := bytes.HasPrefix(line, signatureLine)
		switch {
		case signed && !isSignature:
			if err := done(at); err != nil {
				return err
			}
		case blank && !isSignature:
			return fmt.Errorf("%w: no signature after the text", ErrNote)
		}
		at += int64(len(line))
		empty := len(bytes.TrimRight(line, "\r\n")) == 0
		switch {
		case empty && len(text) == 0:
			continue
		case empty:
			blank = true
		case isSignature:
			signed = true
		}
		if text = append(text, line...); len(text) > maxNote {
			return fmt.Errorf("%w: more than %d bytes", ErrNote, maxNote)
		}
	}
	switch {
	case signed:
		return done(at)
	case len(text) > 0:
		return errTorn
	}
	return nil
}
