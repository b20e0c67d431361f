// Package discovery is the view that guests find restaurants in: one document a restaurant
// in a Meilisearch index, searched by text, cuisine, place, rating and price.
//
// What belongs here: the document, the index and its settings, the queries the API asks of
// it, the projector that fills it from the ledger, and its rebuilding. Which tables are free
// is availability's, who may change a restaurant is commands'. Nothing here decides: no
// write is ever judged by a document.
//
// # Two ends, one code path
//
// All goes through the official client. Where there is no Meilisearch, the client talks to
// discovery/meilibleve, which answers its API in this process.
//
// # Documents and checkpoint together
//
// How far the index has come stands in the index itself, in a document of its own that no
// search returns. Documents and checkpoint are sent in one request, thus are one task,
// which happens wholly or not at all; Apply returns when the task has succeeded. Deletions,
// which the protocol takes in another task, go before it. So the checkpoint never says more
// than is there. It may say less: then the tail of the ledger comes again, which does no
// harm.
//
// # Never backwards
//
// A document carries the revision of its restaurant's stream. Before it writes, Apply reads
// the revisions that are there, together with the checkpoint, and leaves out what is older.
// If the checkpoint is not where this writer left it, somebody else has been at work, or a
// rebuilt index was swapped in: it writes nothing and says projections.ErrMoved, and the
// runner goes on from the checkpoint that is there. Meilisearch has no conditional write, so
// a second writer can slip in between the read and the write, and put an older document in
// place of a newer one; but then it has put back the checkpoint too, in the same task, and
// what lies between is applied again by whoever comes next. What always holds is that every
// document is at least as new as the checkpoint says.
//
// # Versions and rebuilding
//
// The index's name ends in the view's version. A rebuild fills "…_beside" and changes over
// the names, which takes documents, settings and checkpoint along in one step. What was
// live then lies beside until the next rebuild begins, and can be put back.
package discovery

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/meilisearch/meilisearch-go"

	"daybook/domain"
	"daybook/domain/restaurant"
)

// DefaultName is the live index's uid. A change to Document or to the settings which the
// documents there do not fit takes a new version.
const DefaultName = "restaurants_v" + indexVersion

const indexVersion = "1"

// besideSuffix names the index that a rebuild fills, or that the last one replaced.
const besideSuffix = "_beside"

const (
	// requestTimeout bounds a request where its context does not.
	requestTimeout = 30 * time.Second
	// taskTimeout bounds the wait for a task where the context does not. What it cannot know
	// then is applied again.
	taskTimeout = time.Minute
	// taskPoll is how often a task is asked after, first at once.
	taskPoll = 10 * time.Millisecond
)

// Document is a restaurant as searches see it.
type Document struct {
	ID              domain.RestaurantID `json:"id"`
	Name            string              `json:"name"`
	Cuisine         string              `json:"cuisine"`
	Address         string              `json:"address"`
	City            string              `json:"city"`
	State           string              `json:"state"`
	Zip             string              `json:"zip"`
	Geo             *Point              `json:"_geo"`       // nil where it is not known
	TimeZone        string              `json:"timeZone"`   // IANA name
	PriceLevel      int                 `json:"priceLevel"` // 1 to 4; 0 where it is not told
	Features        []string            `json:"features"`
	Description     string              `json:"description"`
	SeatingCapacity int                 `json:"seatingCapacity"` // seats at all tables
	MaxParty        int                 `json:"maxParty"`        // the largest party that can be seated
	Rating          *float64            `json:"rating"`          // 1 to 5; nil before the first review
	Reviews         int                 `json:"reviews"`         // how many the rating is made of
	Status          restaurant.Status   `json:"status"`
	Revision        uint64              `json:"revision"` // of the restaurant's stream
}

// Point is a place on the globe, in degrees.
type Point struct {
	Lat float64 `json:"lat"` // −90 to 90
	Lng float64 `json:"lng"` // −180 to 180
}

// Options says where the index is. The zero value is not usable: give URL, and Client for an
// embedded engine.
type Options struct {
	URL string // http://…:7700, or meilibleve.URL
	Key string // Meilisearch's API key; empty where none is asked for
	// Client makes the requests; nil for one of the network.
	Client *http.Client
	// Name is the index's uid, DefaultName where empty. Tests give their own.
	Name string
	// CheckpointEvery is how long a checkpoint that moved over nothing of interest may stay
	// unwritten; 250 ms where zero.
	CheckpointEvery time.Duration
}

// Index is the search view. Its queries are safe for concurrent use.
type Index struct {
	service meilisearch.ServiceManager
	name    string
	every   time.Duration
}

// Open makes a client; nothing is asked of the engine yet.
func Open(o Options) (*Index, error) {
	if o.URL == "" {
		return nil, errors.New("discovery: no URL")
	}
	if o.Client == nil {
		o.Client = &http.Client{Timeout: requestTimeout}
	}
	if o.Name == "" {
		o.Name = DefaultName
	}
	if o.CheckpointEvery <= 0 {
		o.CheckpointEvery = 250 * time.Millisecond
	}
	// Whoever calls decides whether to try again; the client's own retries would hide from
	// it for seconds that the engine is away.
	options := []meilisearch.Option{meilisearch.WithCustomClient(o.Client), meilisearch.DisableRetries()}
	if o.Key != "" {
		options = append(options, meilisearch.WithAPIKey(o.Key))
	}
	return &Index{service: meilisearch.New(o.URL, options...), name: o.Name, every: o.CheckpointEvery}, nil
}

// Ping asks the engine whether it is well, for readiness.
func (ix *Index) Ping(ctx context.Context) error {
	h, err := ix.service.HealthWithContext(ctx)
	if err != nil {
		return fmt.Errorf("discovery: health: %w", opened(err))
	}
	if h.Status != "available" {
		return fmt.Errorf("discovery: the search engine says %q", h.Status)
	}
	return nil
}

// Setup makes the live index with its settings, or brings the settings of one that is there
// up to date. Any number of processes may do so, at any time.
func (ix *Index) Setup(ctx context.Context) error {
	return ix.setup(ctx, ix.name)
}

// The settings of the index. Words come before sort, so that by distance too, restaurants
// that match all that was typed stand before those that match some.
var (
	rankingRules = []string{"words", "sort", "typo", "proximity", "attribute", "exactness", "rating:desc"}
	searchable   = []string{"name", "cuisine", "features", "city", "address", "state", "zip", "description"}
	filterable   = []string{"_geo", "city", "cuisine", "maxParty", "priceLevel", "rating", "status"}
	sortable     = []string{"_geo", "rating"}
)

func (ix *Index) setup(ctx context.Context, uid string) error {
	_, err := ix.service.GetIndexWithContext(ctx, uid)
	if hasCode(err, codeIndexNotFound) {
		err = ix.task(ctx)(ix.service.CreateIndexWithContext(ctx, &meilisearch.IndexConfig{Uid: uid, PrimaryKey: "id"}))
		if hasCode(err, codeIndexExists) {
			err = nil // another process made it meanwhile
		}
	}
	if err != nil {
		return fmt.Errorf("discovery: make index %s: %w", uid, opened(err))
	}
	index := ix.service.Index(uid)
	is, err := index.GetSettingsWithContext(ctx)
	if err != nil {
		return fmt.Errorf("discovery: read settings of %s: %w", uid, opened(err))
	}
	if slices.Equal(is.RankingRules, rankingRules) && slices.Equal(is.SearchableAttributes, searchable) &&
		sameSet(is.FilterableAttributes, filterable) && sameSet(is.SortableAttributes, sortable) {
		return nil
	}
	err = ix.task(ctx)(index.UpdateSettingsWithContext(ctx, &meilisearch.Settings{
		RankingRules: rankingRules, SearchableAttributes: searchable, FilterableAttributes: filterable, SortableAttributes: sortable,
	}))
	if err != nil {
		return fmt.Errorf("discovery: change settings of %s: %w", uid, err)
	}
	return nil
}

func sameSet(a, b []string) bool {
	a, b = slices.Clone(a), slices.Clone(b)
	slices.Sort(a)
	slices.Sort(b)
	return slices.Equal(a, b)
}

// The codes of the protocol that are acted on.
const (
	codeIndexNotFound    = "index_not_found"
	codeIndexExists      = "index_already_exists"
	codeDocumentNotFound = "document_not_found"
)

// taskError is a task that did not succeed.
type taskError struct{ status, code, message string }

func (e *taskError) Error() string {
	return fmt.Sprintf("the task %s: %s (%s)", e.status, e.message, e.code)
}

// clientError lets errors.Is see through the client's errors, which do not unwrap.
type clientError struct{ cause *meilisearch.Error }

func (e clientError) Error() string { return e.cause.Error() }

func (e clientError) Unwrap() []error { return []error{e.cause, e.cause.OriginError} }

// opened gives a client's error its cause back.
func opened(err error) error {
	var e *meilisearch.Error
	if errors.As(err, &e) && e.OriginError != nil {
		return clientError{e}
	}
	return err
}

func hasCode(err error, code string) bool {
	var answered *meilisearch.Error
	if errors.As(err, &answered) {
		return answered.MeilisearchApiError.Code == code
	}
	var failed *taskError
	return errors.As(err, &failed) && failed.code == code
}

// task waits for the task that a request was answered with, to its end.
func (ix *Index) task(ctx context.Context) func(*meilisearch.TaskInfo, error) error {
	return func(info *meilisearch.TaskInfo, err error) error {
		if err != nil {
			return opened(err)
		}
		ctx, cancel := context.WithTimeout(ctx, taskTimeout)
		defer cancel()
		t, err := ix.service.WaitForTaskWithContext(ctx, info.TaskUID, taskPoll)
		if err != nil {
			return fmt.Errorf("wait for task %d: %w", info.TaskUID, opened(err))
		}
		if t.Status != meilisearch.TaskStatusSucceeded {
			return &taskError{string(t.Status), t.Error.Code, t.Error.Message}
		}
		return nil
	}
}
