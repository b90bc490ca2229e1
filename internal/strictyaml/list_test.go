package strictyaml

import (
	stdcmp "cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// people is a file with a long list.
type people struct {
	Title string       `yaml:"title"`
	All   List[person] `yaml:"all"`
	Few   List[string] `yaml:"few"`
	Deep  struct {
		X []string `yaml:"x"`
	} `yaml:"deep"`
}

type person struct {
	Name  string            `yaml:"name"`
	Tags  []string          `yaml:"tags"`
	Notes map[string]string `yaml:"notes"`
}

// reading is what a text was read as.
type reading struct {
	Title  string
	All    []person
	Few    []string
	Deep   []string
	Faults []string
	Places []string
}

// readAs reads a text in parts of a size; 0: as a whole.
func readAs(text string, size, workers int) reading {
	most := sizes{part: size, tree: MaxBytes}
	if size == 0 {
		most.part = MaxBytes
	}
	var got people
	doc, err := unmarshal("f.yaml", text, &got, most, Pace{Workers: workers})
	r := reading{Title: got.Title, Deep: got.Deep.X}
	for i, one := range got.All.All() {
		if i != len(r.All) {
			r.Faults = append(r.Faults, fmt.Sprintf("element %d after %d", i, len(r.All)))
		}
		r.All = append(r.All, *one)
	}
	for _, one := range got.Few.All() {
		r.Few = append(r.Few, *one)
	}
	if listErr := errors.Join(got.All.Err(), got.Few.Err()); doc.root == nil && (err != nil || listErr != nil) {
		// Not YAML: whatever was read until there does not count.
		return reading{Faults: []string{stdcmp.Or(got.All.Err(), got.Few.Err(), err).Error()}}
	}
	for _, err := range []error{err, got.All.Err(), got.Few.Err()} {
		if err != nil {
			r.Faults = append(r.Faults, strings.Split(err.Error(), "\n")...)
		}
	}
	slices.Sort(r.Faults)
	for i := range r.All {
		r.Places = append(r.Places, doc.Fault("x", "all", i, "tags", 0).Error())
	}
	r.Places = append(r.Places, doc.Fault("x", "deep", "x", 0).Error(), doc.Fault("x", "all", len(r.All)).Error())
	return r
}

// longTexts are files that are read in parts, and such as only look so.
var longTexts = map[string]string{
	"plain":              "title: a\nall:\n" + persons("  ", 20) + "few: [a, b]\ndeep: {x: [y]}\n",
	"at the margin":      "all:\n" + persons("", 20) + "title: b\ndeep:\n  x:\n  - y\n",
	"two lists":          "few:\n" + strings.Repeat("  - word\n", 20) + "# a comment\n\nall:\n" + persons("    ", 20) + "deep: {x: [z]}\n",
	"comments":           "all: # all of them\n# one\n\n" + strings.Repeat("  - name: a\n# between\n\n    tags: [b]\n", 10) + "# last\n",
	"breaks of Windows":  strings.ReplaceAll("all:\n"+persons("  ", 20), "\n", "\r\n"),
	"breaks of YAML":     "all:\n" + strings.Replace(persons("  ", 20), "tags: [x, y]", "tags: [\"a\u2028 b\"]", 1),
	"an alias":           "all:\n  - &p {name: p, tags: [q]}\n" + persons("  ", 20) + "  - *p\n",
	"an alias outside":   "deep: &d {x: [a]}\nall:\n" + persons("  ", 20) + "  - name: z\n    tags: *d\n",
	"a bomb":             "all:\n" + persons("  ", 10) + "  - name: a\n    tags: &t [" + strings.Repeat("x, ", 100) + "x]\n" + strings.Repeat("  - tags: *t\n", 400),
	"text in quotes":     "all:\n" + persons("  ", 5) + "  - name: \"a\n  - name: b\n  - name: c\n  - name: dddddddddddddddddddddddddd\n    e\"\n" + persons("  ", 5),
	"text over lines":    "all:\n" + persons("  ", 5) + "  - name: |\n      x\n\n      - name: y\n      # z\n  - name: >-\n      a\n      - b\n" + persons("  ", 5),
	"brackets":           "all:\n" + persons("  ", 5) + "  - tags: [a,\n  b,\n  c]\n" + persons("  ", 5),
	"a key within text":  "title: \"\nall:\n" + persons("  ", 10) + "\"\n",
	"a key twice":        "all:\n" + persons("  ", 10) + "all:\n" + persons("  ", 10),
	"a tag":              "all:\n" + persons("  ", 10) + "  - !!null x\n  - !t {name: a}\n",
	"no elements behind": "all:\n" + persons("  ", 10) + "  name: x\n",
	"less indent":        "all:\n" + persons("  ", 10) + " - name: x\n",
	"more indent":        "all:\n" + persons("  ", 10) + "   - name: x\n",
	"two documents":      "all:\n" + persons("  ", 10) + "---\nall: []\n",
	"a second, broken":   "all:\n" + persons("", 10) + "---\n[\n",
	"an end":             "all:\n" + persons("", 10) + "...\n",
	"not YAML":           "all:\n" + persons("  ", 10) + "  - {name: x\n" + persons("  ", 10),
	"a tab":              "all:\n" + persons("  ", 10) + "\t- name: x\n" + persons("  ", 10),
	"nothing":            "all:\nfew: []\n" + strings.Repeat("# long\n", 40),
	"another form":       "all: {name: x}\nfew: a\n" + strings.Repeat("# long\n", 40),
	"faults":             "all:\n" + persons("  ", 5) + "  - nam: x\n    tags: {}\n" + persons("  ", 5) + "  - 7\n  -\n  - notes: {a: b, a: c}\nfew:\n" + strings.Repeat("  - [x]\n", 10) + "titel: x\n",
	"many faults":        "all:\n" + strings.Repeat("  - name: []\n", 50),
	"lists of lists":     "all:\n" + strings.Repeat("  - - a\n    - b\n", 20),
}

func persons(indent string, n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "%s- name: person %d\n%s  tags: [x, y]\n%s  notes:\n%s    a: b\n", indent, i, indent, indent, indent)
	}
	return b.String()
}

// TestPartsReadAsOne: a text that is read in parts has the elements, the faults and the
// places that it has as one tree.
func TestPartsReadAsOne(t *testing.T) {
	t.Parallel()
	for name, text := range longTexts {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			want := readAs(text, 0, 1)
			for _, workers := range []int{1, 3} {
				for _, size := range []int{1, 30, 100, 400} {
					if diff := cmp.Diff(want, readAs(text, size, workers)); diff != "" {
						t.Errorf("parts of %d bytes, %d workers (-want +got):\n%s", size, workers, diff)
					}
				}
			}
		})
	}
}

// FuzzPartsReadAsOne: any text is good in parts where it is good as one tree, and has the
// same elements and places then. Of one that is not, the faults may differ: behind the
// first of them, less of it is read in parts.
func FuzzPartsReadAsOne(f *testing.F) {
	for _, text := range longTexts {
		f.Add(text, 30)
	}
	f.Fuzz(func(t *testing.T, text string, size int) {
		want := readAs(text, 0, 1)
		got := readAs(text, max(size, 1), 2)
		if len(want.Faults) > 0 && len(got.Faults) > 0 {
			return
		}
		if !cmp.Equal(want, got) {
			t.Error(cmp.Diff(want, got))
		}
	})
}

// TestLongFileIsCut: so many elements are read in parts, or the test above would compare
// nothing.
func TestLongFileIsCut(t *testing.T) {
	t.Parallel()
	o := cut(longTexts["two lists"], map[string]bool{"all": true, "few": true}, 100, Pace{})
	if len(o.lists) != 2 || len(o.lists[0].parts) != 1 || len(o.lists[1].parts) < 5 {
		t.Errorf("%d lists", len(o.lists))
	}
	if long := len("  - word\n"); len(o.text) >= len(longTexts["two lists"])-15*long {
		t.Errorf("the outline has %d bytes of %d", len(o.text), len(longTexts["two lists"]))
	}
}

// TestLargeFile: only lists may make a file larger than a tree of values may be, and a
// fault in one does not make a tree of it.
func TestLargeFile(t *testing.T) {
	t.Parallel()
	const tree = 1000
	for name, test := range map[string]struct{ text, want string }{
		"a list":           {"all:\n" + persons("  ", 100), ""},
		"a line":           {"all: [" + strings.Repeat("{name: x}, ", 200) + "]\n", "f.yaml: is larger than 1000 bytes"},
		"something else":   {"deep:\n  x:\n" + strings.Repeat("  - a\n", 300), "f.yaml: is larger than 1000 bytes"},
		"a fault":          {"all:\n" + persons("  ", 50) + "  - {name: x\n" + persons("  ", 50), "f.yaml:202:1: did not find expected"},
		"an unknown alias": {"all:\n" + persons("  ", 50) + "  - *x\n", "f.yaml: unknown anchor"},
		"behind it":        {"all:\n" + persons("  ", 50) + "title: [\n", "f.yaml:202:1: did not find"},
	} {
		var got people
		_, err := unmarshal("f.yaml", test.text, &got, sizes{part: 100, tree: tree}, Pace{})
		n := 0
		for range got.All.All() {
			n++
		}
		err = errors.Join(err, got.All.Err())
		if test.want == "" && (err != nil || n != 100) {
			t.Errorf("%s: %d elements, %v", name, n, err)
		}
		if test.want != "" && (err == nil || !strings.HasPrefix(err.Error(), test.want)) {
			t.Errorf("%s: %v, want %s", name, err, test.want)
		}
	}
}

// TestWalkEnds: a walk that is left early leaves no goroutine behind; goleak looks.
func TestWalkEnds(t *testing.T) {
	t.Parallel()
	var got people
	if _, err := unmarshal("f.yaml", "all:\n"+persons("  ", 1000), &got, sizes{part: 100, tree: MaxBytes}, Pace{Workers: 3}); err != nil {
		t.Fatal(err)
	}
	for i := range got.All.All() {
		if i == 100 {
			break
		}
	}
	if err := got.All.Err(); err != nil {
		t.Error(err)
	}
}

// TestHurry: a reading that would rest for hours goes on once it is to hurry.
func TestHurry(t *testing.T) {
	t.Parallel()
	hurry := make(chan struct{})
	pace := Pace{Rest: time.Hour, Hurry: hurry}
	read := make(chan int)
	go func() {
		var got people
		n := 0
		if _, err := pace.Unmarshal("f.yaml", "all:\n"+persons("  ", 50_000), &got); err == nil {
			for range got.All.All() {
				n++
			}
		}
		read <- n
	}()
	close(hurry)
	if n := <-read; n != 50_000 {
		t.Errorf("%d elements", n)
	}
}
