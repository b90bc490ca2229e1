package explain

import (
	"fmt"
	"slices"
	"strings"

	"github.com/admin-gateway/admin-gateway/internal/permission"
	"github.com/admin-gateway/admin-gateway/service/authz"
)

// most bounds the projects and roles that words name; the rest is a number.
const most = 5

// Words say what a grant or a deny means, in a sentence: "May read costs and usage, in the
// project proj_a." A condition is quoted as it is.
func Words(r authz.Rule) string {
	var b strings.Builder
	b.WriteString("May ")
	if r.Deny {
		b.WriteString("never ")
	}
	b.WriteString(deeds(r.Permissions))
	if len(r.Projects) > 0 {
		b.WriteString(", in the project" + named(r.Projects))
	}
	switch {
	case slices.Contains(r.Roles, authz.AllRoles):
		b.WriteString(", of all roles of leases")
	case len(r.Roles) > 0:
		b.WriteString(", of the role" + named(r.Roles))
	}
	if r.When != "" {
		b.WriteString(", where " + strings.Join(strings.Fields(r.When), " "))
	}
	return b.String() + "."
}

// named lists names after a noun: " a", "s a and b".
func named(names []string) string {
	if len(names) == 1 {
		return " " + names[0]
	}
	if len(names) > most {
		return fmt.Sprintf("s %s and %d more", strings.Join(names[:most], ", "), len(names)-most)
	}
	return "s " + list(names)
}

// list joins words as a sentence does.
func list(words []string) string {
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	return strings.Join(words[:len(words)-1], ", ") + " and " + words[len(words)-1]
}

// deeds are permissions as verbs with their objects, each verb once, and verbs that have
// the same objects together.
func deeds(patterns []string) string {
	var verbs []string
	objects := make(map[string][]string)
	for _, text := range patterns {
		verb, object := deed(text)
		if _, known := objects[verb]; !known {
			verbs = append(verbs, verb)
		}
		objects[verb] = append(objects[verb], object)
	}
	var parts []string
	for i := 0; i < len(verbs); {
		same := verbs[i : i+1] // verbs of the same objects, one after the other
		for i++; i < len(verbs) && slices.Equal(objects[verbs[i]], objects[same[0]]); i++ {
			same = append(slices.Clip(same), verbs[i])
		}
		parts = append(parts, list(same)+" "+list(objects[same[0]]))
	}
	return list(parts)
}

// deed is one pattern of permissions as a verb and its object.
func deed(pattern string) (verb, object string) {
	if pattern == "*" {
		return "do", "everything"
	}
	if verb, ok := strings.CutPrefix(pattern, "*."); ok {
		return words(verb), "everything"
	}
	if resource, ok := strings.CutSuffix(pattern, ".*"); ok {
		return "do", "everything with " + thing(resource)
	}
	return words(permission.Verb(pattern)), thing(permission.Resource(pattern))
}

// thing is a dotted resource as people say it, the innermost first: "users of projects".
func thing(resource string) string {
	parts := strings.Split(resource, ".")
	slices.Reverse(parts)
	return words(strings.Join(parts, " of "))
}

func words(name string) string { return strings.ReplaceAll(name, "_", " ") }
