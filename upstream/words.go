package upstream

import (
	"encoding/json"
	"net/http"
	"strings"
	"unicode"
	"unicode/utf8"
)

const (
	// maxWords bounds each member of an error body that is kept, in bytes.
	maxWords = 1 << 10
	// maxRequestID bounds the upstream's request id, in bytes.
	maxRequestID = 128
	// maxErrorBody bounds how much of an error's body is read, in bytes.
	maxErrorBody = 64 << 10
)

// words are the members of an error body.
type words struct{ message, param, code, kind string }

// parseErrorBody understands {"error":{"message","type","param","code"}}, the same
// flat, and {"error":"message"}. byAPI reports whether the API itself writes such a
// body: the first, or a flat one with code and message. Proxies and load balancers
// write a mere {"message"} or {"error":"…"} too.
func parseErrorBody(body []byte) (_ words, byAPI bool) {
	members := object(body)
	isNested := false
	if nested, ok := members["error"]; ok {
		if inner := object(nested); inner != nil {
			members, isNested = inner, true
		} else if members["message"] == nil {
			members = map[string]json.RawMessage{"message": nested}
		}
	}
	w := words{
		message: text(members["message"]),
		param:   text(members["param"]),
		code:    text(members["code"]),
		kind:    text(members["type"]),
	}
	return w, isNested && (w.message != "" || w.code != "" || w.kind != "") || w.message != "" && w.code != ""
}

func object(raw []byte) map[string]json.RawMessage {
	var members map[string]json.RawMessage
	if json.Unmarshal(raw, &members) != nil {
		return nil
	}
	return members
}

// text returns a string's value or a number's digits; "" for all else.
func text(raw json.RawMessage) string {
	var s string
	if json.Unmarshal(raw, &s) == nil {
		return s
	}
	var n json.Number
	if json.Unmarshal(raw, &n) == nil {
		return n.String()
	}
	return ""
}

// clean makes one bounded line of s: control and formatting characters become
// spaces, and anything like a key is masked.
func clean(s string) string {
	// Text far beyond the bound is not worth the work; masking happens
	// before the cut, so that no key is halved out of recognition.
	if len(s) > 4*maxWords {
		s = s[:4*maxWords]
	}
	s = strings.ToValidUTF8(s, "\uFFFD")
	s = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || unicode.In(r, unicode.Cf, unicode.Zl, unicode.Zp) {
			return ' '
		}
		return r
	}, s)
	return cut(strings.TrimSpace(maskKeys(s)), maxWords)
}

// cut shortens s to at most limit bytes, at the border of a character.
func cut(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	for limit > 0 && !utf8.RuneStart(s[limit]) {
		limit--
	}
	return s[:limit]
}

// maskKeys replaces every "sk-…" by "sk-***", also those that the upstream has
// masked in part.
func maskKeys(s string) string {
	var out strings.Builder
	for {
		start := strings.Index(s, "sk-")
		if start < 0 {
			out.WriteString(s)
			return out.String()
		}
		out.WriteString(s[:start])
		rest := s[start+len("sk-"):]
		end := 0
		for end < len(rest) && isKeyByte(rest[end]) {
			end++
		}
		// "task-list" and the like are words, not keys.
		if word := start > 0 && isKeyByte(s[start-1]); word && end < 16 {
			out.WriteString("sk-" + rest[:end])
		} else {
			out.WriteString("sk-***")
		}
		s = rest[end:]
	}
}

func isKeyByte(b byte) bool {
	return b >= 'a' && b <= 'z' || b >= 'A' && b <= 'Z' || b >= '0' && b <= '9' || b == '_' || b == '-' || b == '*'
}

// requestID returns the upstream's id of a call, or "" when it has none that can be
// shown.
func requestID(header http.Header, scrub func(string) string) string {
	id := header.Get("X-Request-Id")
	for _, b := range []byte(id) {
		if b <= ' ' || b > '~' {
			return ""
		}
	}
	if len(id) > maxRequestID {
		return ""
	}
	return maskKeys(scrub(id))
}
