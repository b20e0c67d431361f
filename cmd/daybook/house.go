package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"daybook/commands"
	"daybook/domain"
	"daybook/domain/restaurantday"
	"daybook/eventstore"
	"daybook/eventstore/codec"
	senders "daybook/gateways/webhooks"
	"daybook/internal/httpapi"
	"daybook/internal/passwords"
	"daybook/internal/telemetry"
	"daybook/internal/tokens"
	"daybook/processes"
	"daybook/processes/webhooks"
	"daybook/projections"
	"daybook/projections/availability"
	"daybook/projections/book"
	"daybook/projections/discovery"
	"daybook/projections/ledger"
	"daybook/projections/proof"
	"daybook/projections/reporting"
	"daybook/readapi"
	"daybook/writeapi"
)

// houseConfig is what a house is opened with.
type houseConfig struct {
	engineFlags
	Listen string       // host:port; port 0 for any
	Ledger *storeAccess // where and to whom the embedded ledger is served; nil for nowhere
	// PrivateWebhooks lets webhooks be sent to private addresses, and without TLS.
	PrivateWebhooks bool
	// OperatorToken lets whoever shows it read the whole ledger over HTTP; empty lets nobody.
	OperatorToken string
	// For tests: a clock of its own, another rule for days, a store around the store.
	clock func() time.Time
	day   *domain.Decider[restaurantday.State, restaurantday.Command, restaurantday.Event]
	wrap  func(eventstore.Store) eventstore.Store
}

// house is everything wired together: open, start, wait until it is ready, close.
type house struct {
	cfg       houseConfig
	engines   *engines
	app       *commands.App
	codec     *codec.Codec
	signer    *tokens.Signer
	proof     *proof.View
	views     *views
	runner    *projections.Runner
	processes []process
	sender    *senders.Sender
	webhooks  *webhooks.Process
	metrics   *telemetry.Metrics
	server    *http.Server
	addr      net.Addr
	ledger    *storeServer // nil where the ledger is not served

	running *errgroup.Group
	failed  context.Context // ends when something that runs fails, which close then tells
	stop    context.CancelFunc
}

// openHouse opens the engines and wires the rooms; nothing runs yet.
func openHouse(ctx context.Context, cfg houseConfig) (h *house, err error) {
	if cfg.Ledger != nil && cfg.EventstoreURL != "" {
		return nil, fmt.Errorf("%s serves the embedded ledger; this one is elsewhere already", cfg.Ledger.flag)
	}
	if cfg.clock == nil {
		cfg.clock = time.Now
	}
	h = &house{cfg: cfg, metrics: telemetry.New(version)}
	defer func() {
		if err != nil {
			err = errors.Join(err, h.close())
		}
	}()
	if h.engines, err = openEngines(ctx, cfg.engineFlags, cfg.clock); err != nil {
		return h, err
	}
	if cfg.wrap != nil {
		h.engines.store = cfg.wrap(h.engines.store)
	}
	h.codec = codec.New(h.engines.keys)
	var keys [4][]byte
	for i, name := range []string{"request-bodies", "e-mail-addresses", "access-tokens", headsSecret} {
		if keys[i], err = h.engines.secret(ctx, name); err != nil {
			return h, err
		}
	}
	if h.signer, err = tokens.NewSigner(keys[2], cfg.clock); err != nil {
		return h, err
	}
	h.sender = senders.New(senders.Options{AllowPrivate: cfg.PrivateWebhooks, UserAgent: "Daybook/" + version})
	h.app, err = commands.New(commands.Config{
		Store: h.engines.store, Codec: h.codec, Passwords: passwords.New(), BodyKey: keys[0], EmailKey: keys[1],
		Clock: cfg.clock, Day: cfg.day, Receiver: h.sender.Check,
	})
	if err != nil {
		return h, err
	}
	if h.proof, err = openProof(cfg.Data, keys[3], h.engines.store); err != nil {
		return h, err
	}
	if h.views, err = openViews(h.engines, h.codec, h.proof, cfg.clock); err != nil {
		return h, err
	}
	if h.runner, err = projections.NewRunner(h.engines.store, projections.Options{Linger: linger, Build: thisProgram}, h.views.all()...); err != nil {
		return h, err
	}
	if h.processes, err = openProcesses(h.engines, h.codec, h.app, cfg.clock); err != nil {
		return h, err
	}
	if h.webhooks, err = openWebhooks(h.engines, h.codec, h.app, h.sender, cfg.clock); err != nil {
		return h, err
	}
	h.processes = append(h.processes, h.webhooks)
	h.takeRebuilds()
	h.takeExports()
	takeWhatIfs(h.engines.admin, h.engines.store, cfg.clock)
	h.running, h.failed = errgroup.WithContext(context.Background())
	h.stop = func() {}
	return h, nil
}

// linger is how far views may be behind for the sake of larger batches while nobody waits
// for them. Reporting gains most: what its rows share on a page is written once.
var linger = map[string]time.Duration{
	availability.Name: 20 * time.Millisecond,
	"reporting":       250 * time.Millisecond,
	"discovery":       100 * time.Millisecond,
	proof.Name:        100 * time.Millisecond,
}

// startViews feeds the views.
func (h *house) startViews() {
	ctx, stop := context.WithCancel(context.Background())
	h.stop = stop
	h.running.Go(func() error { return h.runner.Run(ctx) })
}

// waitForViews waits until every view has read what is in the ledger now.
func (h *house) waitForViews(ctx context.Context) error {
	head, err := h.engines.store.Head(ctx)
	if err != nil {
		return err
	}
	for _, v := range h.views.all() {
		if err := h.runner.Wait(ctx, v.Name(), head); err != nil {
			return fmt.Errorf("view %s: %w", v.Name(), err)
		}
	}
	return nil
}

// start serves; when it returns, requests are taken.
func (h *house) start(ctx context.Context) error {
	h.startViews()
	run, stop := context.WithCancel(context.Background())
	stopViews := h.stop
	h.stop = func() { stop(); stopViews() }
	for _, p := range h.processes {
		h.running.Go(func() error { return keepRunning(run, p) })
	}
	h.running.Go(func() error { h.views.proof.KeepSigning(run, headEvery); return nil })
	if e := h.engines.embedded; e != nil {
		h.running.Go(func() error { return watchStore(run, e) })
	}

	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", h.cfg.Listen)
	if err != nil {
		return err
	}
	h.addr = listener.Addr()
	closing := make(chan struct{})
	h.server = &http.Server{
		Handler: h.routes(closing), ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 15 * time.Second,
		WriteTimeout: 30 * time.Second, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 16 << 10,
		ErrorLog: slog.NewLogLogger(slog.Default().Handler(), slog.LevelDebug),
	}
	h.server.RegisterOnShutdown(sync.OnceFunc(func() { close(closing) }))
	if err := h.serveLedger(ctx); err != nil {
		return errors.Join(err, listener.Close())
	}
	h.running.Go(func() error {
		if err := h.server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			return err
		}
		return nil
	})
	return nil
}

// serveLedger lets EventStoreDB clients at the embedded ledger.
func (h *house) serveLedger(ctx context.Context) (err error) {
	if h.cfg.Ledger == nil {
		return nil
	}
	if h.ledger, err = listenStore(ctx, h.engines.embedded, *h.cfg.Ledger, nil); err != nil {
		return err
	}
	h.running.Go(h.ledger.serve)
	slog.Info("ledger served", "addr", h.ledger.listener.Addr().String(), "url", h.ledger.url, "mode", h.cfg.Ledger.mode())
	return nil
}

// openDay opens a day because a request wants to see it.
func (h *house) openDay(ctx context.Context, id domain.RestaurantID, date domain.ServiceDate) (eventstore.Position, error) {
	return h.app.OpenDay(commands.From(ctx, commands.Origin{Correlation: httpapi.RequestID(ctx)}), id, date)
}

// process is something that the house does by itself.
type process interface {
	Name() string
	Run(context.Context) error
	Waiting() int
}

// openProcesses makes what the house does by itself.
func openProcesses(e *engines, c *codec.Codec, app *commands.App, clock func() time.Time) ([]process, error) {
	cfg := processes.Config{Store: e.store, Codec: c, Checkpoints: e.database.Checkpoints(), Clock: clock}
	expiry, err := processes.NewHoldExpiry(cfg, app.RecordLapses)
	if err != nil {
		return nil, err
	}
	moves, err := processes.NewMoves(cfg, app.GoOnWithMove)
	if err != nil {
		return nil, err
	}
	rollout, err := processes.NewPlanRollout(cfg, app)
	if err != nil {
		return nil, err
	}
	return []process{expiry, moves, rollout}, nil
}

// keepRunning runs a process until ctx ends: whatever else ends it, such as a checkpoint
// that cannot be read, is tried again.
func keepRunning(ctx context.Context, p process) error {
	for {
		err := p.Run(ctx)
		if ctx.Err() != nil {
			return nil //nolint:nilerr // it ended because it was told to
		}
		slog.Warn("a process begins again", "process", p.Name(), "error", err)
		select {
		case <-time.After(time.Second):
		case <-ctx.Done():
			return nil
		}
	}
}

// routes is what is served; answers that go on until their client goes end when closing is
// closed.
func (h *house) routes(closing <-chan struct{}) http.Handler {
	api := httpapi.New(httpapi.Config{Users: h.signer.User, Operator: operatorBy(h.cfg.OperatorToken), Version: version, Observe: h.metrics.Request})
	writeapi.Register(api, h.app, h.signer)
	readapi.Register(api, readapi.Views{
		Book: h.views.book, Availability: h.views.availability, Reporting: h.engines.database, Discovery: h.views.discovery, Deliveries: h.engines.outbox,
		Proof: h.views.proof, Words: reporting.NewWords(h.engines.store, h.codec),
		Wait: h.runner.Wait, Head: h.engines.store.Head, OpenDay: h.openDay, Clock: h.cfg.clock,
		Closing: closing, Ledger: h.engines.store, Events: ledger.New(h.engines.store),
	})
	readapi.RegisterHouse(api, readapi.House{
		Metrics: h.metrics.Handler(), Checks: h.checks(), Warnings: h.warnings, Status: h.runner.Status,
	})
	readapi.RegisterDocs(api)
	h.observe()
	return api.Engine
}

// checks is what must be in order for requests to be taken.
func (h *house) checks() map[string]func(context.Context) error {
	return map[string]func(context.Context) error{
		"ledger": func(ctx context.Context) error {
			_, err := h.engines.store.Head(ctx)
			return err
		},
		"reporting": h.engines.database.Ping,
	}
}

// observe shows the views' progress, and the embedded ledger's work, in the metrics.
func (h *house) observe() {
	for i, s := range h.runner.Status() {
		labels := map[string]string{"view": s.Name}
		h.metrics.Gauge("daybook_view_position", "The ledger position a view has reached.", labels,
			func() float64 { return float64(h.runner.Status()[i].Position) })
		h.metrics.Gauge("daybook_view_parked", "Records a view left out because they cannot be applied.", labels,
			func() float64 { return float64(h.runner.Status()[i].Parked) })
		h.metrics.Gauge("daybook_view_lag_seconds", "How old the last record was when a view that catches up applied it.", labels,
			func() float64 { return h.runner.Status()[i].LagHint.Seconds() })
	}
	for _, p := range h.processes {
		h.metrics.Gauge("daybook_process_waiting", "What a process waits for: holds that may lapse, moves that may be left unfinished, changes that days do not have yet, messages that are not acknowledged.",
			map[string]string{"process": p.Name()}, func() float64 { return float64(p.Waiting()) })
	}
	observeWebhooks(h.metrics, h.webhooks, h.engines)
	observeLedger(h.metrics, h.engines)
	observeProof(h.metrics, h.views.proof)
}

const stopTimeout = 20 * time.Second

// close stops in the order in which things depend on each other: requests end, then what
// they left to write down, then the views, then the engines.
func (h *house) close() (err error) {
	ctx, cancel := context.WithTimeout(context.Background(), stopTimeout)
	defer cancel()
	if h.server != nil {
		err = errors.Join(err, h.server.Shutdown(ctx))
	}
	if h.ledger != nil {
		err = errors.Join(err, h.ledger.shutdown(ctx))
	}
	if h.app != nil {
		err = errors.Join(err, h.app.Close(ctx))
	}
	if h.running != nil {
		h.stop()
		if h.runner != nil {
			err = errors.Join(err, h.runner.Close())
		}
		err = errors.Join(err, h.running.Wait())
	}
	if h.sender != nil {
		err = errors.Join(err, h.sender.Close())
	}
	if h.views != nil {
		err = errors.Join(err, h.views.close(ctx))
	}
	if h.proof != nil {
		err = errors.Join(err, h.proof.Close())
	}
	if h.engines != nil {
		err = errors.Join(err, h.engines.close())
	}
	return err
}

// views is every read model.
type views struct {
	book         *book.Book
	availability *availability.View
	reporting    *reporting.View
	discovery    *discovery.Index
	searchable   *discovery.View
	proof        *proof.View
}

// openViews opens every read model, but for the log of proofs, which is open already.
func openViews(e *engines, c *codec.Codec, log *proof.View, clock func() time.Time) (v *views, err error) {
	v = &views{
		proof: log,
		book:  book.New(e.store, c), reporting: e.database.View(e.store, c),
		discovery: e.search, searchable: e.search.View(e.store, c),
	}
	v.availability, err = availability.New(availability.Options{
		Redis: e.redis, Store: e.store, Clock: func() domain.Instant { return domain.InstantOf(clock()) },
	})
	return v, err
}

// all lists the views that are fed.
func (v *views) all() []projections.View {
	return []projections.View{v.availability, v.reporting, v.searchable, v.proof}
}

// close writes down how far the views have come.
func (v *views) close(ctx context.Context) error { return v.searchable.Close(ctx) }
