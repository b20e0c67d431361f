package discovery

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/meilisearch/meilisearch-go"

	"daybook/eventstore"
	"daybook/eventstore/feed"
	"daybook/projections"
)

// Version is that of the documents and their settings.
func (v *View) Version() string { return indexVersion }

// Rebuild implements projections.Rebuildable.
func (v *View) Rebuild(ctx context.Context, build string) (projections.Rebuilding, error) {
	if err := v.ix.Setup(ctx); err != nil {
		return projections.Rebuilding{}, err
	}
	w, err := v.ix.beginRebuild(ctx, build)
	if err != nil {
		return projections.Rebuilding{}, err
	}
	return v.rebuilding(w), nil
}

// Kept implements projections.Rebuildable.
func (v *View) Kept(ctx context.Context) (projections.Rebuilding, error) {
	live, beside, there, err := v.ix.both(ctx)
	if err != nil {
		return projections.Rebuilding{}, err
	}
	if !there || live.origin.Replaces != beside.origin.Build {
		return projections.Rebuilding{}, fmt.Errorf("discovery: %w", projections.ErrNothingKept)
	}
	// Put back, it replaces what replaced it, so that this can be undone in turn.
	beside.origin.Replaces = live.origin.Build
	beside.mu.Lock()
	err = beside.write(ctx, Changes{To: beside.at})
	beside.mu.Unlock()
	if err != nil {
		return projections.Rebuilding{}, err
	}
	return v.rebuilding(beside), nil
}

func (v *View) rebuilding(w *Writer) projections.Rebuilding {
	fresh := v.ix.view(v.store, v.codec, w)
	fresh.ready = true
	return projections.Rebuilding{
		View:    fresh,
		Compare: func(ctx context.Context) ([]projections.Compared, error) { return v.compare(ctx, fresh) },
		Swap: func(ctx context.Context) error {
			// There is no conditional swap: between this and the swap the live index may move on,
			// and what it gained then is brought again a moment later.
			if _, err := v.meet(ctx, fresh); err != nil {
				return err
			}
			return w.takePlace(ctx)
		},
		Abandon: func(ctx context.Context) error {
			w.forget()
			return v.ix.drop(ctx, w.uid)
		},
	}
}

// both reads where the live index and the one beside it stand and come from; there is false
// where none is beside it.
func (ix *Index) both(ctx context.Context) (live, beside *Writer, there bool, err error) {
	live, beside = ix.Writer(), &Writer{ix: ix, uid: ix.name + besideSuffix}
	if _, err := live.Checkpoint(ctx); err != nil {
		return nil, nil, false, err
	}
	_, err = ix.service.GetIndexWithContext(ctx, beside.uid)
	switch {
	case hasCode(err, codeIndexNotFound):
		return live, beside, false, nil
	case err != nil:
		return nil, nil, false, fmt.Errorf("discovery: look at %s: %w", beside.uid, opened(err))
	}
	_, err = beside.Checkpoint(ctx)
	return live, beside, true, err
}

// beginRebuild returns the writer of the index that a rebuild of this build left unfinished,
// else of a new one.
func (ix *Index) beginRebuild(ctx context.Context, build string) (*Writer, error) {
	live, beside, there, err := ix.both(ctx)
	if err != nil {
		return nil, err
	}
	replaced := live.origin.Replaces == beside.origin.Build
	if there && !replaced && beside.origin.Replaces == live.origin.Build && strings.HasPrefix(beside.origin.Build, build+"/") {
		return beside, nil
	}
	if err := ix.drop(ctx, beside.uid); err != nil {
		return nil, err
	}
	if err := ix.setup(ctx, beside.uid); err != nil {
		return nil, err
	}
	w := &Writer{ix: ix, uid: beside.uid, loaded: true, origin: origin{Build: build + "/" + rand.Text(), Replaces: live.origin.Build}}
	// Written at once, so that the indexes can be told apart from now on.
	if err := w.write(ctx, Changes{}); err != nil {
		return nil, errors.Join(err, ix.drop(context.WithoutCancel(ctx), w.uid))
	}
	return w, nil
}

// takePlace puts the index in the live one's place, with its checkpoint, in one step; the
// live one then lies beside. After an error it may be called again: it never swaps back.
func (w *Writer) takePlace(ctx context.Context) error {
	if err := w.Flush(ctx); err != nil {
		return err
	}
	live := w.ix.Writer()
	if _, err := live.Checkpoint(ctx); err != nil {
		return err
	}
	if live.origin.Build == w.origin.Build {
		return nil
	}
	swap := []*meilisearch.SwapIndexesParams{{Indexes: []string{live.uid, w.uid}}}
	if err := w.ix.task(ctx)(w.ix.service.SwapIndexesWithContext(ctx, swap)); err != nil {
		return fmt.Errorf("discovery: swap in %s: %w", w.uid, err)
	}
	return nil
}

// forget ends the writer: nothing is written to its index any more.
func (w *Writer) forget() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.halt()
	w.loaded = false
}

// meetings bounds how often a live index that moves on is compared again.
const meetings = 20

// compare holds the documents of the copy against those of the live index, both at the head
// of the ledger. Where they differ because the live one moved on meanwhile, it looks again.
func (v *View) compare(ctx context.Context, fresh *View) ([]projections.Compared, error) {
	live := v.ix.View(v.store, v.codec)
	for n := 1; ; n++ {
		at, err := live.Checkpoint(ctx)
		if err != nil {
			return nil, err
		}
		meeting := []*View{fresh, live}
		err = at.Check(ctx, v.store)
		estranged := errors.Is(err, feed.ErrEstranged)
		switch {
		case estranged:
			meeting = meeting[:1] // it knows what was lost when the ledger was put back
		case err != nil:
			return nil, err
		}
		head, err := v.meet(ctx, meeting...)
		if err != nil {
			return nil, err
		}
		was, err := v.ix.digests(ctx, live.writer.uid)
		if err != nil {
			return nil, err
		}
		is, err := v.ix.digests(ctx, fresh.writer.uid)
		if err != nil {
			return nil, err
		}
		c := projections.Compared{What: "documents", Entries: uint64(len(is))}
		for id, d := range was {
			if is[id] != d {
				c.OnlyLive++
			}
		}
		for id, d := range is {
			if was[id] != d {
				c.OnlyCopy++
			}
		}
		if c.Equal() || n == meetings || estranged {
			return []projections.Compared{c}, nil
		}
		again, _, _, err := v.ix.both(ctx)
		if err != nil {
			return nil, err
		}
		if live.writer.reached().Position == head && again.at.Position == head {
			return []projections.Compared{c}, nil
		}
	}
}

// meet brings views to the head of the ledger; one that others feed as well may be there, or
// further, already.
func (v *View) meet(ctx context.Context, views ...*View) (head eventstore.Position, err error) {
	newest, err := feed.Newest(ctx, v.store)
	if err != nil {
		return 0, err
	}
	head = newest.Position
	for i, behind := range views {
		at := behind.writer.reached().Position
		if at >= head {
			continue
		}
		if err := projections.Follow(ctx, v.store, behind, at, head); err != nil && (i == 0 || !errors.Is(err, projections.ErrMoved)) {
			return 0, err
		}
	}
	return head, nil
}

func (w *Writer) reached() feed.Place {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.at
}

// after is where the index stands when it has b.
func (w *Writer) after(b eventstore.Batch) feed.Place { return w.reached().After(b) }

// digestPage is how many documents are read at once.
const digestPage = 1000

// digests reads all documents of an index but its checkpoint, as hashes by id.
func (ix *Index) digests(ctx context.Context, uid string) (map[string][sha256.Size]byte, error) {
	all := make(map[string][sha256.Size]byte)
	for offset := int64(0); ; offset += digestPage {
		var page meilisearch.DocumentsResult
		err := ix.service.Index(uid).GetDocumentsWithContext(ctx, &meilisearch.DocumentsQuery{Offset: offset, Limit: digestPage}, &page)
		if err != nil {
			return nil, fmt.Errorf("discovery: read the documents of %s: %w", uid, opened(err))
		}
		for _, h := range page.Results {
			var d Document
			if err := h.DecodeInto(&d); err != nil {
				return nil, fmt.Errorf("discovery: read the documents of %s: %w", uid, err)
			}
			text, err := json.Marshal(d)
			if err != nil {
				return nil, err
			}
			if d.ID != checkpointID {
				all[string(d.ID)] = sha256.Sum256(text)
			}
		}
		if len(page.Results) < digestPage {
			return all, nil
		}
	}
}
