package proof

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

var (
	// ErrNote says that a text is no checkpoint.
	ErrNote = errors.New("proof: not a checkpoint")
	// ErrSignature says that a checkpoint was not signed with the key asked for, or altered.
	ErrSignature = errors.New("proof: not signed with this key")
)

// maxSize is the largest log there can be. The library looks for the power of two below a
// size in signed numbers, and above this one would look for ever; a head of such a size can
// come from whoever has a key.
const maxSize = 1 << 62

// Head is the size and root of a log, as somebody signed it.
type Head struct {
	Origin string // names the log
	Size   uint64
	Root   Hash
	// Note is the checkpoint: the text and its signatures, as signed.
	Note []byte
}

// text is what is signed.
func (h Head) text() string {
	return h.Origin + "\n" + strconv.FormatUint(h.Size, 10) + "\n" + h.Root.String() + "\n"
}

// Key signs heads of one ledger's log, and names it.
type Key struct {
	signer   note.Signer
	verifier *Verifier
}

// NewKey makes the key that a secret of 32 bytes stands for: an Ed25519 key, and a name for
// the log that is drawn from its public half, so that no two ledgers have the same.
func NewKey(secret []byte) (*Key, error) {
	if len(secret) != ed25519.SeedSize {
		return nil, fmt.Errorf("proof: a secret of %d bytes, want %d", len(secret), ed25519.SeedSize)
	}
	public := ed25519.NewKeyFromSeed(secret).Public().(ed25519.PublicKey)
	sum := sha256.Sum256(public)
	name := "daybook/ledger/" + hex.EncodeToString(sum[:8])
	verifier, err := note.NewEd25519VerifierKey(name, public)
	if err != nil {
		return nil, fmt.Errorf("proof: %w", err)
	}
	v, err := ParseVerifier(verifier)
	if err != nil {
		return nil, err
	}
	const ed25519Keys = 1 // of the note format
	hash := strings.Split(verifier, "+")[1]
	signer, err := note.NewSigner("PRIVATE+KEY+" + name + "+" + hash + "+" +
		base64.StdEncoding.EncodeToString(append([]byte{ed25519Keys}, secret...)))
	if err != nil {
		return nil, fmt.Errorf("proof: %w", err)
	}
	return &Key{signer: signer, verifier: v}, nil
}

// Verifier is the public half.
func (k *Key) Verifier() *Verifier { return k.verifier }

// Sign signs a head of the key's own log.
func (k *Key) Sign(size uint64, root Hash) (Head, error) {
	h := Head{Origin: k.verifier.Name(), Size: size, Root: root}
	signed, err := note.Sign(&note.Note{Text: h.text()}, k.signer)
	if err != nil {
		return Head{}, fmt.Errorf("proof: sign: %w", err)
	}
	h.Note = signed
	return h, nil
}

// Verifier tells whether heads were signed with a key. It is what those who check have.
type Verifier struct {
	text string
	v    note.Verifier
}

// ParseVerifier reads a verifier key, name+hash+key as the note format writes it.
func ParseVerifier(text string) (*Verifier, error) {
	v, err := note.NewVerifier(text)
	if err != nil {
		return nil, fmt.Errorf("proof: %q is no verifier key: %w", text, err)
	}
	return &Verifier{text: text, v: v}, nil
}

// Name is that of the log the key signs for.
func (v *Verifier) Name() string { return v.v.Name() }

// String is the key as ParseVerifier reads it. It is no secret.
func (v *Verifier) String() string { return v.text }

// Open reads a checkpoint and checks its signature. Signatures by others, such as
// witnesses, may stand beside it. Errors: ErrNote, ErrSignature.
func (v *Verifier) Open(checkpoint []byte) (Head, error) {
	h, err := ParseHead(checkpoint)
	if err != nil {
		return Head{}, err
	}
	if _, err := note.Open(checkpoint, note.VerifierList(v.v)); err != nil {
		return Head{}, fmt.Errorf("%w %s: %w", ErrSignature, v.Name(), err)
	}
	if h.Origin != v.Name() {
		return Head{}, fmt.Errorf("%w: it is a head of %q, and the key signs for %q", ErrSignature, h.Origin, v.Name())
	}
	return h, nil
}

// ParseHead reads a checkpoint without checking who signed it. Error: ErrNote.
func ParseHead(checkpoint []byte) (Head, error) {
	text, _, found := bytes.Cut(checkpoint, []byte("\n\n"))
	lines := strings.Split(string(text), "\n")
	if !found || len(lines) < 3 || lines[0] == "" {
		return Head{}, fmt.Errorf("%w: want an origin, a size, a root and signatures", ErrNote)
	}
	size, err := strconv.ParseUint(lines[1], 10, 63)
	if err != nil || size > maxSize || strconv.FormatUint(size, 10) != lines[1] {
		return Head{}, fmt.Errorf("%w: %.40q is no size", ErrNote, lines[1])
	}
	root, err := tlog.ParseHash(lines[2])
	if err != nil || root.String() != lines[2] {
		return Head{}, fmt.Errorf("%w: %.60q is no root hash", ErrNote, lines[2])
	}
	return Head{Origin: lines[0], Size: size, Root: root, Note: bytes.Clone(checkpoint)}, nil
}

// maxNote bounds one checkpoint, with the signatures of witnesses.
const maxNote = 64 << 10

// SplitHeads takes a text apart that is one checkpoint or several, one behind the other
// with or without blank lines between. It stops at the first that is none, with ErrNote
// and those before it.
func SplitHeads(r io.Reader) (checkpoints [][]byte, err error) {
	// A text that was copied by hand often lacks its last line feed.
	err = eachNote(io.MultiReader(r, strings.NewReader("\n")), func(text []byte, _ int64) error {
		checkpoints = append(checkpoints, text)
		return nil
	})
	return checkpoints, err
}

// signatureLine begins each line of a signature.
var signatureLine = []byte("— ")
