package main

import (
	"fmt"
	"io"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

// machine is what the figures depend on.
func machine() string {
	facts := fmt.Sprintf("%d cores, %s %s/%s", runtime.NumCPU(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" {
				facts += ", revision " + s.Value[:min(12, len(s.Value))]
			}
		}
	}
	return facts
}

// print writes the table.
func print(out io.Writer, facts string, c settings, rows []row) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n", facts)
	fmt.Fprintf(&b, "each cell %s after %s of warm-up; servers and load generator share the cores\n\n", c.duration, c.warmup)
	t := tabwriter.NewWriter(&b, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprint(t, "measured\tclients\t")
	for _, name := range c.systems {
		fmt.Fprintf(t, "%s/s\tp50 ms\tp99 ms\trefused\t", name)
	}
	fmt.Fprintln(t, "ratio\tviews after ms\t")
	for _, r := range rows {
		fmt.Fprintf(t, "%s\t%d\t", r.what, r.clients)
		for _, name := range c.systems {
			got := r.results[name]
			fmt.Fprintf(t, "%.0f\t%s\t%s\t%.1f %%\t", got.rate(), ms(got.quantile(0.50)), ms(got.quantile(0.99)), got.refusedPercent())
		}
		ratio, views := "", ""
		if d, b := r.results["daybook"], r.results["baseline"]; d != nil && b != nil {
			ratio = fmt.Sprintf("%.1f×", d.rate()/b.rate())
		}
		if d := r.results["daybook"]; d != nil && (r.part != "availability" || r.writes > 0) {
			views = fmt.Sprintf("%d", d.settled.Milliseconds())
		}
		fmt.Fprintf(t, "%s\t%s\t\n", ratio, views)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	for _, name := range c.systems {
		if all := refusalsOf(rows, name); all != "" {
			fmt.Fprintf(&b, "\n%s refused: %s", name, all)
		}
	}
	for _, name := range c.systems {
		if least, any := leastAside(rows, name); any {
			fmt.Fprintf(&b, "\n%s took at least %.0f writes/s beside its readers", name, least)
		}
	}
	b.WriteString("\nA write is a hold or a cancel, near 288 of a day's 360 table-slots; only what was accepted counts.\n")
	b.WriteString("Views after: how long after the last write Daybook's reporting had read all of them.\n")
	_, err := io.WriteString(out, b.String())
	return err
}

func ms(d time.Duration) string { return fmt.Sprintf("%.2f", float64(d)/float64(time.Millisecond)) }

func (r *result) refusedPercent() float64 {
	n := r.refusals()
	return 100 * float64(n) / float64(n+len(r.took))
}

// leastAside is the lowest rate of writes on the side in any cell that had them: where it
// falls short of what was to be written, the readers' figures flatter the system.
func leastAside(rows []row, name string) (least float64, any bool) {
	for _, r := range rows {
		if got := r.results[name]; got != nil && r.writes > 0 {
			if rate := float64(got.aside) / got.seconds; !any || rate < least {
				least, any = rate, true
			}
		}
	}
	return least, any
}

// refusalsOf sums a system's refusals by code.
func refusalsOf(rows []row, name string) string {
	var sum tally
	for _, r := range rows {
		if got := r.results[name]; got != nil {
			sum.add(tally{refused: got.refused})
		}
	}
	var parts []string
	for code, n := range sum.refused {
		parts = append(parts, fmt.Sprintf("%s %d", code, n))
	}
	slices.Sort(parts)
	return strings.Join(parts, ", ")
}
