package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// bodyWalk goes through a body's schema and spoils one value at a time of a good body.
type bodyWalk struct {
	api      *apiSpec
	good     any
	anything []string
	add      func(what, body, location string, status ...int)
}

// step leads from a value to a part of it: a name or an index.
type step any

func (w bodyWalk) object(s schema, at []step, location string) {
	for _, name := range slices.Sorted(maps.Keys(s.Properties)) {
		required := slices.Contains(s.Required, name)
		here := location + "." + name
		if required {
			w.add(here+" missing", w.without(at, name), here, 422)
			w.spoil(here, at, name, "null", 422)
		}
		w.add(here+" in capitals", w.renamed(at, name, strings.ToUpper(name)), location+"."+strings.ToUpper(name), 422)
		w.value(w.api.resolve(s.Properties[name]), append(slices.Clone(at), name), here)
	}
	if len(at) > 0 {
		w.spoil(location+".zzz", at, "zzz", "1", 422)
	}
}

func (w bodyWalk) value(s schema, at []step, here string) {
	up, last := at[:len(at)-1], at[len(at)-1]
	for kind, wrong := range map[string]string{"string": `"x"`, "integer": "5", "fraction": "5.5", "boolean": "true", "array": "[]", "object": "{}"} {
		if kind == s.kind() || s.kind() == "number" && (kind == "integer" || kind == "fraction") {
			continue
		}
		w.spoil(here, up, last, wrong, 422)
	}
	for _, broken := range []string{"NaN", "Infinity", "-", "01", "1.", ".5", "0x1", "tru", "'x'", "\"a\xffb\"", "\"\xed\xa0\x80\"", "\"\xc0\x80\"", `"\ud83d"`, `"\udc00x"`, `"\x41"`, "\"a\tb\"", "undefined"} {
		w.spoil(here, up, last, broken, 400)
	}
	switch s.kind() {
	case "string":
		w.text(s, up, last, here)
	case "integer", "number":
		w.number(s, up, last, here)
	case "array":
		w.array(s, at, here)
	case "object":
		w.object(s, at, here)
	}
	if s.Enum != nil {
		w.spoil(here, up, last, `"none of them"`, 422)
	}
}

func (w bodyWalk) text(s schema, up []step, last step, here string) {
	if s.MinLength != nil && *s.MinLength > 0 {
		w.spoil(here, up, last, `""`, 422)
	}
	most := 60_000
	if s.MaxLength != nil {
		most = *s.MaxLength
	}
	w.spoil(here, up, last, `"`+strings.Repeat("a", most+1)+`"`, 401, 422)
	if s.MaxLength != nil && most < 5000 {
		w.spoil(here, up, last, `"`+strings.Repeat("🍕", most+1)+`"`, 401, 422)
	}
	if slices.Contains(w.anything, here) {
		return
	}
	for _, odd := range []string{`\u0000`, `\u0001`, `\u001b[31m`, `\u007f`, `\u0085`} {
		w.spoil(here, up, last, `"a`+odd+`b"`, 401, 422)
	}
}

func (w bodyWalk) number(s schema, up []step, last step, here string) {
	values := []string{"1e308", "-1e308", "9223372036854775808", "-9223372036854775809", "18446744073709551616", strings.Repeat("9", 400)}
	if s.Minimum != nil {
		values = append(values, fmt.Sprint(*s.Minimum-1))
	}
	if s.Maximum != nil {
		values = append(values, fmt.Sprint(int64(*s.Maximum)+1))
	}
	if s.kind() == "integer" {
		values = append(values, "1.5", "1e-1", "0.0001")
	}
	for _, v := range values {
		w.spoil(here, up, last, v, 400, 422)
	}
}

func (w bodyWalk) array(s schema, at []step, here string) {
	up, last := at[:len(at)-1], at[len(at)-1]
	list, _ := find(w.good, at).([]any)
	if len(list) == 0 {
		panic("the good request needs an element in " + here)
	}
	element := string(must(json.Marshal(list[0])))
	if s.MinItems != nil && *s.MinItems > 0 {
		w.spoil(here, up, last, "[]", 422)
	}
	most := 4000
	if s.MaxItems != nil {
		most = *s.MaxItems
	}
	w.spoil(here, up, last, "["+strings.Repeat(element+",", most)+element+"]", 413, 422)
	items := w.api.resolve(*s.Items)
	w.spoil(here+"[0]", at, 0, "null", 422)
	w.value(items, append(slices.Clone(at), 0), here+"[0]")
}

// spoil puts raw where at leads to.
func (w bodyWalk) spoil(here string, at []step, last step, raw string, status ...int) {
	body := w.changed(at, func(in any) {
		switch in := in.(type) {
		case map[string]any:
			in[last.(string)] = "@@"
		case []any:
			in[last.(int)] = "@@"
		}
	})
	w.add(fmt.Sprintf("%s %.20q", here, raw), strings.Replace(body, mark, raw, 1), here, status...)
}

func (w bodyWalk) without(at []step, name string) string {
	return w.changed(at, func(in any) { delete(in.(map[string]any), name) })
}

func (w bodyWalk) renamed(at []step, from, to string) string {
	return w.changed(at, func(in any) {
		m := in.(map[string]any)
		m[to] = m[from]
		delete(m, from)
	})
}

// changed is the good body with one part of it changed.
func (w bodyWalk) changed(at []step, change func(any)) string {
	var body any
	if err := json.Unmarshal(must(json.Marshal(w.good)), &body); err != nil {
		panic(err)
	}
	change(find(body, at))
	return string(must(json.Marshal(body)))
}

func find(v any, at []step) any {
	for _, s := range at {
		switch in := v.(type) {
		case map[string]any:
			v = in[s.(string)]
		case []any:
			v = in[s.(int)]
		}
	}
	return v
}
