package main

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
)

// rule says why an old version of some modules can be a hole.
type rule struct{ prefix, reason string }

// parseRules reads security.tsv.
func parseRules(table string) ([]rule, error) {
	var rules []rule
	for line := range strings.Lines(table) {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		prefix, reason, ok := strings.Cut(line, "\t")
		if !ok || prefix == "" || reason == "" {
			return nil, fmt.Errorf("security.tsv: %q is not a path, a tab and a reason", line)
		}
		rules = append(rules, rule{prefix, reason})
	}
	return rules, nil
}

// reasonOf is the reason why an old version of a module can be a hole; "" where it
// cannot.
func reasonOf(path string, rules []rule) string {
	for _, r := range rules {
		if path == r.prefix || strings.HasPrefix(path, r.prefix+"/") {
			return r.reason
		}
	}
	return ""
}

// report prints two tables.
func report(out io.Writer, found map[update][]string, rules []rule) error {
	var relevant, others []update
	for _, u := range slices.SortedFunc(maps.Keys(found), compare) {
		if reasonOf(u.path, rules) != "" {
			relevant = append(relevant, u)
		} else {
			others = append(others, u)
		}
	}
	for _, part := range []struct {
		title   string
		updates []update
	}{{"security-relevant", relevant}, {"others", others}} {
		_, _ = fmt.Fprintf(out, "outdated, %s: %d\n", part.title, len(part.updates))
		table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
		for _, u := range part.updates {
			kind, how := "feature", "indirect"
			if u.patch() {
				kind = "patch"
			}
			if u.direct {
				how = "direct"
			}
			_, _ = fmt.Fprintf(table, "  %s\t%s\t%s\t%s\t%s\t%s\t%s\n", u.path, u.have, u.newest, kind, how, strings.Join(found[u], " "), reasonOf(u.path, rules))
		}
		if err := table.Flush(); err != nil {
			return err
		}
	}
	return nil
}

// compare orders by path, and direct ones first.
func compare(a, b update) int {
	direct := func(u update) int {
		if u.direct {
			return 0
		}
		return 1
	}
	return cmp.Or(cmp.Compare(direct(a), direct(b)), cmp.Compare(a.path, b.path), cmp.Compare(a.have, b.have))
}
