// Package permission is the syntax of permissions. One is a dotted resource and a
// verb, such as "projects.users.update"; grants name them by patterns.
package permission

import "strings"

// Valid tells whether s is a permission: two words or more, with dots between them.
func Valid(s string) bool { return IsDotted(s) && strings.Contains(s, ".") }

// Resource is a permission without its verb: "projects.users" of
// "projects.users.update".
func Resource(permission string) string {
	return permission[:max(0, strings.LastIndexByte(permission, '.'))]
}

// Verb is the last word of a permission: "update" of "projects.users.update".
func Verb(permission string) string {
	return permission[strings.LastIndexByte(permission, '.')+1:]
}

// IsDotted tells whether s is one word or more, with dots between them. A word is a
// lower-case letter, then lower-case letters, digits and underscores, all ASCII.
func IsDotted(s string) bool {
	for word := range strings.SplitSeq(s, ".") {
		if !isWord(word) {
			return false
		}
	}
	return true
}

func isWord(s string) bool {
	for i := range len(s) {
		c := s[i]
		if (c < 'a' || c > 'z') && (i == 0 || (c < '0' || c > '9') && c != '_') {
			return false
		}
	}
	return s != ""
}
