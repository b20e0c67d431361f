package observe_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/attribute"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"
	"go.uber.org/goleak"

	"daybook/eventstore"
	"daybook/eventstore/embedded"
	"daybook/eventstore/observe"
	"daybook/eventstore/storetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func open(fs vfs.FS, clock func() time.Time) (*embedded.Store, error) {
	return embedded.Open("ledger", embedded.Options{
		FS: fs, Clock: clock, Logger: slog.New(slog.DiscardHandler), CacheBytes: 8 << 20, MemTableBytes: 4 << 20,
	})
}

// TestConformance shows that a store that is watched is the store it was.
func TestConformance(t *testing.T) {
	storetest.Run(t, storetest.Features{}, func(testing.TB) storetest.Opener {
		fs := vfs.NewMem()
		return func() (eventstore.Store, error) {
			s, err := open(fs, nil)
			if err != nil {
				return nil, err
			}
			return observe.New(s, observe.Options{}), nil
		}
	})
}

// watched is a store with all that it tells.
type watched struct {
	*observe.Store
	registry *prometheus.Registry
	spans    *tracetest.InMemoryExporter
}

func watch(t *testing.T) watched {
	t.Helper()
	now := time.Date(2026, 11, 21, 19, 0, 0, 0, time.UTC)
	s, err := open(vfs.NewMem(), func() time.Time { return now })
	if err != nil {
		t.Fatalf("open: %v", err)
	}
	w := watched{registry: prometheus.NewRegistry(), spans: tracetest.NewInMemoryExporter()}
	w.Store = observe.New(s, observe.Options{
		Engine:  "embedded",
		Tracers: sdk.NewTracerProvider(sdk.WithSyncer(w.spans)),
		Clock:   func() time.Time { return now.Add(3 * time.Millisecond) },
	})
	w.registry.MustRegister(w.Store)
	t.Cleanup(func() { _ = w.Close() })
	return w
}

// metrics gives each series its value: of a histogram the number of observations.
func (w watched) metrics(t *testing.T) map[string]float64 {
	t.Helper()
	families, err := w.registry.Gather()
	if err != nil {
		t.Fatalf("gather: %v", err)
	}
	out := map[string]float64{}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			name := strings.TrimPrefix(f.GetName(), "daybook_store_")
			var labels []string
			for _, l := range m.GetLabel() {
				labels = append(labels, l.GetValue())
			}
			if len(labels) > 0 {
				name += "{" + strings.Join(labels, ",") + "}"
			}
			out[name] = m.GetCounter().GetValue() + m.GetGauge().GetValue() + float64(m.GetHistogram().GetSampleCount())
		}
	}
	return out
}

// told is a span in short.
func told(s tracetest.SpanStub) string {
	attributes := map[string]string{}
	for _, a := range s.Attributes {
		attributes[string(a.Key)] = a.Value.String()
	}
	text := s.Name
	for _, k := range slices.Sorted(maps.Keys(attributes)) {
		text += fmt.Sprintf(" %s=%s", strings.TrimPrefix(k, "daybook."), attributes[k])
	}
	for _, e := range s.Events {
		text += " +" + e.Name
		for _, a := range e.Attributes {
			if strings.HasPrefix(string(a.Key), "daybook.") {
				text += fmt.Sprintf(" %s=%s", strings.TrimPrefix(string(a.Key), "daybook."), a.Value.String())
			}
		}
	}
	if s.Status.Description != "" {
		text += " failed: " + s.Status.Description
	}
	return text
}

func event(n byte) eventstore.Event {
	return eventstore.Event{ID: eventstore.EventID{15: n}, Type: "reservation.held", Data: []byte(`{}`), Metadata: []byte(`{}`)}
}

func TestWhatIsTold(t *testing.T) {
	w := watch(t)
	ctx := t.Context()
	mustAppend := func(stream eventstore.StreamName, expected eventstore.Expected, events ...eventstore.Event) {
		t.Helper()
		if _, err := w.Append(ctx, stream, expected, events...); err != nil {
			t.Fatalf("append: %v", err)
		}
	}
	mustAppend("day-1-2026-11-21", eventstore.NoStream(), event(1), event(2))
	mustAppend("user-anna", eventstore.Any(), event(3))
	if _, err := w.Append(ctx, "day-1-2026-11-21", eventstore.At(0), event(4)); !eventstore.IsConflict(err) {
		t.Fatalf("append at an old revision: %v", err)
	}
	if _, err := w.Append(ctx, "day-1-2026-11-21", eventstore.Any()); !errors.Is(err, eventstore.ErrInvalid) {
		t.Fatalf("append of nothing: %v", err)
	}
	for range w.ReadStream(ctx, "day-1-2026-11-21", 0) {
		break // the reader may leave early
	}
	for range w.ReadStreamBackwards(ctx, "day-7", eventstore.Last) {
		continue
	}
	for range w.ReadAll(ctx, eventstore.Start, eventstore.Filter{}) {
		continue
	}
	for range w.ReadAllBackwards(ctx, eventstore.End, eventstore.Filter{}) {
		continue
	}
	ended, cancel := context.WithCancel(ctx)
	cancel()
	for range w.ReadAll(ended, eventstore.Start, eventstore.Filter{}) {
		continue
	}
	sub, err := w.Subscribe(ctx, 1, eventstore.Filter{})
	if err != nil {
		t.Fatalf("subscribe: %v", err)
	}
	wantGauges := map[string]float64{"position": 3, "subscription_position": 1, "subscriptions": 1}
	metrics := w.metrics(t)
	for name, want := range wantGauges {
		if metrics[name] != want {
			t.Errorf("%s is %g before the first batch, want %g", name, metrics[name], want)
		}
	}
	for at := eventstore.Position(1); at < 3; {
		batch, err := sub.Next(ctx)
		if err != nil {
			t.Fatalf("next: %v", err)
		}
		at = batch.Position
	}
	_ = sub.Close()

	want := map[string]float64{
		"append_duration_seconds{day,conflict}": 1, "append_duration_seconds{day,invalid}": 1,
		"append_duration_seconds{day,ok}": 1, "append_duration_seconds{user,ok}": 1,
		"events_appended_total{day}": 2, "events_appended_total{user}": 1,
		"read_duration_seconds{stream,ok}": 1, "read_duration_seconds{stream backwards,not found}": 1,
		"read_duration_seconds{all,ok}": 1, "read_duration_seconds{all backwards,ok}": 1, "read_duration_seconds{all,cancelled}": 1,
		"records_read_total{stream}": 1, "records_read_total{stream backwards}": 0,
		"records_read_total{all}": 3, "records_read_total{all backwards}": 3, "records_read_total{subscription}": 2,
		"delivery_seconds":                1,
		"subscription_ends_total{closed}": 1,
		"position":                        3, "subscription_position": 3, "subscriptions": 0,
	}
	if got := w.metrics(t); !reflect.DeepEqual(got, want) {
		t.Errorf("metrics\n got %v\nwant %v", got, want)
	}

	wantSpans := []string{
		"eventstore append events=2 outcome=ok position=2 store=embedded stream.kind=day",
		"eventstore append events=1 outcome=ok position=3 store=embedded stream.kind=user",
		"eventstore append events=1 outcome=conflict store=embedded stream.kind=day +conflict expected=revision 0 actual=revision 1",
		"eventstore append events=0 outcome=invalid store=embedded stream.kind=day +exception failed: invalid",
		"eventstore read stream events=1 outcome=ok store=embedded stream.kind=day",
		"eventstore read stream backwards events=0 outcome=not found store=embedded stream.kind=day",
		"eventstore read all events=3 outcome=ok store=embedded stream.kind=all",
		"eventstore read all backwards events=3 outcome=ok store=embedded stream.kind=all",
		"eventstore read all events=0 outcome=cancelled store=embedded stream.kind=all +exception failed: cancelled",
		"eventstore subscribe after=1 store=embedded",
	}
	var spans []string
	for _, s := range w.spans.GetSpans() {
		spans = append(spans, told(s))
	}
	if !slices.Equal(spans, wantSpans) {
		t.Errorf("spans\n%s\nwant\n%s", strings.Join(spans, "\n"), strings.Join(wantSpans, "\n"))
	}
}

// TestSpansBelongToTheirCaller checks that a span is a child of the request's.
func TestSpansBelongToTheirCaller(t *testing.T) {
	w := watch(t)
	tracer := sdk.NewTracerProvider(sdk.WithSyncer(w.spans)).Tracer("request")
	ctx, request := tracer.Start(t.Context(), "POST /holds", trace.WithAttributes(attribute.Bool("x", true)))
	if _, err := w.Append(ctx, "day-1", eventstore.NoStream(), event(1)); err != nil {
		t.Fatal(err)
	}
	request.End()
	spans := w.spans.GetSpans()
	if len(spans) != 2 || spans[0].Parent.SpanID() != request.SpanContext().SpanID() {
		t.Errorf("%+v, want the append below the request", spans)
	}
}

// TestSubscriptionsThatAreLeft has contexts end instead of Close.
func TestSubscriptionsThatAreLeft(t *testing.T) {
	w := watch(t)
	ctx, cancel := context.WithCancel(t.Context())
	if _, err := w.Subscribe(ctx, eventstore.Start, eventstore.Filter{}); err != nil {
		t.Fatal(err)
	}
	cancel()
	for deadline := time.Now().Add(30 * time.Second); w.metrics(t)["subscriptions"] != 0; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("a subscription whose context has ended is still counted as open")
		}
	}
}

// TestKindsAreBounded gives names that make no kind, and too many that do.
func TestKindsAreBounded(t *testing.T) {
	w := watch(t)
	names := []eventstore.StreamName{"plain", "-x", "Ünï-1", "a b-1", "4711-x", eventstore.StreamName(strings.Repeat("k", 25) + "-1")}
	for i := range 40 {
		names = append(names, eventstore.StreamName(fmt.Sprintf("kind%s-1", strings.Repeat("x", i%20)+strings.Repeat("y", i/20))))
	}
	for i, name := range names {
		if _, err := w.Append(t.Context(), name, eventstore.Any(), event(byte(i+1))); err != nil {
			t.Fatalf("append to %s: %v", name, err)
		}
	}
	series := 0
	metrics := w.metrics(t)
	for name := range metrics {
		if strings.HasPrefix(name, "events_appended_total") {
			series++
		}
	}
	if series != 33 || metrics["events_appended_total{other}"] != 6+8 {
		t.Errorf("%d kinds, %g events of other ones: want 32 and other, 14", series, metrics["events_appended_total{other}"])
	}
}
