package main

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"strings"
	"sync"
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

// rebuildAnswer tells how far it is; the last one tells the end.
type rebuildAnswer struct {
	Progress *projections.Progress `json:",omitempty"`
	Done     *projections.Rebuilt  `json:",omitempty"`
	Version  string                `json:",omitempty"`
	Error    string                `json:",omitempty"`
	Differs  bool                  `json:",omitempty"` // it was not swapped because it differs
}

var errNoServedRedis = errors.New("availability stands in the memory of the process that serves, and none has this data folder")

func (c *rebuildCommand) Run(ctx context.Context, out io.Writer) (err error) {
	o := rebuildOrder{View: c.View, Rollback: c.Rollback, IfEqual: c.IfEqual, Restart: c.Restart}
	if o.Build, err = thisProgram(); err != nil {
		return err
	}
	bar := newMeter(out)
	defer bar.end()
	var end rebuildAnswer
	hear := func(a rebuildAnswer) {
		end = a
		if p := a.Progress; p != nil && p.Stage == projections.StageBuild && p.Head > 0 {
			bar.tell("building "+c.View, uint64(p.At), uint64(max(p.At, p.Head)))
		}
	}
	h, err := openHouse(ctx, houseConfig{engineFlags: c.engineFlags})
	switch {
	case errors.Is(err, errDataInUse):
		ordered := order(ctx, c.Data, "/rebuild", o, hear)
		if errors.Is(ordered, errNobodyTakesOrders) {
			return fmt.Errorf("%w; it takes no orders for a rebuild either (%w)", err, ordered)
		}
		if ordered != nil {
			return ordered
		}
	case err != nil:
		return err
	default:
		defer func() { err = errors.Join(err, h.close()) }()
		if c.View == availability.Name && c.RedisURL == "" {
			return errNoServedRedis
		}
		h.rebuild(ctx, o, hear)
	}
	bar.end()
	switch {
	case end.Done == nil:
		return errors.New(end.Error)
	case end.Differs:
		printRebuilt(out, c.View, end)
		return fmt.Errorf("view %s was left as it is: %w", c.View, projections.ErrDiffers)
	}
	printRebuilt(out, c.View, end)
	return nil
}

// rebuild builds a view anew, and tells hear how far it is and, in the end, what it came to.
func (h *house) rebuild(ctx context.Context, o rebuildOrder, hear func(rebuildAnswer)) {
	answer, err := h.tryRebuild(ctx, o, hear)
	if err != nil {
		answer.Error = err.Error()
		answer.Differs = errors.Is(err, projections.ErrDiffers)
		if !answer.Differs {
			answer.Done = nil
		}
	}
	hear(answer)
}

func (h *house) tryRebuild(ctx context.Context, o rebuildOrder, hear func(rebuildAnswer)) (answer rebuildAnswer, err error) {
	// Views of its own: the live ones are for those who feed and ask them.
	v, err := openViews(h.engines, h.codec, h.cfg.clock)
	if err != nil {
		return answer, err
	}
	// But for the log of proofs, whose folder has one who opens it: that is built anew beside
	// itself, and stays open.
	v.proof = h.views.proof
	defer func() {
		v.proof = nil
		err = errors.Join(err, v.close(context.WithoutCancel(ctx)))
	}()
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
		told := time.Time{}
		done, err := projections.Rebuild(ctx, h.engines.store, view, projections.RebuildOptions{
			Build: o.Build, Restart: o.Restart, Rollback: o.Rollback, IfEqual: o.IfEqual,
			Progress: func(p projections.Progress) {
				if now := time.Now(); now.Sub(told) >= tellEvery || p.Stage != projections.StageBuild {
					told = now
					hear(rebuildAnswer{Progress: &p})
				}
			},
		})
		return rebuildAnswer{Done: &done, Version: view.Version()}, err
	}
	return answer, fmt.Errorf("there is no view %q to rebuild; there are %s", o.View, strings.Join(names, ", "))
}

// tellEvery is how often progress is told at most.
const tellEvery = 100 * time.Millisecond

// takeRebuilds carries out orders for a rebuild, one at a time for each view.
func (h *house) takeRebuilds() http.HandlerFunc {
	var under sync.Map
	return func(w http.ResponseWriter, r *http.Request) {
		answers := json.NewEncoder(w)
		answer := func(a rebuildAnswer) {
			_ = answers.Encode(a) // whoever asked may have gone: then its context ends
			_ = http.NewResponseController(w).Flush()
		}
		w.Header().Set("Content-Type", "application/x-ndjson")
		var o rebuildOrder
		if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxOrder)).Decode(&o); err != nil || o.Build == "" {
			w.WriteHeader(http.StatusBadRequest)
			answer(rebuildAnswer{Error: "this is no order for a rebuild"})
			return
		}
		if _, busy := under.LoadOrStore(o.View, true); busy {
			w.WriteHeader(http.StatusConflict)
			answer(rebuildAnswer{Error: fmt.Sprintf("view %s is being rebuilt already", o.View)})
			return
		}
		defer under.Delete(o.View)
		slog.Info("a rebuild begins", "view", o.View, "rollback", o.Rollback)
		h.rebuild(r.Context(), o, func(a rebuildAnswer) {
			if a.Error != "" {
				slog.Warn("a rebuild failed", "view", o.View, "error", a.Error)
			} else if a.Done != nil {
				slog.Info("a view was rebuilt", "view", o.View, "position", a.Done.Position, "events", a.Done.Records, "took", a.Done.Took)
			}
			answer(a)
		})
	}
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

func printRebuilt(out io.Writer, view string, end rebuildAnswer) {
	d := end.Done
	rate := float64(d.Records) / max(d.Took.Seconds(), 1e-9)
	fmt.Fprintf(out, "view %s, version %s: %d events from position %d on in %s, %.0f a second\n",
		view, end.Version, d.Records, d.From, d.Took.Round(time.Millisecond), rate)
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
	if !end.Differs {
		fmt.Fprintf(out, "it stands at position %d; what it replaced is kept: daybook rebuild %s --rollback\n", d.Position, view)
	}
}
