package upstream

import (
	"bytes"
	"strconv"
)

// inBothForms takes out of a JSON text what a function finds, plainly and behind JSON's
// escapes: a text may have it in both forms.
func inBothForms(body []byte, without func([]byte) ([]byte, bool)) (clean []byte, found bool) {
	clean, found = without(body)
	if bytes.IndexByte(clean, '\\') < 0 {
		return clean, found
	}
	if more, again := without(unescaped(clean)); again {
		return more, true
	}
	return clean, found
}

// endsWithEscape reports whether a text ends with an escape of JSON or of a URL, whose
// last character is no letter of a word.
func endsWithEscape(text []byte) bool {
	n := len(text)
	escapes := func(at int) bool { // A backslash that is not escaped itself.
		if at < 0 || text[at] != '\\' {
			return false
		}
		before := len(bytes.TrimRight(text[:at], `\`))
		return (at-before)%2 == 0
	}
	isHex := func(part []byte) bool {
		_, err := strconv.ParseUint(string(part), 16, 32)
		return err == nil
	}
	switch {
	case escapes(n - 2):
		return true
	case n >= 6 && text[n-5] == 'u' && escapes(n-6):
		return isHex(text[n-4:])
	default:
		return n >= 3 && text[n-3] == '%' && isHex(text[n-2:])
	}
}

// unescaped is the same JSON with every printable ASCII character that need not be
// escaped as itself, so that a text can be found in it. What else is escaped stays so.
func unescaped(body []byte) []byte {
	out := make([]byte, 0, len(body))
	for i := 0; i < len(body); i++ {
		if body[i] != '\\' || i+1 == len(body) {
			out = append(out, body[i])
			continue
		}
		switch c, ok := asciiEscape(body[i:]); {
		case ok && (c == '"' || c == '\\'):
			out = append(out, '\\', c)
			i += len(`u0000`)
		case ok:
			out = append(out, c)
			i += len(`u0000`)
		case body[i+1] == '/':
			out = append(out, '/')
			i++
		default: // The second byte may be a backslash, which escapes nothing.
			out = append(out, body[i], body[i+1])
			i++
		}
	}
	return out
}

// asciiEscape reads an escape of the form \u00XX of a printable character at the start
// of a text.
func asciiEscape(text []byte) (byte, bool) {
	if len(text) < len(`\u0000`) || text[1] != 'u' {
		return 0, false
	}
	r, err := strconv.ParseUint(string(text[2:6]), 16, 16)
	return byte(r), err == nil && r >= ' ' && r <= '~'
}
