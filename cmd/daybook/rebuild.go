package main

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"daybook/projections"
	"daybook/projections/availability"
)

// rebuildCommand builds a view anew, in the process that has the data folder or, where none
// has it, here.
type rebuildCommand struct {
	engineFlags
	View     string `arg:"" help:"availability, reporting, discovery or proof."`
	Rollback bool   `help:"Put back what the last rebuild replaced, brought up to date."`
	IfEqual  bool   `help:"Put the new one in place only where it holds what the live one does; exit status 1 where it does not."`
	Restart  bool   `help:"Begin anew, also where a rebuild was cut off that could be gone on with."`
}

// rebuildOrder asks for a rebuild.
type rebuildOrder struct {
	View, Build                string
	Rollback, IfEqual, Restart bool
}

const rebuildPath = "/rebuild"

func (o rebuildOrder) check() error {
	if o.Build == "" {
		return errors.New("it does not say which program builds")
	}
	return nil
}

func (o rebuildOrder) work() string { return strings.TrimSpace("a rebuild of " + o.View) }

// rebuilt is what a rebuild came to.
type rebuilt struct {
	projections.Rebuilt
	Version string
	Differs bool // it was not swapped because it differs
}

var errNoServedRedis = errors.New("availability stands in the memory of the process that serves, and none has this data folder")

func (c *rebuildCommand) Run(ctx context.Context, out io.Writer) (err error) {
	o := rebuildOrder{View: c.View, Rollback: c.Rollback, IfEqual: c.IfEqual, Restart: c.Restart}
	if o.Build, err = thisProgram(); err != nil {
		return err
	}
	bar := newMeter(out)
	done, err := carryOut(ctx, c.engineFlags, rebuildPath, o, bar.tell, func(ctx context.Context, h *house, o rebuildOrder, progress tell) (rebuilt, error) {
		if o.View == availability.Name && c.RedisURL == "" {
			return rebuilt{}, errNoServedRedis
		}
		return h.rebuild(ctx, o, progress)
	})
	bar.end()
	if err != nil {
		return err
	}
	printRebuilt(out, c.View, done)
	if done.Differs {
		return fmt.Errorf("view %s was left as it is: %w", c.View, projections.ErrDiffers)
	}
	return nil
}

// takeRebuilds builds views anew when it is ordered.
func (h *house) takeRebuilds() { takeOrdersFor(h.engines.admin, rebuildPath, h.rebuild) }

// rebuild builds a view anew.
func (h *house) rebuild(ctx context.Context, o rebuildOrder, progress tell) (done rebuilt, err error) {
	// Views of its own: the live ones are for those who feed and ask them. But for the log of
	// proofs, whose folder has one who opens it: that is built anew beside itself.
	v, err := openViews(h.engines, h.codec, h.views.proof, h.cfg.clock)
	if err != nil {
		return done, err
	}
	defer func() { err = errors.Join(err, v.close(context.WithoutCancel(ctx))) }()
	var names []string
	for _, one := range v.all() {
		view, ok := one.(projections.Rebuildable)
		if !ok {
			continue
		}
		names = append(names, view.Name())
		if view.Name() != o.View {
			continue
		}
		done.Version = view.Version()
		done.Rebuilt, err = projections.Rebuild(ctx, h.engines.store, view, projections.RebuildOptions{
			Build: o.Build, Restart: o.Restart, Rollback: o.Rollback, IfEqual: o.IfEqual,
			Progress: func(p projections.Progress) {
				if p.Stage == projections.StageBuild && p.Head > 0 {
					progress("building "+o.View, uint64(p.At), uint64(max(p.At, p.Head)))
				}
			},
		})
		if errors.Is(err, projections.ErrDiffers) {
			done.Differs, err = true, nil
		}
		return done, err
	}
	return done, fmt.Errorf("there is no view %q to rebuild; there are %s", o.View, strings.Join(names, ", "))
}

// thisProgram names the binary that runs, exactly: what another one began is not gone on with.
func thisProgram() (string, error) {
	path, err := os.Executable()
	if err != nil {
		return "", err
	}
	file, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer func() { _ = file.Close() }() // it was read only
	hash := sha256.New()
	if _, err := io.Copy(hash, file); err != nil {
		return "", err
	}
	return fmt.Sprintf("%x", hash.Sum(nil)[:16]), nil
}

func printRebuilt(out io.Writer, view string, d rebuilt) {
	rate := float64(d.Records) / max(d.Took.Seconds(), 1e-9)
	fmt.Fprintf(out, "view %s, version %s: %d events from position %d on in %s, %.0f a second\n",
		view, d.Version, d.Records, d.From, d.Took.Round(time.Millisecond), rate)
	if d.Parked > 0 {
		fmt.Fprintf(out, "%d records could not be applied and are left out; the log names them\n", d.Parked)
	}
	if len(d.Compared) > 0 {
		w := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
		fmt.Fprintln(w, "\tentries\tonly as before\tonly as now\t")
		for _, c := range d.Compared {
			fmt.Fprintf(w, "%s\t%d\t%d\t%d\t\n", c.What, c.Entries, c.OnlyLive, c.OnlyCopy)
		}
		_ = w.Flush() // out's errors show where it is next written
	}
	if !d.Differs {
		fmt.Fprintf(out, "it stands at position %d; what it replaced is kept: daybook rebuild %s --rollback\n", d.Position, view)
	}
}
