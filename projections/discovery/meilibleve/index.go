package meilibleve

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/blevesearch/bleve/v2"
	"github.com/blevesearch/bleve/v2/index/scorch"
)

// entry is what the catalogue keeps of an index, under its uid.
type entry struct {
	Folder     string    `json:"folder"` // below the engine's; "" in memory
	PrimaryKey string    `json:"primaryKey"`
	CreatedAt  time.Time `json:"createdAt"`
	Settings   settings  `json:"settings"`
}

// table is an open index. Its content changes under the engine's write lock only; who
// reads it holds use, so that it is not closed meanwhile.
type table struct {
	entry
	path  string // of its folder; "" in memory
	bleve bleve.Index
	vocab *vocabulary
	use   sync.RWMutex

	mu        sync.Mutex
	order     uint64 // of the last document that came for the first time
	updatedAt time.Time
	batches   int // since it was opened, for memory's compaction
	fields    map[string]bool
}

// What the index keeps beside documents, in the batch that changes it.
var (
	orderKey   = []byte("daybook.order")
	updatedKey = []byte("daybook.updated")
)

// lockTimeout bounds the wait for a file that another process has locked.
const lockTimeout = "500ms"

func createTable(path string, e entry, now time.Time) (*table, error) {
	// Without a path Scorch keeps its segments in memory. Bleve's own NewMemOnly takes another
	// kind of index, which leaves goroutines behind.
	b, err := bleve.NewUsing(path, bleve.NewIndexMapping(), scorch.Name, scorch.Name, map[string]any{"bolt_timeout": lockTimeout})
	if err != nil {
		return nil, fmt.Errorf("meilibleve: make index: %w", err)
	}
	return &table{entry: e, path: path, bleve: b, vocab: newVocabulary(), updatedAt: now}, nil
}

func openTable(path string, e entry) (*table, error) {
	b, err := bleve.OpenUsing(path, map[string]any{"bolt_timeout": lockTimeout})
	if err != nil {
		return nil, fmt.Errorf("meilibleve: open index: %w", err)
	}
	t := &table{entry: e, path: path, bleve: b, vocab: newVocabulary(), updatedAt: e.CreatedAt}
	if err := t.load(); err != nil {
		return nil, errors.Join(err, b.Close())
	}
	return t, nil
}

// load reads what is kept beside documents, and the words.
func (t *table) load() error {
	order, err := t.bleve.GetInternal(orderKey)
	if err != nil {
		return err
	}
	if len(order) == 8 {
		t.order = binary.BigEndian.Uint64(order)
	}
	updated, err := t.bleve.GetInternal(updatedKey)
	if err != nil {
		return err
	}
	if len(updated) == 8 {
		t.updatedAt = time.Unix(0, int64(binary.BigEndian.Uint64(updated))).UTC()
	}
	if err := t.seen(); err != nil {
		return err
	}
	dict, err := t.bleve.FieldDict(wordsField)
	if err != nil {
		return err
	}
	var all []string
	for {
		e, err := dict.Next()
		if err != nil {
			return errors.Join(err, dict.Close())
		}
		if e == nil {
			break
		}
		all = append(all, e.Term)
	}
	t.vocab.add(all)
	return dict.Close()
}

// has tells whether any document may have a field of Bleve's.
func (t *table) has(field string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.fields[field]
}

// seen notes the fields that Bleve has, where more were written.
func (t *table) seen() error {
	fields, err := t.bleve.Fields()
	if err != nil {
		return err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.fields = make(map[string]bool, len(fields))
	for _, f := range fields {
		t.fields[f] = true
	}
	return nil
}

// close waits for those who read, and ends the index.
func (t *table) close() error {
	t.use.Lock()
	defer t.use.Unlock()
	return t.bleve.Close()
}

// drop is close, and its folder goes.
func (t *table) drop() error {
	err := t.close()
	if t.path != "" {
		err = errors.Join(err, os.RemoveAll(t.path))
	}
	return err
}

// get reads a document.
func (t *table) get(id string) (sequenced, bool, error) {
	doc, err := t.bleve.Document(id)
	if err != nil || doc == nil {
		return sequenced{}, false, err
	}
	d, err := readSource(doc)
	return d, err == nil, err
}

func (t *table) count() (uint64, error) { return t.bleve.DocCount() }

func (t *table) touch(now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.updatedAt = now
}

func (t *table) updated() time.Time {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.updatedAt
}

// change is what one task does to the documents.
type change struct {
	ids  []string          // in the order they came
	docs map[string]source // nil for one that goes
}

func (c *change) set(id string, doc source) {
	if c.docs == nil {
		c.docs = make(map[string]source)
	}
	if _, known := c.docs[id]; !known {
		c.ids = append(c.ids, id)
	}
	c.docs[id] = doc
}

// write applies a change as one batch: all of it is durable and found by searches when
// write returns, or nothing is.
func (t *table) write(c change, now time.Time) error {
	batch := t.bleve.NewBatch()
	order := t.order
	var found []string
	for _, id := range c.ids {
		doc := c.docs[id]
		if doc == nil {
			batch.Delete(id)
			continue
		}
		d, known, err := t.get(id)
		if err != nil {
			return err
		}
		if !known {
			order++
			d.order = order
		}
		d.doc = doc
		laid, words, err := layout(id, d, t.Settings)
		if err != nil {
			return err
		}
		if err := batch.IndexAdvanced(laid); err != nil {
			return err
		}
		found = append(found, words...)
	}
	return t.commit(batch, order, now, found)
}

func (t *table) commit(batch *bleve.Batch, order uint64, now time.Time, found []string) error {
	batch.SetInternal(orderKey, binary.BigEndian.AppendUint64(nil, order))
	batch.SetInternal(updatedKey, binary.BigEndian.AppendUint64(nil, uint64(now.UnixNano())))
	if err := t.bleve.Batch(batch); err != nil {
		return err
	}
	t.vocab.add(found)
	t.mu.Lock()
	t.order, t.updatedAt = order, now
	t.batches++
	t.mu.Unlock()
	return t.seen()
}

// copyTo lays the documents out again in another table, under its settings.
func (t *table) copyTo(ctx context.Context, to *table) error {
	const atOnce = 1000
	batch, n := to.bleve.NewBatch(), 0
	var found []string
	err := t.each(ctx, func(id string, d sequenced) error {
		laid, words, err := layout(id, d, to.Settings)
		if err != nil {
			return err
		}
		if err := batch.IndexAdvanced(laid); err != nil {
			return err
		}
		found = append(found, words...)
		if n++; n%atOnce != 0 {
			return nil
		}
		err = to.commit(batch, t.order, t.updatedAt, found)
		batch, found = to.bleve.NewBatch(), nil
		return err
	})
	if err != nil {
		return err
	}
	return to.commit(batch, t.order, t.updatedAt, found)
}

// each calls f for every document, in no order, until it fails or ctx ends.
func (t *table) each(ctx context.Context, f func(id string, d sequenced) error) (err error) {
	advanced, err := t.bleve.Advanced()
	if err != nil {
		return err
	}
	reader, err := advanced.Reader()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, reader.Close()) }()
	ids, err := reader.DocIDReaderAll()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, ids.Close()) }()
	for {
		internal, err := ids.Next()
		if err != nil || internal == nil {
			return err
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		id, err := reader.ExternalID(internal)
		if err != nil {
			return err
		}
		doc, err := reader.Document(id)
		if err != nil {
			return err
		}
		if doc == nil {
			continue
		}
		d, err := readSource(doc)
		if err != nil {
			return err
		}
		if err := f(id, d); err != nil {
			return err
		}
	}
}
