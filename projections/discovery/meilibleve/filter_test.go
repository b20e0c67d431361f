package meilibleve

import (
	"errors"
	"reflect"
	"strings"
	"testing"
)

func TestParseFilter(t *testing.T) {
	eq := func(a, v string) filter { return compare{a, "=", v} }
	for text, want := range map[string]filter{
		"":                                nil,
		"  ":                              nil,
		"a=b":                             eq("a", "b"),
		"a = 'b c'":                       eq("a", "b c"),
		`'a b' = "c"`:                     eq("a b", "c"),
		`a = "say \"x\""`:                 eq("a", `say "x"`),
		`a = 'it\'s'`:                     eq("a", "it's"),
		`a = "back\slash"`:                eq("a", `back\slash`),
		`a = "two\\"`:                     eq("a", `two\\`),
		`a = ""`:                          eq("a", ""),
		"a.b-c_d/e = -1.5":                eq("a.b-c_d/e", "-1.5"),
		"a != b":                          not{eq("a", "b")},
		"a > 1":                           compare{"a", ">", "1"},
		"a>=1":                            compare{"a", ">=", "1"},
		"a<1":                             compare{"a", "<", "1"},
		"a <= 1":                          compare{"a", "<=", "1"},
		"a 1 TO 2":                        between{"a", "1", "2"},
		"a IN [b]":                        oneOf{"a", []string{"b"}},
		"a IN[b, 'c d',]":                 oneOf{"a", []string{"b", "c d"}},
		"a IN []":                         oneOf{"a", nil},
		"a NOT IN [b]":                    not{oneOf{"a", []string{"b"}}},
		"a EXISTS":                        has{"a", exists},
		"a NOT EXISTS":                    not{has{"a", exists}},
		"a IS NULL":                       has{"a", null},
		"a IS NOT NULL":                   not{has{"a", null}},
		"a IS EMPTY":                      has{"a", empty},
		"a IS NOT EMPTY":                  not{has{"a", empty}},
		"a STARTS WITH b":                 startsWith{"a", "b"},
		"a NOT STARTS WITH b":             not{startsWith{"a", "b"}},
		"NOT a = b":                       not{eq("a", "b")},
		"NOT NOT a = b":                   not{not{eq("a", "b")}},
		"a = b AND c = d OR e = f":        anyOf{allOf{eq("a", "b"), eq("c", "d")}, eq("e", "f")},
		"a = b AND (c = d OR e = f)":      allOf{eq("a", "b"), anyOf{eq("c", "d"), eq("e", "f")}},
		"NOT a = b AND c = d":             allOf{not{eq("a", "b")}, eq("c", "d")},
		"(a = b)":                         eq("a", "b"),
		"a = 'AND' AND 'OR' = b":          allOf{eq("a", "AND"), eq("OR", "b")},
		"_geoRadius(48.8, 2.3, 100)":      within{48.8, 2.3, 100},
		"_geoBoundingBox([3, 4], [1, 2])": box{3, 4, 1, 2},
		"_geoRadius(-1,-2,0.5) AND a = b": allOf{within{-1, -2, 0.5}, eq("a", "b")},
	} {
		got, err := parseFilter(text)
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got %#v, %v, want %#v", text, got, err, want)
		}
	}
}

func TestParseFilterRefuses(t *testing.T) {
	for _, text := range []string{
		"a", "=", "a =", "= b", "a = b c", "a = b AND", "AND", "a AND b = c", "(a = b", "a = b)", "a = 'b", `a = "b\"`, "a ! b", "a == b",
		"a IN b", "a IN [b", "a IN [b c]", "a IN [,]", "a TO b", "a 1 TO", "a IS b", "a IS NOT b", "a NOT = b", "a STARTS b", "a = AND", "OR = b",
		"_geo = 1", "_geoRadius(1)", "_geoRadius(1, 2)", "_geoRadius(91, 2, 3)", "_geoRadius(1, 181, 3)", "_geoRadius(1, 2, -3)", "_geoRadius(1, 2, x)",
		"_geoRadius(NaN, 2, 3)", "_geoRadius(1, 2, Inf)", "_geoBoundingBox([1, 2])", "_geoBoundingBox([1, 2], [3, 4])", "_geoDistance < 5", "a = b; c", "a = é§",
		strings.Repeat("(", maxFilterDepth+1) + "a = b" + strings.Repeat(")", maxFilterDepth+1),
		strings.Repeat("NOT ", maxFilterDepth+1) + "a = b", "a = " + strings.Repeat("b", maxFilter),
	} {
		var e *apiError
		if got, err := parseFilter(text); !errors.As(err, &e) || e.Code != "invalid_search_filter" || e.status != 400 {
			t.Errorf("%.60s: got %#v, %v", text, got, err)
		}
	}
}

func FuzzParseFilter(f *testing.F) {
	for _, text := range []string{"a = b AND (c != 'd' OR NOT e IN [f, \"g\"])", "_geoRadius(1,2,3)", "_geoBoundingBox([1,2],[3,4])", "a 1 TO 2", "a IS NOT NULL", `a = "\\\""`, "\xff = \x00"} {
		f.Add(text)
	}
	s := defaultSettings()
	s.FilterableAttributes = []string{"*"}
	f.Fuzz(func(t *testing.T, text string) {
		got, err := parseFilter(text)
		if err != nil || got == nil {
			return
		}
		if _, err := bleveFilter(got, s); err != nil {
			var e *apiError
			if !errors.As(err, &e) {
				t.Fatal(err)
			}
		}
	})
}
