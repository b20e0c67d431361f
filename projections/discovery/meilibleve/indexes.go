package meilibleve

import (
	"context"
	"encoding/json"
	"net/http"
	"regexp"
	"strings"
	"time"
)

var uidRule = regexp.MustCompile(`^[A-Za-z0-9_-]{1,400}$`)

func checkUID(uid string) error {
	if !uidRule.MatchString(uid) {
		return badRequest("invalid_index_uid", "`%s` is not a valid index uid. Index uid can be an integer or a string containing only alphanumeric characters, hyphens (-) and underscores (_), and can not be more than 400 bytes.", brief(uid))
	}
	return nil
}

func (r reading) answer(uid string) map[string]any {
	var key any
	if r.entry.PrimaryKey != "" {
		key = r.entry.PrimaryKey
	}
	return map[string]any{"uid": uid, "createdAt": r.entry.CreatedAt, "updatedAt": r.updated(), "primaryKey": key}
}

func (e *Engine) getIndex(w http.ResponseWriter, r *http.Request) error {
	uid := r.PathValue("uid")
	t, err := e.read(uid)
	if err != nil {
		return err
	}
	defer t.done()
	answer(w, http.StatusOK, t.answer(uid))
	return nil
}

func (e *Engine) listIndexes(w http.ResponseWriter, r *http.Request) error {
	offset, limit, err := page(r, "index")
	if err != nil {
		return err
	}
	uids := e.uids()
	results := []map[string]any{}
	for i, uid := range uids {
		if i < offset || len(results) == limit {
			continue
		}
		t, err := e.read(uid)
		if err != nil {
			continue // gone meanwhile
		}
		results = append(results, t.answer(uid))
		t.done()
	}
	answer(w, http.StatusOK, map[string]any{"results": results, "offset": offset, "limit": limit, "total": len(uids)})
	return nil
}

func (e *Engine) createIndex(w http.ResponseWriter, r *http.Request) error {
	var body struct {
		UID        *string `json:"uid"`
		PrimaryKey string  `json:"primaryKey"`
	}
	if err := readJSON(r, &body); err != nil {
		return err
	}
	if body.UID == nil {
		return badRequest("missing_index_uid", "Missing field `uid`")
	}
	uid := *body.UID
	if err := checkUID(uid); err != nil {
		return err
	}
	var key any
	if body.PrimaryKey != "" {
		key = body.PrimaryKey
	}
	return e.execute(w, r, work{kind: "indexCreation", index: uid, details: map[string]any{"primaryKey": key}, run: func(map[string]any) error {
		if e.table(uid) != nil {
			return newError(http.StatusConflict, "index_already_exists", "Index `%s` already exists.", uid)
		}
		_, err := e.create(uid, body.PrimaryKey)
		return err
	}})
}

// updateIndex sets the primary key, or the name, or both.
func (e *Engine) updateIndex(w http.ResponseWriter, r *http.Request) error {
	uid := r.PathValue("uid")
	var body struct {
		PrimaryKey *string `json:"primaryKey"`
		UID        *string `json:"uid"`
	}
	if err := readJSON(r, &body); err != nil {
		return err
	}
	if body.UID != nil {
		if err := checkUID(*body.UID); err != nil {
			return err
		}
	}
	details := map[string]any{"primaryKey": body.PrimaryKey, "oldIndexUid": uid, "newIndexUid": body.UID}
	return e.execute(w, r, work{kind: "indexUpdate", index: uid, details: details, run: func(map[string]any) error {
		t := e.table(uid)
		if t == nil {
			return indexNotFound(uid)
		}
		if body.PrimaryKey != nil {
			if n, err := t.count(); err != nil {
				return err
			} else if n > 0 && t.PrimaryKey != "" && t.PrimaryKey != *body.PrimaryKey {
				return badRequest("index_primary_key_already_exists", "Index `%s`: Index already has a primary key: `%s`.", uid, t.PrimaryKey)
			}
			if err := e.amend(uid, t, func(en *entry) { en.PrimaryKey = *body.PrimaryKey }); err != nil {
				return err
			}
		}
		t.touch(e.now())
		if body.UID == nil || *body.UID == uid {
			return nil
		}
		if e.table(*body.UID) != nil {
			return newError(http.StatusConflict, "index_already_exists", "Index `%s` already exists.", *body.UID)
		}
		return e.publish(map[string]*table{uid: nil, *body.UID: t})
	}})
}

func (e *Engine) deleteIndex(w http.ResponseWriter, r *http.Request) error {
	uid := r.PathValue("uid")
	return e.execute(w, r, work{kind: "indexDeletion", index: uid, details: map[string]any{}, run: func(details map[string]any) error {
		t := e.table(uid)
		if t == nil {
			return indexNotFound(uid)
		}
		n, err := t.count()
		if err != nil {
			return err
		}
		details["deletedDocuments"] = n
		if err := e.publish(map[string]*table{uid: nil}); err != nil {
			return err
		}
		return t.drop()
	}})
}

// swapIndexes changes over the names of pairs of indexes, all of them in one step.
func (e *Engine) swapIndexes(w http.ResponseWriter, r *http.Request) error {
	var swaps []struct {
		Indexes []string `json:"indexes"`
		Rename  bool     `json:"rename"`
	}
	if err := readJSON(r, &swaps); err != nil {
		return err
	}
	seen := make(map[string]bool)
	for _, s := range swaps {
		if len(s.Indexes) != 2 {
			return badRequest("invalid_swap_indexes", "Two indexes must be given for each swap. The list `%s` contains %d indexes.", brief(strings.Join(s.Indexes, ", ")), len(s.Indexes))
		}
		for _, uid := range s.Indexes {
			if err := checkUID(uid); err != nil {
				return err
			}
			if seen[uid] {
				return badRequest("invalid_swap_duplicate_index_found", "Indexes must be declared only once during a swap. `%s` was specified several times.", uid)
			}
			seen[uid] = true
		}
	}
	return e.execute(w, r, work{kind: "indexSwap", details: map[string]any{"swaps": swaps}, run: func(map[string]any) error {
		changed := make(map[string]*table)
		for _, s := range swaps {
			a, b := e.table(s.Indexes[0]), e.table(s.Indexes[1])
			if a == nil {
				return indexNotFound(s.Indexes[0])
			}
			if b == nil && !s.Rename {
				return indexNotFound(s.Indexes[1])
			}
			if b != nil && s.Rename {
				return newError(http.StatusConflict, "index_already_exists", "Cannot rename `%s` to `%s`: the index already exists.", s.Indexes[0], s.Indexes[1])
			}
			changed[s.Indexes[0]], changed[s.Indexes[1]] = b, a
		}
		return e.publish(changed)
	}})
}

// stats counts documents, and how many have each attribute; it reads all of them.
func (r reading) stats(ctx context.Context) (map[string]any, error) {
	n := 0
	fields := make(map[string]int)
	err := r.each(ctx, func(_ string, d sequenced) error {
		n++
		for name := range d.doc {
			fields[name]++
		}
		return nil
	})
	return map[string]any{"numberOfDocuments": n, "isIndexing": false, "fieldDistribution": fields}, err
}

func (e *Engine) indexStats(w http.ResponseWriter, r *http.Request) error {
	t, err := e.read(r.PathValue("uid"))
	if err != nil {
		return err
	}
	defer t.done()
	stats, err := t.stats(r.Context())
	if err != nil {
		return err
	}
	answer(w, http.StatusOK, stats)
	return nil
}

func (e *Engine) stats(w http.ResponseWriter, r *http.Request) error {
	indexes := make(map[string]any)
	var last time.Time
	for _, uid := range e.uids() {
		t, err := e.read(uid)
		if err != nil {
			continue // gone meanwhile
		}
		stats, err := t.stats(r.Context())
		if at := t.updated(); at.After(last) {
			last = at
		}
		t.done()
		if err != nil {
			return err
		}
		indexes[uid] = stats
	}
	answer(w, http.StatusOK, map[string]any{"databaseSize": 0, "usedDatabaseSize": 0, "lastUpdate": last, "indexes": indexes})
	return nil
}

func (e *Engine) getSettings(w http.ResponseWriter, r *http.Request) error {
	t, err := e.read(r.PathValue("uid"))
	if err != nil {
		return err
	}
	defer t.done()
	answer(w, http.StatusOK, t.entry.Settings.answer())
	return nil
}

func (e *Engine) updateSettings(w http.ResponseWriter, r *http.Request) error {
	var body map[string]json.RawMessage
	if err := readJSON(r, &body); err != nil {
		return err
	}
	return e.changeSettings(w, r, body)
}

func (e *Engine) resetSettings(w http.ResponseWriter, r *http.Request) error {
	body := make(map[string]json.RawMessage)
	for name := range defaultSettings().answer() {
		body[name] = json.RawMessage("null")
	}
	return e.changeSettings(w, r, body)
}

// camel writes the last part of a setting's path as its name.
func camel(path string) string {
	parts := strings.Split(path, "-")
	for i, p := range parts[1:] {
		if p != "" {
			parts[i+1] = strings.ToUpper(p[:1]) + p[1:]
		}
	}
	return strings.Join(parts, "")
}

func (e *Engine) setting(r *http.Request) (string, error) {
	name := camel(r.PathValue("setting"))
	if _, ok := defaultSettings().answer()[name]; !ok {
		return "", newError(http.StatusNotFound, "not_found", "The setting `%s` is not spoken here.", brief(name))
	}
	return name, nil
}

func (e *Engine) getSetting(w http.ResponseWriter, r *http.Request) error {
	name, err := e.setting(r)
	if err != nil {
		return err
	}
	t, err := e.read(r.PathValue("uid"))
	if err != nil {
		return err
	}
	defer t.done()
	answer(w, http.StatusOK, t.entry.Settings.answer()[name])
	return nil
}

func (e *Engine) updateSetting(w http.ResponseWriter, r *http.Request) error {
	name, err := e.setting(r)
	if err != nil {
		return err
	}
	var value json.RawMessage
	if err := readJSON(r, &value); err != nil {
		return err
	}
	return e.changeSettings(w, r, map[string]json.RawMessage{name: value})
}

func (e *Engine) resetSetting(w http.ResponseWriter, r *http.Request) error {
	name, err := e.setting(r)
	if err != nil {
		return err
	}
	return e.changeSettings(w, r, map[string]json.RawMessage{name: json.RawMessage("null")})
}

// changeSettings answers at once to a value that no settings can have, and lays the
// documents out anew where that is needed.
func (e *Engine) changeSettings(w http.ResponseWriter, r *http.Request, body map[string]json.RawMessage) error {
	uid := r.PathValue("uid")
	if err := checkUID(uid); err != nil {
		return err
	}
	if _, err := defaultSettings().change(body); err != nil {
		return err
	}
	details := make(map[string]any)
	for name, value := range body {
		details[name] = value
	}
	return e.execute(w, r, work{kind: "settingsUpdate", index: uid, details: details, run: func(map[string]any) error {
		t := e.table(uid)
		if t == nil {
			var err error
			if t, err = e.create(uid, ""); err != nil {
				return err
			}
		}
		next, err := t.entry.Settings.change(body)
		if err != nil {
			return err
		}
		if !next.relayout(t.entry.Settings) {
			return e.amend(uid, t, func(en *entry) { en.Settings = next })
		}
		changed := t.entry
		changed.Settings = next
		return e.replace(r.Context(), uid, t, changed)
	}})
}
