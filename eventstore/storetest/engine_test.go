package storetest

import (
	"context"
	"io"
	"iter"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"daybook/eventstore"
	"daybook/eventstore/embedded"
)

// wrong is a right engine with some calls replaced by ones that go wrong.
type wrong struct {
	eventstore.Engine
	write     func(context.Context, eventstore.StreamName, eventstore.Expected, ...eventstore.Event) (eventstore.Appended, error)
	delete    func(context.Context, eventstore.StreamName, eventstore.Expected) (eventstore.Position, error)
	tombstone func(context.Context, eventstore.StreamName, eventstore.Expected) (eventstore.Position, error)
	look      func(context.Context, eventstore.StreamName) (eventstore.StreamState, error)
	read      func(context.Context, eventstore.StreamName, eventstore.Revision) iter.Seq2[eventstore.Record, error]
}

func (w wrong) Write(ctx context.Context, s eventstore.StreamName, x eventstore.Expected, events ...eventstore.Event) (eventstore.Appended, error) {
	if w.write != nil {
		return w.write(ctx, s, x, events...)
	}
	return w.Engine.Write(ctx, s, x, events...)
}

func (w wrong) Delete(ctx context.Context, s eventstore.StreamName, x eventstore.Expected) (eventstore.Position, error) {
	if w.delete != nil {
		return w.delete(ctx, s, x)
	}
	return w.Engine.Delete(ctx, s, x)
}

func (w wrong) Tombstone(ctx context.Context, s eventstore.StreamName, x eventstore.Expected) (eventstore.Position, error) {
	if w.tombstone != nil {
		return w.tombstone(ctx, s, x)
	}
	return w.Engine.Tombstone(ctx, s, x)
}

func (w wrong) Look(ctx context.Context, s eventstore.StreamName) (eventstore.StreamState, error) {
	if w.look != nil {
		return w.look(ctx, s)
	}
	return w.Engine.Look(ctx, s)
}

func (w wrong) ReadStream(ctx context.Context, s eventstore.StreamName, from eventstore.Revision) iter.Seq2[eventstore.Record, error] {
	if w.read != nil {
		return w.read(ctx, s, from)
	}
	return w.Engine.ReadStream(ctx, s, from)
}

func engineOpener(with func(eventstore.Engine) eventstore.Engine) func(testing.TB) EngineOpener {
	return func(testing.TB) EngineOpener {
		fs := vfs.NewMem()
		return func(clock func() time.Time) (eventstore.Engine, error) {
			s, err := embedded.Open("ledger", embedded.Options{
				FS: fs, Clock: clock, CacheBytes: 1 << 20, MemTableBytes: 1 << 20,
				Logger: slog.New(slog.NewTextHandler(io.Discard, nil)),
			})
			if err != nil {
				return nil, err
			}
			return with(s), nil
		}
	}
}

// TestEngineSuiteCatchesBrokenEngines is TestSuiteCatchesBrokenStores for engines.
func TestEngineSuiteCatchesBrokenEngines(t *testing.T) {
	cases := []struct {
		name   string
		spoil  func(e eventstore.Engine) eventstore.Engine
		caught []string
	}{
		{"loses Binary", func(e eventstore.Engine) eventstore.Engine {
			return wrong{Engine: e, write: func(ctx context.Context, s eventstore.StreamName, x eventstore.Expected, events ...eventstore.Event) (eventstore.Appended, error) {
				events = slices.Clone(events)
				for i := range events {
					events[i].Binary = false
				}
				return e.Write(ctx, s, x, events...)
			}}
		}, []string{"write/binary data", "write/binary data after reopen", "any calls"}},
		{"takes any metadata", func(e eventstore.Engine) eventstore.Engine {
			return wrong{Engine: e, write: func(ctx context.Context, s eventstore.StreamName, x eventstore.Expected, events ...eventstore.Event) (eventstore.Appended, error) {
				if strings.HasPrefix(string(s), "$$") {
					return eventstore.Appended{}, nil
				}
				return e.Write(ctx, s, x, events...)
			}}
		}, []string{"write/what no engine takes", "metadata/hide", "metadata/age", "metadata/of metadata", "metadata/without events", "delete/metadata recreate"}},
		{"hides nothing", func(e eventstore.Engine) eventstore.Engine {
			return wrong{Engine: e, read: func(ctx context.Context, s eventstore.StreamName, from eventstore.Revision) iter.Seq2[eventstore.Record, error] {
				return func(yield func(eventstore.Record, error) bool) {
					for r, err := range e.ReadAll(ctx, eventstore.Start, eventstore.Everything()) {
						if (err != nil || r.Stream == s && r.Revision >= from) && !yield(r, err) {
							return
						}
					}
				}
			}}
		}, []string{"metadata/hide", "metadata/age", "delete/hides and recreates", "tombstone/ends for ever", "any calls"}},
		{"deletes nothing", func(e eventstore.Engine) eventstore.Engine {
			return wrong{Engine: e, delete: func(context.Context, eventstore.StreamName, eventstore.Expected) (eventstore.Position, error) {
				return 1, nil
			}}
		}, []string{"delete/hides and recreates", "delete/keeps to expectations", "delete/metadata recreate", "delete/retries", "delete/one recreates"}},
		{"deletes for ever", func(e eventstore.Engine) eventstore.Engine {
			return wrong{Engine: e, delete: e.Tombstone}
		}, []string{"delete/hides and recreates", "delete/keeps to expectations", "delete/retries", "any calls"}},
		{"deletes whatever was expected", func(e eventstore.Engine) eventstore.Engine {
			return wrong{Engine: e, delete: func(ctx context.Context, s eventstore.StreamName, x eventstore.Expected) (eventstore.Position, error) {
				return e.Delete(ctx, s, eventstore.Any())
			}}
		}, []string{"delete/keeps to expectations", "any calls"}},
		{"ends nothing for ever", func(e eventstore.Engine) eventstore.Engine {
			return wrong{Engine: e, tombstone: e.Delete}
		}, []string{"tombstone/ends for ever", "tombstone/keeps to expectations"}},
		{"ends whatever was expected", func(e eventstore.Engine) eventstore.Engine {
			return wrong{Engine: e, tombstone: func(ctx context.Context, s eventstore.StreamName, x eventstore.Expected) (eventstore.Position, error) {
				return e.Tombstone(ctx, s, eventstore.Any())
			}}
		}, []string{"tombstone/keeps to expectations"}},
		{"sees streams where there are none", func(e eventstore.Engine) eventstore.Engine {
			return wrong{Engine: e, look: func(context.Context, eventstore.StreamName) (eventstore.StreamState, error) {
				return eventstore.StreamState{Shown: true}, nil
			}}
		}, []string{"look/of nothing", "write/the engine's own streams and types", "close/calls are refused"}},
	}
	for _, c := range cases {
		for _, name := range c.caught {
			t.Run(c.name+"/"+name, func(t *testing.T) {
				t.Parallel()
				i := slices.IndexFunc(engineChecks, func(ch engineCheck) bool { return ch.name == name })
				if i < 0 {
					t.Fatalf("there is no check %q", name)
				}
				open := engineOpener(c.spoil)
				failure := failureOf(t, func(tb testing.TB) { engineChecks[i].run(newEngineEnv(tb, open(tb), Features{})) })
				if failure == "" {
					t.Fatalf("the check passed an engine that %s", c.name)
				}
				t.Log(failure)
				if strings.Contains(failure, "panic") {
					t.Fatalf("the check did not find it, it broke: %s", failure)
				}
			})
		}
	}
}
