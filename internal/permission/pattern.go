package permission

import "strings"

// PatternForm says in an error message which forms a [Pattern] may have.
const PatternForm = `a permission is exact (projects.users.update), a resource (projects.users.*), a verb (*.read), or all (*)`

type patternKind uint8

const (
	exactPattern    patternKind = iota // the permission itself
	resourcePattern                    // all that begin with text, which ends in a dot
	verbPattern                        // all whose verb is text
	anyPattern                         // all
)

// Pattern matches permissions. The zero value matches none.
type Pattern struct {
	kind patternKind
	text string
}

// ParsePattern returns false for a string that has none of the four forms.
func ParsePattern(s string) (Pattern, bool) {
	if s == "*" {
		return Pattern{kind: anyPattern}, true
	}
	if verb, ok := strings.CutPrefix(s, "*."); ok {
		return Pattern{verbPattern, verb}, isWord(verb)
	}
	if resource, ok := strings.CutSuffix(s, ".*"); ok {
		return Pattern{resourcePattern, resource + "."}, IsDotted(resource)
	}
	return Pattern{exactPattern, s}, IsDotted(s)
}

// Matches tells whether the pattern matches a permission.
func (p Pattern) Matches(permission string) bool {
	switch p.kind {
	case exactPattern:
		return permission == p.text
	case resourcePattern:
		return strings.HasPrefix(permission, p.text)
	case verbPattern:
		return Verb(permission) == p.text
	case anyPattern:
		return true
	default:
		return false
	}
}
