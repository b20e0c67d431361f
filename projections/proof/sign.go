package proof

import (
	"context"
	"errors"
	"fmt"
	"sort"
	"time"
)

// ErrBuilding says that a log has not come as far yet as the newest head that was signed:
// it is being built anew, and nothing is signed meanwhile.
var ErrBuilding = errors.New("proof: the log is being built and has not reached the newest signed head")

// ForkError says that the log does not contain a head that was signed: the ledger is not
// the one that was signed, or the file of heads is another's. Nothing is signed from then
// on, until the log is built from the ledger that was signed.
type ForkError struct {
	// Signed is the newest head kept.
	Signed Head
	// Size is how many events the log had when it was found out.
	Size uint64
	// From and To are kept heads between which the log parts from what was signed: the
	// largest that it still contains, of size 0 for none, and the smallest that it does not.
	From, To uint64
}

func (e *ForkError) Error() string {
	if e.Size < e.Signed.Size {
		return fmt.Sprintf("proof: the ledger ends after %d events, and a head of %d was signed: events are missing", e.Size, e.Signed.Size)
	}
	return fmt.Sprintf("proof: the ledger is not the one whose head of size %d was signed; it parts from it behind event %d and before event %d; daybook verify tells more",
		e.Signed.Size, e.From, e.To)
}

// Fault is why nothing is signed: nil, a *ForkError, or the disk's error in finding out.
func (v *View) Fault() error {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.fault
}

// Newest is the newest head that was signed, and whether there is one.
func (v *View) Newest() (Head, bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.kept.newest, v.kept.newest.Note != nil
}

// Verifier is the key that heads are checked with.
func (v *View) Verifier() *Verifier { return v.key.Verifier() }

// judge holds the log to the newest head kept. Once it agrees it does so for ever: leaves
// are only added. An error is the disk's; a fork is kept as the view's fault, and does not
// keep the log from going on.
func (v *View) judge(b *builder, live bool) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.agreed || v.live.Load() != b {
		return nil
	}
	newest, size := v.kept.newest, b.log.Size()
	if size < newest.Size && !live {
		return nil
	}
	root := Hash{}
	if size >= newest.Size {
		var err error
		if root, err = b.log.Root(newest.Size); err != nil {
			return err
		}
		if newest.Note == nil || root == newest.Root {
			if v.fault != nil {
				v.log.Info("proof: the ledger contains the newest signed head again", "size", newest.Size)
			}
			v.agreed, v.fault = true, nil
			return nil
		}
	}
	var known *ForkError
	if errors.As(v.fault, &known) && (known.Size < newest.Size) == (size < newest.Size) {
		return nil // it was told
	}
	fork := &ForkError{Signed: newest, Size: size}
	var err error
	if fork.From, fork.To, err = v.partedBetween(b.log); err != nil {
		return err
	}
	v.fault = fork
	v.log.Error("proof: the ledger is not the one that was signed; no head is signed any more", "error", fork,
		"signed", newest.Size, "root", newest.Root.String(), "events", size, "found", root.String())
	return nil
}

// partedBetween finds the heads kept between which a log parts from what was signed.
func (v *View) partedBetween(log *Log) (from, to uint64, err error) {
	heads, err := v.kept.heads()
	if err != nil {
		return 0, 0, err
	}
	first := sort.Search(len(heads), func(i int) bool {
		root, wrong := log.Root(heads[i].Size)
		if wrong != nil && !errors.Is(wrong, ErrSize) {
			err = wrong
		}
		return wrong != nil || root != heads[i].Root
	})
	if first > 0 {
		from = heads[first-1].Size
	}
	if first < len(heads) {
		to = heads[first].Size
	}
	return from, to, err
}

// Sign answers with a signed head of at least size covering: the newest that was signed, or
// a new one of all that the log holds, which is kept before it is shown. A new one is
// signed at most once per Options.Spacing; who comes sooner waits, all for the same one.
//
// Errors: ErrSize where the log has not as many events, ErrBuilding, *ForkError, ctx's, the
// disk's.
func (v *View) Sign(ctx context.Context, covering uint64) (Head, error) {
	select {
	case v.signing <- struct{}{}:
		defer func() { <-v.signing }()
	case <-ctx.Done():
		return Head{}, ctx.Err()
	}
	if err := v.Fault(); err != nil {
		return Head{}, err
	}
	newest, some := v.Newest()
	if some && newest.Size >= covering {
		return newest, nil
	}
	if rest := v.space - time.Since(v.signed); rest > 0 && !v.signed.IsZero() {
		t := time.NewTimer(rest)
		defer t.Stop()
		select {
		case <-t.C:
		case <-ctx.Done():
			return Head{}, ctx.Err()
		}
	}
	return v.sign(covering)
}

// sign signs a head of what the log holds.
func (v *View) sign(covering uint64) (Head, error) {
	b := v.live.Load()
	if err := v.judge(b, false); err != nil {
		return Head{}, err
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	switch size := b.log.Size(); {
	case v.live.Load() != b: // it was replaced meanwhile, and who agreed is the other one
		return Head{}, ErrBuilding
	case v.fault != nil:
		return Head{}, v.fault
	case !v.agreed:
		return Head{}, ErrBuilding
	case size < covering:
		return Head{}, fmt.Errorf("%w: %d of %d", ErrSize, covering, size)
	case v.kept.newest.Note != nil && v.kept.newest.Size == size:
		return v.kept.newest, nil
	default:
		root, err := b.log.Root(size)
		if err != nil {
			return Head{}, err
		}
		h, err := v.key.Sign(size, root)
		if err != nil {
			return Head{}, err
		}
		if err := v.kept.keep(h); err != nil {
			return Head{}, err
		}
		v.signed = time.Now()
		return h, nil
	}
}

// SignedWithin is Sign of all that the log holds, unless a head was signed less than age ago
// by this view, which then is the answer.
func (v *View) SignedWithin(ctx context.Context, age time.Duration) (Head, error) {
	v.mu.Lock()
	newest, recent := v.kept.newest, !v.signed.IsZero() && time.Since(v.signed) < age
	fault := v.fault
	v.mu.Unlock()
	if recent && fault == nil {
		return newest, nil
	}
	return v.Sign(ctx, v.Log().Size())
}

// KeepSigning signs a head every interval, where there is more to sign than before, until
// ctx ends, and then a last one.
func (v *View) KeepSigning(ctx context.Context, every time.Duration) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for ended := false; !ended; {
		select {
		case <-tick.C:
		case <-ctx.Done():
			ended = true
		}
		v.signing <- struct{}{}
		_, err := v.sign(0)
		<-v.signing
		var fork *ForkError
		if err != nil && !errors.Is(err, ErrBuilding) && !errors.As(err, &fork) { // a fork was told loudly
			v.log.Error("proof: no head could be signed", "error", err)
		}
	}
}
