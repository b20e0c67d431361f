package codec

import (
	"container/list"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"
)

// Key is a subject's data key, for AES-256-GCM.
type Key [32]byte

// Keys keeps one data key per subject: a user's id, a reservation's for a guest without an
// account, a restaurant's for what its people write for themselves, or a webhook's.
// Implementations are in internal/keystore and safe for concurrent use.
type Keys interface {
	// Ensure returns the subject's key and makes one if there is none; the key is durable
	// before it returns. ErrErased if the subject's key was dropped.
	Ensure(ctx context.Context, subject string) (Key, error)
	// Get returns the subject's key. ErrNoKey if there never was one, ErrErased if it was
	// dropped; any other error says nothing about the key.
	Get(ctx context.Context, subject string) (Key, error)
	// Drop destroys the subject's key for ever: Ensure refuses from now on. Dropping a key
	// twice, or one that never was, succeeds.
	Drop(ctx context.Context, subject string) error
}

var (
	// ErrNoKey says that a subject never had a key.
	ErrNoKey = errors.New("codec: subject has no key")
	// ErrErased says that a subject's key was dropped.
	ErrErased = errors.New("codec: subject was erased")
)

const (
	// ringSize bounds the keys remembered; each takes about 1 KiB.
	ringSize = 8192
	// ringAge bounds how long a key that another process dropped is still used here.
	ringAge = time.Minute
)

// ring seals and opens personal data, and remembers the ciphers of the subjects used last.
type ring struct {
	keys   Keys
	now    func() time.Time
	random io.Reader // nonces

	mu    sync.Mutex
	known map[string]*list.Element // of remembered
	used  *list.List               // the one used last in front
	drops uint64                   // counts drop, so that a key read before one is not remembered after it
}

type remembered struct {
	subject string
	aead    cipher.AEAD // nil: erased, which is for ever
	until   time.Time
}

func newRing(keys Keys, now func() time.Time) *ring {
	return &ring{keys: keys, now: now, random: rand.Reader, known: make(map[string]*list.Element), used: list.New()}
}

// cipher returns the subject's cipher, looking its key up with lookup if need be.
func (r *ring) cipher(ctx context.Context, subject string, lookup func(context.Context, string) (Key, error)) (cipher.AEAD, error) {
	aead, ok, drops := r.recall(subject)
	if ok {
		if aead == nil {
			return nil, ErrErased
		}
		return aead, nil
	}
	key, err := lookup(ctx, subject)
	if errors.Is(err, ErrErased) {
		r.remember(remembered{subject: subject}, drops)
	}
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(key[:])
	if err != nil {
		return nil, err
	}
	if aead, err = cipher.NewGCM(block); err != nil {
		return nil, err
	}
	r.remember(remembered{subject: subject, aead: aead, until: r.now().Add(ringAge)}, drops)
	return aead, nil
}

func (r *ring) recall(subject string) (aead cipher.AEAD, ok bool, drops uint64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	el, ok := r.known[subject]
	if !ok {
		return nil, false, r.drops
	}
	m := el.Value.(remembered)
	if m.aead != nil && !r.now().Before(m.until) {
		r.forget(el)
		return nil, false, r.drops
	}
	r.used.MoveToFront(el)
	return m.aead, true, r.drops
}

func (r *ring) remember(m remembered, drops uint64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if m.aead != nil && drops != r.drops {
		return
	}
	if el, ok := r.known[m.subject]; ok {
		r.forget(el)
	}
	r.known[m.subject] = r.used.PushFront(m)
	if r.used.Len() > ringSize {
		r.forget(r.used.Back())
	}
}

func (r *ring) forget(el *list.Element) {
	delete(r.known, el.Value.(remembered).subject)
	r.used.Remove(el)
}

func (r *ring) drop(ctx context.Context, subject string) error {
	if err := r.keys.Drop(ctx, subject); err != nil {
		return fmt.Errorf("codec: forget %s: %w", subject, err)
	}
	r.mu.Lock()
	r.drops++
	r.mu.Unlock()
	r.remember(remembered{subject: subject}, 0)
	return nil
}

// sealVersion begins every ciphertext: AES-256-GCM, a random nonce of 12 bytes, then the
// ciphertext and its tag.
const sealVersion = 1

func (r *ring) seal(ctx context.Context, subject string, at place, plain []byte) ([]byte, error) {
	aead, err := r.cipher(ctx, subject, r.keys.Ensure)
	if err != nil {
		return nil, fmt.Errorf("key of %s: %w", subject, err)
	}
	head := 1 + aead.NonceSize()
	out := make([]byte, head, head+len(plain)+aead.Overhead())
	out[0] = sealVersion
	if _, err := io.ReadFull(r.random, out[1:head]); err != nil {
		return nil, err
	}
	return aead.Seal(out, out[1:head], plain, at.bind()), nil
}

// open returns what seal was given. erased is true, and plain nil, where the key is gone.
func (r *ring) open(ctx context.Context, s sealed, at place) (plain []byte, erased bool, err error) {
	if s.Subject == "" {
		return nil, false, fmt.Errorf("%w: personal part without a subject", ErrCorrupt)
	}
	aead, err := r.cipher(ctx, s.Subject, r.keys.Get)
	switch {
	case errors.Is(err, ErrErased) || errors.Is(err, ErrNoKey):
		return nil, true, nil
	case err != nil:
		return nil, false, fmt.Errorf("key of %s: %w", s.Subject, err)
	}
	head := 1 + aead.NonceSize()
	if len(s.Personal) < head+aead.Overhead() || s.Personal[0] != sealVersion {
		return nil, false, fmt.Errorf("%w: personal part has an unknown form", ErrCorrupt)
	}
	plain, err = aead.Open(nil, s.Personal[1:head], s.Personal[head:], at.bind())
	if err != nil {
		return nil, false, fmt.Errorf("%w: personal part was not written for this event, or not with this key", ErrCorrupt)
	}
	return plain, false, nil
}

// erased reports whether a subject's key was dropped.
func (r *ring) erased(ctx context.Context, subject string) (bool, error) {
	_, err := r.cipher(ctx, subject, r.keys.Get)
	switch {
	case errors.Is(err, ErrErased):
		return true, nil
	case err != nil && !errors.Is(err, ErrNoKey):
		return false, fmt.Errorf("key of %s: %w", subject, err)
	}
	return false, nil
}

// bind is what a ciphertext is authenticated with, so that it opens in its own place only.
func (p place) bind() []byte {
	b := make([]byte, 0, 160)
	b = append(b, sealVersion)
	b = append(b, p.id[:]...)
	b = binary.AppendUvarint(b, uint64(len(p.stream)))
	b = append(b, p.stream...)
	return append(b, p.eventType...)
}
