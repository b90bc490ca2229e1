package strictyaml

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"
	"pgregory.net/rapid"

	"github.com/admin-gateway/admin-gateway/internal/policytest"
)

// leaf is what the decoder looks at of a node.
type leaf struct {
	Kind         yaml.Kind
	Value        string
	Null         bool
	Line, Column int
	Content      []leaf
}

func leafOf(node *yaml.Node) leaf {
	l := leaf{node.Kind, node.Value, node.Tag == "!!null", node.Line, node.Column, nil}
	for _, child := range node.Content {
		l.Content = append(l.Content, leafOf(child))
	}
	return l
}

// plainTexts are for the reader.
var plainTexts = []string{
	"- a\n- b\n",
	"- name: a\n  tags: [x, y, \"z z\"]\n  notes: {a: b, c: 'd'}\n",
	"  - name: a\n    list:\n    - b\n    - c\n    below:\n      - d: e\n        f:\n          g: h\n",
	"- - a\n  - b\n- c\n",
	"# first\n- a: b c\n\n  # between\n  e: https://example.org/x:y\n",
	"- a: null\n  b: [null, []]\n  c: {}\r\n  d: 2030-01-01T00:00:00Z\r\n",
	"- when: request.id == 'a' && size(request.x) > 3, [4]\n",
	"- -  a\n",
}

// otherTexts are not.
var otherTexts = []string{
	"", "# nothing\n", "a: b\n", "- \"a\\n\"\n", "- 'it''s'\n", "- a\n  b\n", "- a:\n  b: c\n", "- a: b\n   c\n", "- &x a\n- *x\n", "- !t a\n",
	"- |\n  a\n", "- a: >\n    b\n", "- [a,\n  b]\n", "- {a: b,}\n", "- [a, b\n", "- ? a\n", "- é\n", "- a\tb\n", "-\n  a: b\n", "- a: b # c\n", "- a:b: c\n",
	"- ---\n", "- <<: a\n", "- a: b\n c: d\n", "- {\"a\": b}\n", "- [a b]\n", "- a\n - b\n", "- @a\n", "- %a\n", "- a:\n    b\n", "- ~\n", "- {a}\n", "- {a: }\n", "- \"a\"b\n",
}

// TestPlainReader: it reads what it is for, and gives up at all else.
func TestPlainReader(t *testing.T) {
	t.Parallel()
	for _, text := range append(plainTexts, strings.TrimPrefix(string(policytest.YAML(100)), "callers:\n")) {
		if got := new(plainReader).read(text); got == nil {
			t.Errorf("%q is not read", text)
		}
	}
	for _, text := range otherTexts {
		if got := new(plainReader).read(text); got != nil {
			t.Errorf("%q is read as %v", text, leafOf(got))
		}
	}
}

// FuzzPlainReader: what the reader reads, the library reads too, and as the same.
func FuzzPlainReader(f *testing.F) {
	for _, text := range append(plainTexts, otherTexts...) {
		f.Add(text)
	}
	f.Add(strings.TrimPrefix(string(policytest.YAML(20)), "callers:\n"))
	reader := new(plainReader)
	f.Fuzz(func(t *testing.T, text string) { readsAsTheLibrary(t, reader, text) })
}

// TestPlainReaderOfWords: the same of texts that are put together from the words of YAML,
// a line at a time.
func TestPlainReaderOfWords(t *testing.T) {
	t.Parallel()
	starts := []string{"", "- ", "  - ", "    ", "  ", "- - ", "      - ", "   "}
	words := rapid.SampledFrom([]string{
		"a", "b1", "null", "- ", "-", ": ", ":", " ", "  ", "[", "]", "{", "}", ", ", ",", "'", "\"", "#", " #", "~", "*x", "&x", "!t", "|", ">", "?", "? ", "%", "@", "`",
		"key: ", "key:", "k: v", "[a, b]", "{a: b}", "{a: b, c: [d]}", "'q'", "\"q\"", "https://x.y/z", "007", "1e3", "true", "<<: ", "---", "...", "\r", "\t", "é", "\\",
	})
	line := rapid.Custom(func(t *rapid.T) string {
		return rapid.SampledFrom(starts).Draw(t, "start") + strings.Join(rapid.SliceOfN(words, 0, 4).Draw(t, "words"), "")
	})
	reader, read := new(plainReader), 0
	rapid.Check(t, func(rt *rapid.T) {
		text := strings.Join(rapid.SliceOfN(line, 1, 6).Draw(rt, "lines"), "\n") + "\n"
		if readsAsTheLibrary(rt, reader, text) {
			read++
		}
	})
	if read == 0 {
		t.Error("the reader reads none of the texts")
	}
}

// readsAsTheLibrary returns whether the reader reads a text, and fails where the library
// reads it as another one.
func readsAsTheLibrary(t interface {
	Fatalf(format string, args ...any)
	Errorf(format string, args ...any)
}, reader *plainReader, text string) bool {
	got := reader.read(text)
	if got == nil {
		return false
	}
	want, err := parseTree("f.yaml", text)
	if err != nil || want == nil {
		t.Fatalf("%q: %v, and the reader reads %v", text, err, leafOf(got))
	}
	if diff := cmp.Diff(leafOf(want), leafOf(got)); diff != "" {
		t.Errorf("%q (-library +reader):\n%s", text, diff)
	}
	return true
}
