package main

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// legible is a line of text that comes from a file or from another party, fit for a
// terminal: where something in it is not to be printed, such as an escape sequence or the end
// of the line, it stands as Go writes it in quotes.
func legible(text string) string {
	if utf8.ValidString(text) && !strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return text
	}
	quoted := strconv.Quote(text)
	return quoted[1 : len(quoted)-1]
}

// legibleLines is legible of each line of a text, which may have been joined of several.
func legibleLines(text string) string {
	lines := strings.Split(text, "\n")
	for i := range lines {
		lines[i] = legible(lines[i])
	}
	return strings.Join(lines, "\n")
}
