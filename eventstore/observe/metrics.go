package observe

import (
	"context"
	"errors"
	"strings"
	"sync"

	"github.com/prometheus/client_golang/prometheus"

	"daybook/eventstore"
)

// metrics are the collectors of one store.
type metrics struct {
	appends  *prometheus.HistogramVec
	appended *prometheus.CounterVec
	reads    *prometheus.HistogramVec
	records  *prometheus.CounterVec
	delivery prometheus.Histogram
	breaks   *prometheus.CounterVec
	gauges   []prometheus.Collector
	highest
}

// fromDisk has room for an append that shares a sync, and for one that waits out a
// timeout.
var fromDisk = []float64{.0001, .00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 10}

func newMetrics(position, slowest, open func() float64) metrics {
	return metrics{
		appends: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "daybook_store_append_duration_seconds", Help: "How long appends took, by kind of stream and outcome.", Buckets: fromDisk,
		}, []string{"kind", "outcome"}),
		appended: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "daybook_store_events_appended_total", Help: "Events of successful appends, repeated ones included, by kind of stream.",
		}, []string{"kind"}),
		reads: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "daybook_store_read_duration_seconds", Help: "How long reads took, the reader's own work included, by what was read and outcome.", Buckets: fromDisk,
		}, []string{"of", "outcome"}),
		records: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "daybook_store_records_read_total", Help: "Records given to readers, by what was read.",
		}, []string{"of"}),
		delivery: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "daybook_store_delivery_seconds", Help: "How old the last record of a live batch was when it was handed out.", Buckets: fromDisk,
		}),
		breaks: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "daybook_store_subscription_ends_total", Help: "Subscriptions that ended, by why.",
		}, []string{"outcome"}),
		gauges: []prometheus.Collector{
			prometheus.NewGaugeFunc(prometheus.GaugeOpts{
				Name: "daybook_store_position", Help: "The highest position that was appended, delivered or asked for.",
			}, position),
			prometheus.NewGaugeFunc(prometheus.GaugeOpts{
				Name: "daybook_store_subscription_position", Help: "The position of the subscription that is furthest behind; the highest position if there is none.",
			}, slowest),
			prometheus.NewGaugeFunc(prometheus.GaugeOpts{
				Name: "daybook_store_subscriptions", Help: "Subscriptions that are open.",
			}, open),
		},
	}
}

func (m *metrics) all() []prometheus.Collector {
	return append([]prometheus.Collector{m.appends, m.appended, m.reads, m.records, m.delivery, m.breaks}, m.gauges...)
}

// Describe implements prometheus.Collector.
func (m *metrics) Describe(out chan<- *prometheus.Desc) {
	for _, c := range m.all() {
		c.Describe(out)
	}
}

// Collect implements prometheus.Collector.
func (m *metrics) Collect(out chan<- prometheus.Metric) {
	for _, c := range m.all() {
		c.Collect(out)
	}
}

const notFound = "not found"

// outcome is the label of an error of the contract.
func outcome(err error) string {
	switch {
	case err == nil:
		return "ok"
	case eventstore.IsConflict(err):
		return "conflict"
	case errors.Is(err, eventstore.ErrStreamNotFound):
		return notFound
	case errors.Is(err, eventstore.ErrStreamDeleted):
		return "deleted"
	case errors.Is(err, eventstore.ErrUnknownOutcome):
		return "unknown"
	case errors.Is(err, eventstore.ErrUnavailable):
		return "unavailable"
	case errors.Is(err, eventstore.ErrInvalid), errors.Is(err, eventstore.ErrNoExpectation):
		return "invalid"
	case errors.Is(err, eventstore.ErrClosed):
		return "closed"
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return "cancelled"
	default:
		return "error"
	}
}

const (
	// everyKind stands where no single stream is meant.
	everyKind = "all"
	// otherKind stands for names without a kind, and for kinds past the limit.
	otherKind = "other"
	// maxKinds bounds the label values that stream names can make.
	maxKinds = 32
	// maxKind is the longest kind, in bytes.
	maxKind = 24
)

// kinds tells a stream's kind, which is its name up to the first "-". Whoever writes to
// the store chooses names, so only a bounded number of kinds is told apart.
type kinds struct {
	known sync.Map // kind to itself, so that a stream's name is not kept alive
	mu    sync.Mutex
	count int
}

func (k *kinds) of(stream eventstore.StreamName) string {
	kind, _, found := strings.Cut(string(stream), "-")
	if !found || kind == "" || len(kind) > maxKind || !isWord(kind) {
		return otherKind
	}
	if known, ok := k.known.Load(kind); ok {
		return known.(string)
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if known, ok := k.known.Load(kind); ok {
		return known.(string)
	}
	if k.count == maxKinds {
		return otherKind
	}
	k.count++
	kind = strings.Clone(kind)
	k.known.Store(kind, kind)
	return kind
}

func isWord(s string) bool {
	for _, c := range []byte(s) {
		if (c < 'a' || c > 'z') && c != '_' {
			return false
		}
	}
	return true
}
