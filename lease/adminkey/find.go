package adminkey

import (
	"slices"
	"strings"

	"github.com/admin-gateway/admin-gateway/lease"
)

// minShown is how many characters at the end of a key its redacted form has to show: by
// fewer, too many keys look alike.
const minShown = 3

// shows tells whether a redacted form is that of a key: its beginning and its end are, and
// something in between is left out.
func shows(redacted string, key lease.Secret) bool {
	first := strings.IndexFunc(redacted, leftOut)
	if first < 0 {
		return false
	}
	last := strings.LastIndexFunc(redacted, leftOut)
	begin, end := redacted[:first], redacted[last:]
	end = strings.TrimLeftFunc(end, leftOut)
	whole := string(key.Reveal())
	return len(end) >= minShown && len(begin)+len(end) < len(whole) && strings.HasPrefix(whole, begin) && strings.HasSuffix(whole, end)
}

// leftOut tells whether a character stands for some that are not shown: no key has it.
func leftOut(r rune) bool {
	switch {
	case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '-', r == '_':
		return false
	default:
		return true
	}
}

// current returns the key among those of the organization that is the gateway's. named, if
// not empty, is the id that an operator has given.
func current(all []Found, key lease.Secret, named string) (Found, bool) {
	like := slices.DeleteFunc(slices.Clone(all), func(f Found) bool {
		return !shows(f.Redacted, key) || named != "" && f.ID != named
	})
	if len(like) != 1 {
		return Found{}, false
	}
	return like[0], true
}
