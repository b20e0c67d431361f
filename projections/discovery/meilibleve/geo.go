package meilibleve

import (
	"encoding/json"
	"math"
	"regexp"
	"strconv"

	"github.com/blevesearch/bleve/v2/geo"
)

type point struct{ lat, lng float64 }

func (p point) onGlobe() bool {
	// Written so that NaN is refused too.
	return p.lat >= -90 && p.lat <= 90 && p.lng >= -180 && p.lng <= 180
}

// metres is the distance along the globe, by the formula that Bleve filters and sorts by,
// so that what is shown agrees with the order.
func metres(a, b point) float64 { return geo.Haversin(a.lng, a.lat, b.lng, b.lat) * 1000 }

func finite(n float64) bool { return !math.IsNaN(n) && !math.IsInf(n, 0) }

func checkCircle(n []float64) error {
	if err := checkPoint(n[0], n[1]); err != nil {
		return err
	}
	if n[2] < 0 {
		return invalidFilter("Bad radius `%v`. Must be a positive number of meters.", n[2])
	}
	return nil
}

func checkBox(n []float64) error {
	if err := checkPoint(n[0], n[1]); err != nil {
		return err
	}
	if err := checkPoint(n[2], n[3]); err != nil {
		return err
	}
	if n[0] < n[2] {
		return invalidFilter("The top latitude `%v` is below the bottom latitude `%v`.", n[0], n[2])
	}
	return nil
}

func checkPoint(lat, lng float64) error {
	if !(lat >= -90 && lat <= 90) {
		return invalidFilter("Bad latitude `%v`. Latitude must be contained between -90 and 90 degrees.", lat)
	}
	if !(lng >= -180 && lng <= 180) {
		return invalidFilter("Bad longitude `%v`. Longitude must be contained between -180 and 180 degrees.", lng)
	}
	return nil
}

// parseGeo reads a document's _geo: an object whose lat and lng are numbers, or strings
// that hold one. null is no place.
func parseGeo(raw json.RawMessage) (point, bool, error) {
	if len(raw) == 0 || string(raw) == "null" {
		return point{}, false, nil
	}
	var fields map[string]any
	if err := json.Unmarshal(raw, &fields); err != nil || len(fields) != 2 {
		return point{}, false, badRequest("invalid_document_geo_field", "The `_geo` field is not an object with the fields `lat` and `lng`: `%s`.", brief(string(raw)))
	}
	lat, ok1 := number(fields["lat"])
	lng, ok2 := number(fields["lng"])
	p := point{lat, lng}
	if !ok1 || !ok2 || !p.onGlobe() {
		return point{}, false, badRequest("invalid_document_geo_field", "Could not read a latitude and a longitude in the `_geo` field: `%s`.", brief(string(raw)))
	}
	return p, true, nil
}

func number(v any) (float64, bool) {
	switch v := v.(type) {
	case float64:
		return v, true
	case string:
		n, err := strconv.ParseFloat(v, 64)
		return n, err == nil && finite(n)
	}
	return 0, false
}

var geoPointRule = regexp.MustCompile(`^_geoPoint\(\s*([^,()\s]+)\s*,\s*([^,()\s]+)\s*\)$`)

// parseGeoPoint reads the "_geoPoint(lat, lng)" of a sort.
func parseGeoPoint(text string) (point, bool) {
	m := geoPointRule.FindStringSubmatch(text)
	if m == nil {
		return point{}, false
	}
	lat, err1 := strconv.ParseFloat(m[1], 64)
	lng, err2 := strconv.ParseFloat(m[2], 64)
	p := point{lat, lng}
	return p, err1 == nil && err2 == nil && p.onGlobe()
}

// numbers reads the arguments of a geo rule: (n, n, n), or ([n, n], [n, n]).
func (p *parser) numbers(count int, pairs bool) ([]float64, error) {
	if err := p.next(); err != nil {
		return nil, err
	}
	if err := p.take("("); err != nil {
		return nil, err
	}
	var list []float64
	for i := range count {
		if i > 0 {
			if err := p.take(","); err != nil {
				return nil, err
			}
		}
		if pairs && i%2 == 0 {
			if err := p.take("["); err != nil {
				return nil, err
			}
		}
		text, err := p.value("a number")
		if err != nil {
			return nil, err
		}
		n, err := strconv.ParseFloat(text, 64)
		if err != nil || !finite(n) {
			return nil, invalidFilter("`%s` is not a number.", brief(text))
		}
		list = append(list, n)
		if pairs && i%2 == 1 {
			if err := p.take("]"); err != nil {
				return nil, err
			}
		}
	}
	return list, p.take(")")
}
