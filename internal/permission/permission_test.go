package permission_test

import (
	"testing"

	"github.com/admin-gateway/admin-gateway/internal/permission"
)

func TestParts(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		text           string
		valid, dotted  bool
		resource, verb string
	}{
		{"projects.users.update", true, true, "projects.users", "update"},
		{"a1_.b", true, true, "a1_", "b"},
		{"read", false, true, "", "read"},
		{"", false, false, "", ""},
		{"projects.*", false, false, "projects", "*"},
		{"projects.Read", false, false, "projects", "Read"},
		{"projects.1read", false, false, "projects", "1read"},
		{"projects..read", false, false, "projects.", "read"},
		{"é.read", false, false, "é", "read"},
	} {
		if got := permission.Valid(test.text); got != test.valid {
			t.Errorf("Valid(%q) is %v", test.text, got)
		}
		if got := permission.IsDotted(test.text); got != test.dotted {
			t.Errorf("IsDotted(%q) is %v", test.text, got)
		}
		if resource, verb := permission.Resource(test.text), permission.Verb(test.text); resource != test.resource || verb != test.verb {
			t.Errorf("%q is %q and %q", test.text, resource, verb)
		}
	}
}

func TestPatterns(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		pattern, permission string
		matches             bool
	}{
		{"projects.users.update", "projects.users.update", true},
		{"projects.users.update", "projects.users.updates", false},
		{"projects.users.*", "projects.users.roles.read", true},
		{"projects.users.*", "projects.users_more.read", false},
		{"*.read", "projects.users.read", true},
		{"*.read", "projects.read.update", false},
		{"*", "projects.users.read", true},
	} {
		p, ok := permission.ParsePattern(test.pattern)
		if got := p.Matches(test.permission); !ok || got != test.matches {
			t.Errorf("%q matches %q: %v, %v", test.pattern, test.permission, got, ok)
		}
	}
	for _, text := range []string{"", "**", "*.", ".*", "*.a.b", "a.*.b", "a*", "A.*", "a..*"} {
		if _, ok := permission.ParsePattern(text); ok {
			t.Errorf("%q is taken for a pattern", text)
		}
	}
	var none permission.Pattern
	if none.Matches("projects.read") {
		t.Error("the zero pattern matches")
	}
}
