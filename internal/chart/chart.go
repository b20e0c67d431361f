// Package chart draws bars side by side, as SVG.
//
// What belongs here: how a picture looks. What it shows is the business of whoever has the
// figures. It is written by hand because the plotting libraries bring fonts and other
// formats along, a tenth of the whole binary, for what are rectangles and a few words.
package chart

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
)

// Chart is panels one above the other, over the same places from left to right.
type Chart struct {
	Labels []string // of the places; at least one
	Series []string // what stands side by side at each place; one to four
	Panels []Panel  // at least one
}

// Panel is one quantity.
type Panel struct {
	Title  string      // with the unit
	Values [][]float64 // by series, then by place; finite, 0 or more
}

var (
	// ErrShape says that a chart's values are not as many as its labels and series.
	ErrShape = errors.New("chart: want a value for each series and place")
	// ErrValue says that a value cannot be drawn.
	ErrValue = errors.New("chart: want finite values of 0 or more")
)

// What a picture measures, in pixels.
const (
	marginLeft   = 64
	marginRight  = 16
	marginTop    = 40 // of each panel: its title
	marginBottom = 72 // of each panel: the labels
	panelHeight  = 160
	barWidth     = 12
	leastWidth   = 480
	mostWidth    = 2400
	mostLabels   = 62
	gridLines    = 4
	legendAt     = 320 // from the left
)

// colours tell the series apart, by eyes that do not see red or green, too.
var colours = []string{"#8da0b3", "#006d9c", "#e69f00", "#009e73"}

type document struct {
	XMLName xml.Name `xml:"http://www.w3.org/2000/svg svg"`
	Width   int      `xml:"width,attr"`
	Height  int      `xml:"height,attr"`
	ViewBox string   `xml:"viewBox,attr"`
	Font    string   `xml:"font-family,attr"`
	Size    int      `xml:"font-size,attr"`
	Ground  rect     `xml:"rect"`
	Panels  []group  `xml:"g"`
}

type group struct {
	Lines []line `xml:"line"`
	Rects []rect `xml:"rect"`
	Texts []text `xml:"text"`
}

type rect struct {
	X      string `xml:"x,attr,omitempty"`
	Y      string `xml:"y,attr,omitempty"`
	Width  string `xml:"width,attr"`
	Height string `xml:"height,attr"`
	Fill   string `xml:"fill,attr"`
	Title  string `xml:"title,omitempty"` // shown by browsers on hovering
}

type line struct {
	X1     string `xml:"x1,attr"`
	Y1     string `xml:"y1,attr"`
	X2     string `xml:"x2,attr"`
	Y2     string `xml:"y2,attr"`
	Stroke string `xml:"stroke,attr"`
}

type text struct {
	X         string `xml:"x,attr"`
	Y         string `xml:"y,attr"`
	Anchor    string `xml:"text-anchor,attr,omitempty"`
	Weight    string `xml:"font-weight,attr,omitempty"`
	Transform string `xml:"transform,attr,omitempty"`
	Value     string `xml:",chardata"`
}

// Draw writes the chart as SVG. Labels that would not fit are left out evenly.
//
// Errors: ErrShape, ErrValue, else the writer's.
func (c Chart) Draw(w io.Writer) error {
	if err := c.check(); err != nil {
		return err
	}
	width := min(max(leastWidth, len(c.Labels)*(len(c.Series)+1)*barWidth+marginLeft+marginRight), mostWidth)
	height := len(c.Panels) * (marginTop + panelHeight + marginBottom)
	d := document{
		Width: width, Height: height, ViewBox: fmt.Sprintf("0 0 %d %d", width, height), Font: "sans-serif", Size: 12,
		Ground: rect{Width: "100%", Height: "100%", Fill: "#ffffff"},
	}
	for i, p := range c.Panels {
		g := c.panel(p, float64(i*(marginTop+panelHeight+marginBottom)+marginTop), float64(width))
		if i == 0 {
			c.legend(&g)
		}
		d.Panels = append(d.Panels, g)
	}
	if _, err := io.WriteString(w, xml.Header); err != nil {
		return err
	}
	e := xml.NewEncoder(w)
	e.Indent("", " ")
	return e.Encode(d)
}

func (c Chart) check() error {
	if len(c.Labels) == 0 || len(c.Series) == 0 || len(c.Series) > len(colours) || len(c.Panels) == 0 {
		return ErrShape
	}
	for _, p := range c.Panels {
		if len(p.Values) != len(c.Series) {
			return ErrShape
		}
		for _, values := range p.Values {
			if len(values) != len(c.Labels) {
				return ErrShape
			}
			for _, v := range values {
				if v < 0 || math.IsInf(v, 0) || math.IsNaN(v) {
					return fmt.Errorf("%w: %s: %v", ErrValue, p.Title, v)
				}
			}
		}
	}
	return nil
}

// panel draws one quantity, its highest line at top.
func (c Chart) panel(p Panel, top, width float64) (g group) {
	most := 0.0
	for _, values := range p.Values {
		for _, v := range values {
			most = max(most, v)
		}
	}
	step := gridStep(most)
	scale := panelHeight / (step * gridLines)
	base := top + panelHeight
	g.Texts = append(g.Texts, text{X: px(marginLeft), Y: px(top - 14), Weight: "bold", Value: p.Title})
	for i := range gridLines + 1 {
		y, stroke := base-float64(i)*step*scale, "#dddddd"
		if i == 0 {
			stroke = "#555555"
		}
		g.Lines = append(g.Lines, line{px(marginLeft), px(y), px(width - marginRight), px(y), stroke})
		g.Texts = append(g.Texts, text{X: px(marginLeft - 6), Y: px(y + 4), Anchor: "end", Value: number(float64(i) * step)})
	}
	place := (width - marginLeft - marginRight) / float64(len(c.Labels))
	bar := min(barWidth, place/float64(len(c.Series)+1))
	every := (len(c.Labels) + mostLabels - 1) / mostLabels
	for i, label := range c.Labels {
		middle := marginLeft + (float64(i)+0.5)*place
		for k, name := range c.Series {
			v := p.Values[k][i]
			x := middle + (float64(k)-float64(len(c.Series))/2)*bar
			g.Rects = append(g.Rects, rect{
				px(x), px(base - v*scale), px(bar), px(v * scale), colours[k], fmt.Sprintf("%s, %s: %s", label, name, number(v)),
			})
		}
		if i%every == 0 {
			turned := fmt.Sprintf("rotate(-45 %s %s)", px(middle+4), px(base+14))
			g.Texts = append(g.Texts, text{X: px(middle + 4), Y: px(base + 14), Anchor: "end", Transform: turned, Value: label})
		}
	}
	return g
}

// legend names the series, beside the first panel's title.
func (c Chart) legend(g *group) {
	x := float64(legendAt)
	for k, name := range c.Series {
		g.Rects = append(g.Rects, rect{X: px(x), Y: px(marginTop - 24), Width: "12", Height: "12", Fill: colours[k]})
		g.Texts = append(g.Texts, text{X: px(x + 18), Y: px(marginTop - 14), Value: name})
		x += 40 + 8*float64(len(name))
	}
}

// gridStep is a round step with which four reach most: 1, 2, 2.5 or 5 times a power of ten.
func gridStep(most float64) float64 {
	if most <= 0 {
		return 1
	}
	power := math.Pow(10, math.Floor(math.Log10(most/gridLines)))
	for _, times := range []float64{1, 2, 2.5, 5} {
		if times*power*gridLines >= most {
			return times * power
		}
	}
	return 10 * power
}

func px(v float64) string { return strconv.FormatFloat(math.Round(v*10)/10, 'f', -1, 64) }

func number(v float64) string { return strconv.FormatFloat(math.Round(v*100)/100, 'f', -1, 64) }
