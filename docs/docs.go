// Package docs carries the pages that the service itself shows: one for each error code,
// and the reference of the API, which is drawn in the reader's browser from /openapi.json.
//
// What belongs here: those pages, and turning one into HTML. The routes they are served
// under are readapi's; codes and titles are problem's, and a test here holds the pages to
// them. What is only read in the repository (decisions, architecture, operations) lies
// beside, and is not carried.
package docs

import (
	"embed"
	"fmt"
	"html/template"
	"io/fs"
	"path"
	"strings"
)

//go:embed errors/*.md
var errorPages embed.FS

//go:embed site
var siteFiles embed.FS

// ErrorPage is the page of an error code in Markdown, and whether there is one.
func ErrorPage(code string) (markdown []byte, ok bool) {
	if code == "" || strings.ContainsAny(code, `/\.`) {
		return nil, false
	}
	markdown, err := errorPages.ReadFile("errors/" + code + ".md")
	return markdown, err == nil
}

// ErrorCodes lists the codes that have a page, in order.
func ErrorCodes() (codes []string) {
	files, err := errorPages.ReadDir("errors")
	if err != nil {
		panic(fmt.Sprintf("docs: the embedded pages cannot be listed: %v", err)) // built in: cannot happen
	}
	for _, f := range files {
		codes = append(codes, strings.TrimSuffix(f.Name(), ".md"))
	}
	return codes
}

// Asset is a file of the reference, by its name without a folder, and whether there is one.
func Asset(name string) (content []byte, ok bool) {
	if !fs.ValidPath(name) || path.Dir(name) != "." {
		return nil, false
	}
	content, err := siteFiles.ReadFile("site/" + name)
	return content, err == nil
}

var layout = template.Must(template.New("page").Parse(`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{{.Title}} · Daybook</title>
<link rel="icon" href="/docs/icon.svg">
<link rel="stylesheet" href="/docs/docs.css">
</head>
<body class="page">
<header class="top"><a class="brand" href="/docs">Daybook</a> <span class="sub">error codes</span></header>
<main class="article">
{{.Body}}
</main>
<footer class="article"><a href="/docs">API reference</a> · <a href="/errors/">all codes</a></footer>
</body>
</html>
`))

// ErrorHTML is the page of an error code in HTML, and whether there is one.
func ErrorHTML(code string) (page []byte, ok bool) {
	markdown, ok := ErrorPage(code)
	if !ok {
		return nil, false
	}
	return inLayout(titleOf(markdown), render(string(markdown))), true
}

// ErrorListHTML is the list of all error codes in HTML.
func ErrorListHTML() []byte {
	var b strings.Builder
	b.WriteString("# Error codes\n\nEvery refusal is `application/problem+json` with one of these as `code`. Decide by the code: titles and details may be worded anew.\n\n")
	for _, code := range ErrorCodes() {
		markdown, _ := ErrorPage(code)
		fmt.Fprintf(&b, "- [`%s`](/errors/%s) %s\n", code, code, titleOf(markdown))
	}
	return inLayout("Error codes", render(b.String()))
}

func inLayout(title string, body template.HTML) []byte {
	var b strings.Builder
	if err := layout.Execute(&b, struct {
		Title string
		Body  template.HTML
	}{title, body}); err != nil {
		panic(fmt.Sprintf("docs: %v", err)) // both are ours, and writing to memory does not fail
	}
	return []byte(b.String())
}

func titleOf(markdown []byte) string {
	first, _, _ := strings.Cut(string(markdown), "\n")
	return strings.TrimPrefix(first, "# ")
}
