package meilibleve

import (
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"strconv"
	"strings"
)

// maxBody bounds a request's body, in bytes.
const maxBody = 32 << 20

// version is that of the Meilisearch whose answers these are.
const version = "1.53.1"

// ServeHTTP answers a request of the Meilisearch API. It does not ask for a key: whoever
// puts the Engine on a port must guard it.
func (e *Engine) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxBody)
	e.mux.ServeHTTP(w, r)
}

type handler func(w http.ResponseWriter, r *http.Request) error

func (e *Engine) routes() *http.ServeMux {
	mux := http.NewServeMux()
	for pattern, h := range map[string]handler{
		"GET /health":  e.health,
		"GET /version": e.getVersion,
		"GET /stats":   e.stats,

		"GET /tasks":        e.listTasks,
		"GET /tasks/{task}": e.getTask,

		"GET /indexes":             e.listIndexes,
		"POST /indexes":            e.createIndex,
		"GET /indexes/{uid}":       e.getIndex,
		"PATCH /indexes/{uid}":     e.updateIndex,
		"DELETE /indexes/{uid}":    e.deleteIndex,
		"POST /swap-indexes":       e.swapIndexes,
		"GET /indexes/{uid}/stats": e.indexStats,

		"GET /indexes/{uid}/settings":              e.getSettings,
		"PATCH /indexes/{uid}/settings":            e.updateSettings,
		"DELETE /indexes/{uid}/settings":           e.resetSettings,
		"GET /indexes/{uid}/settings/{setting}":    e.getSetting,
		"PUT /indexes/{uid}/settings/{setting}":    e.updateSetting,
		"PATCH /indexes/{uid}/settings/{setting}":  e.updateSetting,
		"DELETE /indexes/{uid}/settings/{setting}": e.resetSetting,

		"GET /indexes/{uid}/documents":               e.listDocuments,
		"POST /indexes/{uid}/documents/fetch":        e.listDocuments,
		"GET /indexes/{uid}/documents/{id}":          e.getDocument,
		"POST /indexes/{uid}/documents":              e.addDocuments,
		"PUT /indexes/{uid}/documents":               e.updateDocuments,
		"DELETE /indexes/{uid}/documents":            e.deleteAllDocuments,
		"DELETE /indexes/{uid}/documents/{id}":       e.deleteDocument,
		"POST /indexes/{uid}/documents/delete-batch": e.deleteDocuments,
		"POST /indexes/{uid}/documents/delete":       e.deleteDocumentsByFilter,

		"POST /indexes/{uid}/search": e.search,
	} {
		mux.Handle(pattern, h)
	}
	mux.Handle("/", handler(func(_ http.ResponseWriter, r *http.Request) error {
		return newError(http.StatusNotFound, "not_found", "`%s %s` is not spoken here.", r.Method, brief(r.URL.Path))
	}))
	return mux
}

func (h handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	err := h(w, r)
	if err == nil {
		return
	}
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) {
		err = newError(http.StatusRequestEntityTooLarge, "payload_too_large", "The provided payload reached the size limit. The maximum accepted payload size is %d bytes.", tooLarge.Limit)
	}
	if cause := r.Context().Err(); cause != nil && errors.Is(err, cause) {
		err = newError(http.StatusServiceUnavailable, "internal", "The request was given up: %s.", cause)
	}
	e := asAPIError(err)
	answer(w, e.status, e)
}

// answer writes v. It cannot fail but by the connection, of which the client knows.
func answer(w http.ResponseWriter, status int, v any) {
	body, err := json.Marshal(v)
	if err != nil {
		status = http.StatusInternalServerError
		body, _ = json.Marshal(asAPIError(err)) // strings alone, which cannot fail
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(body)
}

// readJSON reads a body into v; attributes that v does not know are refused.
func readJSON(r *http.Request, v any) error {
	body, kind, err := readBody(r)
	if err != nil {
		return err
	}
	if kind != "application/json" {
		return unsupportedType(kind)
	}
	decoder := json.NewDecoder(strings.NewReader(string(body)))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(v); err != nil {
		var e *apiError
		if errors.As(err, &e) {
			return e
		}
		if strings.HasPrefix(err.Error(), "json: unknown field") {
			return badRequest("bad_request", "Unknown field %s.", brief(strings.TrimPrefix(err.Error(), "json: unknown field ")))
		}
		return badRequest("malformed_payload", "The json payload provided is malformed: %s.", brief(err.Error()))
	}
	if decoder.More() {
		return badRequest("malformed_payload", "The json payload provided is malformed: there is something after it.")
	}
	return nil
}

// readBody reads the body and its media type.
func readBody(r *http.Request) ([]byte, string, error) {
	if encoding := r.Header.Get("Content-Encoding"); encoding != "" && encoding != "identity" {
		return nil, "", newError(http.StatusUnsupportedMediaType, "invalid_content_type", "The Content-Encoding `%s` is not spoken here.", brief(encoding))
	}
	header := r.Header.Get("Content-Type")
	if header == "" {
		return nil, "", newError(http.StatusUnsupportedMediaType, "missing_content_type", "A Content-Type header is missing. Accepted values for the Content-Type header are: `application/json`, `application/x-ndjson`")
	}
	kind, _, err := mime.ParseMediaType(header)
	if err != nil {
		return nil, "", unsupportedType(header)
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, "", err
	}
	if len(body) == 0 {
		return nil, "", badRequest("missing_payload", "A %s payload is missing.", strings.TrimPrefix(kind, "application/"))
	}
	return body, kind, nil
}

func unsupportedType(kind string) error {
	return newError(http.StatusUnsupportedMediaType, "invalid_content_type", "The Content-Type `%s` is invalid. Accepted values for the Content-Type header are: `application/json`, `application/x-ndjson`", brief(kind))
}

// page reads offset and limit from the query.
func page(r *http.Request, what string) (offset, limit int, err error) {
	offset, limit = 0, 20
	for name, target := range map[string]*int{"offset": &offset, "limit": &limit} {
		text := r.URL.Query().Get(name)
		if text == "" {
			continue
		}
		n, err := strconv.Atoi(text)
		if err != nil || n < 0 {
			return 0, 0, badRequest("invalid_"+what+"_"+name, "Invalid value for parameter `%s`: could not parse `%s` as a positive integer.", name, brief(text))
		}
		*target = n
	}
	return offset, limit, nil
}

func (e *Engine) health(w http.ResponseWriter, _ *http.Request) error {
	e.mu.RLock()
	defer e.mu.RUnlock()
	if e.closed {
		return newError(http.StatusServiceUnavailable, "internal", "%s", ErrClosed)
	}
	answer(w, http.StatusOK, map[string]string{"status": "available"})
	return nil
}

func (e *Engine) getVersion(w http.ResponseWriter, _ *http.Request) error {
	answer(w, http.StatusOK, map[string]string{"commitSha": "embedded", "commitDate": "unknown", "pkgVersion": version})
	return nil
}
