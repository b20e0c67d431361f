// Package sheet writes texts into files that people open in a spreadsheet.
//
// What belongs here: what a cell must not be. Which cells there are is for who writes the
// file. Files that are for programs alone hold texts as they are, and have no use for it.
package sheet

import (
	"strings"
	"unicode/utf8"
)

// Cell keeps a spreadsheet from taking a text for a formula: what begins like one gets an
// apostrophe before it. Numbers need none; one that is written as a text gets it, too.
func Cell(text string) string {
	if first, _ := utf8.DecodeRuneInString(text); strings.ContainsRune("=+-@\t\r\n＝＋－＠", first) {
		return "'" + text
	}
	return text
}
