package strictyaml

import (
	"strings"

	"go.yaml.in/yaml/v3"
)

// plainReader reads the YAML that programs write, and most people: block lists and
// mappings, lists and mappings in brackets on one line, and texts on one line, of ASCII
// and without escapes. It reads an eighth of the time that the library needs, which is
// most of the time of a long file.
//
// It knows nothing else, and takes no chances: at the first byte that it does not expect,
// or that could mean more than one thing, it gives up, and the library reads the part. A
// fuzz test holds its trees against those of the library.
//
// A reader is for one goroutine. What it returns is valid until it reads again, and shares
// memory with the text.
type plainReader struct {
	text   string
	at     int    // where the next line begins
	line   int    // of rest, from 1
	column int    // of rest, from 0
	rest   string // of the current line; "" at the end of the text

	nodes []yaml.Node
	used  int
	stack []*yaml.Node // the children of the nodes that are being read
	lists []*yaml.Node // the children of those that were
}

// read is the list that a text is, or nil where this is not for the reader.
func (r *plainReader) read(text string) *yaml.Node {
	clear(r.nodes[:r.used])
	*r = plainReader{text: text, nodes: r.nodes, stack: r.stack[:0], lists: r.lists[:0]}
	if r.advance(); r.rest == "" || !isPlainASCII(text) {
		return nil
	}
	root := r.block(0)
	if root == nil || r.rest != "" || root.Kind != yaml.SequenceNode {
		return nil
	}
	return root
}

// advance goes to the next line with content.
func (r *plainReader) advance() {
	for r.at < len(r.text) {
		line := r.text[r.at:]
		if i := strings.IndexByte(line, '\n'); i >= 0 {
			line = line[:i]
			r.at++
		}
		r.at += len(line)
		r.line++
		line = strings.TrimSuffix(line, "\r")
		r.rest = strings.TrimLeft(line, " ")
		r.column = len(line) - len(r.rest)
		if r.rest == "" || r.rest[0] == '#' {
			continue
		}
		r.rest = strings.TrimRight(r.rest, " ")
		return
	}
	r.rest, r.column = "", -1
}

// isPlainASCII says that a text is of printable ASCII and of breaks of lines.
func isPlainASCII(text string) bool {
	for i := range len(text) {
		switch c := text[i]; {
		case ' ' <= c && c <= '~' || c == '\n':
		case c != '\r' || i+1 == len(text) || text[i+1] != '\n':
			return false
		}
	}
	return true
}

// skip goes on within the line.
func (r *plainReader) skip(n int) {
	r.rest, r.column = r.rest[n:], r.column+n
}

// block reads the node that begins here, and all lines of it; nil where that is not for
// the reader.
func (r *plainReader) block(depth int) *yaml.Node {
	if depth > maxDepth {
		return nil
	}
	if isDash(r.rest) {
		return r.list(depth)
	}
	if keyLength(r.rest) > 0 {
		return r.mapping(depth)
	}
	return r.value(-1)
}

// value reads a value that ends with its line. The next one must not be deeper than its
// parent is: it could belong to the value.
func (r *plainReader) value(parent int) *yaml.Node {
	node := r.scalar()
	if node == nil || r.rest != "" {
		return nil
	}
	if r.advance(); parent >= 0 && r.column > parent {
		return nil
	}
	return node
}

func isDash(text string) bool { return strings.HasPrefix(text, "- ") }

func (r *plainReader) list(depth int) *yaml.Node {
	list, first, column := r.node(yaml.SequenceNode), len(r.stack), r.column
	for r.column == column && isDash(r.rest) {
		r.skip(1)
		r.spaces()
		var element *yaml.Node
		if isDash(r.rest) || keyLength(r.rest) > 0 {
			element = r.block(depth + 1)
		} else {
			element = r.value(column)
		}
		if element == nil {
			return nil
		}
		r.stack = append(r.stack, element)
	}
	r.close(list, first)
	return list
}

func (r *plainReader) mapping(depth int) *yaml.Node {
	mapping, first, column := r.node(yaml.MappingNode), len(r.stack), r.column
	for r.column == column {
		n := keyLength(r.rest)
		if n == 0 {
			return nil
		}
		r.stack = append(r.stack, r.word(r.rest[:n], n))
		r.skip(1) // The colon.
		r.spaces()
		value := r.below(column, depth)
		if value == nil {
			return nil
		}
		r.stack = append(r.stack, value)
	}
	r.close(mapping, first)
	return mapping
}

// below reads the value of a key in a column: on its line, or on those below it.
func (r *plainReader) below(column, depth int) *yaml.Node {
	if r.rest != "" {
		return r.value(column)
	}
	if r.advance(); r.column < column || r.column == column && !isDash(r.rest) {
		return nil
	}
	if r.column > column && !isDash(r.rest) && keyLength(r.rest) == 0 {
		return nil // A text below its key.
	}
	return r.block(depth + 1)
}

// keyLength is how long the key is that a text begins with; 0 for none.
func keyLength(text string) int {
	const longest = 128 // Far below the library's own bound.
	n := wordLength(text)
	if n == 0 || n > longest || n == len(text) || text[n] != ':' || n+1 < len(text) && text[n+1] != ' ' {
		return 0
	}
	return n
}

// wordLength is how many letters, digits and some marks a text begins with.
func wordLength(text string) int {
	for i := range len(text) {
		switch c := text[i]; {
		case isLetter(c) || '0' <= c && c <= '9' || c == '_':
		case i > 0 && (c == '.' || c == '-' || c == '/' || c == '@' || c == '+' || c == '*'):
		default:
			return i
		}
	}
	return len(text)
}

func isLetter(c byte) bool { return 'a' <= c|0x20 && c|0x20 <= 'z' }

// scalar reads a text, or a list or a mapping in brackets, and goes behind it.
func (r *plainReader) scalar() *yaml.Node {
	if r.rest == "" {
		return nil
	}
	switch c := r.rest[0]; {
	case c == '"' || c == '\'' || c == '[' || c == '{':
		return r.flow(0)
	case wordLength(r.rest[:1]) == 0 || !isPlain(r.rest):
		return nil
	default:
		return r.word(r.rest, len(r.rest))
	}
}

// isPlain says that the rest of a line is one text without quotes.
func isPlain(text string) bool {
	if strings.IndexByte(text, '#') >= 0 || text[len(text)-1] == ':' {
		return false
	}
	return !strings.Contains(text, ": ")
}

// flow reads a value that may be in brackets.
func (r *plainReader) flow(depth int) *yaml.Node {
	if r.rest == "" || depth > maxDepth {
		return nil
	}
	switch c := r.rest[0]; c {
	case '"', '\'':
		return r.quoted(c)
	case '[':
		return r.brackets(yaml.SequenceNode, ']', depth)
	case '{':
		return r.brackets(yaml.MappingNode, '}', depth)
	default:
		n := wordLength(r.rest)
		if n == 0 {
			return nil
		}
		return r.word(r.rest[:n], n)
	}
}

// quoted reads a text in quotes, without escapes.
func (r *plainReader) quoted(quote byte) *yaml.Node {
	end := strings.IndexByte(r.rest[1:], quote) + 1
	if end == 0 || strings.IndexByte(r.rest[1:end], '\\') >= 0 || end+1 < len(r.rest) && r.rest[end+1] == quote {
		return nil
	}
	node := r.node(yaml.ScalarNode)
	node.Value = r.rest[1:end]
	r.skip(end + 1)
	return node
}

// brackets reads a list or a mapping on one line.
func (r *plainReader) brackets(kind yaml.Kind, end byte, depth int) *yaml.Node {
	node, first := r.node(kind), len(r.stack)
	r.skip(1)
	for r.spaces(); r.rest != "" && r.rest[0] != end; r.spaces() {
		if len(r.stack) > first {
			if r.rest[0] != ',' {
				return nil
			}
			r.skip(1)
			r.spaces()
		}
		if kind == yaml.MappingNode {
			n := keyLength(r.rest)
			if n == 0 {
				return nil
			}
			r.stack = append(r.stack, r.word(r.rest[:n], n))
			r.skip(1)
			r.spaces()
		}
		value := r.flow(depth + 1)
		if value == nil {
			return nil
		}
		r.stack = append(r.stack, value)
	}
	if r.rest == "" {
		return nil
	}
	r.skip(1)
	r.close(node, first)
	return node
}

func (r *plainReader) spaces() { r.skip(len(r.rest) - len(strings.TrimLeft(r.rest, " "))) }

// word is a text without quotes, which begins here and has n bytes.
func (r *plainReader) word(value string, n int) *yaml.Node {
	node := r.node(yaml.ScalarNode)
	node.Value = value
	switch value {
	case "null", "Null", "NULL":
		node.Tag = "!!null"
	}
	r.skip(n)
	return node
}

// node is a node that begins here.
func (r *plainReader) node(kind yaml.Kind) *yaml.Node {
	if r.used == len(r.nodes) {
		// The nodes that are in use stay where they are.
		r.nodes, r.used = make([]yaml.Node, max(256, 2*len(r.nodes))), 0
	}
	node := &r.nodes[r.used]
	r.used++
	node.Kind, node.Line, node.Column = kind, r.line, r.column+1
	return node
}

// close gives a node the children that are on the stack.
func (r *plainReader) close(node *yaml.Node, first int) {
	from := len(r.lists)
	r.lists = append(r.lists, r.stack[first:]...)
	node.Content = r.lists[from:len(r.lists):len(r.lists)]
	r.stack = r.stack[:first]
}
