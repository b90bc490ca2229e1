package bodies

import (
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
)

type kind int

const (
	null kind = iota + 1
	boolean
	number
	text
	decimal // arrived as text, was sent as text or as a number
	array
	structure
)

// node is a JSON value.
type node struct {
	kind kind
	// text is a string, a number's literal, "true" or "false".
	text    string
	members []member
	items   []*node
	// zero is set on a value that arrived in a field that cannot say whether it was
	// there.
	zero bool
	// open is set on an object that was sent with members of any name.
	open bool
}

type member struct {
	name  string
	value *node
	// extra is set on a member that the description does not have: it may be ignored.
	extra bool
}

// member returns nil for one that is not there.
func (n *node) member(name string) *node {
	for _, m := range n.members {
		if m.name == name {
			return m.value
		}
	}
	return nil
}

// describes reports whether there is a member that is not an extra one.
func (n *node) describes(name string) bool {
	return slices.ContainsFunc(n.members, func(m member) bool { return m.name == name && !m.extra })
}

// without removes members.
func (n *node) without(drop func(name string) bool) {
	kept := n.members[:0]
	for _, m := range n.members {
		if !drop(m.name) {
			kept = append(kept, m)
		}
	}
	n.members = kept
}

// sort gives members that come from a map the same order every time.
func (n *node) sort() {
	slices.SortFunc(n.members, func(a, b member) int { return strings.Compare(a.name, b.name) })
}

// leaf reports whether nothing is below a node.
func (n *node) leaf() bool { return len(n.members) == 0 && len(n.items) == 0 }

// write writes JSON in one of its spellings: spaces and escapes vary.
func (n *node) write(w *strings.Builder, r *rand.Rand) {
	space := func() {
		if r.IntN(8) == 0 {
			w.WriteString([]string{" ", "\n", "\t", "\r\n  "}[r.IntN(4)])
		}
	}
	switch n.kind {
	case null:
		w.WriteString("null")
	case boolean, number:
		w.WriteString(n.text)
	case text, decimal:
		quote(w, n.text, r.IntN(16) == 0)
	case array:
		w.WriteByte('[')
		for i, item := range n.items {
			if i > 0 {
				w.WriteByte(',')
			}
			space()
			item.write(w, r)
		}
		space()
		w.WriteByte(']')
	case structure:
		w.WriteByte('{')
		for i, m := range n.members {
			if i > 0 {
				w.WriteByte(',')
			}
			space()
			quote(w, m.name, false)
			space()
			w.WriteByte(':')
			space()
			m.value.write(w, r)
		}
		space()
		w.WriteByte('}')
	}
}

// quote writes a string, with escapes where they are needed or everywhere.
func quote(w *strings.Builder, s string, everywhere bool) {
	if !everywhere {
		raw, err := json.Marshal(s)
		if err != nil {
			panic(err) // A string always has a spelling.
		}
		w.Write(raw)
		return
	}
	w.WriteByte('"')
	for _, c := range s {
		if c > 0xFFFF {
			c -= 0x10000
			fmt.Fprintf(w, `\u%04x\u%04X`, 0xD800+c>>10, 0xDC00+c&0x3FF)
			continue
		}
		fmt.Fprintf(w, `\u%04x`, c)
	}
	w.WriteByte('"')
}

// parse reads JSON into a tree.
func parse(raw []byte) (*node, error) {
	decoder := json.NewDecoder(strings.NewReader(string(raw)))
	decoder.UseNumber()
	n, err := next(decoder)
	if err != nil {
		return nil, err
	}
	if _, err := decoder.Token(); err != io.EOF {
		return nil, fmt.Errorf("something follows the value: %w", err)
	}
	return n, nil
}

func next(decoder *json.Decoder) (*node, error) {
	token, err := decoder.Token()
	if err != nil {
		return nil, err
	}
	switch v := token.(type) {
	case json.Delim:
		return nested(decoder, v)
	case string:
		return &node{kind: text, text: v}, nil
	case json.Number:
		return &node{kind: number, text: v.String()}, nil
	case bool:
		return &node{kind: boolean, text: fmt.Sprint(v)}, nil
	default:
		return &node{kind: null}, nil
	}
}

func nested(decoder *json.Decoder, opening json.Delim) (*node, error) {
	n := &node{kind: array}
	if opening == '{' {
		n.kind = structure
	}
	for decoder.More() {
		name := ""
		if n.kind == structure {
			token, err := decoder.Token()
			if err != nil {
				return nil, err
			}
			name, _ = token.(string)
		}
		value, err := next(decoder)
		if err != nil {
			return nil, err
		}
		if n.kind == array {
			n.items = append(n.items, value)
			continue
		}
		n.members = append(n.members, member{name: name, value: value})
	}
	_, err := decoder.Token()
	return n, err
}
