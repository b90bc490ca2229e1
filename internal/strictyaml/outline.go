package strictyaml

import (
	"slices"
	"sort"
	"strings"

	"go.yaml.in/yaml/v3"
)

// partBytes is about how large a part is: little enough to be read within a millisecond.
const partBytes = 4 << 10

// outline is a text without most elements of its long lists.
//
// A long list is one whose key begins a line of its own and whose elements each begin a
// line with "- " at the same column. Cut in front of such a line, both sides read as they
// do together: a reader of YAML that has read the first side to its end has nothing open
// there but that list. Where it has, because the line is within a text in quotes or in
// brackets, the first side does not end well, and the text is read as a whole. So does
// one with an alias whose anchor is on another side.
type outline struct {
	text  string
	lists []*cutList
}

// cutList is a list of which an outline has the first elements.
type cutList struct {
	key         string
	line        int // of its key, in the outline, from 1
	column      int // of its elements, from 1
	after, gone int // lines of the outline up to where elements are missing, and how many lines they have
	parts       []part
	node        *yaml.Node // the list with its first elements, once it is known
}

// part is some elements of a list.
type part struct {
	text  string
	lines int // in front of it
	first int // the number of its first element, once it is known
	known bool
}

func (p *part) lineOf(line int) int { return p.lines + line }

// parse reads the elements. Where plain reads them, they are valid until it reads again,
// and plainly is true.
func (p *part) parse(file string, plain *plainReader) (elements []*yaml.Node, plainly bool, err error) {
	if root := plain.read(p.text); root != nil {
		return root.Content, true, nil
	}
	root, err := parseTree(file, p.text)
	if err != nil {
		if at, ok := err.(*Error); ok && at.Line > 0 { //nolint:errorlint // It was just made.
			at.Line = p.lineOf(at.Line)
		}
		return nil, false, err
	}
	if root == nil || root.Kind != yaml.SequenceNode {
		return nil, false, &Error{File: file, Line: p.lines + 1, Column: 1, Message: "must be elements of a list"}
	}
	return root.Content, false, nil
}

// partOf is the part with an element, as far as is known.
func (c *cutList) partOf(index int) *part {
	i := sort.Search(len(c.parts), func(i int) bool { return !c.parts[i].known || c.parts[i].first > index }) - 1
	if i < 0 {
		return nil
	}
	return &c.parts[i]
}

// lineOf is the line of the text of a line of the outline.
func (o *outline) lineOf(line int) int {
	at := line
	for _, list := range o.lists {
		if line > list.after {
			at += list.gone
		}
	}
	return at
}

// located gives an error about the outline its place in the text.
func (o *outline) located(err error) error {
	if at, ok := err.(*Error); ok && at.Line > 0 { //nolint:errorlint // parseTree makes no other.
		at.Line = o.lineOf(at.Line)
	}
	return err
}

// resolve finds the lists in the tree of the outline. It is false where one is not what
// it was taken for.
func (o *outline) resolve(root *yaml.Node) bool {
	if root == nil || root.Kind != yaml.MappingNode {
		return false
	}
	for _, list := range o.lists {
		for i := 0; i+1 < len(root.Content) && list.node == nil; i += 2 {
			key, value := root.Content[i], root.Content[i+1]
			if key.Value == list.key && key.Line == list.line && key.Column == 1 &&
				value.Kind == yaml.SequenceNode && value.Style&yaml.FlowStyle == 0 && value.Column == list.column {
				list.node = value
			}
		}
		if list.node == nil {
			return false
		}
	}
	return true
}

// list is what was cut out of a list; nil for nothing.
func (o *outline) list(node *yaml.Node) *cutList {
	i := slices.IndexFunc(o.lists, func(l *cutList) bool { return l.node == node })
	if i < 0 {
		return nil
	}
	return o.lists[i]
}

// cut cuts the long lists with one of the keys out of a text, in parts of about a size. Without any, the outline
// has no lists.
func cut(text string, keys map[string]bool, size int, pace Pace) outline {
	var o outline
	var kept strings.Builder
	if len(keys) == 0 || len(text) < 2*size {
		return o
	}
	at, removed := 0, 0 // where the text goes on that the outline has; lines that it has not
	lines := lines{text: text, pace: pace}
	for line, ok := lines.next(); ok; line, ok = lines.next() {
		key := keyOf(line)
		if !keys[key] {
			continue
		}
		list := &cutList{key: key, line: lines.number - removed}
		end := lines.elements(list, size)
		if lines.odd {
			return outline{}
		}
		if len(list.parts) == 0 {
			continue
		}
		from, to := list.parts[0].lines, lines.number
		kept.WriteString(text[at:end.start])
		at = end.end
		list.after, list.gone = from-removed, to-from
		removed += list.gone
		o.lists = append(o.lists, list)
	}
	kept.WriteString(text[at:])
	o.text = kept.String()
	if hasOddBreaks(o.text) {
		return outline{}
	}
	return o
}

// hasOddBreaks says that the text has breaks of lines other than "\n" and "\r\n", which
// YAML knows and nothing here counts.
func hasOddBreaks(text string) bool {
	if strings.Count(text, "\r") != strings.Count(text, "\r\n") {
		return true
	}
	for _, odd := range []string{"\u0085", "\u2028", "\u2029"} {
		if strings.Contains(text, odd) {
			return true
		}
	}
	return false
}

// keyOf is the key that has a line of its own: "callers:"; "" for any other line.
func keyOf(line string) string {
	name, rest, ok := strings.Cut(line, ":")
	if !ok || len(name) == 0 || strings.ContainsAny(name, " \t#-'\"?&*!|>%@`[]{},") || isContent(rest) {
		return ""
	}
	return name
}

// isContent says that a line is neither empty nor a comment.
func isContent(line string) bool {
	trimmed := strings.TrimLeft(line, " \t\r")
	return len(trimmed) > 0 && trimmed[0] != '#'
}

// indentOf is how many spaces a line begins with.
func indentOf(line string) int { return len(line) - len(strings.TrimLeft(line, " ")) }

// lines walks the lines of a text.
type lines struct {
	text   string
	pace   Pace
	at     int  // where the next line begins
	number int  // of the line that next returned last, from 1
	odd    bool // a part has odd breaks
}

func (l *lines) next() (string, bool) {
	if l.at >= len(l.text) {
		return "", false
	}
	line := l.text[l.at:]
	if i := strings.IndexByte(line, '\n'); i >= 0 {
		l.at += i + 1
		line = line[:i]
	} else {
		l.at = len(l.text)
	}
	l.number++
	return line, true
}

// span is where bytes are missing in an outline.
type span struct{ start, end int }

// elements walks the elements of the list that begins below the line of its key, and
// makes parts of all but the first of them. It stops in front of the line behind them.
func (l *lines) elements(list *cutList, size int) span {
	start, startLines := -1, 0 // of the part that is being made
	var missing span
	for {
		before := *l
		line, ok := l.next()
		indent := indentOf(line)
		element := ok && indent < len(line) && line[indent] == '-' && (indent+1 == len(line) || strings.IndexByte(" \t\r", line[indent+1]) >= 0)
		switch {
		case ok && !isContent(line):
			continue
		case ok && list.column == 0 && element:
			list.column, start = indent+1, before.at
			continue
		case !ok || list.column == 0 || indent < list.column-1 || indent == list.column-1 && !element:
			l.at, l.number = before.at, before.number
			if missing.start > 0 {
				l.part(list, start, l.at, startLines)
				missing.end = l.at
			}
			return missing
		case indent == list.column-1 && before.at-start >= size:
			if missing.start == 0 {
				missing.start = before.at // The first elements stay in the outline.
			} else {
				l.part(list, start, before.at, startLines)
			}
			start, startLines = before.at, before.number
		}
	}
}

// restEvery is how many parts are made between two rests: that takes some 20 µs each on a
// busy machine.
const restEvery = 4

// part makes a part of the text between start and end.
func (l *lines) part(list *cutList, start, end, lines int) {
	one := part{text: l.text[start:end], lines: lines}
	l.odd = l.odd || hasOddBreaks(one.text)
	list.parts = append(list.parts, one)
	if len(list.parts)%restEvery == 0 {
		l.pace.rest()
	}
}
