package groups

import (
	"encoding/json"
	"math"
	"reflect"
	"testing"
	"time"

	"pgregory.net/rapid"

	"daybook/eventstore"
)

// TestConfigurationsAreKept writes groups to the form that the ledger keeps, and reads them.
func TestConfigurationsAreKept(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		number := rapid.IntRange(0, math.MaxInt32)
		name := rapid.StringMatching(`[a-zé:@$ -]{1,20}`)
		stream := name.Filter(func(s string) bool { return eventstore.CheckStream(eventstore.StreamName(s)) == nil })
		ms := rapid.Custom(func(t *rapid.T) time.Duration { return time.Duration(number.Draw(t, "ms")) * time.Millisecond })
		want := Config{
			Key: Key{Stream: eventstore.StreamName(stream.Draw(t, "stream")), Group: name.Draw(t, "group")},
			Settings: Settings{
				ResolveLinks: rapid.Bool().Draw(t, "resolve"), ExtraStatistics: rapid.Bool().Draw(t, "extra"),
				MessageTimeout: ms.Draw(t, "timeout"), MaxRetryCount: number.Draw(t, "retries"),
				HistoryBufferSize: number.Draw(t, "history"), LiveBufferSize: number.Draw(t, "live"), ReadBatchSize: number.Draw(t, "batch"),
				CheckpointAfter: ms.Draw(t, "after"), MinCheckpointCount: number.Draw(t, "min"), MaxCheckpointCount: number.Draw(t, "max"),
				MaxConsumers: number.Draw(t, "consumers"),
				Strategy:     rapid.SampledFrom([]Strategy{RoundRobin, DispatchToSingle, Pinned, PinnedByCorrelation}).Draw(t, "strategy"),
			},
			From: rapid.SampledFrom([]From{{}, {End: true}, {At: 1}, {At: 1 << 40}, {At: math.MaxInt64 - 1}}).Draw(t, "from"),
		}
		if rapid.Bool().Draw(t, "all") {
			want.Stream = All
			want.Filter = rapid.SampledFrom([]*Filter{nil, {Prefixes: []string{"a,b", "c"}}, {Types: true, Regex: `^[^$]`}}).Draw(t, "filter")
		}
		begin := cursor(rapid.Uint64().Draw(t, "begin"))
		data, err := json.Marshal((&group{config: want, begin: begin}).entry())
		if err != nil {
			t.Fatal(err)
		}
		var e entry
		if err := json.Unmarshal(data, &e); err != nil {
			t.Fatal(err)
		}
		got, err := e.config()
		if err != nil || !reflect.DeepEqual(got, want) || cursor(e.Begin) != begin {
			t.Fatalf("read %+v from %d, %v\nwant %+v from %d", got, e.Begin, err, want, begin)
		}
	})
}

func TestPlacesAreKept(t *testing.T) {
	for _, c := range []struct {
		at   cursor
		all  bool
		data string
	}{
		{1, false, `"0"`}, {1, true, `"C:0/P:0"`}, {12, false, `"11"`}, {12, true, `"C:11/P:11"`},
	} {
		data, err := json.Marshal(placeText(c.at, c.all))
		if err != nil || string(data) != c.data {
			t.Errorf("%d is written as %s, %v, want %s", c.at, data, err, c.data)
		}
		if at, err := parseCheckpoint(data, c.all); err != nil || at != c.at {
			t.Errorf("%s is read as %d, %v, want %d", data, at, err, c.at)
		}
	}
	for _, bad := range []string{``, `""`, `"-1"`, `-1`, `"C:1"`, `1.5`, `"99999999999999999999"`, `null`, `{}`, `"C:-1/P:-1"`} {
		for _, all := range []bool{false, true} {
			if at, err := parseCheckpoint([]byte(bad), all); err == nil {
				t.Errorf("%s is read as %d, want an error", bad, at)
			}
		}
	}
	if at, err := parseCheckpoint([]byte(`7`), false); err != nil || at != 8 {
		t.Errorf("the form of older versions is read as %d, %v, want 8", at, err)
	}
}

// FuzzLedger reads what anyone may have written to the streams that groups keep.
func FuzzLedger(f *testing.F) {
	for _, seed := range []string{
		`{"version":"2","entries":[{"stream":"day-1","group":"g","startPosition":"0","namedConsumerStrategy":"Pinned"}]}`,
		`{"entries":[{"stream":"$all","group":"g","startPosition":"C:-1/P:-1","filter":{"regex":"("}}]}`, `"C:1/P:1"`, `5`, `null`, `{"entries":[null]}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, all := range []bool{false, true} {
			if at, err := parseCheckpoint(data, all); err == nil && (at == 0 || at > math.MaxInt64+1) {
				t.Errorf("%q is read as %d", data, at)
			}
		}
		var d document
		if json.Unmarshal(data, &d) != nil {
			return
		}
		for _, e := range d.Entries {
			c, err := e.config()
			if err != nil {
				continue
			}
			if err := c.check(); err != nil {
				t.Errorf("%+v was read, and is refused: %v", c, err)
			}
			if text := startText(c.From, c.Stream == All); text == "" {
				t.Errorf("%+v starts nowhere", c)
			}
		}
	})
}
