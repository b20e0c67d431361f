package httpapi

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestUnmarshalAny(t *testing.T) {
	for text, want := range map[string]error{
		`{"a":1,"b":{"a":1},"c":[{"a":1},{"a":2}]}`: nil,
		`"\ud83c\udf55"`:             nil,
		`"\uD83C\uDF55 \uFFFD"`:      nil,
		`"\\ud800"`:                  nil,
		`"\\\\ud800"`:                nil,
		"\"\ufffd\"":                 nil,
		`{"a":1,"a":1}`:              errors.New(`an object has the name "a" twice`),
		`[{"b":{"a":1,"\u0061":2}}]`: errors.New(`an object has the name "a" twice`),
		`{"` + strings.Repeat("n", 80) + `":1,"` + strings.Repeat("n", 80) + `":1}`: fmt.Errorf("an object has the name %q twice", strings.Repeat("n", 50)),
		"{\"a\":\"\xff\"}":     errNoUTF8,
		"{\"\xed\xa0\x80\":1}": errNoUTF8,
		`"\ud83c"`:             errHalfPair,
		`"\ud83c\ud83c"`:       errHalfPair,
		`"\ud83c\n"`:           errHalfPair,
		`"\udf55"`:             errHalfPair,
		`"\uDfFf\ud83c"`:       errHalfPair,
		`"\\\ud800"`:           errHalfPair,
		`"\ud83c\udf55\udf55"`: errHalfPair,
		`1e400`:                errNumber,
	} {
		var v any
		if err := unmarshal([]byte(text), &v); fmt.Sprint(err) != fmt.Sprint(want) {
			t.Errorf("%.60s: got %v, want %v", text, err, want)
		}
	}
	for _, text := range []string{"", "{", "{}x", `"\u12"`, `"\ud8`, strings.Repeat("[", 20_000)} {
		var v any
		if err := unmarshal([]byte(text), &v); err == nil {
			t.Errorf("%.20q was taken", text)
		}
	}
}

func TestUnmarshalForm(t *testing.T) {
	type form struct {
		Party int
		Lat   float64
	}
	for text, want := range map[string]form{
		`{"party":2,"lat":1.5}`: {2, 1.5}, `{"party":2.0,"lat":1e1}`: {2, 10}, `{"party":2e2}`: {Party: 200}, `{"party":0.2e1}`: {Party: 2},
	} {
		var got form
		if err := unmarshal([]byte(text), &got); err != nil || got != want {
			t.Errorf("%s: got %+v, %v", text, got, err)
		}
	}
	for _, text := range []string{`{"party":1.5}`, `{"party":"2"}`, `{"party":1e30}`} {
		if err := unmarshal([]byte(text), new(form)); err == nil {
			t.Errorf("%s was taken", text)
		}
	}
}

// What is taken is what was sent: written out and read again, it is the same.
func FuzzUnmarshal(f *testing.F) {
	for _, seed := range []string{`{"a":[1,"\ud83c\udf55"]}`, `{"a":1,"a":2}`, `"\\ud800"`, `"\ud800"`, "\"\xff\""} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var v, again any
		if err := unmarshal(data, &v); err != nil {
			return
		}
		if !json.Valid(data) || !utf8.Valid(data) {
			t.Errorf("%q was taken", data)
		}
		out, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		if err := unmarshal(out, &again); err != nil || !reflect.DeepEqual(v, again) {
			t.Errorf("%q became %q, then %v, %v", data, out, again, err)
		}
		// U+FFFD is there only where it was sent.
		if got, sent := strings.Count(string(out), "\ufffd"), strings.Count(string(data), "\ufffd")+strings.Count(strings.ToLower(string(data)), `\ufffd`); got > sent {
			t.Errorf("%q became %q", data, out)
		}
	})
}

func BenchmarkUnmarshal(b *testing.B) {
	body := []byte(`{"restaurantId":"rst_29jn5sc2hhcck76rwc9dsb55hc","date":"2026-10-24","time":"19:00","party":2,"notes":"by the window","confirm":true}`)
	b.ReportAllocs()
	for b.Loop() {
		var v any
		if err := unmarshal(body, &v); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkPlain(b *testing.B) {
	body := []byte(`{"restaurantId":"rst_29jn5sc2hhcck76rwc9dsb55hc","date":"2026-10-24","time":"19:00","party":2,"notes":"by the window","confirm":true}`)
	b.ReportAllocs()
	for b.Loop() {
		var v any
		if err := json.Unmarshal(body, &v); err != nil {
			b.Fatal(err)
		}
	}
}
