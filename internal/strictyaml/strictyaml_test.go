package strictyaml_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/admin-gateway/admin-gateway/internal/strictyaml"
)

type sample struct {
	Name   string        `yaml:"name"`
	Count  int           `yaml:"count"`
	Rate   *float64      `yaml:"rate"`
	On     bool          `yaml:"on"`
	Wait   time.Duration `yaml:"wait"`
	Until  time.Time     `yaml:"until"`
	Words  []string      `yaml:"words"`
	Parts  []part        `yaml:"parts"`
	Nested part          `yaml:"nested"`
	Maybe  *part         `yaml:"maybe"`
}

type part struct {
	ID string `yaml:"id"`
}

func TestUnmarshal(t *testing.T) {
	t.Parallel()
	rate := 0.5
	for name, test := range map[string]struct {
		text string
		want sample
	}{
		"empty":              {"", sample{}},
		"a comment":          {"# nothing\n\n---\n", sample{}},
		"everything":         {"name: a\ncount: 3\nrate: 0.5\non: true\nwait: 30s\nuntil: 2026-12-31T23:59:59Z\nwords: [a, b]\nparts: [{id: x}]\nnested: {id: y}\nmaybe: {id: z}\n", sample{"a", 3, &rate, true, 30 * time.Second, time.Date(2026, 12, 31, 23, 59, 59, 0, time.UTC), []string{"a", "b"}, []part{{"x"}}, part{"y"}, &part{"z"}}},
		"a number as a word": {"name: 007\nwords: [1e3, 2026-01-01, yes]", sample{Name: "007", Words: []string{"1e3", "2026-01-01", "yes"}}},
		"an alias":           {"words: &w [a]\nparts: [&p {id: q}, *p]\n", sample{Words: []string{"a"}, Parts: []part{{"q"}, {"q"}}}},
		"an empty list":      {"words: []", sample{Words: []string{}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var got sample
			if _, err := strictyaml.Unmarshal("f.yaml", test.text, &got); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// TestFaults: every fault is returned with its place, and all of them at once.
func TestFaults(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ text, want string }{
		"unknown key":         {"name: a\n  \nnames: b\n", `f.yaml:3:1: unknown key "names"; known keys: name, count`},
		"a mistyped key":      {"coutn: 1\n", `f.yaml:1:1: unknown key "coutn"; known keys: name, count, rate, on, wait, until, words, parts, nested, maybe; did you mean "count"?`},
		"unknown key below":   {"nested: {id: a, ID: b}", `f.yaml:1:17: unknown key "ID"; known keys: id`},
		"key twice":           {"name: a\nname: b\n", `f.yaml:2:1: the key "name" occurs twice`},
		"no list":             {"words: a\n", "f.yaml:1:8: must be a list"},
		"no number":           {"count: many", "f.yaml:1:8: must be a whole number"},
		"a fraction":          {"count: 1.5", "f.yaml:1:8: must be a whole number"},
		"no rate":             {"rate: {}", "f.yaml:1:7: must be a number"},
		"no switch":           {"on: perhaps", "f.yaml:1:5: must be true or false"},
		"no duration":         {"wait: 30", "f.yaml:1:7: must be a duration such as 30s"},
		"no time":             {"until: tomorrow", "f.yaml:1:8: must be a time such as"},
		"a list for a word":   {"name: [a]", "f.yaml:1:7: must be a text"},
		"null for a word":     {"name:\n", "f.yaml:1:6: must be a text"},
		"no object":           {"nested: a", "f.yaml:1:9: must have keys: id"},
		"not YAML":            {"name: a\n\tcount: 1\n", "f.yaml:2:1: found a tab character"},
		"cut off":             {"parts: [{id: a}, {id", "f.yaml:"},
		"two documents":       {"name: a\n---\nname: b\n", "f.yaml: holds more than one document"},
		"a list as a whole":   {"- a", "f.yaml:1:1: must have keys"},
		"too large":           {"#" + strings.Repeat(" ", strictyaml.MaxBytes), "f.yaml: is larger than"},
		"an alias to another": {"words: &a [x]\nparts: [*a]\n", "f.yaml:2:9: must have keys: id"},
		"two faults":          {"count: x\non: y\n", "f.yaml:1:8: must be a whole number\nf.yaml:2:5: must be true or false"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := strictyaml.Unmarshal("f.yaml", test.text, new(sample))
			if err == nil || !strings.HasPrefix(err.Error(), test.want) {
				t.Errorf("got %v, want %s", err, test.want)
			}
			if _, ok := errors.AsType[*strictyaml.Error](err); !ok {
				t.Errorf("%T", err)
			}
		})
	}
}

func TestFaultsHaveTheirPlace(t *testing.T) {
	t.Parallel()
	doc, err := strictyaml.Unmarshal("f.yaml", "name: a\nparts:\n  - {id: x}\n  - id: y\n", new(sample))
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		path []any
		want string
	}{
		{nil, "f.yaml:1:1: wrong"},
		{[]any{"parts", 1, "id"}, "f.yaml:4:9: wrong"},
		{[]any{"parts", 0}, "f.yaml:3:5: wrong"},
		{[]any{"parts", 7, "id"}, "f.yaml:3:3: wrong"},
		{[]any{"parts", 1, "none"}, "f.yaml:4:5: wrong"},
		{[]any{"none"}, "f.yaml:1:1: wrong"},
	} {
		if got := doc.Fault("wrong", test.path...).Error(); got != test.want {
			t.Errorf("%v: got %s, want %s", test.path, got, test.want)
		}
	}
	empty, err := strictyaml.Unmarshal("f.yaml", "", new(sample))
	if err != nil {
		t.Fatal(err)
	}
	if got := empty.Fault("wrong", "name").Error(); got != "f.yaml: wrong" {
		t.Errorf("got %s", got)
	}
}

// FuzzUnmarshal: any text is read or refused.
func FuzzUnmarshal(f *testing.F) {
	f.Add("name: a\nparts: [{id: x}]\nwords: [a]\n")
	f.Add("&a [*a]")
	f.Add("a: &x {b: *x}")
	f.Add("parts: &p\n  - *p\n")
	f.Fuzz(func(t *testing.T, text string) {
		doc, err := strictyaml.Unmarshal("f.yaml", text, new(sample))
		if fault := doc.Fault("wrong", "parts", 0, "id").Error(); !strings.HasPrefix(fault, "f.yaml") {
			t.Errorf("fault %q", fault)
		}
		if err != nil && !strings.HasPrefix(err.Error(), "f.yaml") {
			t.Errorf("error %q names no file", err)
		}
	})
}
