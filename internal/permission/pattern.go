package authz

import "strings"

// patternForm says in an error what a pattern may be.
const patternForm = `a permission is exact (projects.users.update), a resource (projects.users.*), a verb (*.read), or all (*)`

type patternKind uint8

const (
	exactPattern    patternKind = iota // the permission itself
	resourcePattern                    // all that begin with text, which ends in a dot
	verbPattern                        // all whose last word is text
	anyPattern                         // all
)

// pattern is what a grant says of permissions.
type pattern struct {
	kind patternKind
	text string
}

// parsePattern is false for everything that is none of the four forms.
func parsePattern(s string) (pattern, bool) {
	if s == "*" {
		return pattern{kind: anyPattern}, true
	}
	if verb, ok := strings.CutPrefix(s, "*."); ok {
		return pattern{verbPattern, verb}, isWord(verb)
	}
	if resource, ok := strings.CutSuffix(s, ".*"); ok {
		return pattern{resourcePattern, resource + "."}, isDotted(resource)
	}
	return pattern{exactPattern, s}, isDotted(s)
}

func (p pattern) matches(permission string) bool {
	switch p.kind {
	case exactPattern:
		return permission == p.text
	case resourcePattern:
		return strings.HasPrefix(permission, p.text)
	case verbPattern:
		return permission[strings.LastIndexByte(permission, '.')+1:] == p.text
	case anyPattern:
		return true
	default:
		return false
	}
}

// isPermission wants a dotted resource and a verb.
func isPermission(s string) bool { return isDotted(s) && strings.Contains(s, ".") }

// isDotted wants one word or more, with dots between them.
func isDotted(s string) bool {
	for word := range strings.SplitSeq(s, ".") {
		if !isWord(word) {
			return false
		}
	}
	return true
}

// isWord wants a letter, then letters, digits and underscores, all of it ASCII
// in lower case.
func isWord(s string) bool {
	for i := range len(s) {
		c := s[i]
		if (c < 'a' || c > 'z') && (i == 0 || (c < '0' || c > '9') && c != '_') {
			return false
		}
	}
	return s != ""
}
