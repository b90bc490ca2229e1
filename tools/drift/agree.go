package main

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// described returns a text for a shape.
func described(s *shape) string {
	if len(s.values) == 1 {
		return fmt.Sprintf("%s %q", s.kind, s.values[0])
	}
	return string(s.kind)
}

// values compares two sets of strings. A string without a set takes all; so it
// mirrors a constant, which needs no rule, and nothing else that is closed.
func (c *comparison) values(at string, in place, want, got *shape) {
	constant := len(want.values) == 1 && got.kind == text && len(got.values) == 0
	if constant && (in == response || !isSet(got)) {
		return
	}
	if !isSet(want) {
		if isSet(got) {
			c.report(differ, at, "%s; %s", described(want), described(got))
		}
		return
	}
	for _, value := range want.values {
		if !slices.Contains(got.values, value) {
			c.report(c.only, at, "enum value %q", value)
		}
	}
	for _, value := range got.values {
		if !slices.Contains(want.values, value) {
			c.report(onlyProto, at, "enum value %q", value)
		}
	}
}

// bounds compares limits on values that a caller sends.
func (c *comparison) bounds(at string, want, got *member) {
	for _, name := range slices.Sorted(maps.Keys(want.bounds)) {
		limit, ok := got.bounds[name]
		switch {
		case !ok && name == "minLength" && want.bounds[name] == 1 && got.required:
			// Requiring a string refuses the empty one.
		case !ok:
			c.report(c.only, at, "%s %s", name, decimal(want.bounds[name]))
		case limit != want.bounds[name]:
			c.report(differ, at, "%s %s; %s", name, decimal(want.bounds[name]), decimal(limit))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(got.bounds)) {
		if _, ok := want.bounds[name]; !ok && !implied(name, want, got) {
			c.report(onlyProto, at, "%s %s", name, decimal(got.bounds[name]))
		}
	}
	if limit, ok := proseMaximum(want.prose); ok && want.kind == integer {
		_, stated := want.bounds["maximum"]
		if _, set := got.bounds["maximum"]; !stated && !set {
			c.report(c.only, at, "maximum %s in words", limit)
		}
	}
}

// implied reports whether a limit of the proto follows from something other than a
// keyword: words that name the number, or that the value is required.
func implied(name string, want, got *member) bool {
	limit := got.bounds[name]
	switch name {
	case "minimum":
		return limit == 0 && want.kind == integer // No count here goes below zero.
	case "minLength":
		return limit == 1 && want.required
	default:
		number := regexp.MustCompile(`(^|[^\d.])` + regexp.QuoteMeta(decimal(limit)) + `($|\D)`)
		return number.MatchString(strings.ReplaceAll(want.prose, ",", ""))
	}
}

// between is how the description limits a number in words.
var between = regexp.MustCompile(`(?i)between \d+ and (\d+)`)

func proseMaximum(prose string) (string, bool) {
	match := between.FindStringSubmatch(prose)
	if match == nil {
		return "", false
	}
	return match[1], true
}

// variant picks the alternative that an operation answers with: the one whose
// constant begins most like the operation's path. "organization.costs.result"
// belongs to /organization/costs.
func (c *comparison) variant(at string, s *shape) *shape {
	_, path, _ := strings.Cut(c.operation, " /")
	path = strings.ReplaceAll(path, "/", ".")
	best, tied := -1, false
	var chosen *shape
	for _, constant := range slices.Sorted(maps.Keys(s.variants)) {
		switch n := commonPrefix(constant, path); {
		case n > best:
			best, tied, chosen = n, false, s.variants[constant]
		case n == best:
			tied = true
		}
	}
	if tied || chosen == nil {
		c.report(differ, at, "no one alternative belongs to the operation: %s",
			strings.Join(slices.Sorted(maps.Keys(s.variants)), ", "))
		return nil
	}
	return chosen
}

func commonPrefix(a, b string) int {
	n := 0
	for n < len(a) && n < len(b) && a[n] == b[n] {
		n++
	}
	return n
}
