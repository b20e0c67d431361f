package canon

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"daybook/eventstore"
)

var update = flag.Bool("update", false, "write the golden file anew")

// golden is a row of testdata/forms.json, from which an implementation in any language
// can be tested: the record, in base64 where it need not be text, its form and its leaf.
type golden struct {
	What     string              `json:"what"`
	ID       string              `json:"id"`
	Revision eventstore.Revision `json:"revision"`
	Stream   []byte              `json:"stream"`
	Type     []byte              `json:"type"`
	Data     []byte              `json:"data"`
	Metadata []byte              `json:"metadata"`
	Binary   bool                `json:"binary,omitempty"`
	Form     string              `json:"form"`
	Leaf     string              `json:"leaf"`
}

func record(data, metadata string) eventstore.Record {
	return eventstore.Record{
		Event: eventstore.Event{
			ID: eventstore.EventID{0x68, 0xef, 0xda, 0x26, 0xe2, 0x94, 0x50, 0x80, 0x9e, 0xfa, 1, 2, 3, 4, 5, 6}, Type: "reservation.held",
			Data: []byte(data), Metadata: []byte(metadata),
		},
		Stream: "day-04000000000000000000000000-2026-11-21", Revision: 12, Position: 4711,
		Recorded: time.Date(2026, 11, 20, 19, 0, 0, 123456789, time.UTC),
	}
}

func with(r eventstore.Record, change func(*eventstore.Record)) eventstore.Record {
	change(&r)
	return r
}

var cipher = base64.StdEncoding.EncodeToString([]byte("\x01 no one can read this"))

var cases = []struct {
	what   string
	record eventstore.Record
}{
	{"an event without a personal part", record(`{"number":117,"expiresAt":"2026-11-21T19:00:00.000Z"}`, `{"v":1}`)},
	{"a personal part", record(`{"number":1,"subject":"usr_1","personal":"`+cipher+`"}`, `{"v":1}`)},
	{"personal parts at any depth, first and last", record(`{"personal":"AA==","list":[{"a":1},{"personal":"`+cipher+`","subject":"usr_1","b":[]}],"personal":""}`, `{"v":1,"x":{"personal":"AAAA"}}`)},
	{"numbers, escapes and order as they were written", record(`{"z":1.50,"a":-0e+7,"e":1E400,"s":"\u003c\u003C<\/é","t":[true,false,null,{},""]}`, `{}`)},
	{"names that only contain it", record(`{"impersonal":"AA","personalities":1,"person\u0061":2}`, `{}`)},
	{"no object", record(`-12.5e-3`, `"x"`)},
	{"white space", record(`{"a": 1}`, `{"v":1} `)},
	{"no JSON", record(`{"a":1`, `{"v":01}`)},
	{"nothing", record(``, ``)},
	{"bytes that are no UTF-8", record("{\"a\":\"\xff\"}", `{}`)},
	{"a personal part that is no string", record(`{"subject":"usr_1","personal":{"sha256":"`+strings.Repeat("0", 64)+`"}}`, `{}`)},
	{"a personal part with stray bits", record(`{"subject":"usr_1","personal":"AB=="}`, `{}`)},
	{"a personal part without padding", record(`{"subject":"usr_1","personal":"AA"}`, `{}`)},
	{"a personal part with an escape", record(`{"subject":"usr_1","personal":"AA\u003d="}`, `{}`)},
	{"a personal part in other letters", record(`{"subject":"usr_1","Personal":"AAAA"}`, `{"per\u0073onal":"AAAA"}`)},
	{"a personal part in letters that fold to it", record(`{"subject":"usr_1","per\u017fonal":"AAAA"}`, `{"perſonal":"AAAA"}`)},
	{"as deep as it goes", record(strings.Repeat("[", 64)+strings.Repeat("]", 64), `{}`)},
	{"too deep", record(strings.Repeat("[", 65)+strings.Repeat("]", 65), `{}`)},
	{"binary", with(record(`{"a":1}`, `{}`), func(r *eventstore.Record) { r.Binary = true })},
	{"a name with everything", with(record(`{}`, `{}`), func(r *eventstore.Record) {
		r.Stream, r.Type, r.Revision = "a\"\\/\n\x01\u007f<é\u2028", "\ttype", 1<<64-1
	})},
	{"names that are no UTF-8", with(record(`{}`, `{}`), func(r *eventstore.Record) { r.Stream, r.Type = "day-\xff", "\xc3" })},
}

func TestFormsAreGolden(t *testing.T) {
	var rows []golden
	for _, c := range cases {
		form, err := Form(c.record)
		if err != nil {
			t.Fatalf("%s: %v", c.what, err)
		}
		leaf := Leaf(form)
		r := c.record
		rows = append(rows, golden{
			What: c.what, ID: r.ID.String(), Revision: r.Revision, Stream: []byte(r.Stream), Type: []byte(r.Type), Data: r.Data,
			Metadata: r.Metadata, Binary: r.Binary, Form: string(form), Leaf: hex.EncodeToString(leaf[:]),
		})
		if want := sha256.Sum256(append([]byte{0}, form...)); leaf != want {
			t.Errorf("%s: leaf %x, want %x", c.what, leaf, want)
		}
	}
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(rows); err != nil {
		t.Fatal(err)
	}
	const file = "testdata/forms.json"
	if *update {
		if err := os.WriteFile(file, buf.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(buf.Bytes(), want) {
		t.Errorf("the forms are not those of %s: a head that was signed would not stand any more\ngot %s", file, buf.Bytes())
	}
}

// What FromLine is given by AppendForm and AppendLine it reads back, whole.
func TestLinesAreReadBack(t *testing.T) {
	for _, c := range cases {
		form, _ := Form(c.record)
		got, err := FromLine(form)
		if err != nil {
			t.Errorf("%s: %v in %s", c.what, err, form)
			continue
		}
		want := Line{
			Form: form, ID: c.record.ID, Revision: c.record.Revision, Stream: c.record.Stream, Type: c.record.Type, Binary: c.record.Binary,
			Data: carried(t, form, "data"), Metadata: carried(t, form, "metadata"),
		}
		if bytes.Contains(form, []byte(`"streamSha256"`)) {
			want.Stream, want.Type = "", ""
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s: read back as\n%+v, want\n%+v", c.what, got, want)
		}
		line, err := AppendLine([]byte("x"), c.record)
		if err != nil {
			t.Fatal(err)
		}
		want.Position, want.Recorded = c.record.Position, c.record.Recorded
		if got, err := FromLine(append(line[1:], '\n')); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %s is read back as\n%+v (%v), want\n%+v", c.what, line, got, err, want)
		}
	}
}

func carried(t *testing.T, form []byte, name string) []byte {
	t.Helper()
	var members map[string]json.RawMessage
	if err := json.Unmarshal(form, &members); err != nil {
		t.Fatal(err)
	}
	return members[name]
}

func TestLinesThatNobodyWrote(t *testing.T) {
	form, _ := Form(record(`{"a":1,"personal":"AAAA"}`, `{"v":1}`))
	whole, _ := AppendLine(nil, record(`{}`, `{}`))
	replace := func(old, by string) string {
		s := strings.Replace(string(form), old, by, 1)
		if s == string(form) {
			t.Fatalf("no %s in %s", old, form)
		}
		return s
	}
	for what, line := range map[string]string{
		"empty":                   "",
		"white space":             replace(`,"id"`, `, "id"`),
		"another order":           `{"id":"68efda26-e294-5080-9efa-010203040506","data":{},"metadata":{},"revision":1,"stream":"a","type":"b"}`,
		"an id in capitals":       replace("e294", "E294"),
		"an id without dashes":    replace("68efda26-e294", "68efda26e294-"),
		"no id":                   replace("68efda26-e294-5080-9efa-010203040506", ""),
		"a revision from nought":  replace(`"revision":12`, `"revision":012`),
		"no revision":             replace(`"revision":12`, `"revision":`),
		"a revision too large":    replace(`"revision":12`, `"revision":18446744073709551616`),
		"an empty stream":         replace("day-04000000000000000000000000-2026-11-21", ""),
		"the engine's stream":     replace("day-", "$day-"),
		"an escape too many":      replace("day-", `\u0064ay-`),
		"a ciphertext":            replace(`{"sha256":"709e80c88487a2411e1ee4dfb9f22a861492d20c4765150c0c794abd70f8147c"}`, `"AAAA"`),
		"a hash in capitals":      replace("709e80c88", "709E80C88"),
		"a hash that is too long": replace(`"}},"id"`, `0"}},"id"`),
		"binary and carried":      replace(`{"data"`, `{"binary":true,"data"`),
		"not binary":              replace(`{"data"`, `{"binary":false,"data"`),
		"more behind it":          string(form) + "x",
		"two line feeds":          string(form) + "\n\n",
		"a member more":           replace(`"type":"reservation.held"}`, `"type":"reservation.held","zone":1}`),
		"a line without its end":  string(whole[:len(whole)-1]),
		"a line without an event": `{"position":1,"recordedAt":"2026-11-20T19:00:00Z","event":}`,
		"a line without a time":   `{"position":1,"recordedAt":"soon","event":` + string(form) + `}`,
	} {
		if l, err := FromLine([]byte(line)); !errors.Is(err, ErrForm) {
			t.Errorf("%s: %v, %+v from %s", what, err, l, line)
		}
	}
}

func TestWhatIsNoEvent(t *testing.T) {
	for what, change := range map[string]func(*eventstore.Record){
		"no stream":           func(r *eventstore.Record) { r.Stream = "" },
		"no type":             func(r *eventstore.Record) { r.Type = "" },
		"the engine's stream": func(r *eventstore.Record) { r.Stream = "$settings" },
		"the engine's type":   func(r *eventstore.Record) { r.Type = eventstore.LinkType },
	} {
		if b, err := AppendLine([]byte("before"), with(record(`{}`, `{}`), change)); !errors.Is(err, ErrNoEvent) || string(b) != "before" {
			t.Errorf("%s: %s, %v", what, b, err)
		}
	}
}

func TestARecordWithoutItsKeys(t *testing.T) {
	for data, want := range map[string]string{
		`{"a":1,"subject":"usr_1","personal":"AAAA"}`:                       `{"a":1,"subject":"usr_1"}`,
		`{"personal":"AAAA"}`:                                               `{}`,
		`{"personal":"AAAA","personal":"AA==","a":[{"personal":"","b":1}]}`: `{"a":[{"b":1}]}`,
		`{"a":1,"personal":"AAAA","b":2,"personal":"AAAA","c":{}}`:          `{"a":1,"b":2,"c":{}}`,
		`{"personal":"AAAA","a":1,"personal":"AAAA"}`:                       `{"a":1}`,
		`[]`: `[]`,
	} {
		r := record(data, `{"v":1}`)
		form, _ := Form(r)
		l, err := FromLine(form)
		if err != nil {
			t.Fatal(err)
		}
		got, err := l.Record()
		r.Data, r.Position, r.Recorded = []byte(want), 0, time.Time{}
		if err != nil || !reflect.DeepEqual(got, r) {
			t.Errorf("%s is read as %+v (%v), want %s", data, got, err, want)
		}
	}
	form, _ := Form(record(`no JSON`, `{}`))
	if l, err := FromLine(form); err != nil {
		t.Fatal(err)
	} else if _, err := l.Record(); !errors.Is(err, ErrForm) {
		t.Errorf("an event that is only named is read: %v", err)
	}
}

// Every type of event that Daybook writes is carried, so that an export is of use.
func TestDaybooksEventsAreCarried(t *testing.T) {
	files, err := filepath.Glob("../codec/testdata/*.json")
	if err != nil || len(files) < 50 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var e struct {
			Stream, Type   string
			Data, Metadata json.RawMessage
		}
		if err := json.Unmarshal(text, &e); err != nil {
			t.Fatal(err)
		}
		r := record("", "")
		r.Stream, r.Type = eventstore.StreamName(e.Stream), e.Type
		r.Data, r.Metadata = compact(t, e.Data), compact(t, e.Metadata)
		form, err := Form(r)
		if err != nil {
			t.Fatal(err)
		}
		l, err := FromLine(form)
		if err != nil || l.Data == nil || l.Metadata == nil {
			t.Errorf("%s: %v: %s", file, err, form)
		}
		if bytes.Contains(l.Data, []byte(`"personal":"`)) {
			t.Errorf("%s: a ciphertext is carried: %s", file, form)
		}
	}
}

func compact(t *testing.T, document []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := json.Compact(&b, document); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// FuzzForm holds what the package comment promises of any record.
func FuzzForm(f *testing.F) {
	for i, c := range cases {
		other := cases[(i+1)%len(cases)].record
		f.Add(string(c.record.Stream), c.record.Type, c.record.Data, c.record.Metadata, c.record.Binary, other.Data)
	}
	f.Fuzz(func(t *testing.T, stream, eventType string, data, metadata []byte, binary bool, otherData []byte) {
		r := record("", "")
		r.Stream, r.Type, r.Data, r.Metadata, r.Binary = eventstore.StreamName(stream), eventType, data, metadata, binary
		form, err := Form(r)
		if err != nil {
			return
		}
		if !json.Valid(form) || bytes.ContainsRune(form, '\n') {
			t.Fatalf("no line of JSON: %q", form)
		}
		l, err := FromLine(form)
		if err != nil || !bytes.Equal(l.Form, form) || l.ID != r.ID || l.Revision != r.Revision {
			t.Fatalf("%q is read back as %+v, %v", form, l, err)
		}
		if !json.Valid(data) && l.Data != nil {
			t.Fatalf("%q was carried", data)
		}
		if l.Data != nil && !binary && !bytes.Contains(form, []byte("personal")) && !bytes.Equal(l.Data, data) {
			t.Fatalf("%q is carried as %q", data, l.Data)
		}
		other := r
		other.Data = otherData
		if second, _ := Form(other); bytes.Equal(form, second) != bytes.Equal(data, otherData) {
			t.Fatalf("%q and %q have the forms %q and %q", data, otherData, form, second)
		}
	})
}

// FuzzFromLine holds that every line that is taken stands for one record only.
func FuzzFromLine(f *testing.F) {
	for _, c := range cases {
		line, _ := AppendLine(nil, c.record)
		f.Add(line)
		form, _ := Form(c.record)
		f.Add(form)
	}
	f.Fuzz(func(t *testing.T, line []byte) {
		l, err := FromLine(line)
		if err != nil {
			return
		}
		again, err := FromLine(l.Form)
		again.Position, again.Recorded = l.Position, l.Recorded
		if err != nil || !reflect.DeepEqual(again, l) {
			t.Fatalf("%q: %+v, then %+v, %v", line, l, again, err)
		}
		r, err := l.Record()
		if err != nil || bytes.Contains(l.Form, []byte(`{"sha256":"`)) {
			return
		}
		if form, err := Form(r); err != nil || !bytes.Equal(form, l.Form) {
			t.Fatalf("%q became %q, %v", l.Form, form, err)
		}
	})
}

func BenchmarkForm(b *testing.B) {
	sealed := base64.StdEncoding.EncodeToString(bytes.Repeat([]byte("0123456789"), 12))
	held := record(`{"number":117,"diner":"usr_08000000000000000000000000","party":4,"slot":{"time":"19:00","startsAt":"2026-11-21T19:00:00.000Z","closes":"2026-11-21T23:59:59.999Z","shift":"Dinner"},`+
		`"turn":{"from":"2026-11-21T19:00:00.000Z","to":"2026-11-21T21:00:00.000Z"},"occupied":{"from":"2026-11-21T19:00:00.000Z","to":"2026-11-21T21:15:00.000Z"},"tables":["tbl_01","tbl_02"],`+
		`"expiresAt":"2026-11-21T19:00:00.000Z","code":"KX7P2M","online":true,"subject":"usr_08000000000000000000000000","personal":"`+sealed+`"}`,
		`{"v":1,"decidedAt":"2026-11-20T19:00:00.123Z","commandId":"03040500-0000-0000-0000-000000000000","bodyHash":"c2l4dGVlbiBieXRlcyBhYg==","actor":{"kind":"diner","user":"usr_08000000000000000000000000"},"requestId":"req-1"}`)
	for _, c := range []struct {
		name   string
		record eventstore.Record
	}{{"held", held}, {"confirmed", record(`{"number":117}`, string(held.Metadata))}} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			var form []byte
			for b.Loop() {
				form, _ = AppendForm(form[:0], c.record)
				_ = Leaf(form)
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
			b.SetBytes(int64(len(c.record.Data) + len(c.record.Metadata)))
		})
		form, _ := Form(c.record)
		b.Run(fmt.Sprintf("%s from line", c.name), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				_, _ = FromLine(form)
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
		})
	}
}
