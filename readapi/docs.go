package readapi

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"github.com/gin-gonic/gin"

	"daybook/docs"
	"daybook/internal/httpapi"
	"daybook/internal/problem"
)

// pagePolicy lets a page load nothing but its own style and script, and ask nobody but the
// service that it came from.
const pagePolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// pageAge is how long browsers may keep a page without asking again: a new release should
// show soon.
const pageAge = "public, max-age=300"

// RegisterDocs adds the description of the API, the pages that show it, and those of the
// error codes. It describes the operations that are registered when it is called, so it is
// called last. Like registering a route, it panics on what a build got wrong.
func RegisterDocs(api *httpapi.API) {
	describe(api.Huma.OpenAPI())
	description, err := json.Marshal(api.Huma.OpenAPI())
	if err != nil {
		panic(fmt.Sprintf("readapi: the description of the API: %v", err))
	}
	api.Engine.GET("/openapi.json", func(c *gin.Context) {
		c.Data(http.StatusOK, "application/openapi+json", description)
	})
	for path, file := range map[string]struct{ name, contentType string }{
		"/docs":          {"index.html", "text/html; charset=utf-8"},
		"/docs/docs.css": {"docs.css", "text/css; charset=utf-8"},
		"/docs/docs.js":  {"docs.js", "text/javascript; charset=utf-8"},
		"/docs/icon.svg": {"icon.svg", "image/svg+xml"},
	} {
		content, ok := docs.Asset(file.name)
		if !ok {
			panic("readapi: not built in: docs/site/" + file.name)
		}
		api.Engine.GET(path, func(c *gin.Context) { show(c, file.contentType, content) })
	}
	list := docs.ErrorListHTML()
	api.Engine.GET("/errors/", func(c *gin.Context) { show(c, "text/html; charset=utf-8", list) })
	api.Engine.GET("/errors/:code", errorPage)
}

// errorPage explains a code: in HTML to whoever asks for that, as browsers do, else in
// Markdown.
func errorPage(c *gin.Context) {
	c.Header("Vary", "Accept")
	if strings.Contains(c.GetHeader("Accept"), "text/html") {
		if page, ok := docs.ErrorHTML(c.Param("code")); ok {
			show(c, "text/html; charset=utf-8", page)
			return
		}
	} else if page, ok := docs.ErrorPage(c.Param("code")); ok {
		show(c, "text/markdown; charset=utf-8", page)
		return
	}
	p := problem.New(problem.RouteNotFound, "there is no such error code; /errors/ lists those there are")
	p.RequestID = httpapi.RequestID(c.Request.Context())
	c.Header("Content-Type", problem.ContentType)
	c.JSON(p.Status, p)
}

func show(c *gin.Context, contentType string, content []byte) {
	c.Header("Content-Security-Policy", pagePolicy)
	c.Header("Referrer-Policy", "no-referrer")
	c.Header("Cache-Control", pageAge)
	c.Data(http.StatusOK, contentType, content)
}
