package chart

import (
	"bytes"
	"encoding/xml"
	"errors"
	"math"
	"strings"
	"testing"
)

func small() Chart {
	return Chart{Labels: []string{"mon", "<tue>"}, Series: []string{"history", "what-if"}, Panels: []Panel{{"covers", [][]float64{{3, 8}, {0, 4}}}}}
}

func TestDraw(t *testing.T) {
	var out bytes.Buffer
	if err := small().Draw(&out); err != nil {
		t.Fatal(err)
	}
	var d document
	if err := xml.Unmarshal(out.Bytes(), &d); err != nil {
		t.Fatalf("%v\n%s", err, out.String())
	}
	// Four steps of two reach eight: a cover is twenty pixels.
	var got []string
	for _, r := range d.Panels[0].Rects {
		if r.Title != "" {
			got = append(got, r.Title+" "+r.Height)
		}
	}
	const want = "mon, history: 3 60|mon, what-if: 0 0|<tue>, history: 8 160|<tue>, what-if: 4 80"
	if strings.Join(got, "|") != want {
		t.Errorf("got  %s\nwant %s", strings.Join(got, "|"), want)
	}
	var words []string
	for _, w := range d.Panels[0].Texts {
		words = append(words, w.Value)
	}
	const labels = "covers|0|2|4|6|8|mon|<tue>|history|what-if"
	if strings.Join(words, "|") != labels {
		t.Errorf("got  %s\nwant %s", strings.Join(words, "|"), labels)
	}
}

func TestDrawRefuses(t *testing.T) {
	for name, spoil := range map[string]func(*Chart){
		"no labels": func(c *Chart) { c.Labels = nil },
		"no panels": func(c *Chart) { c.Panels = nil },
		"too few":   func(c *Chart) { c.Panels[0].Values = c.Panels[0].Values[:1] },
		"too short": func(c *Chart) { c.Panels[0].Values[1] = nil },
		"too many":  func(c *Chart) { c.Series = make([]string, 5) },
	} {
		c := small()
		spoil(&c)
		if err := c.Draw(&bytes.Buffer{}); !errors.Is(err, ErrShape) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, v := range []float64{-1, math.NaN(), math.Inf(1)} {
		c := small()
		c.Panels[0].Values[0][0] = v
		if err := c.Draw(&bytes.Buffer{}); !errors.Is(err, ErrValue) {
			t.Errorf("%v: %v", v, err)
		}
	}
}

// A year of days keeps within its width, and names no more places than fit.
func TestDrawManyPlaces(t *testing.T) {
	c := Chart{Labels: make([]string, 366), Series: []string{"a"}, Panels: []Panel{{"p", [][]float64{make([]float64, 366)}}}}
	var out bytes.Buffer
	if err := c.Draw(&out); err != nil {
		t.Fatal(err)
	}
	var d document
	if err := xml.Unmarshal(out.Bytes(), &d); err != nil {
		t.Fatal(err)
	}
	turned := 0
	for _, w := range d.Panels[0].Texts {
		if w.Transform != "" {
			turned++
		}
	}
	if d.Width > mostWidth || turned > mostLabels || turned < mostLabels/2 {
		t.Errorf("%d wide, %d labels", d.Width, turned)
	}
}

func TestGridStep(t *testing.T) {
	for most, want := range map[float64]float64{0: 1, 1: 0.25, 4: 1, 5: 2, 9: 2.5, 99: 25, 101: 50, 2400: 1000, 0.02: 0.005} {
		if got := gridStep(most); math.Abs(got-want) > 1e-9 {
			t.Errorf("%v: got %v, want %v", most, got, want)
		}
	}
}
