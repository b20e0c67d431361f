package proof

import (
	"errors"
	"fmt"

	"golang.org/x/mod/sumdb/tlog"

	"daybook/eventstore"
	"daybook/eventstore/canon"
)

// ErrReceipt says that a receipt does not prove what it should.
var ErrReceipt = errors.New("proof: the receipt does not hold")

// Receipt proves by itself, to whoever has the verifier key, that an event is in the ledger:
// at which place, and with which contents. Hashes are standard base64.
type Receipt struct {
	Event      string   `json:"event" doc:"the event's canonical form: the bytes of this text are what is proved"`
	Index      uint64   `json:"index" doc:"of the event in the log, from 0"`
	Leaf       string   `json:"leaf" doc:"SHA-256 of a zero byte and the event's form, in base64"`
	Hashes     []string `json:"hashes" doc:"RFC 6962's audit path from the leaf to the root, in base64"`
	Checkpoint string   `json:"checkpoint" doc:"the signed head whose root the path leads to"`
}

// NewReceipt makes the receipt of an event under a signed head of the log. ErrReceipt if it
// is not the one that the log has at that index.
func (l *Log) NewReceipt(r eventstore.Record, index uint64, head Head) (Receipt, error) {
	form, err := canon.Form(r)
	if err != nil {
		return Receipt{}, err
	}
	e, err := l.Entry(index)
	if err != nil {
		return Receipt{}, err
	}
	if Hash(canon.Leaf(form)) != e.Leaf {
		return Receipt{}, fmt.Errorf("%w: event %d of the ledger is not what it was when the log took it", ErrReceipt, index)
	}
	hashes, err := l.Inclusion(index, head.Size)
	if err != nil {
		return Receipt{}, err
	}
	return Receipt{Event: string(form), Index: index, Leaf: e.Leaf.String(), Hashes: Texts(hashes), Checkpoint: string(head.Note)}, nil
}

// Texts are hashes in base64.
func Texts(hashes []Hash) []string {
	all := make([]string, len(hashes))
	for i, h := range hashes {
		all[i] = h.String()
	}
	return all
}

// Check tells what a receipt proves: the event, and the head that it is in. Errors: ErrNote,
// ErrSignature, ErrReceipt.
func (r Receipt) Check(v *Verifier) (canon.Line, Head, error) {
	head, err := v.Open([]byte(r.Checkpoint))
	if err != nil {
		return canon.Line{}, Head{}, err
	}
	event, err := canon.FromLine([]byte(r.Event))
	if err == nil && len(event.Form) != len(r.Event) {
		err = fmt.Errorf("%w: something stands beside the form", canon.ErrForm)
	}
	if err != nil {
		return canon.Line{}, head, fmt.Errorf("%w: the event is no canonical form: %w", ErrReceipt, err)
	}
	hashes := make([]Hash, len(r.Hashes))
	for i, text := range r.Hashes {
		if hashes[i], err = tlog.ParseHash(text); err != nil {
			return canon.Line{}, head, fmt.Errorf("%w: hash %d: %w", ErrReceipt, i, err)
		}
	}
	if err := CheckInclusion(head, r.Index, Hash(canon.Leaf(event.Form)), hashes); err != nil {
		return canon.Line{}, head, fmt.Errorf("%w: the event is not at %d in that head: %w", ErrReceipt, r.Index, err)
	}
	return event, head, nil
}
