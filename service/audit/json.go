package audit

import (
	"bytes"
	"strconv"
	"unicode/utf8"
)

func appendResources(dst []byte, resources []Resource) []byte {
	if len(resources) == 0 {
		return dst
	}
	// Two members of one name are two answers to one question. Names are told
	// apart as they are written, for two may be cut to the same.
	var written [MaxResources]struct{ from, to int }
	dst = append(appendKey(dst, "resources"), '{')
	n := 0
next:
	for _, resource := range resources {
		if n == MaxResources {
			break
		}
		before := len(dst)
		if n > 0 {
			dst = append(dst, ',')
		}
		from := len(dst)
		dst = appendString(dst, resource.Name, maxShort)
		for _, other := range written[:n] {
			if bytes.Equal(dst[other.from:other.to], dst[from:]) {
				dst = dst[:before]
				continue next
			}
		}
		written[n].from, written[n].to = from, len(dst)
		n++
		dst = append(dst, ':')
		dst = appendString(dst, resource.ID, maxText)
	}
	dst = append(dst, '}')
	return appendOmitted(dst, "resources_omitted", len(resources)-n)
}

func appendOmitted(dst []byte, key string, n int) []byte { return appendCount(dst, key, int64(n)) }

// appendCount appends a member, unless there is nothing to count.
func appendCount(dst []byte, key string, n int64) []byte {
	if n <= 0 {
		return dst
	}
	return strconv.AppendInt(appendKey(dst, key), n, 10)
}

// appendMember appends a member, unless it has nothing to say.
func appendMember(dst []byte, key, value string, limit int) []byte {
	if value == "" {
		return dst
	}
	return appendString(appendKey(dst, key), value, limit)
}

// appendKey appends a key of ours, which needs no escapes, with what goes
// before and after it.
func appendKey(dst []byte, key string) []byte {
	if dst[len(dst)-1] != '{' {
		dst = append(dst, ',')
	}
	dst = append(dst, '"')
	dst = append(dst, key...)
	return append(dst, '"', ':')
}

// maxMark is the most that the end of a cut string takes: "…[N bytes]".
const maxMark = len("…[9223372036854775807 bytes]")

// appendString appends s as a JSON string with at most limit bytes between the
// quotes, in a time that depends on limit and not on the length of s.
func appendString(dst []byte, s string, limit int) []byte {
	dst = append(dst, '"')
	if len(s) <= limit && isPlain(s) {
		dst = append(dst, s...)
		return append(dst, '"')
	}
	start := len(dst)
	cut := start // As far as s may go and leave room for the mark.
	for i := 0; i < len(s); {
		r, size := utf8.DecodeRuneInString(s[i:])
		dst = appendRune(dst, r)
		i += size
		switch length := len(dst) - start; {
		case length <= limit-maxMark:
			cut = len(dst)
		case length > limit:
			dst = append(dst[:cut], "…["...)
			dst = strconv.AppendInt(dst, int64(len(s)), 10)
			return append(dst, ` bytes]"`...)
		}
	}
	return append(dst, '"')
}

// isPlain tells whether s is written as it is: printable ASCII that JSON gives
// no meaning.
func isPlain(s string) bool {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c > '~' || c == '"' || c == '\\' {
			return false
		}
	}
	return true
}

// appendRune appends a character of a JSON string. Beyond what JSON asks for,
// all that is not printable is escaped: line breaks of Unicode, which some
// readers of lines break at, and marks that reorder or hide text on a screen.
func appendRune(dst []byte, r rune) []byte {
	switch {
	case r == '"' || r == '\\':
		return append(dst, '\\', byte(r))
	case r == '\n':
		return append(dst, `\n`...)
	case r == '\r':
		return append(dst, `\r`...)
	case r == '\t':
		return append(dst, `\t`...)
	case strconv.IsPrint(r):
		return utf8.AppendRune(dst, r)
	case r > 0xFFFF: // JSON has no other way to name it than by its UTF-16.
		r -= 0x10000
		return appendEscape(appendEscape(dst, 0xD800+r>>10), 0xDC00+r&0x3FF)
	default:
		return appendEscape(dst, r)
	}
}

func appendEscape(dst []byte, unit rune) []byte {
	const digits = "0123456789abcdef"
	return append(dst, '\\', 'u', digits[unit>>12&0xF], digits[unit>>8&0xF], digits[unit>>4&0xF], digits[unit&0xF])
}
