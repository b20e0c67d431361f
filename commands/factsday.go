package commands

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"

	"daybook/domain"
	"daybook/domain/restaurant"
	"daybook/domain/restaurantday"
	"daybook/eventstore"
	"daybook/eventstore/codec"
)

// factKey is what a booking of another system is known by, and the hash of what it says.
type factKey struct{ external, digest string }

// factForm is a row as a repeat must equal it. Fields that come later are left out where
// they are empty, so that what is on record stays what it is.
type factForm struct {
	StartsAt  domain.Instant
	Minutes   int `json:",omitempty"`
	Party     domain.PartySize
	Status    restaurantday.Status
	Tables    []string       `json:",omitempty"`
	MadeAt    domain.Instant `json:",omitempty"`
	Guest     restaurantday.Guest
	Notes     string `json:",omitempty"`
	Requests  string `json:",omitempty"`
	Occasion  string `json:",omitempty"`
	Reference string `json:",omitempty"` // the id in the other system
}

// factKeys tells rows apart. One without an id is known by the hash of all it says, which
// is keyed, as it may tell of a person; the second that says the same is another booking.
func (a *App) factKeys(rows []FactRow) []factKey {
	keys := make([]factKey, len(rows))
	same := map[string]int{}
	for i, r := range rows {
		digest := hex.EncodeToString(a.keyed(a.cfg.BodyKey, canonical(factForm{
			StartsAt: r.StartsAt, Minutes: r.Minutes, Party: r.Party, Status: r.Status, Tables: r.Tables, MadeAt: r.MadeAt,
			Guest: r.Details.Guest, Notes: r.Details.Notes, Requests: r.Details.SpecialRequests, Occasion: r.Details.Occasion, Reference: r.External,
		}))[:16])
		keys[i] = factKey{r.External, digest}
		if r.External == "" {
			same[digest]++
			keys[i].external = fmt.Sprintf("row-%s-%d", digest, same[digest])
		}
	}
	return keys
}

// command is the row as it is put to its day.
func (f *factRun) command(i int, now domain.Instant, open *restaurantday.Open) restaurantday.Record {
	row := f.rows[i]
	return restaurantday.Record{
		Now: now, Opening: open, Actor: f.actor, Status: row.Status, Party: row.Party, StartsAt: row.StartsAt, Time: row.Time,
		Minutes: row.Minutes, Details: row.Details,
		Code: confirmationCode(codec.CommandID("fact", string(f.r.State.ID), f.source, f.keys[i].external)),
		Fact: restaurantday.Fact{
			Batch: f.batch, Run: f.n, Source: f.source, External: f.keys[i].external, Digest: f.keys[i].digest, MadeAt: row.MadeAt, Named: row.Tables,
		},
	}
}

// A batch can be taken back while a run of it is in the middle of a write. That write comes
// in late: the run takes it back itself when it sees so, and where it was killed before, the
// next undoing does, or the next run of the source. Until then nothing may rely on it: a
// later run of the file that took such a booking for known would lose it.

// isLate reports whether r came in with a run that is over, and nobody touched it since.
func (f *factRun) isLate(r *restaurantday.Reservation) bool {
	return !r.Touched() && slices.ContainsFunc(f.imports, func(m restaurant.Import) bool {
		return m.Batch == r.Fact.Batch && r.Fact.Run <= m.Over
	})
}

// withdrawals takes back what came in late on a day.
func (f *factRun) withdrawals(date domain.ServiceDate, now domain.Instant) (list []restaurantday.Withdraw) {
	for _, m := range f.imports {
		if m.Over > 0 && slices.Contains(m.Reaches(f.source), date) {
			list = append(list, restaurantday.Withdraw{Now: now, Actor: f.actor, Batch: m.Batch, Run: m.Over})
		}
	}
	return list
}

// clear takes back what came in late on any day that batches of the source reach: the file
// may have the same booking on another.
func (f *factRun) clear(ctx context.Context) error {
	for date := range f.late {
		for _, c := range f.withdrawals(date, 0) {
			if _, err := f.a.withdrawDay(ctx, f.r.State.ID, date, c, f.meta); err != nil {
				return err
			}
		}
	}
	return nil
}

// record puts rows of one day into its book, each write after what came in late is taken
// back. It looks before each write whether the run is still under way, and after it: what
// came in while the batch was taken back goes with it, but nothing that a later run recorded.
func (f *factRun) record(ctx context.Context, date domain.ServiceDate, rows []int) error {
	stream := codec.DayStream(f.r.State.ID, date)
	if f.look {
		d, err := f.a.days.state(ctx, stream, 0)
		for _, i := range rows {
			f.lookUp(i, d.State)
		}
		return err
	}
	for some := range slices.Chunk(rows, factsAtOnce) {
		if err := f.underWay(ctx); err != nil {
			return err
		}
		now := f.a.now()
		open, err := f.a.opening(f.r, date, now)
		if err != nil {
			return err
		}
		var requests []Request[restaurantday.Command]
		for _, c := range f.withdrawals(date, now) {
			requests = append(requests, Request[restaurantday.Command]{Command: c, Meta: f.meta})
		}
		first := len(requests)
		for _, i := range some {
			requests = append(requests, Request[restaurantday.Command]{Command: f.command(i, now, open), Meta: f.meta})
		}
		decided, err := f.a.days.handleAll(ctx, stream, requests, nil)
		if err != nil {
			return err
		}
		for _, d := range decided[:first] {
			if d.err != nil {
				return d.err
			}
		}
		for k, i := range some {
			d := decided[first+k]
			if err := f.came(i, d.State, d.err); err != nil {
				return err
			}
			f.reached(d.Position)
		}
		if err := f.underWay(ctx); errors.Is(err, errImportOver) {
			late := restaurantday.Withdraw{Actor: f.actor, Batch: f.batch, Run: f.n}
			if _, err := f.a.withdrawDay(ctx, f.r.State.ID, date, late, f.meta); err != nil {
				return err
			}
			return errImportOver
		} else if err != nil {
			return err
		}
	}
	return nil
}

// underWay is errImportOver where the batch was taken back since the run began. That another
// process brought the same run to its end is no matter, nor that a later one began since: all
// that is left is known.
func (f *factRun) underWay(ctx context.Context) error {
	m, err := f.state(ctx)
	if err == nil && f.n <= m.Over {
		err = errImportOver
	}
	return err
}

func (f *factRun) reached(p eventstore.Position) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.report.Position = max(f.report.Position, p)
}

// preview decides rows of one day and appends nothing.
func (f *factRun) preview(ctx context.Context, date domain.ServiceDate, rows []int) error {
	now := f.a.now()
	open, err := f.a.opening(f.r, date, now)
	if err != nil {
		return err
	}
	d, err := f.a.days.state(ctx, codec.DayStream(f.r.State.ID, date), 0)
	if err != nil {
		return err
	}
	state := d.State
	for _, c := range f.withdrawals(date, now) {
		events, err := f.a.cfg.Day.Decide(state, c)
		if err != nil {
			return err
		}
		state = f.a.cfg.Day.Fold(state, events...)
	}
	for _, i := range rows {
		events, err := f.a.cfg.Day.Decide(state, f.command(i, now, open))
		state = f.a.cfg.Day.Fold(state, events...)
		if err := f.came(i, state, err); err != nil {
			return err
		}
	}
	return nil
}

// came notes what came of a row, from the day's state right after it.
func (f *factRun) came(i int, state restaurantday.State, err error) error {
	r := &f.results[i]
	no, refused := domain.Rejected(err)
	switch {
	case refused && no.Code == domain.CodeFactChanged:
		r.Outcome, r.Why = FactChanged, no.Detail
		if was, ok := state.FactOf(f.source, f.keys[i].external); ok {
			r.ID = state.ID(was.Number)
		}
		return nil
	case refused && (no.Code == domain.CodeInvalid || no.Code == domain.CodeTooEarly):
		r.Outcome, r.Why = FactBad, no.Detail
		return nil
	case err != nil:
		return err
	}
	f.lookUp(i, state)
	return nil
}

// lookUp notes what stands in a day's book of a row that was accepted. One that was taken
// back since was recorded all the same.
func (f *factRun) lookUp(i int, state restaurantday.State) {
	r := &f.results[i]
	r.Outcome = FactRecorded
	is, ok := state.FactOf(f.source, f.keys[i].external)
	if !ok {
		return
	}
	r.ID, r.EndsAt, r.Tables, r.Conflicts = state.ID(is.Number), is.Turn.To, is.Tables, is.Conflicts
	switch {
	case is.Fact.Digest != f.keys[i].digest:
		r.Outcome, r.Why, r.Conflicts = FactChanged, "it was recorded before, and says something else now", nil
	case is.Fact.Batch != f.batch || is.Fact.Run != f.n:
		r.Outcome, r.Why = FactKnown, fmt.Sprintf("batch %s recorded it", is.Fact.Batch)
	}
}
