package upstream

import "strconv"

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
