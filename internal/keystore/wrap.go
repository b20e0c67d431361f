package keystore

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"strings"
)

// MasterKey wraps everything a store holds.
type MasterKey [32]byte

// ParseMasterKey reads 32 bytes in base 64, as an operator gives them. ErrMasterKey for
// anything else; the error never shows what was given.
func ParseMasterKey(s string) (MasterKey, error) {
	b, err := base64.StdEncoding.DecodeString(strings.TrimSpace(s))
	if err != nil || len(b) != len(MasterKey{}) {
		return MasterKey{}, fmt.Errorf("%w: want %d bytes in base 64", ErrMasterKey, len(MasterKey{}))
	}
	return MasterKey(b), nil
}

// String hides the key, so that it does not come into a log by accident.
func (MasterKey) String() string { return "(master key)" }

// GoString hides the key too.
func (k MasterKey) GoString() string { return k.String() }

// The labels tell apart what was wrapped: the key of one subject never passes for that of
// another, nor for a secret.
const (
	subjectLabel = "subject:"
	secretLabel  = "secret:"
)

// wrapVersion begins everything wrapped: AES-256-GCM, a random nonce of 12 bytes, the
// ciphertext and its tag.
const wrapVersion = 1

func newAEAD(master MasterKey) (cipher.AEAD, error) {
	block, err := aes.NewCipher(master[:])
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}

func wrap(master cipher.AEAD, label string, plain [32]byte) ([]byte, error) {
	head := 1 + master.NonceSize()
	out := make([]byte, head, head+len(plain)+master.Overhead())
	out[0] = wrapVersion
	if _, err := rand.Read(out[1:head]); err != nil {
		return nil, err
	}
	return master.Seal(out, out[1:head], plain[:], []byte(label)), nil
}

func unwrap(master cipher.AEAD, label string, wrapped []byte) (plain [32]byte, err error) {
	head := 1 + master.NonceSize()
	if len(wrapped) != head+len(plain)+master.Overhead() || wrapped[0] != wrapVersion {
		return plain, fmt.Errorf("keystore: %s is kept in an unknown form", label)
	}
	b, err := master.Open(nil, wrapped[1:head], wrapped[head:], []byte(label))
	if err != nil {
		return plain, fmt.Errorf("%w: %s does not open with it", ErrMasterKey, label)
	}
	return [32]byte(b), nil
}
