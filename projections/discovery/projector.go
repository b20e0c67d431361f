package discovery

import (
	"context"
	"errors"
	"fmt"

	"daybook/domain"
	"daybook/domain/restaurant"
	"daybook/domain/restaurantday"
	"daybook/eventstore"
	"daybook/eventstore/codec"
	"daybook/eventstore/feed"
	"daybook/projections"
)

// viewName is the view's name in logs, metrics and for waiting.
const viewName = "discovery"

// foldedRestaurants is how many restaurants the projector keeps folded; one that is not
// kept is read again when it changes.
const foldedRestaurants = 4096

// View feeds an index from the ledger.
type View struct {
	ix     *Index
	store  eventstore.Reader
	codec  *codec.Codec
	writer *Writer
	folds  *projections.Folds[restaurant.State]
	ready  bool // the index and its settings are there
}

var (
	_ projections.View        = (*View)(nil)
	_ projections.Rebuildable = (*View)(nil)
)

// View makes the projector of the live index. The engine may be away for now.
func (ix *Index) View(store eventstore.Reader, c *codec.Codec) *View {
	return ix.view(store, c, ix.Writer())
}

func (ix *Index) view(store eventstore.Reader, c *codec.Codec, w *Writer) *View {
	d := restaurant.Decider()
	return &View{ix: ix, store: store, codec: c, writer: w, folds: projections.NewFolds(store, foldedRestaurants, d.Initial,
		func(ctx context.Context, s restaurant.State, r eventstore.Record) (restaurant.State, error) {
			decoded, err := c.Decode(ctx, r)
			switch {
			case errors.Is(err, codec.ErrUnknownType):
				return s, nil
			case errors.Is(err, codec.ErrCorrupt):
				return s, fmt.Errorf("%w: %w", projections.ErrCorrupt, err)
			case err != nil:
				return s, err
			}
			if e, ok := decoded.Event.(restaurant.Event); ok {
				return d.Evolve(s, e), nil
			}
			return s, nil
		})}
}

// Name implements projections.View.
func (v *View) Name() string { return viewName }

// Checkpoint implements projections.View; it makes the index where there is none.
func (v *View) Checkpoint(ctx context.Context) (feed.Place, error) {
	if !v.ready {
		if err := v.ix.Setup(ctx); err != nil {
			return feed.Place{}, err
		}
		v.ready = true
	}
	return v.writer.Checkpoint(ctx)
}

// Apply implements projections.View: each restaurant that changed is written once.
func (v *View) Apply(ctx context.Context, b eventstore.Batch) error {
	c := Changes{To: v.writer.after(b)}
	place := map[domain.RestaurantID]int{}
	for _, r := range b.Records {
		id, ok := codec.ParseRestaurantStream(r.Stream)
		if !ok {
			continue
		}
		_, after, err := v.folds.Apply(ctx, r)
		if err != nil {
			return err
		}
		if !after.Registered() {
			continue
		}
		doc := documentOf(after, uint64(r.Revision))
		if i, twice := place[id]; twice {
			c.Upserts[i] = doc
			continue
		}
		place[id] = len(c.Upserts)
		c.Upserts = append(c.Upserts, doc)
	}
	return v.writer.Apply(ctx, c)
}

// Close writes down how far the index has come.
func (v *View) Close(ctx context.Context) error { return v.writer.Flush(ctx) }

// documentOf is a restaurant as searches see it.
func documentOf(s restaurant.State, revision uint64) Document {
	p := s.Profile
	d := Document{
		ID: s.ID, Name: p.Name, Cuisine: p.Cuisine, Address: p.Address, City: p.City, State: p.State, Zip: p.Zip,
		TimeZone: p.TimeZone, PriceLevel: p.PriceLevel, Features: p.Features, Description: p.Description,
		Status: s.Status, Revision: revision,
	}
	if p.Location != nil {
		d.Geo = &Point{Lat: p.Location.Lat, Lng: p.Location.Lng}
	}
	for _, t := range s.Tables {
		d.SeatingCapacity += int(t.Max)
	}
	d.MaxParty = int((&restaurantday.Plan{Tables: s.Tables, Combinations: s.Combinations}).LargestOnlineParty())
	return d
}
