package upstream

import (
	"bytes"
	"cmp"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"html"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
)

const (
	// knownKeys is how many admin keys are looked for in answers: the one that was sent,
	// and the one before it. A box in between may still have that after a rotation.
	knownKeys = 2
	// prefixBytes of a form of a key are enough to recognise it: an echo may be cut short.
	prefixBytes = 32
	// minFormBytes is the least length of a form that is not the key itself: a shorter
	// one could be anything.
	minFormBytes = 12
)

// echoes looks for the admin keys in everything that comes back. It is safe for
// concurrent use.
type echoes struct {
	mu      sync.Mutex
	current atomic.Pointer[traces]
}

// traces are the forms of the admin keys that are known. They are immutable.
type traces struct {
	keys  []Secret // The newest first.
	forms [][]byte // The longest of a key first.
}

// of returns the traces of a key that is about to be sent, and of the one before it.
func (e *echoes) of(key Secret) *traces {
	if known := e.current.Load(); known.isNewest(key) {
		return known
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	known := e.current.Load()
	if known.isNewest(key) {
		return known
	}
	fresh := &traces{keys: []Secret{key}}
	if known != nil { // The key before may be back.
		fresh.keys = append(fresh.keys, slices.DeleteFunc(slices.Clone(known.keys), key.Equal)...)
	}
	fresh.keys = fresh.keys[:min(len(fresh.keys), knownKeys)]
	for _, each := range fresh.keys {
		fresh.forms = append(fresh.forms, formsOf(each.Reveal())...)
	}
	e.current.Store(fresh)
	return fresh
}

func (t *traces) isNewest(key Secret) bool { return t != nil && t.keys[0].Equal(key) }

// formsOf are the forms in which a key comes back: as it is, as JSON, Go, a query, a path
// and HTML write it, in hexadecimal, and in base64, as a part of whatever was encoded
// with it, such as the whole header. A long one is there a second time, cut short.
func formsOf(key string) [][]byte {
	forms := []string{key, quoted(json.Marshal(key)), quoted([]byte(strconv.Quote(key)), nil)}
	derived := []string{
		url.QueryEscape(key), url.PathEscape(key), html.EscapeString(key),
		hex.EncodeToString([]byte(key)), strings.ToUpper(hex.EncodeToString([]byte(key))),
	}
	for offset := range 3 {
		derived = append(derived, base64At(base64.RawStdEncoding, key, offset), base64At(base64.RawURLEncoding, key, offset))
	}
	for _, form := range derived {
		if len(form) >= minFormBytes {
			forms = append(forms, form)
		}
	}
	for _, form := range slices.Clone(forms) {
		// An escape is not cut in two: what is left of it would spoil the answer.
		if len(form) > prefixBytes && !strings.ContainsAny(form, `\%&`) {
			forms = append(forms, form[:prefixBytes])
		}
	}
	// A form may be a part of another one, which has to go first.
	slices.SortFunc(forms, func(a, b string) int { return cmp.Or(len(b)-len(a), strings.Compare(a, b)) })
	all := make([][]byte, 0, len(forms))
	for _, form := range slices.Compact(forms) {
		if form != "" {
			all = append(all, []byte(form))
		}
	}
	return all
}

// quoted is a text that was quoted, without its quotes.
func quoted(text []byte, err error) string {
	if err != nil || len(text) < 2 {
		return ""
	}
	return string(text[1 : len(text)-1])
}

// base64At are the characters that a key has in base64 wherever it stands offset bytes
// (modulo 3) after the start of what was encoded, and whatever surrounds it.
func base64At(encoding *base64.Encoding, key string, offset int) string {
	encoded := encoding.EncodeToString(append(make([]byte, offset), key...))
	const bits = 6
	from := (offset*8 + bits - 1) / bits // Without the character that is shared with what stands before,
	to := (offset + len(key)) * 8 / bits // and the one that is shared with what follows.
	return encoded[min(from, to):to]
}

// clean returns an answer without the admin keys: an upstream, or a box in between, that
// echoes one would have it served, stored and counted under its name. found says that
// the answer had one, in any of its forms, plainly or with JSON's escapes.
func (t *traces) clean(body []byte) (clean []byte, found bool) { return inBothForms(body, t.without) }

func (t *traces) without(body []byte) (clean []byte, found bool) {
	for _, form := range t.forms {
		if bytes.Contains(body, form) {
			body, found = bytes.ReplaceAll(body, form, []byte(redacted)), true
		}
	}
	return body, found
}

// scrub returns a text without the admin keys.
func (t *traces) scrub(text string) string {
	if clean, found := t.clean([]byte(text)); found {
		return string(clean)
	}
	return text
}
