package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"
	"strings"

	"daybook/domain"
	"daybook/eventstore"
	"daybook/eventstore/canon"
	"daybook/eventstore/codec"
	"daybook/projections/fairness"
	"daybook/projections/proof"
)

// verifyWaitlistCommand recomputes waitlists from a ledger without its personal data.
type verifyWaitlistCommand struct {
	verifiedFlags
	Restaurant string   `placeholder:"ID" help:"Of this restaurant alone, rst_…"`
	Date       string   `placeholder:"DATE" help:"Of this service date alone, YYYY-MM-DD."`
	Receipt    []string `type:"existingfile" sep:"none" placeholder:"FILE" help:"Receipts of entries: each must be in this ledger, as it was given out."`
	Key        string   `placeholder:"KEY" help:"Verifier key that receipts are checked with."`
	JSON       bool     `name:"json" help:"Print findings and counts as JSON, one a line."`
}

func (c *verifyWaitlistCommand) Run(ctx context.Context, out io.Writer) (err error) {
	wanted, err := c.wanted()
	if err != nil {
		return err
	}
	receipts, err := c.receipts()
	if err != nil {
		return err
	}
	b, err := c.open(ctx)
	if err != nil {
		return err
	}
	defer alsoClose(&err, b.close)

	found := func(f fairness.Finding) {
		if c.JSON {
			_ = json.NewEncoder(out).Encode(f) // whoever read it has gone
			return
		}
		fmt.Fprintln(out, "found:", legible(f.String()))
	}
	records, err := b.records(ctx, receipts)
	if err != nil {
		return err
	}
	counts, missing, err := checkWaitlists(ctx, records, wanted, receipts, found)
	if err != nil {
		return err
	}
	if c.JSON {
		err = json.NewEncoder(out).Encode(struct {
			fairness.Counts
			Missing []string `json:"missingReceipts,omitempty"`
		}{counts, missing})
	} else {
		fmt.Fprintf(out, "%d days with a waitlist, %d entries, %d offers; %d times somebody was passed over with a reason\n",
			counts.Days, counts.Entries, counts.Offers, counts.Passed)
		for _, r := range missing {
			fmt.Fprintf(out, "found: the event of the receipt %s is not in this ledger as it was given out\n", r)
		}
		if counts.Findings+len(missing) == 0 {
			fmt.Fprintln(out, "every offer went to whoever was first in line, or the reason why not is on record")
		}
	}
	if err == nil && counts.Findings+len(missing) > 0 {
		err = exitAltered
	}
	return err
}

// wanted tells which streams are meant.
func (c *verifyWaitlistCommand) wanted() (func(eventstore.StreamName) bool, error) {
	if c.Restaurant != "" {
		if _, err := domain.ParseRestaurantID(c.Restaurant); err != nil {
			return nil, fmt.Errorf("--restaurant: %w", err)
		}
	}
	if c.Date != "" {
		if _, err := domain.ParseServiceDate(c.Date); err != nil {
			return nil, fmt.Errorf("--date: %w", err)
		}
	}
	return func(s eventstore.StreamName) bool {
		restaurant, date, ok := codec.ParseDayStream(s)
		return ok && (c.Restaurant == "" || string(restaurant) == c.Restaurant) && (c.Date == "" || date.String() == c.Date)
	}, nil
}

// receipts reads and checks them: their events' forms, by the names of their files.
func (c *verifyWaitlistCommand) receipts() (map[string]string, error) {
	forms := map[string]string{}
	if len(c.Receipt) == 0 {
		return forms, nil
	}
	if c.Key == "" {
		return nil, errors.New("--receipt needs --key: without it nothing tells who signed")
	}
	verifier, err := proof.ParseVerifier(c.Key)
	if err != nil {
		return nil, err
	}
	for _, name := range c.Receipt {
		r, err := readReceipt(name)
		if err != nil {
			return nil, err
		}
		if _, _, err := r.Check(verifier); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		forms[name] = r.Event
	}
	return forms, nil
}

// records reads a ledger's events as an export has them, whatever it is read off: of a store
// those of days, and what else a receipt may be of.
func (b *examined) records(ctx context.Context, receipts map[string]string) (func() iter.Seq2[canon.Line, error], error) {
	streams := []string{codec.DayPrefix}
	for _, form := range receipts {
		l, err := canon.FromLine([]byte(form))
		if err != nil {
			return nil, err
		}
		streams = append(streams, string(l.Stream)) // empty, for any, where the form does not tell
	}
	return func() iter.Seq2[canon.Line, error] {
		return func(yield func(canon.Line, error) bool) {
			if b.lines != nil {
				for l, err := range proof.Events(b.lines) {
					if !yield(l, err) || err != nil {
						return
					}
				}
				return
			}
			var form []byte
			for r, err := range b.reader.ReadAll(ctx, eventstore.Start, eventstore.StreamPrefix(streams...)) {
				var l canon.Line
				if err == nil {
					if form, err = canon.Form(r); err == nil {
						l, err = canon.FromLine(form)
					}
				}
				if !yield(l, err) || err != nil {
					return
				}
			}
		}
	}, nil
}

// checkWaitlists checks the days that have a waitlist: the first reading finds out which
// those are, so that of the others nothing is kept. It tells of which receipts the event
// is not there.
func checkWaitlists(
	ctx context.Context, lines func() iter.Seq2[canon.Line, error], wanted func(eventstore.StreamName) bool, receipts map[string]string,
	found func(fairness.Finding),
) (counts fairness.Counts, missing []string, err error) {
	days := map[eventstore.StreamName]*fairness.Day{}
	there, ids := map[string]bool{}, map[eventstore.EventID]bool{}
	for _, form := range receipts {
		l, err := canon.FromLine([]byte(form))
		if err != nil {
			return counts, nil, err
		}
		ids[l.ID] = true
	}
	for l, err := range lines() {
		if err != nil {
			return counts, nil, err
		}
		if len(ids) > 0 && ids[l.ID] {
			for name, form := range receipts {
				there[name] = there[name] || string(l.Form) == form
			}
		}
		if strings.HasPrefix(l.Type, "waitlist.") && wanted(l.Stream) && days[l.Stream] == nil {
			if days[l.Stream], err = fairness.NewDay(l.Stream, found); err != nil {
				return counts, nil, err
			}
		}
	}
	for l, err := range lines() {
		if err != nil {
			return counts, nil, err
		}
		day := days[l.Stream]
		if day == nil {
			continue
		}
		r, err := l.Record()
		if err != nil {
			return counts, nil, err
		}
		day.Add(ctx, r)
	}
	names := make([]eventstore.StreamName, 0, len(days))
	for name := range days {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		c := days[name].End()
		counts.Days += c.Days
		counts.Entries += c.Entries
		counts.Offers += c.Offers
		counts.Passed += c.Passed
		counts.Findings += c.Findings
	}
	for name := range receipts {
		if !there[name] {
			missing = append(missing, name)
		}
	}
	slices.Sort(missing)
	return counts, missing, nil
}
