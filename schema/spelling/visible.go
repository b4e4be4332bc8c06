package spelling

import (
	"strconv"
	"strings"
	"unicode"
)

// Visible makes text from elsewhere safe to show, and keeps it on one line: what can't be printed
// (controls, escapes of terminals, marks that turn the direction of writing) is written as in a Go
// string.
func Visible(s string) string {
	if strings.IndexFunc(s, hidden) < 0 {
		return s
	}
	var b strings.Builder
	for _, r := range s {
		if hidden(r) {
			b.WriteString(strings.Trim(strconv.QuoteRune(r), "'"))
		} else {
			b.WriteRune(r)
		}
	}
	return b.String()
}

func hidden(r rune) bool { return r != ' ' && !unicode.IsPrint(r) }
