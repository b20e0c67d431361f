package meilibleve

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// addDocuments takes documents, in place of those with their ids.
func (e *Engine) addDocuments(w http.ResponseWriter, r *http.Request) error {
	return e.putDocuments(w, r, false)
}

// updateDocuments changes the attributes that are given and keeps the others.
func (e *Engine) updateDocuments(w http.ResponseWriter, r *http.Request) error {
	return e.putDocuments(w, r, true)
}

func (e *Engine) putDocuments(w http.ResponseWriter, r *http.Request, partial bool) error {
	uid := r.PathValue("uid")
	if err := checkUID(uid); err != nil {
		return err
	}
	docs, err := readDocuments(r)
	if err != nil {
		return err
	}
	primaryKey := r.URL.Query().Get("primaryKey")
	skipCreation := r.URL.Query().Get("skipCreation") == "true"
	details := map[string]any{"receivedDocuments": len(docs), "indexedDocuments": 0}
	return e.execute(w, r, work{kind: "documentAdditionOrUpdate", index: uid, details: details, run: func(details map[string]any) error {
		t := e.table(uid)
		if t == nil {
			if t, err = e.create(uid, ""); err != nil {
				return err
			}
		}
		key, err := choosePrimaryKey(uid, t.PrimaryKey, primaryKey, docs)
		if err != nil {
			return err
		}
		var c change
		for _, doc := range docs {
			if err := t.put(&c, key, doc, partial, skipCreation); err != nil {
				return err
			}
		}
		if key != t.PrimaryKey {
			if err := e.amend(uid, t, func(en *entry) { en.PrimaryKey = key }); err != nil {
				return err
			}
		}
		if err := e.write(r, uid, t, c); err != nil {
			return err
		}
		details["indexedDocuments"] = len(docs)
		return nil
	}})
}

// put adds one document to a change.
func (t *table) put(c *change, key string, doc source, partial, skipCreation bool) error {
	id, err := documentID(key, doc)
	if err != nil {
		return err
	}
	before, known := c.docs[id]
	if !known && (partial || skipCreation) {
		d, found, err := t.get(id)
		if err != nil {
			return err
		}
		before, known = d.doc, found
	}
	if !known && skipCreation {
		return nil
	}
	if partial && known {
		merged := make(source, len(before)+len(doc))
		for name, value := range before {
			merged[name] = value
		}
		for name, value := range doc {
			merged[name] = value
		}
		doc = merged
	}
	c.set(id, doc)
	return nil
}

// write applies a change to an index. In memory nothing merges the segments that batches
// leave behind, so the index is laid out anew once there are many.
func (e *Engine) write(r *http.Request, uid string, t *table, c change) error {
	if err := t.write(c, e.now()); err != nil {
		return err
	}
	if t.path != "" {
		return nil
	}
	n, err := t.count()
	if err != nil || t.batches < 128+int(n)/16 {
		return err
	}
	return e.replace(r.Context(), uid, t, t.entry)
}

// readDocuments reads an object, a list of them or, as NDJSON, one a line.
func readDocuments(r *http.Request) ([]source, error) {
	body, kind, err := readBody(r)
	if err != nil {
		return nil, err
	}
	malformed := func(err error) error {
		return badRequest("malformed_payload", "The json payload provided is malformed. `%s`.", brief(err.Error()))
	}
	var docs []source
	switch kind {
	case "application/json":
		if body = bytes.TrimSpace(body); len(body) > 0 && body[0] == '{' {
			body = slices.Concat([]byte("["), body, []byte("]"))
		}
		if err := json.Unmarshal(body, &docs); err != nil {
			return nil, malformed(err)
		}
	case "application/x-ndjson":
		lines := json.NewDecoder(bufio.NewReader(bytes.NewReader(body)))
		for {
			var doc source
			err := lines.Decode(&doc)
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				return nil, malformed(err)
			}
			docs = append(docs, doc)
		}
	default:
		return nil, unsupportedType(kind)
	}
	for _, doc := range docs {
		if doc == nil {
			return nil, malformed(errors.New("a document is null"))
		}
	}
	return docs, nil
}

// choosePrimaryKey says which attribute holds the id: the index's, else the request's, else
// the only one of the first document whose name ends in "id".
func choosePrimaryKey(uid, ofIndex, ofRequest string, docs []source) (string, error) {
	switch {
	case ofIndex != "" && ofRequest != "" && ofIndex != ofRequest:
		return "", badRequest("index_primary_key_already_exists", "Index `%s`: Index already has a primary key: `%s`.", uid, ofIndex)
	case ofIndex != "":
		return ofIndex, nil
	case ofRequest != "":
		return ofRequest, nil
	case len(docs) == 0:
		return "", nil
	}
	var candidates []string
	for name := range docs[0] {
		if strings.HasSuffix(strings.ToLower(name), "id") {
			candidates = append(candidates, name)
		}
	}
	switch len(candidates) {
	case 1:
		return candidates[0], nil
	case 0:
		return "", badRequest("index_primary_key_no_candidate_found", "Index `%s`: The primary key inference failed as the engine did not find any field ending with `id` in its name. Please specify the primary key manually using the `primaryKey` query parameter.", uid)
	}
	slices.Sort(candidates)
	return "", badRequest("index_primary_key_multiple_candidates_found", "Index `%s`: The primary key inference failed as the engine found %d fields ending with `id` in their names: '%s' and '%s'. Please specify the primary key manually using the `primaryKey` query parameter.", uid, len(candidates), candidates[0], candidates[1])
}

var idRule = regexp.MustCompile(`^[A-Za-z0-9_-]{1,511}$`)

func documentID(key string, doc source) (string, error) {
	raw, ok := doc[key]
	if !ok {
		return "", badRequest("missing_document_id", "Document doesn't have a `%s` attribute.", brief(key))
	}
	var id string
	if json.Unmarshal(raw, &id) != nil {
		var n int64
		if err := json.Unmarshal(raw, &n); err != nil {
			id = string(raw)
		} else {
			id = strconv.FormatInt(n, 10)
		}
	}
	if !idRule.MatchString(id) {
		return "", badRequest("invalid_document_id", "Document identifier `%s` is invalid. A document identifier can be of type integer or string, only composed of alphanumeric characters (a-z A-Z 0-9), hyphens (-) and underscores (_), and can not be more than 511 bytes.", brief(id))
	}
	return id, nil
}

func (e *Engine) getDocument(w http.ResponseWriter, r *http.Request) error {
	t, err := e.read(r.PathValue("uid"))
	if err != nil {
		return err
	}
	defer t.done()
	id := r.PathValue("id")
	d, found, err := t.get(id)
	if err != nil {
		return err
	}
	if !found {
		return newError(http.StatusNotFound, "document_not_found", "Document `%s` not found.", brief(id))
	}
	var fields []string
	if text := r.URL.Query().Get("fields"); text != "" {
		fields = strings.Split(text, ",")
	}
	answer(w, http.StatusOK, d.doc.only(fields))
	return nil
}

// only keeps some attributes; all where there are none given, or "*".
func (s source) only(attributes []string) source {
	if len(attributes) == 0 || slices.Contains(attributes, "*") {
		return s
	}
	kept := make(source)
	for name, value := range s {
		if slices.Contains(attributes, name) {
			kept[name] = value
		}
	}
	return kept
}

func (e *Engine) deleteDocument(w http.ResponseWriter, r *http.Request) error {
	return e.removeDocuments(w, r, []string{r.PathValue("id")})
}

func (e *Engine) deleteDocuments(w http.ResponseWriter, r *http.Request) error {
	var raw []any
	if err := readJSON(r, &raw); err != nil {
		return err
	}
	ids := make([]string, 0, len(raw))
	for _, id := range raw {
		switch id := id.(type) {
		case string:
			ids = append(ids, id)
		case float64:
			ids = append(ids, strconv.FormatInt(int64(id), 10))
		default:
			return badRequest("invalid_document_id", "A document identifier must be a string or an integer.")
		}
	}
	return e.removeDocuments(w, r, ids)
}

func (e *Engine) removeDocuments(w http.ResponseWriter, r *http.Request, ids []string) error {
	details := map[string]any{"providedIds": len(ids), "deletedDocuments": 0, "originalFilter": nil}
	return e.remove(w, r, details, func(t *table) (change, error) {
		var c change
		for _, id := range ids {
			_, found, err := t.get(id)
			if err != nil {
				return c, err
			}
			if found {
				c.set(id, nil)
			}
		}
		return c, nil
	})
}

func (e *Engine) deleteAllDocuments(w http.ResponseWriter, r *http.Request) error {
	details := map[string]any{"deletedDocuments": 0, "providedIds": 0, "originalFilter": nil}
	return e.remove(w, r, details, func(t *table) (change, error) {
		var c change
		err := t.each(r.Context(), func(id string, _ sequenced) error {
			c.set(id, nil)
			return nil
		})
		return c, err
	})
}

func (e *Engine) deleteDocumentsByFilter(w http.ResponseWriter, r *http.Request) error {
	var body struct {
		Filter json.RawMessage `json:"filter"`
	}
	if err := readJSON(r, &body); err != nil {
		return err
	}
	f, err := parseFilterJSON(body.Filter)
	if err != nil {
		return err
	}
	if f == nil {
		return badRequest("missing_document_filter", "Missing field `filter`")
	}
	details := map[string]any{"providedIds": 0, "deletedDocuments": 0, "originalFilter": string(body.Filter)}
	return e.remove(w, r, details, func(t *table) (change, error) {
		ids, err := t.matching(r.Context(), f)
		var c change
		for _, id := range ids {
			c.set(id, nil)
		}
		return c, err
	})
}

func (e *Engine) remove(w http.ResponseWriter, r *http.Request, details map[string]any, find func(*table) (change, error)) error {
	uid := r.PathValue("uid")
	if err := checkUID(uid); err != nil {
		return err
	}
	return e.execute(w, r, work{kind: "documentDeletion", index: uid, details: details, run: func(details map[string]any) error {
		t := e.table(uid)
		if t == nil {
			return indexNotFound(uid)
		}
		c, err := find(t)
		if err != nil {
			return err
		}
		if err := e.write(r, uid, t, c); err != nil {
			return err
		}
		details["deletedDocuments"] = len(c.ids)
		return nil
	}})
}
