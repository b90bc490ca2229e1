package output

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Printable is text in the form in which it may be shown on a terminal: one line, in the
// direction in which it is written, without sequences that move the cursor. What may not
// be shown is escaped as in Go: \x1b, \u202e.
func Printable(text string) string {
	if utf8.ValidString(text) && !strings.ContainsFunc(text, unprintable) {
		return text
	}
	var b strings.Builder
	for _, r := range text {
		if unprintable(r) {
			quoted := strconv.QuoteRuneToASCII(r)
			b.WriteString(quoted[1 : len(quoted)-1])
			continue
		}
		b.WriteRune(r)
	}
	return b.String()
}

// unprintable says whether a character controls the terminal, the direction of what
// follows it, or the line.
func unprintable(r rune) bool {
	return unicode.In(r, unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp)
}
