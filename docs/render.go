package docs

import (
	"html/template"
	"strings"
)

// render turns the part of Markdown that these pages are written in into HTML: headings of
// the first level, paragraphs, lists, fenced code, and code, bold and links inside a line.
// Everything else stays text, and no HTML passes through.
func render(markdown string) template.HTML {
	var b strings.Builder
	for _, block := range blocks(markdown) {
		switch {
		case strings.HasPrefix(block, "```"):
			_, code, _ := strings.Cut(block, "\n")
			b.WriteString("<pre tabindex=\"0\"><code>" + template.HTMLEscapeString(strings.TrimSuffix(code, "\n```")) + "</code></pre>\n")
		case strings.HasPrefix(block, "# "):
			b.WriteString("<h1>" + inline(block[2:]) + "</h1>\n")
		case strings.HasPrefix(block, "- "):
			b.WriteString("<ul>\n")
			for _, item := range strings.Split(block[2:], "\n- ") {
				b.WriteString("<li>" + inline(item) + "</li>\n")
			}
			b.WriteString("</ul>\n")
		default:
			b.WriteString("<p>" + inline(block) + "</p>\n")
		}
	}
	return template.HTML(b.String()) //nolint:gosec // every text in it was escaped above
}

// blocks splits at empty lines, but not inside fenced code.
func blocks(markdown string) (out []string) {
	var block []string
	fenced := false
	end := func() {
		if len(block) > 0 {
			out = append(out, strings.Join(block, "\n"))
		}
		block = nil
	}
	for _, line := range strings.Split(strings.TrimSpace(markdown), "\n") {
		if strings.HasPrefix(line, "```") {
			fenced = !fenced
		}
		if line == "" && !fenced {
			end()
			continue
		}
		block = append(block, line)
	}
	end()
	return out
}

// marks are what stands around a part of a line, and the element it becomes.
var marks = []struct{ mark, element string }{{"`", "code"}, {"**", "strong"}}

func inline(text string) string {
	var b strings.Builder
next:
	for text != "" {
		for _, m := range marks {
			if inner, rest, ok := between(text, m.mark, m.mark); ok {
				if m.element != "code" {
					inner = inline(inner)
				} else {
					inner = template.HTMLEscapeString(inner)
				}
				b.WriteString("<" + m.element + ">" + inner + "</" + m.element + ">")
				text = rest
				continue next
			}
		}
		if label, rest, ok := between(text, "[", "]("); ok {
			// Only to pages of our own: a link that leads elsewhere stays text.
			if url, after, ok := strings.Cut(rest, ")"); ok && strings.HasPrefix(url, "/") && !strings.HasPrefix(url, "//") {
				b.WriteString(`<a href="` + template.HTMLEscapeString(url) + `">` + inline(label) + "</a>")
				text = after
				continue
			}
		}
		plain := 1 + max(strings.IndexAny(text[1:], "`*["), -1)
		if plain == 0 {
			plain = len(text)
		}
		b.WriteString(template.HTMLEscapeString(text[:plain]))
		text = text[plain:]
	}
	return b.String()
}

// between cuts what stands between two marks at the beginning of text.
func between(text, opening, closing string) (inner, rest string, ok bool) {
	text, ok = strings.CutPrefix(text, opening)
	if !ok {
		return "", "", false
	}
	return strings.Cut(text, closing)
}
