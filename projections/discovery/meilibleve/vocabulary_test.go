package meilibleve

import (
	"reflect"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

func TestWords(t *testing.T) {
	for text, want := range map[string][]string{
		"":                             nil,
		"  -- ":                        nil,
		"Luigi's Café":                 {"luigi", "s", "cafe"},
		"STRASSE straße Łódź Ångström": {"strasse", "strasse", "lodz", "angstrom"},
		"ﬁne ｗｉｄｅ":                     {"fine", "wide"},
		"a1-b2_c3":                     {"a1", "b2", "c3"},
		"星の王子さま":                       {"星", "の", "王", "子", "さ", "ま"},
		"寿司 bar":                       {"寿", "司", "bar"},
		"\xff\x00x":                    {"x"},
	} {
		if got := words(text, 100); !reflect.DeepEqual(got, want) {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
	if got := words("a b c d", 2); !reflect.DeepEqual(got, []string{"a", "b"}) {
		t.Errorf("got %q", got)
	}
}

func TestDerive(t *testing.T) {
	v := newVocabulary()
	v.add([]string{"garden", "gardens", "gardener", "garten", "warden", "guard", "kitchen", "arden", "agrden", "ggarden", "hgarden"})
	for _, c := range []struct {
		word   string
		typos  int
		prefix bool
		want   []derivation
	}{
		{"garden", 0, false, []derivation{{"garden", 0, false}}},
		{"garden", 0, true, []derivation{{"garden", 0, false}, {"gardens", 0, true}, {"gardener", 0, true}}},
		{"garden", 1, false, []derivation{{"garden", 0, false}, {"garten", 1, false}, {"ggarden", 1, false}, {"gardens", 1, false}}},
		{"gardne", 1, false, []derivation{{"garden", 1, false}}},
		{"gardne", 1, true, []derivation{{"garden", 1, false}, {"gardens", 1, true}, {"gardener", 1, true}}},
		// The first letter counts twice.
		{"garden", 2, false, []derivation{{"garden", 0, false}, {"garten", 1, false}, {"ggarden", 1, false}, {"gardens", 1, false},
			{"arden", 2, false}, {"agrden", 2, false}, {"warden", 2, false}, {"hgarden", 2, false}, {"gardener", 2, false}}},
		{"zzz", 2, true, nil},
	} {
		got := v.derive(c.word, c.typos, c.prefix)
		key := func(d derivation) string { return d.term }
		slices.SortFunc(got, func(a, b derivation) int { return slices.Compare([]string{key(a)}, []string{key(b)}) })
		want := slices.Clone(c.want)
		slices.SortFunc(want, func(a, b derivation) int { return slices.Compare([]string{key(a)}, []string{key(b)}) })
		if len(got)+len(want) > 0 && !reflect.DeepEqual(got, want) {
			t.Errorf("%+v: got %v", c, got)
		}
	}
}

// TestDistance compares with the definition, worked out by trying every edit.
func TestDistance(t *testing.T) {
	letters := rapid.SliceOfN(rapid.SampledFrom([]rune("abc")), 1, 6)
	rapid.Check(t, func(t *rapid.T) {
		word, term := letters.Draw(t, "word"), letters.Draw(t, "term")
		prefix := rapid.Bool().Draw(t, "prefix")
		const limit = 2
		ends := []int{len(term)}
		if prefix {
			ends = nil
			for end := range len(term) + 1 {
				ends = append(ends, end)
			}
		}
		least := limit + 1
		for _, end := range ends {
			least = min(least, tries(string(word), string(term[:end]), limit))
		}
		want := least
		if want > 0 && word[0] != term[0] {
			want++
		}
		got, whole := distance(word, term, limit, prefix)
		if min(got, limit+1) != min(want, limit+1) {
			t.Fatalf("distance(%q, %q, prefix %v) = %d, want %d", string(word), string(term), prefix, got, want)
		}
		if got <= limit && !prefix && !whole {
			t.Fatal("not whole")
		}
	})
}

// tries is the optimal string alignment distance, up to limit.
func tries(a, b string, limit int) int {
	switch {
	case a == b:
		return 0
	case limit == 0:
		return 1
	case a == "" || b == "":
		return min(len(a)+len(b), limit+1)
	}
	if a[0] == b[0] {
		if n := tries(a[1:], b[1:], limit); n <= limit {
			return n
		}
	}
	best := limit
	best = min(best, tries(a[1:], b, limit-1), tries(a, b[1:], limit-1), tries(a[1:], b[1:], limit-1))
	if len(a) > 1 && len(b) > 1 && a[0] == b[1] && a[1] == b[0] {
		best = min(best, tries(a[2:], b[2:], limit-1))
	}
	return best + 1
}

// TestMisheard shows that the cheap test before the exact one loses nothing.
func TestMisheard(t *testing.T) {
	letters := rapid.SliceOfN(rapid.SampledFrom([]rune("abé")), 2, 7)
	rapid.Check(t, func(t *rapid.T) {
		word, term := letters.Draw(t, "word"), letters.Draw(t, "term")
		if word[0] == term[0] {
			return
		}
		if d, _ := distance(word, term, 2, true); d <= 2 && !misheard(string(word), string(term)) {
			t.Fatalf("%q is %d from %q and is not seen", string(word), d, string(term))
		}
	})
}
