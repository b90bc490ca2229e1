package bodies

import (
	_ "embed"
	"flag"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
)

//go:embed differences.tsv
var differencesText string

// intended are the differences that are. It is safe for concurrent use.
type intended struct {
	lines []line

	mu    sync.Mutex
	count []int
}

type line struct {
	number                int
	operation, path, what *regexp.Regexp
}

func loadIntended(t *testing.T) *intended {
	t.Helper()
	var all intended
	for i, text := range strings.Split(differencesText, "\n") {
		if text == "" || strings.HasPrefix(text, "#") {
			continue
		}
		columns := strings.Split(text, "\t")
		if len(columns) != 4 || columns[3] == "" {
			t.Fatalf("differences.tsv:%d: not four columns", i+1)
		}
		all.lines = append(all.lines, line{i + 1, pattern(columns[0]), pattern(columns[1]), pattern(columns[2])})
	}
	all.count = make([]int, len(all.lines))
	return &all
}

func pattern(text string) *regexp.Regexp {
	return regexp.MustCompile("^" + strings.ReplaceAll(regexp.QuoteMeta(text), `\*`, ".*") + "$")
}

// others are the differences that are not intended.
func (a *intended) others(o operation, side string, all []difference) (others []string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, d := range all {
		path, explained := side+general(d.path), false
		for i, l := range a.lines {
			if l.operation.MatchString(o.String()) && l.path.MatchString(path) && l.what.MatchString(d.what) {
				a.count[i]++
				explained = true
			}
		}
		if !explained {
			others = append(others, side+d.String())
		}
	}
	return others
}

// check fails for each line about one of the sides that matched nothing, after all operations.
func (a *intended) check(t *testing.T, seed uint64, sides ...string) {
	t.Helper()
	only := flag.Lookup("test.run")
	if t.Skipped() || seed != defaultSeed || only != nil && strings.Contains(only.Value.String(), "/") {
		return // Other seeds may miss what is rare, and a part of the operations misses the rest.
	}
	for i, n := range a.count {
		side, _, _ := strings.Cut(strings.TrimPrefix(a.lines[i].path.String(), "^"), `\.`)
		if n == 0 && slices.Contains(sides, side) {
			t.Errorf("differences.tsv:%d matches nothing any more", a.lines[i].number)
		}
	}
}

// general is a path without the places in arrays.
func general(path string) string { return regexp.MustCompile(`\[\d+\]`).ReplaceAllString(path, "[]") }

// report says each thing that is wrong with an operation once, with the first body that
// shows it.
type report struct {
	t    *testing.T
	seed uint64
	said map[string]bool
}

func newReport(t *testing.T, seed uint64) *report {
	t.Helper()
	return &report{t, seed, make(map[string]bool)}
}

func (r *report) add(body int, text string, wrong []string) {
	const most = 10
	for _, one := range wrong {
		what, _, _ := strings.Cut(general(one), `: "`)
		if r.said[what] || len(r.said) == most {
			continue
		}
		r.said[what] = true
		// Strings have no line breaks in JSON, so these are spaces.
		r.t.Errorf("%s\n\tbody %d of BODIES_SEED=%d: %.1500s", one, body, r.seed, strings.Join(strings.Fields(text), " "))
	}
}
