package meilibleve

import (
	"errors"
	"fmt"
	"net/http"
)

var (
	// ErrInUse says that another process, or another Engine, has the folder open.
	ErrInUse = errors.New("meilibleve: the folder is in use by another process")
	// ErrClosed says that the Engine was closed.
	ErrClosed = errors.New("meilibleve: closed")
)

// apiError is an error as Meilisearch puts it, in an answer or in a task.
type apiError struct {
	status  int
	Message string `json:"message"`
	Code    string `json:"code"`
	Type    string `json:"type"`
	Link    string `json:"link"`
}

func (e *apiError) Error() string { return e.Code + ": " + e.Message }

func newError(status int, code, format string, args ...any) *apiError {
	kind := "invalid_request"
	if status >= http.StatusInternalServerError {
		kind = "internal"
	}
	return &apiError{
		status: status, Message: fmt.Sprintf(format, args...), Code: code, Type: kind,
		Link: "https://docs.meilisearch.com/errors#" + code,
	}
}

func badRequest(code, format string, args ...any) *apiError {
	return newError(http.StatusBadRequest, code, format, args...)
}

func indexNotFound(uid string) *apiError {
	return newError(http.StatusNotFound, "index_not_found", "Index `%s` not found.", uid)
}

// asAPIError gives any error the form of the protocol.
func asAPIError(err error) *apiError {
	var e *apiError
	if errors.As(err, &e) {
		return e
	}
	return newError(http.StatusInternalServerError, "internal", "%s", err)
}
