package strictyaml

import (
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"

	"go.yaml.in/yaml/v3"
)

const (
	// MaxBytes bounds the text that is read as one tree of values, which takes dozens of
	// times its size. A file may be larger by what lists hold that are read in parts:
	// see [List].
	MaxBytes = 4 << 20
	// maxNodes bounds the values after a file's aliases are expanded.
	maxNodes = 1 << 20
	// maxDepth bounds how deep values lie in each other.
	maxDepth = 32
	// maxErrors bounds how many errors are returned at once.
	maxErrors = 20
)

// Error is a fault of a file, at a place in it.
type Error struct {
	// File is the name that [Unmarshal] was given.
	File string
	// Line and Column count from 1; 0 when the fault has no place.
	Line, Column int
	// Message says what is wrong.
	Message string
}

// Error is file:line:column: message, as compilers write it.
func (e *Error) Error() string {
	if e.Line == 0 {
		return e.File + ": " + e.Message
	}
	return fmt.Sprintf("%s:%d:%d: %s", e.File, e.Line, e.Column, e.Message)
}

// Unmarshal reads a file's text into out, a pointer to a struct whose fields
// have yaml tags. Text without a document leaves out as it is. An unknown key, a
// key twice, a value of another type and a second document are errors, all of
// which are returned at once, each as an [*Error]. The elements of a [List] are read
// when it is walked.
func Unmarshal(file, text string, out any) (*Document, error) {
	return unmarshal(file, text, out, sizes{part: partBytes, tree: MaxBytes}, Pace{})
}

// Unmarshal is [Unmarshal], at this pace.
func (p Pace) Unmarshal(file, text string, out any) (*Document, error) {
	return unmarshal(file, text, out, sizes{part: partBytes, tree: MaxBytes}, p)
}

// sizes are how large a part and a tree may be, in bytes of text.
type sizes struct{ part, tree int }

func unmarshal(file, text string, out any, most sizes, pace Pace) (*Document, error) {
	target := reflect.ValueOf(out).Elem()
	doc := &Document{file: file, text: text, most: most, pace: pace, shapes: make(shapes)}
	doc.shapes.add(target.Type())
	if err := doc.parse(doc.shapes.lists(target.Type())); err != nil {
		return doc, err
	}
	if doc.root == nil {
		return doc, nil
	}
	d := &decoding{doc: doc, lines: doc.outline.lineOf, nodes: maxNodes}
	d.value(doc.root, target, 0)
	return doc, errors.Join(d.faults...)
}

// parse reads the text: in parts where it has a long list with one of the keys, and
// where not, or where that fails, as a whole.
func (d *Document) parse(lists map[string]bool) error {
	outline := cut(d.text, lists, d.most.part, d.pace)
	if len(outline.lists) > 0 && len(outline.text) <= d.most.tree {
		root, err := parseTree(d.file, outline.text)
		if err == nil && outline.resolve(root) {
			d.root, d.outline = root, outline
			return nil
		}
		if err != nil && len(d.text) > d.most.tree {
			return outline.located(err)
		}
	}
	return d.parseWhole()
}

// parseWhole reads the text as one tree.
func (d *Document) parseWhole() error {
	if len(d.text) > d.most.tree {
		return &Error{File: d.file, Message: fmt.Sprintf(
			"is larger than %d bytes, without a list that is read in parts: its elements begin a line with \"- \"", d.most.tree)}
	}
	root, err := parseTree(d.file, d.text)
	d.root, d.outline = root, outline{}
	return err
}

// parseTree reads the one document of a text; nil for none.
func parseTree(file, text string) (*yaml.Node, error) {
	decoder := yaml.NewDecoder(strings.NewReader(text))
	var root yaml.Node
	if err := decoder.Decode(&root); err != nil {
		if root.Kind == 0 && strings.TrimSpace(withoutComments(text)) == "" {
			return nil, nil //nolint:nilnil // No document is not a fault.
		}
		return nil, syntaxError(file, err)
	}
	if err := decoder.Decode(new(yaml.Node)); err == nil {
		return nil, &Error{File: file, Message: "holds more than one document"}
	} else if !errors.Is(err, io.EOF) {
		return nil, syntaxError(file, err)
	}
	if root.Content[0].Tag == "!!null" {
		return nil, nil //nolint:nilnil // Neither is one of nothing.
	}
	return root.Content[0], nil
}

// syntaxError takes the line out of the library's message, which has no
// column.
func syntaxError(file string, err error) *Error {
	text := strings.TrimPrefix(err.Error(), "yaml: ")
	var line int
	if _, scanErr := fmt.Sscanf(text, "line %d:", &line); scanErr == nil {
		_, text, _ = strings.Cut(text, ": ")
		return &Error{File: file, Line: line, Column: 1, Message: text}
	}
	return &Error{File: file, Message: text}
}

func withoutComments(text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		if !strings.HasPrefix(strings.TrimSpace(line), "#") && strings.TrimSpace(line) != "---" {
			b.WriteString(line)
		}
	}
	return b.String()
}
