package authz

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// The lists of a caller, as [Fault] names them.
const (
	listGrants = "grants"
	listDenies = "denies"
)

// The parts of a caller or grant, as [Fault] names them.
const (
	fieldName        = "name"
	fieldPermissions = "permissions"
	fieldProjects    = "projects"
	fieldRoles       = "roles"
	fieldWhen        = "when"
)

// maxReason bounds a fault's reason, in bytes.
const maxReason = 512

// Fault is one thing that is wrong with a policy, and where.
type Fault struct { //nolint:errname // A fault of a policy; an error only in that it is returned as one.
	// Caller is the caller's name, which may be empty or that of another caller.
	Caller string
	// Index is the caller's place in the list of callers.
	Index int
	// List is "grants" or "denies"; "" where the fault is the caller's.
	List string
	// Grant is the place in that list, or -1.
	Grant int
	// Field is "name", "permissions", "projects", "roles" or "when".
	Field string
	// Item is the place in permissions, projects or roles; -1 for the list as a whole.
	Item int
	// Reason says what is wrong: one printable line, at most 512 bytes. It
	// quotes the policy, and nothing else.
	Reason string
}

// Error is the place and the reason.
func (f *Fault) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "callers[%d]", f.Index)
	if f.Caller != "" {
		fmt.Fprintf(&b, " %s", quote(f.Caller))
	}
	b.WriteString(": ")
	if f.List != "" {
		fmt.Fprintf(&b, "%s[%d].", f.List, f.Grant)
	}
	b.WriteString(f.Field)
	if f.Item >= 0 {
		fmt.Fprintf(&b, "[%d]", f.Item)
	}
	b.WriteString(": ")
	b.WriteString(f.Reason)
	return b.String()
}

// quote quotes the beginning of a text of the policy.
func quote(s string) string { return fmt.Sprintf("%.64q", s) }

// printable makes one line of s and cuts it to maxReason bytes.
func printable(s string) string {
	s = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return '?'
		}
		return r
	}, s)
	if len(s) <= maxReason {
		return s
	}
	const ellipsis = "…"
	cut := maxReason - len(ellipsis)
	for cut > 0 && !utf8.RuneStart(s[cut]) {
		cut--
	}
	return s[:cut] + ellipsis
}
