package upstream

import (
	"bytes"
	"encoding/json"
	"strconv"
	"unicode/utf8"
)

// withoutKey returns an answer without the admin key: an upstream, or a box in between,
// that echoes it would have it served, stored and counted under its name. It is found
// as JSON writes it, plainly or escaped. found says that the answer had it.
//
// The plain form is one search in the bytes. Only an answer with escapes of the form
// \u is looked at again.
func withoutKey(body []byte, key Secret) (clean []byte, found bool) {
	for _, form := range keyForms(key) {
		if bytes.Contains(body, form) {
			body, found = bytes.ReplaceAll(body, form, []byte(redacted)), true
		}
	}
	if bytes.Contains(body, []byte(`\u`)) && bytes.Contains(unescaped(body), []byte(key.Reveal())) {
		return nil, true // Nobody needs an answer that hides the key.
	}
	return body, found
}

// keyForms are the key, and the key as JSON writes it where that differs.
func keyForms(key Secret) [][]byte {
	plain := []byte(key.Reveal())
	forms := [][]byte{plain}
	quoted, err := json.Marshal(key.Reveal())
	if err == nil && !bytes.Equal(quoted[1:len(quoted)-1], plain) {
		forms = append(forms, quoted[1:len(quoted)-1])
	}
	return forms
}

// unescaped is a text without JSON's escapes of the form \u, for a search alone.
func unescaped(body []byte) []byte {
	out := make([]byte, 0, len(body))
	for i := 0; i < len(body); {
		r, ok := escape(body[i:])
		if !ok {
			out = append(out, body[i])
			i++
			continue
		}
		out = utf8.AppendRune(out, r)
		i += len(`\u0000`)
	}
	return out
}

// escape reads an escape of the form \u at the start of a text.
func escape(text []byte) (rune, bool) {
	if len(text) < len(`\u0000`) || text[0] != '\\' || text[1] != 'u' {
		return 0, false
	}
	r, err := strconv.ParseUint(string(text[2:6]), 16, 16)
	return rune(r), err == nil
}
