package discovery

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/meilisearch/meilisearch-go"

	"daybook/domain"
	"daybook/eventstore"
	"daybook/eventstore/feed"
	"daybook/projections"
)

// checkpointID is the id of the document that holds the checkpoint: no restaurant's.
const checkpointID = "checkpoint"

// checkpoint stands among the documents. It has no status, so no search returns it. The
// position is text, as JSON's numbers are not exact up to its range.
type checkpoint struct {
	ID       string `json:"id"`
	Position string `json:"position"`
	Record   string `json:"record"` // a feed.Mark
	origin
}

// origin is where an index comes from. It stays while the index is written to and moves with
// it in a swap, so that the indexes can be told apart whatever happens between two steps.
type origin struct {
	Build    string `json:"build"`    // which rebuild made it: the program's name, / and chance; empty for none
	Replaces string `json:"replaces"` // the Build of the index that it is to replace, or did
}

// Writer brings one index forward. Checkpoint and Apply are for one goroutine at a time;
// several Writers of one index, in one process or many, notice each other.
type Writer struct {
	ix     *Index
	uid    string
	origin origin

	mu     sync.Mutex
	loaded bool                // stored and at are known
	stored eventstore.Position // the checkpoint that this writer last saw in the index
	at     feed.Place          // all up to here is in the index
	tried  eventstore.Position // the checkpoint of a write whose outcome is not known, else 0
	timer  *time.Timer         // runs while at is ahead of stored
}

// Writer makes a writer of the live index. Setup comes first.
func (ix *Index) Writer() *Writer { return &Writer{ix: ix, uid: ix.name} }

// Changes is what a part of the ledger does to the index.
type Changes struct {
	// To is where the index stands afterwards.
	To feed.Place
	// Upserts are documents as they are at To, or at any later time.
	Upserts []Document
	Deletes []domain.RestaurantID
}

// Checkpoint reads where the index stands; eventstore.Start for an empty one. Apply goes on
// from there.
func (w *Writer) Checkpoint(ctx context.Context) (feed.Place, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.load(ctx)
}

func (w *Writer) load(ctx context.Context) (feed.Place, error) {
	var c checkpoint
	err := w.index().GetDocumentWithContext(ctx, checkpointID, nil, &c)
	switch {
	case hasCode(err, codeDocumentNotFound):
		c.Position = "0"
	case err != nil:
		return feed.Place{}, fmt.Errorf("discovery: read checkpoint of %s: %w", w.uid, opened(err))
	}
	at, err := parsePosition(c.Position)
	if err != nil {
		return feed.Place{}, err
	}
	mark, err := feed.ParseMark(c.Record)
	if err != nil {
		return feed.Place{}, err
	}
	w.stored, w.at, w.tried, w.origin, w.loaded = at, feed.Place{Position: at, Record: mark}, 0, c.origin, true
	return w.at, nil
}

func parsePosition(text string) (eventstore.Position, error) {
	at, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		return 0, fmt.Errorf("discovery: the checkpoint %.40q is no position: %w", text, err)
	}
	return eventstore.Position(at), nil
}

func (w *Writer) index() meilisearch.IndexManager { return w.ix.service.Index(w.uid) }

// Apply writes changes, and has succeeded when they are found by searches and are durable.
// Where there are none, the checkpoint alone moves, and is written within CheckpointEvery:
// what would be lost is brought again. Positions at or before the one reached are passed
// over. After an error the same changes may come again.
//
// Errors: projections.ErrMoved if the checkpoint is not where this writer left it, or was
// not asked for yet; then nothing was written, and Checkpoint says where to go on. Else the
// engine's.
func (w *Writer) Apply(ctx context.Context, c Changes) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.loaded {
		return fmt.Errorf("discovery: where %s stands is not known: %w", w.uid, projections.ErrMoved)
	}
	if c.To.Position <= w.at.Position {
		return nil
	}
	if len(c.Upserts) == 0 && len(c.Deletes) == 0 {
		w.at = c.To
		w.later()
		return nil
	}
	return w.write(ctx, c)
}

// write sends changes and checkpoint, in the order that keeps the promise of Apply.
func (w *Writer) write(ctx context.Context, c Changes) error {
	is, err := w.standing(ctx, c.Upserts)
	if err != nil {
		return err
	}
	if w.tried != 0 && is.position == w.tried {
		w.stored, w.at.Position = w.tried, max(w.at.Position, w.tried) // it had happened
	}
	w.tried = 0
	if is.position != w.stored {
		w.loaded = false
		return fmt.Errorf("discovery: the checkpoint of %s is at %d, not at %d: %w", w.uid, is.position, w.stored, projections.ErrMoved)
	}
	if len(c.Deletes) > 0 {
		ids := make([]string, len(c.Deletes))
		for i, id := range c.Deletes {
			ids[i] = string(id)
		}
		if err := w.ix.task(ctx)(w.index().DeleteDocumentsWithContext(ctx, ids, nil)); err != nil {
			return fmt.Errorf("discovery: delete from %s: %w", w.uid, err)
		}
	}
	batch := make([]any, 0, len(c.Upserts)+1)
	for _, d := range c.Upserts {
		if d.Features == nil {
			d.Features = []string{}
		}
		if there, known := is.revisions[string(d.ID)]; !known || d.Revision >= there {
			batch = append(batch, d)
		}
	}
	batch = append(batch, checkpoint{ID: checkpointID, Position: strconv.FormatUint(uint64(c.To.Position), 10), Record: c.To.Record.String(), origin: w.origin})
	key := "id"
	if err := w.ix.task(ctx)(w.index().AddDocumentsWithContext(ctx, batch, &meilisearch.DocumentOptions{PrimaryKey: &key})); err != nil {
		w.tried = c.To.Position // it may have happened all the same, or happen yet
		return fmt.Errorf("discovery: write to %s up to position %d: %w", w.uid, c.To.Position, err)
	}
	w.stored, w.at = c.To.Position, c.To
	return nil
}

// standing is what an index has of some documents, and its checkpoint.
type standing struct {
	position  eventstore.Position
	revisions map[string]uint64 // by document id
}

// standing reads the checkpoint and what is there of docs, in one request.
func (w *Writer) standing(ctx context.Context, docs []Document) (standing, error) {
	ids := []string{checkpointID}
	for _, d := range docs {
		ids = append(ids, string(d.ID))
	}
	var there meilisearch.DocumentsResult
	err := w.index().GetDocumentsWithContext(ctx, &meilisearch.DocumentsQuery{
		Ids: ids, Limit: int64(len(ids)), Fields: []string{"id", "revision", "position"},
	}, &there)
	if err != nil {
		return standing{}, fmt.Errorf("discovery: read what is in %s: %w", w.uid, opened(err))
	}
	is := standing{revisions: make(map[string]uint64)}
	for _, h := range there.Results {
		var d struct {
			checkpoint
			Revision uint64 `json:"revision"`
		}
		if err := h.DecodeInto(&d); err != nil {
			return standing{}, fmt.Errorf("discovery: read what is in %s: %w", w.uid, err)
		}
		if d.ID != checkpointID {
			is.revisions[d.ID] = d.Revision
			continue
		}
		if is.position, err = parsePosition(d.Position); err != nil {
			return standing{}, err
		}
	}
	return is, nil
}

// later has the checkpoint written in a while, unless that happens with documents before.
func (w *Writer) later() {
	if w.timer != nil {
		return
	}
	w.timer = time.AfterFunc(w.ix.every, func() {
		// Nobody waits for it: an error shows when the checkpoint is next written or read.
		ctx, cancel := context.WithTimeout(context.Background(), requestTimeout)
		defer cancel()
		_ = w.Flush(ctx)
	})
}

// Flush writes the checkpoint if it has moved since it was last written, for example before
// the process ends. Errors as Apply.
func (w *Writer) Flush(ctx context.Context) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.halt()
	if !w.loaded || w.at.Position == w.stored {
		return nil
	}
	return w.write(ctx, Changes{To: w.at})
}

// halt ends the wait of a checkpoint for being written. The caller holds mu.
func (w *Writer) halt() {
	if w.timer != nil {
		w.timer.Stop()
		w.timer = nil
	}
}

// drop drops an index, if it is there.
func (ix *Index) drop(ctx context.Context, uid string) error {
	err := ix.task(ctx)(ix.service.DeleteIndexWithContext(ctx, uid))
	if err != nil && !hasCode(err, codeIndexNotFound) {
		return fmt.Errorf("discovery: drop %s: %w", uid, err)
	}
	return nil
}
