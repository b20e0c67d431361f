package meilibleve

import (
	"cmp"
	"encoding/binary"
	"encoding/json"
	"errors"
	"maps"
	"math"
	"slices"
	"strconv"

	"github.com/blevesearch/bleve/v2/analysis"
	"github.com/blevesearch/bleve/v2/document"
	index "github.com/blevesearch/bleve_index_api"
)

// The fields of a Bleve document. Words of all searchable attributes stand in one field:
// the position of a word is its attribute's rank × attributeWidth + its place in it, so
// that one term query finds a word anywhere and its positions still tell where.
const (
	sourceField  = "source"   // stored: 8 bytes of sequence number, then the JSON
	wordsField   = "words"    // the searched text
	orderField   = "order"    // the sequence number, for a stable order
	geoField     = "geo"      // _geo
	hasGeoField  = "hasgeo"   // 1 where there is a _geo, as those without sort last
	stringPrefix = "s/"       // + attribute: strings as filters and sorting compare them
	numberPrefix = "n/"       // + attribute: numbers for filters
	sortPrefix   = "k/"       // + attribute: numbers for sorting, see sortKey
	facetPrefix  = "f/"       // + attribute: values as facets show them, see addValue
	statePrefix  = "presence" // whether attributes exist, are null, are empty
)

const (
	attributeWidth = 1 << 16
	valueGap       = 8 // between the values of a list: nothing is near across it
	maxWords       = 10_000
	maxDepth       = 20
)

// source is a document as it was sent: top-level attributes and their JSON.
type source map[string]json.RawMessage

// sequenced is a document and its place in the order of first arrival.
type sequenced struct {
	order uint64
	doc   source
}

// layout makes the Bleve document of a source, and lists the words in it.
func layout(id string, d sequenced, s settings) (*document.Document, []string, error) {
	body, err := json.Marshal(d.doc)
	if err != nil {
		return nil, nil, err
	}
	doc := document.NewDocument(id)
	stored := append(binary.BigEndian.AppendUint64(nil, d.order), body...)
	doc.AddField(document.NewTextFieldCustom(sourceField, nil, stored, index.StoreField, nil))
	doc.AddField(keywordField(orderField, string(binary.BigEndian.AppendUint64(nil, d.order)), index.DocValues))

	place, here, err := parseGeo(d.doc["_geo"])
	if err != nil {
		return nil, nil, err
	}
	if here {
		doc.AddField(document.NewGeoPointFieldWithIndexingOptions(geoField, nil, place.lng, place.lat, index.IndexField|index.DocValues))
		doc.AddField(keywordField(hasGeoField, "1", index.DocValues))
	}

	f := flattener{values: make(map[string][]any), states: make(map[string]presence)}
	for name, raw := range d.doc {
		var value any
		if err := json.Unmarshal(raw, &value); err != nil {
			return nil, nil, badRequest("invalid_document_fields", "The attribute `%s` is no JSON: %s.", brief(name), err)
		}
		if err := f.flatten(name, value, 0); err != nil {
			return nil, nil, err
		}
	}
	custom := s.customAttributes()
	for path, state := range f.states {
		if _, ok := covers(s.FilterableAttributes, path); ok {
			doc.AddField(keywordField(statePrefix, string(exists)+path, 0))
			if state != exists {
				doc.AddField(keywordField(statePrefix, string(state)+path, 0))
			}
		}
	}
	for path, values := range f.values {
		_, filterable := covers(s.FilterableAttributes, path)
		_, sortable := covers(s.SortableAttributes, path)
		sortable = sortable || slices.Contains(custom, path)
		if !filterable && !sortable {
			continue
		}
		for _, v := range values {
			addValue(doc, path, v, filterable, sortable)
		}
	}
	tokens, found := f.text(s.SearchableAttributes)
	doc.AddField(document.NewTextFieldCustom(wordsField, nil, nil, index.IndexField|index.IncludeTermVectors, tokens))
	return doc, found, nil
}

// keywordField indexes a value as it is. more may be index.DocValues, by which Bleve sorts
// and counts.
func keywordField(name, value string, more index.FieldIndexingOptions) *document.TextField {
	return document.NewTextFieldCustom(name, nil, []byte(value), index.IndexField|index.SkipFreqNorm|more, nil)
}

// addValue indexes one value for filters and facets, and for sorting.
func addValue(doc *document.Document, path string, v any, filterable, sortable bool) {
	switch v := v.(type) {
	case float64:
		if filterable {
			doc.AddField(document.NewNumericFieldWithIndexingOptions(numberPrefix+path, nil, v, index.IndexField))
			doc.AddField(keywordField(facetPrefix+path, facetNumber+strconv.FormatFloat(v, 'f', -1, 64), index.DocValues))
		}
		if sortable {
			doc.AddField(keywordField(sortPrefix+path, sortKey(v), index.DocValues))
		}
	case string:
		var more index.FieldIndexingOptions
		if sortable {
			more = index.DocValues
		}
		doc.AddField(keywordField(stringPrefix+path, keyword(v), more))
		if filterable {
			doc.AddField(keywordField(facetPrefix+path, facetString+cut(v), index.DocValues))
		}
	}
}

// sortKey writes a number so that keys are ordered as numbers are. Bleve's own numbers have
// sixteen terms each, all of which it would read to sort. The letter keeps keys below the
// term that stands for a missing value.
func sortKey(n float64) string {
	bits := math.Float64bits(n)
	if bits>>63 == 1 {
		bits = ^bits
	} else {
		bits |= 1 << 63
	}
	return string(binary.BigEndian.AppendUint64([]byte{'n'}, bits))
}

// The first byte of a facet's value.
const (
	facetNumber = "n"
	facetString = "s"
)

// flattener takes nested objects apart: {"a": {"b": 1}} has the attribute a.b.
type flattener struct {
	values map[string][]any // numbers and strings; booleans as strings
	states map[string]presence
}

func (f *flattener) flatten(path string, value any, depth int) error {
	if depth > maxDepth {
		return badRequest("max_fields_limit_exceeded", "A document nests deeper than %d.", maxDepth)
	}
	state := exists
	switch v := value.(type) {
	case nil:
		state = null
	case bool:
		f.values[path] = append(f.values[path], strconv.FormatBool(v))
	case float64:
		f.values[path] = append(f.values[path], v)
	case string:
		if v == "" {
			state = empty
		}
		f.values[path] = append(f.values[path], v)
	case []any:
		if len(v) == 0 {
			state = empty
		}
		for _, item := range v {
			var err error
			if item == nil {
				continue // a null in a list is no null attribute
			} else if object, ok := item.(map[string]any); ok {
				err = f.fields(path, object, depth)
			} else {
				err = f.flatten(path, item, depth+1)
			}
			if err != nil {
				return err
			}
		}
	case map[string]any:
		if len(v) == 0 {
			state = empty
		}
		if err := f.fields(path, v, depth); err != nil {
			return err
		}
	}
	f.states[path] = state // a list's own state comes after its items'
	return nil
}

func (f *flattener) fields(path string, object map[string]any, depth int) error {
	for name, item := range object {
		if err := f.flatten(path+"."+name, item, depth+1); err != nil {
			return err
		}
	}
	return nil
}

// tokens is words already found, as Bleve takes them.
type tokens analysis.TokenStream

// Analyze gives the words, whatever the text.
func (t tokens) Analyze([]byte) analysis.TokenStream { return analysis.TokenStream(t) }

// text lays out the words of the searchable attributes.
func (f *flattener) text(searchable []string) (tokens, []string) {
	type attribute struct {
		rank int
		path string
	}
	var order []attribute
	for _, path := range slices.Sorted(maps.Keys(f.values)) {
		if rank, ok := covers(searchable, path); ok {
			order = append(order, attribute{rank, path})
		}
	}
	slices.SortStableFunc(order, func(a, b attribute) int { return cmp.Compare(a.rank, b.rank) })
	var stream tokens
	var all []string
	place, rank := 0, -1
	for i, a := range order {
		// Attributes that "*" takes in rank alike, but must not stand near each other.
		if i == 0 || a.rank != order[i-1].rank || searchable[a.rank] == "*" {
			place, rank = 0, rank+1
		}
		if searchable[a.rank] != "*" {
			rank = a.rank
		}
		for _, v := range f.values[a.path] {
			text, ok := v.(string)
			if n, isNumber := v.(float64); isNumber {
				text, ok = strconv.FormatFloat(n, 'f', -1, 64), true
			}
			if !ok {
				continue
			}
			found := words(text, maxWords)
			for _, w := range found {
				if place++; place >= attributeWidth {
					break
				}
				stream = append(stream, &analysis.Token{Term: []byte(w), Position: rank*attributeWidth + place, Type: analysis.AlphaNumeric})
			}
			all = append(all, found...)
			place += valueGap
		}
	}
	return stream, all
}

// readSource finds what layout stored.
func readSource(doc index.Document) (sequenced, error) {
	var stored []byte
	doc.VisitFields(func(f index.Field) {
		if f.Name() == sourceField {
			stored = slices.Clone(f.Value())
		}
	})
	if len(stored) < 8 {
		return sequenced{}, errors.New("meilibleve: a document without its source")
	}
	d := sequenced{order: binary.BigEndian.Uint64(stored)}
	err := json.Unmarshal(stored[8:], &d.doc)
	return d, err
}
