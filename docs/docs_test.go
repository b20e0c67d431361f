package docs

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"daybook/internal/problem"
)

// TestEveryCodeHasItsPage holds the pages and the table of codes to each other.
func TestEveryCodeHasItsPage(t *testing.T) {
	var codes []string
	for _, code := range problem.Codes() {
		codes = append(codes, string(code))
	}
	slices.Sort(codes)
	if pages := ErrorCodes(); !reflect.DeepEqual(pages, codes) {
		t.Fatalf("docs/errors and the table in internal/problem differ:\npages %v\ncodes %v", pages, codes)
	}
	for _, code := range problem.Codes() {
		p := problem.New(code, "")
		page, _ := ErrorPage(string(code))
		lines := strings.Split(strings.TrimSuffix(string(page), "\n"), "\n")
		if n := len(lines); n < 8 || n > 32 {
			t.Errorf("%s: %d lines, want 8 to 32", code, n)
			continue
		}
		head := []string{"# " + p.Title, "", fmt.Sprintf("`%s` · HTTP %d", code, p.Status), ""}
		if !reflect.DeepEqual(lines[:4], head) {
			t.Errorf("%s: the page begins with\n%s\nbut the table says\n%s", code, strings.Join(lines[:4], "\n"), strings.Join(head, "\n"))
		}
		for _, part := range []string{"```json\n{\n  \"code\": \"" + string(code) + "\"", "\n**What to do.** ", "\n**Again with the same key?** "} {
			if !strings.Contains(string(page), part) {
				t.Errorf("%s: the page has no %q", code, part)
			}
		}
		html, ok := ErrorHTML(string(code))
		if !ok || strings.ContainsAny(strings.SplitN(string(html), "<main", 2)[1], "`") || strings.Contains(string(html), "**") {
			t.Errorf("%s: a mark was left in the HTML:\n%s", code, html)
		}
	}
}

func TestPagesThatAreNot(t *testing.T) {
	for _, code := range []string{"", "nope", "../docs", "no_table.md", `..\x`, "a/b"} {
		if _, ok := ErrorPage(code); ok {
			t.Errorf("there is a page %q", code)
		}
		if _, ok := ErrorHTML(code); ok {
			t.Errorf("there is an HTML page %q", code)
		}
	}
	for _, name := range []string{"", ".", "..", "../docs.go", "site/index.html", "nope.css", "/index.html"} {
		if _, ok := Asset(name); ok {
			t.Errorf("there is an asset %q", name)
		}
	}
	for _, name := range []string{"index.html", "docs.css", "docs.js", "icon.svg"} {
		if content, ok := Asset(name); !ok || len(content) == 0 {
			t.Errorf("there is no asset %s", name)
		}
	}
}

func TestRender(t *testing.T) {
	for _, c := range []struct{ markdown, want string }{
		{"# A <b>\n\ntwo\nlines\n", "<h1>A &lt;b&gt;</h1>\n<p>two\nlines</p>\n"},
		{"a `b<` **c `d`** [e](/errors/e).", "<p>a <code>b&lt;</code> <strong>c <code>d</code></strong> <a href=\"/errors/e\">e</a>.</p>\n"},
		{"[x](javascript:alert(1)) [y](//elsewhere) [z](http://e)", "<p>[x](javascript:alert(1)) [y](//elsewhere) [z](http://e)</p>\n"},
		{"- a\n- `b`\n", "<ul>\n<li>a</li>\n<li><code>b</code></li>\n</ul>\n"},
		{"```json\n{\n\n\"<\": 1}\n```\n\nafter", "<pre tabindex=\"0\"><code>{\n\n&#34;&lt;&#34;: 1}</code></pre>\n<p>after</p>\n"},
		{"an open ` and ** and [", "<p>an open ` and ** and [</p>\n"},
		{"`", "<p>`</p>\n"},
		{"", ""},
	} {
		if got := string(render(c.markdown)); got != c.want {
			t.Errorf("%q:\ngot  %q\nwant %q", c.markdown, got, c.want)
		}
	}
}

func FuzzRender(f *testing.F) {
	f.Add("# a\n\n`b` **c** [d](/e)\n\n```\n<\n```\n")
	f.Fuzz(func(t *testing.T, markdown string) {
		if html := string(render(markdown)); strings.Contains(html, "<script") {
			t.Errorf("%q passed HTML through: %q", markdown, html)
		}
	})
}
