package upstream

import "bytes"

// Masked is a kind of secret that was taken out of an answer.
type Masked string

// The kinds of secrets that are taken out of answers.
const (
	// MaskedAdminKey is the gateway's own key.
	MaskedAdminKey Masked = "admin_key"
	// MaskedCredential is a key in the answer of an operation that hands out none.
	MaskedCredential Masked = "credential"
)

const (
	keyPrefix  = "sk-"
	maskedKey  = keyPrefix + "***"
	vendorMark = "T3BlbkFJ" // The vendor's name in base64, in the middle of its keys.

	// minKeyBytes is the least length of a key behind its prefix. What the upstream has
	// redacted is shorter, or broken by dots or asterisks.
	minKeyBytes = 20
	// minRandomBytes is the least length of letters and digits in a row, with both among
	// them, that no name of words has.
	minRandomBytes = 16
)

// withoutCredentials returns the answer of an operation that hands out no credential
// without the keys that it has all the same, such as that of a list which forgot to
// redact them.
func withoutCredentials(body []byte) (clean []byte, found bool) {
	return inBothForms(body, maskCredentials)
}

func maskCredentials(body []byte) (clean []byte, found bool) {
	taken := 0 // What of body is in clean.
	for at := 0; ; {
		start := bytes.Index(body[at:], []byte(keyPrefix))
		if start < 0 {
			break
		}
		start += at
		end := start + len(keyPrefix)
		for end < len(body) && isKeyByte(body[end]) {
			end++
		}
		word := start > 0 && isKeyByte(body[start-1]) && !endsWithEscape(body[:start]) // "task-list", not a key.
		if !word && isCredential(body[start+len(keyPrefix):end]) {
			clean, found = append(append(clean, body[taken:start]...), maskedKey...), true
			taken = end
		}
		at = end
	}
	if !found {
		return body, false
	}
	return append(clean, body[taken:]...), true
}

// isCredential reports whether a text behind "sk-" is the rest of a whole key: long, and
// random.
func isCredential(text []byte) bool {
	if len(text) < minKeyBytes || bytes.IndexByte(text, '*') >= 0 {
		return false
	}
	if bytes.Contains(text, []byte(vendorMark)) {
		return true
	}
	letters, digits := 0, 0
	for _, c := range text {
		switch {
		case c == '-' || c == '_':
			letters, digits = 0, 0
		case c >= '0' && c <= '9':
			digits++
		default:
			letters++
		}
		if letters > 0 && digits > 0 && letters+digits >= minRandomBytes {
			return true
		}
	}
	return false
}
