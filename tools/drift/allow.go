package main

import (
	"bufio"
	"fmt"
	"io"
	"regexp"
	"strings"
)

// exception is a line of the list of intended differences.
type exception struct {
	line    int
	text    string
	columns [4]*regexp.Regexp // Of a difference: operation, side, path, what.
	used    bool
}

// readExceptions reads the list of intended differences: the four columns of a
// difference, where "*" stands for anything, and the reason, separated by tabs.
// Empty lines and those that start with "#" say nothing. A line without a
// reason is an error.
func readExceptions(r io.Reader) ([]*exception, error) {
	var all []*exception
	lines := bufio.NewScanner(r)
	for n := 1; lines.Scan(); n++ {
		line := lines.Text()
		if strings.TrimSpace(line) == "" || strings.HasPrefix(line, "#") {
			continue
		}
		columns := strings.Split(line, "\t")
		if len(columns) != 5 {
			return nil, fmt.Errorf("allowed differences: line %d has %d columns, not operation, side, path, what, reason",
				n, len(columns))
		}
		for _, column := range columns {
			if strings.TrimSpace(column) == "" {
				return nil, fmt.Errorf("allowed differences: line %d has an empty column", n)
			}
		}
		e := &exception{line: n, text: strings.Join(columns[:4], "\t")}
		for i := range e.columns {
			pattern := strings.ReplaceAll(regexp.QuoteMeta(columns[i]), `\*`, `.*`)
			e.columns[i] = regexp.MustCompile(`^(?:` + pattern + `)$`)
		}
		all = append(all, e)
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("allowed differences: %w", err)
	}
	return all, nil
}

func (e *exception) matches(d difference) bool {
	for i, column := range []string{d.operation, string(d.side), d.path, d.what} {
		if !e.columns[i].MatchString(column) {
			return false
		}
	}
	return true
}

// unexplained returns the differences that no exception matches, and the
// exceptions that match no difference.
func unexplained(differences []difference, exceptions []*exception) ([]difference, []*exception) {
	var left []difference
	for _, d := range differences {
		explained := false
		for _, e := range exceptions {
			if e.matches(d) { // Every one that does: it is not stale.
				explained, e.used = true, true
			}
		}
		if !explained {
			left = append(left, d)
		}
	}
	var stale []*exception
	for _, e := range exceptions {
		if !e.used {
			stale = append(stale, e)
		}
	}
	return left, stale
}
