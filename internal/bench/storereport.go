package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

// storeAim is the share of Pebble's rate that the store is to reach, at every width.
const storeAim = 0.80

// Further aims of the store, printed beside what was measured.
const (
	readAim = 300_000 // events a second, all, in process
	liveAim = time.Millisecond
)

// storeReport is the store's part as it is printed.
type storeReport struct {
	facts string
	settings
	ledger ledgerResult
	writes []*writeCell
	reads  []*readCell
	live   []*liveCell
}

func (r *storeReport) print(out io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n", r.facts)
	fmt.Fprintf(&b, "the store: medians of %d rounds of %s each, taking turns; events of %d bytes; client, server and store share the cores\n\n",
		r.store.rounds, r.aRound(), len(holdData)+len(holdMetadata))
	r.printWrites(&b)
	fmt.Fprintf(&b, "\n")
	t := table(&b)
	fmt.Fprintln(t, "reads, events/s\tin process\tthrough the client\t")
	for _, c := range r.reads {
		fmt.Fprintf(t, "%s\t%.0f\t%.0f\t\n", c.what, median(c.direct), median(c.client))
	}
	_ = t.Flush() // into memory
	fmt.Fprintf(&b, "aim for all, in process: %d\n\n", readAim)
	t = table(&b)
	fmt.Fprintln(t, "from append to live subscription\tp50 ms\tp99 ms\t")
	for _, c := range r.live {
		p50, p99 := quantiles(c.took.took)
		fmt.Fprintf(t, "%s\t%s\t%s\t\n", c.what, ms(p50), ms(p99))
	}
	_ = t.Flush()
	fmt.Fprintf(&b, "aim for p50: %s\n\n", ms(liveAim))
	r.printLedger(&b)
	_, err := io.WriteString(out, b.String())
	return err
}

// printWrites shows a line for each contestant, and beside each rate its share of Pebble's.
func (r *storeReport) printWrites(b *strings.Builder) {
	cell := func(what string, n int) *writeCell {
		i := slices.IndexFunc(r.writes, func(c *writeCell) bool { return c.what == what && c.writers == n })
		if i < 0 {
			return nil
		}
		return r.writes[i]
	}
	t := table(b)
	fmt.Fprint(t, "durable appends/s\t")
	for _, n := range r.store.writers {
		fmt.Fprintf(t, "%d at once\tof one key\tof its keys\t", n)
	}
	fmt.Fprintln(t)
	var missed []string
	for _, what := range contestants {
		fmt.Fprintf(t, "%s\t", what)
		for _, n := range r.store.writers {
			c, bare, index := cell(what, n), cell(bareEngine, n), cell(bareIndex, n)
			switch {
			case c == nil:
				fmt.Fprint(t, "\t\t\t")
				continue
			case what == rawDisk || what == bareEngine || what == bareIndex:
				fmt.Fprintf(t, "%.0f\t\t\t", median(c.rates))
				continue
			}
			share, indexShare := ratio(c.rates, bare.rates), ratio(c.rates, index.rates)
			if (what == storeOwn || what == storeHot) && indexShare < storeAim {
				missed = append(missed, fmt.Sprintf("%s with %d writers", what, n))
			}
			fmt.Fprintf(t, "%.0f\t%.0f %%\t%.0f %%\t", median(c.rates), 100*share, 100*indexShare)
		}
		fmt.Fprintln(t)
	}
	_ = t.Flush()
	b.WriteString("its keys: an event's own and two small ones, by which it is found in its stream and by its id\n")
	fmt.Fprintf(b, "aim for the store: %.0f %% of Pebble alone with its keys, at every width; ", 100*storeAim)
	if len(missed) == 0 {
		b.WriteString("met\n")
	} else {
		fmt.Fprintf(b, "missed by %s\n", strings.Join(missed, ", "))
	}
}

// ratio is the median of what each round's two rates make: what drifts from round to round
// hits both, and falls out.
func ratio(a, of []float64) float64 {
	var all []float64
	for i := range min(len(a), len(of)) {
		all = append(all, a[i]/of[i])
	}
	return median(all)
}

func (r *storeReport) printLedger(b *strings.Builder) {
	l := r.ledger
	if len(l.fill) == 0 {
		return
	}
	last := l.fill[len(l.fill)-1]
	fmt.Fprintf(b, "a ledger of %d events, written at %.0f/s in appends of %d: opened, and one event read, in %s ms with %d MiB\n",
		l.events, float64(last.Events)/last.Took.Seconds(), fillBatch, ms(l.open.Took), l.open.RSS>>20)
	b.WriteString("memory of the process that wrote it, MiB at each tenth:")
	for _, s := range l.fill {
		fmt.Fprintf(b, " %d", s.RSS>>20)
	}
	b.WriteString("\n")
}

func table(b *strings.Builder) *tabwriter.Writer {
	return tabwriter.NewWriter(b, 0, 0, 2, ' ', tabwriter.AlignRight)
}
