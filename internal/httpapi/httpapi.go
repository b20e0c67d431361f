// Package httpapi is the frame both APIs hang in: the engine, how a caller is known, how a
// refusal is written, limits, and the forms that reading and writing share.
//
// What belongs here: what every route has in common. Routes that change something are
// writeapi's, those that do not are readapi's; codes and statuses are problem's.
package httpapi

import (
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humagin"
	"github.com/gin-gonic/gin"

	"daybook/domain"
	"daybook/eventstore"
	"daybook/internal/problem"
)

// Base is where the API's paths begin.
const Base = "/api/v1"

// Limits on what comes from outside.
const (
	MaxBody        = 64 << 10 // bytes
	bodyTimeout    = 5 * time.Second
	requestTimeout = 15 * time.Second
	maxErrors      = 20 // named in one answer: a small request must not make a large one
)

// Config is what the frame needs. Users has no default.
type Config struct {
	Users func(token string) (userID string, err error) // checks an access token
	// Operator tells whether a token is that of who runs this service. May be nil: then
	// nobody's is.
	Operator func(token string) bool
	Version  string
	Log      *slog.Logger
	// Observe is told of each request when it has ended, and how long its client waited for
	// the answer, or where that goes on (see OpenEnded) for its beginning. May be nil.
	Observe func(method, route string, status int, took time.Duration)
}

// API is the engine, and what routes are registered with.
type API struct {
	Engine *gin.Engine
	Huma   huma.API
	log    *slog.Logger
}

type (
	requestIDKey struct{}
	userKey      struct{}
	operatorKey  struct{}
	tokenKey     struct{}
	openEndedKey struct{}
)

// unlimited is a request's context without its time limit.
type unlimited struct {
	context.Context
	began time.Time
	after atomic.Int64 // nanoseconds from began until the answer began to go on by itself; 0 where it does not
}

// took is how long the client waited for its answer, or for that to begin.
func (u *unlimited) took() time.Duration {
	if after := u.after.Load(); after != 0 {
		return time.Duration(after)
	}
	return time.Since(u.began)
}

// ofProcess sets what gin and huma keep for the whole process: once, as a frame that serves
// already reads it.
var ofProcess = sync.OnceFunc(func() {
	gin.SetMode(gin.ReleaseMode)
	huma.NewErrorWithContext = func(_ huma.Context, status int, detail string, errs ...error) huma.StatusError {
		return ofStatus(status, detail, errs)
	}
	huma.NewError = func(status int, detail string, errs ...error) huma.StatusError {
		return ofStatus(status, detail, errs)
	}
	huma.ValidateStrictCasing = true
	huma.DefaultArrayNullable = false // an empty list is [], in both directions
})

// New makes the frame. The first sets the form of huma's own errors, and how strictly it
// reads, for the whole process.
func New(cfg Config) *API {
	if cfg.Log == nil {
		cfg.Log = slog.Default()
	}
	ofProcess()
	a := &API{Engine: gin.New(), log: cfg.Log}
	a.Engine.HandleMethodNotAllowed = true
	a.Engine.RedirectTrailingSlash = false // another path is another path, and nothing else
	a.Engine.Use(a.frame(cfg.Observe))
	a.Engine.NoRoute(func(c *gin.Context) {
		write(c, problem.New(problem.RouteNotFound, "see /docs for the paths there are"))
	})
	a.Engine.NoMethod(func(c *gin.Context) {
		write(c, problem.New(problem.MethodNotAllowed, "the Allow header lists the methods of this path"))
	})

	hc := huma.DefaultConfig("Daybook", cfg.Version)
	hc.Info.Description = "A reservation ledger: hold a table, confirm it, and read every change that was made."
	hc.Formats = map[string]huma.Format{"application/json": strictJSON, "json": strictJSON}
	hc.DocsPath, hc.SchemasPath, hc.OpenAPIPath = "", "", "" // readapi serves the description
	hc.CreateHooks = nil                                     // no $schema links in answers
	hc.RejectUnknownQueryParameters = true
	hc.Transformers = append(hc.Transformers, withRequestID)
	hc.Components.SecuritySchemes = map[string]*huma.SecurityScheme{
		"bearer":   {Type: "http", Scheme: "bearer", BearerFormat: "JWT"},
		"operator": {Type: "http", Scheme: "bearer", Description: "the token of who runs the service"},
	}
	a.Huma = humagin.New(a.Engine, hc)
	a.Huma.UseMiddleware(a.authenticate(cfg.Users, cfg.Operator))
	return a
}

// withRequestID puts the request's id into every problem.
func withRequestID(ctx huma.Context, _ string, v any) (any, error) {
	if p, ok := v.(*problem.Problem); ok && p.RequestID == "" {
		with := *p
		with.RequestID = RequestID(ctx.Context())
		return &with, nil
	}
	return v, nil
}

// frame gives each request its id and a time limit, turns a panic into an answer, and
// observes how it ended.
func (a *API) frame(observe func(method, route string, status int, took time.Duration)) gin.HandlerFunc {
	return func(c *gin.Context) {
		id := c.GetHeader("X-Request-Id")
		if !plain(id) {
			id = rand.Text()
		}
		c.Header("X-Request-Id", id)
		c.Header("X-Content-Type-Options", "nosniff")
		open := &unlimited{Context: context.WithValue(c.Request.Context(), requestIDKey{}, id), began: time.Now()}
		ctx, cancel := context.WithTimeout(context.WithValue(open, openEndedKey{}, open), requestTimeout)
		defer cancel()
		c.Request = c.Request.WithContext(ctx)
		defer func() {
			if p := recover(); p != nil {
				if p == http.ErrAbortHandler { //nolint:errorlint // net/http, too, looks for the very value
					panic(p)
				}
				a.log.Error("a handler panicked", "requestId", id, "path", c.Request.URL.Path, "panic", p)
				if !c.Writer.Written() {
					write(c, problem.Because(errors.New("panic")))
				}
			}
			if observe != nil {
				route := c.FullPath()
				if route == "" {
					route = "none"
				}
				observe(c.Request.Method, route, c.Writer.Status(), open.took())
			}
		}()
		if !readable(c.Request.URL) {
			write(c, problem.New(problem.Malformed, "the address is not text in UTF-8 with %-escapes, or has control characters"))
			c.Abort()
			return
		}
		c.Next()
	}
}

// readable reports whether path and query are text. A parameter that cannot be decoded
// would be taken for one that is missing; a NUL is no text to every database.
func readable(u *url.URL) bool {
	text := func(s string) bool { return utf8.ValidString(s) && !strings.ContainsFunc(s, unicode.IsControl) }
	query, err := url.ParseQuery(u.RawQuery)
	if err != nil || !text(u.Path) {
		return false
	}
	for name, values := range query {
		if !text(name) || slices.ContainsFunc(values, func(v string) bool { return !text(v) }) {
			return false
		}
	}
	return true
}

// plain reports whether s can stand in a log line: 1 to 64 letters, digits, - and _.
func plain(s string) bool {
	return s != "" && len(s) <= 64 && strings.IndexFunc(s, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '_')
	}) < 0
}

func write(c *gin.Context, p *problem.Problem) {
	p.RequestID = RequestID(c.Request.Context())
	c.Header("Content-Type", problem.ContentType)
	c.JSON(p.Status, p)
}

// RequestID is the id of the request that ctx belongs to.
func RequestID(ctx context.Context) string {
	id, _ := ctx.Value(requestIDKey{}).(string)
	return id
}

// OpenEnded is the context of the request that ctx belongs to, without its time limit: it
// ends when the client has gone. For answers that go on for as long as somebody listens,
// and whose latency ends here: Config.Observe is told no more of it.
func OpenEnded(ctx context.Context) context.Context {
	if open, ok := ctx.Value(openEndedKey{}).(*unlimited); ok {
		open.after.CompareAndSwap(0, max(1, int64(time.Since(open.began))))
		return open
	}
	return ctx
}

// User is who makes the request; empty for a route that asks nobody to log in.
func User(ctx context.Context) domain.UserID {
	u, _ := ctx.Value(userKey{}).(domain.UserID)
	return u
}

// LoggedIn is the security of an operation that needs a user.
var LoggedIn = []map[string][]string{{"bearer": {}}}

// LoggedInOrOperator is the security of an operation that also whoever runs the service may
// ask for.
var LoggedInOrOperator = []map[string][]string{{"bearer": {}}, {"operator": {}}}

// Operator reports whether the request is that of who runs the service, and not a user's.
func Operator(ctx context.Context) bool {
	is, _ := ctx.Value(operatorKey{}).(bool)
	return is
}

// StillIn returns what tells whether the token that the request came with is as good as it
// was then. An answer that goes on asks it before it tells more.
func StillIn(ctx context.Context) func() bool {
	if good, ok := ctx.Value(tokenKey{}).(func() bool); ok {
		return good
	}
	return func() bool { return true }
}

// forOperators reports whether an operation takes the operator's token.
func forOperators(op *huma.Operation) bool {
	return slices.ContainsFunc(op.Security, func(way map[string][]string) bool { _, ok := way["operator"]; return ok })
}

// authenticate lets nobody into an operation with security who does not show a good token.
// What he may do there is decided there.
func (a *API) authenticate(users func(token string) (string, error), operator func(token string) bool) func(huma.Context, func(huma.Context)) {
	return func(ctx huma.Context, next func(huma.Context)) {
		if len(ctx.Operation().Security) == 0 {
			next(ctx)
			return
		}
		token, ok := strings.CutPrefix(ctx.Header("Authorization"), "Bearer ")
		if !ok {
			a.refuse(ctx, problem.New(problem.Unauthenticated, "send Authorization: Bearer <access token>; POST "+Base+"/users/login gives one"))
			return
		}
		if operator != nil && forOperators(ctx.Operation()) && operator(token) {
			next(huma.WithValue(huma.WithValue(ctx, operatorKey{}, true), tokenKey{}, func() bool { return operator(token) }))
			return
		}
		name, err := users(token)
		var user domain.UserID
		if err == nil {
			user, err = domain.ParseUserID(name)
		}
		if err != nil {
			a.refuse(ctx, problem.New(problem.Unauthenticated, "the access token is not, or no longer, good; log in again"))
			return
		}
		next(huma.WithValue(huma.WithValue(ctx, userKey{}, user), tokenKey{}, func() bool {
			again, err := users(token)
			return err == nil && again == name
		}))
	}
}

func (a *API) refuse(ctx huma.Context, p *problem.Problem) {
	p.RequestID = RequestID(ctx.Context())
	if p.Status == http.StatusUnauthorized {
		ctx.SetHeader("WWW-Authenticate", `Bearer realm="daybook"`)
	}
	ctx.SetHeader("Content-Type", problem.ContentType)
	ctx.SetStatus(p.Status)
	_ = a.Huma.Marshal(ctx.BodyWriter(), "application/json", p) // the connection is gone: nobody to tell
}

// ofStatus is the problem that huma itself found with a request.
func ofStatus(status int, detail string, errs []error) huma.StatusError {
	code := problem.Internal
	switch status {
	case http.StatusBadRequest:
		code = problem.Malformed
	case http.StatusNotAcceptable:
		code = problem.NotAcceptable
	case http.StatusRequestTimeout:
		code = problem.TimedOut
	case http.StatusRequestEntityTooLarge:
		code = problem.TooLarge
	case http.StatusUnsupportedMediaType:
		code = problem.UnsupportedMedia
	case http.StatusUnprocessableEntity:
		code = domain.CodeInvalid
	case http.StatusInternalServerError:
		// All that huma itself answers so: the body broke off, or its chunks are none. The
		// cause is the connection's, and nothing to tell.
		code, errs = problem.Malformed, nil
	default:
		if status != 0 { // 0 asks for an example of the form
			return problem.Because(errors.Join(append(errs, errors.New(detail))...))
		}
	}
	p := problem.New(code, detail)
	for _, err := range errs[:min(len(errs), maxErrors)] {
		var field huma.ErrorDetailer
		if errors.As(err, &field) {
			d := field.ErrorDetail()
			if d.Location == "query.asOf" && d.Message == "unknown query parameter" {
				d.Message = "this tells of now alone, and has no past to look back to"
				p.Detail = d.Message
			}
			p.Errors = append(p.Errors, problem.Field{Location: d.Location, Message: d.Message})
		} else if err != nil {
			p.Errors = append(p.Errors, problem.Field{Message: err.Error()})
		}
	}
	return p
}

// Handle registers a route. Whatever error its handler returns becomes a problem; the
// cause of an internal one is logged with the request's id, and told nobody.
func Handle[I, O any](a *API, op huma.Operation, handler func(context.Context, *I) (*O, error)) {
	op.Path = strings.TrimSuffix(Base+op.Path, "/")
	if op.MaxBodyBytes == 0 {
		op.MaxBodyBytes, op.BodyReadTimeout = MaxBody, bodyTimeout
	}
	op.Errors = append(op.Errors, http.StatusUnprocessableEntity)
	huma.Register(a.Huma, op, func(ctx context.Context, in *I) (*O, error) {
		out, err := handler(ctx, in)
		if err == nil {
			return out, nil
		}
		p := problemOf(err)
		if p.Unwrap() != nil {
			a.log.Error("a request failed", "requestId", RequestID(ctx), "operation", op.OperationID, "error", err)
		}
		if after := p.RetryAfter(); after > 0 {
			return nil, huma.ErrorWithHeaders(p, http.Header{"Retry-After": {strconv.Itoa(after)}})
		}
		return nil, p
	})
}

func problemOf(err error) *problem.Problem {
	switch {
	case errors.Is(err, eventstore.ErrUnknownOutcome):
		return problem.New(problem.OutcomeUnknown, "send it again with the same Idempotency-Key: it is done once")
	case errors.Is(err, eventstore.ErrUnavailable), errors.Is(err, eventstore.ErrClosed):
		return problem.New(problem.Unavailable, "the event store cannot be reached; nothing was changed")
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return problem.New(problem.Unavailable, "it took too long")
	}
	return problem.From(err)
}
