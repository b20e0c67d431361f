// Command bench measures Daybook over HTTP beside the baseline, in one run: accepted writes
// a second on one hot restaurant-day and over a hundred, availability read while nothing
// is written and while something is, each with its latencies, and how many times the
// baseline's rate each is. The ratios are the result; the rates are this machine's.
//
// Both servers are processes of their own with their defaults: Daybook with every engine
// embedded, syncing and feeding its views; the baseline on a PostgreSQL that commits to
// disk. They share the processor with the load generator, and take turns cell by cell, so
// that what drifts hits both. Only what was accepted counts; refusals are shown apart.
//
// What belongs here: making load, measuring and printing. How the baseline books is
// package baseline's; measuring one room alone is that room's own benchmarks'.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// settings is what the flags say.
type settings struct {
	duration time.Duration // of each cell
	warmup   time.Duration
	clients  []int
	only     []string // parts
	systems  []string
	profile  string
	store    storeSettings
	ledgers  []int // sizes of the ledgers that views are rebuilt from
}

// The parts. That of the store is measured in this process, beside the disk and Pebble,
// and that of rebuilding beside reading; the others over HTTP, beside the baseline.
const (
	storePart   = "store"
	rebuildPart = "rebuild"
)

var allParts = []string{"hot", "many", "availability", storePart, rebuildPart}

func main() {
	if len(os.Args) == 2 && os.Args[1] == baselineArg {
		if err := serveBaseline(); err != nil {
			fmt.Fprintln(os.Stderr, "baseline:", err)
			os.Exit(1)
		}
		return
	}
	if len(os.Args) > 1 && os.Args[1] == ledgerArg {
		if err := ledgerMain(os.Args[2:]); err != nil {
			fmt.Fprintln(os.Stderr, "ledger:", err)
			os.Exit(1)
		}
		return
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout, os.Stderr); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return
		}
		fmt.Fprintln(os.Stderr, "bench:", err)
		stop()
		os.Exit(1)
	}
}

func parse(args []string, errs io.Writer) (c settings, err error) {
	f := flag.NewFlagSet("bench", flag.ContinueOnError)
	f.SetOutput(errs)
	f.DurationVar(&c.duration, "duration", 5*time.Second, "how long each cell is measured")
	f.DurationVar(&c.warmup, "warmup", time.Second, "how long each cell runs before it is measured")
	clients := f.String("clients", "1,16,64", "how many clients, one set of cells each")
	only := f.String("only", strings.Join(allParts, ","), "which parts")
	systems := f.String("systems", "daybook,baseline", "which systems; the ratios need both")
	f.StringVar(&c.profile, "profile", "", "write a CPU profile of Daybook's process during its cells to this file")
	writers := f.String("writers", "1,16,256", "the store: how many writers, one set of cells each")
	f.IntVar(&c.store.rounds, "rounds", 5, "the store: rounds of each cell, which share its duration")
	f.IntVar(&c.store.events, "events", 1_000_000, "the store: size of the ledger that is opened and read")
	f.StringVar(&c.store.dir, "dir", "", "the store: a folder on the disk that is measured; by default that of temporary files")
	ledgers := f.String("ledgers", "100000,500000,2000000", "rebuilding: how many events, one set of cells each, rising")
	if err := f.Parse(args); err != nil {
		return c, err
	}
	c.only, c.systems = strings.Split(*only, ","), strings.Split(*systems, ",")
	for _, part := range c.only {
		if !slices.Contains(allParts, part) {
			return c, fmt.Errorf("-only %q: want some of %s", part, strings.Join(allParts, ","))
		}
	}
	for _, s := range c.systems {
		if s != "daybook" && s != "baseline" {
			return c, fmt.Errorf("-systems %q: want daybook, baseline or both", s)
		}
	}
	if c.clients, err = counts("-clients", *clients, 1000); err != nil {
		return c, err
	}
	if c.store.writers, err = counts("-writers", *writers, 1000); err != nil {
		return c, err
	}
	if c.ledgers, err = counts("-ledgers", *ledgers, 100_000_000); err != nil {
		return c, err
	}
	if c.store.rounds < 1 || c.store.rounds > 100 {
		return c, errors.New("-rounds: want 1 to 100")
	}
	if c.store.events < 1000 {
		return c, errors.New("-events: want at least 1000")
	}
	if c.duration < 100*time.Millisecond || c.warmup < 0 {
		return c, errors.New("-duration: want at least 100ms")
	}
	if f.NArg() > 0 {
		return c, fmt.Errorf("unknown argument %q", f.Arg(0))
	}
	return c, nil
}

// counts reads numbers that are separated by commas.
func counts(flag, text string, most int) (all []int, err error) {
	for _, one := range strings.Split(text, ",") {
		n, err := strconv.Atoi(one)
		if err != nil || n < 1 || n > most {
			return nil, fmt.Errorf("%s %q: want numbers from 1 to %d", flag, text, most)
		}
		all = append(all, n)
	}
	return all, nil
}

func run(ctx context.Context, args []string, out, errs io.Writer) (err error) {
	c, err := parse(args, errs)
	if err != nil {
		return err
	}
	if slices.Contains(c.only, storePart) {
		if err := runStore(ctx, c, machine(), out, errs); err != nil {
			return fmt.Errorf("the store: %w", err)
		}
		fmt.Fprintln(out)
	}
	if slices.Contains(c.only, rebuildPart) {
		if err := runRebuild(ctx, c.ledgers, machine(), out, errs); err != nil {
			return fmt.Errorf("rebuilding: %w", err)
		}
		fmt.Fprintln(out)
	}
	if !slices.ContainsFunc(c.only, func(part string) bool { return part != storePart && part != rebuildPart }) {
		return nil
	}
	var systems []*system
	defer func() {
		for _, s := range systems {
			err = errors.Join(err, s.close())
		}
	}()
	facts := machine()
	if slices.Contains(c.systems, "daybook") {
		fmt.Fprintln(errs, "building and furnishing daybook ...")
		s, err := startDaybook(ctx, c.profile)
		if err != nil {
			return err
		}
		systems = append(systems, s)
	}
	if slices.Contains(c.systems, "baseline") {
		fmt.Fprintln(errs, "starting PostgreSQL and the baseline ...")
		s, version, err := startBaseline(ctx)
		if err != nil {
			return err
		}
		facts += ", PostgreSQL " + version
		systems = append(systems, s)
	}
	rows, err := measure(ctx, c, systems, errs)
	if err != nil {
		return err
	}
	return print(out, facts, c, rows)
}
