package strictyaml

import "go.yaml.in/yaml/v3"

// Document is a file that was read. It has the places of its values.
type Document struct {
	file   string
	text   string
	most   sizes
	pace   Pace
	root   *yaml.Node
	shapes shapes
	// outline says what is not below root, but in parts. Its zero value: nothing.
	outline outline
	// The part that a fault was found in last: faults come in the order of the file.
	recent      *part
	recentNodes []*yaml.Node
}

// Fault is an error about the value at a path of keys (string) and indexes
// (int), or about the nearest that is there.
func (d *Document) Fault(message string, path ...any) *Error {
	e := &Error{File: d.file, Message: message}
	lineOf := d.outline.lineOf
	for node := d.root; node != nil; path = path[1:] {
		node = resolve(node)
		e.Line, e.Column = lineOf(node.Line), node.Column
		if len(path) == 0 {
			return e
		}
		next := child(node, path[0])
		if index, ok := path[0].(int); next == nil && ok {
			var in *part
			if next, in = d.inPart(node, index); next != nil {
				lineOf = in.lineOf
			}
		}
		node = next
	}
	return e
}

// inPart finds an element of a list that is read in parts, for as far as the list was
// walked.
func (d *Document) inPart(list *yaml.Node, index int) (*yaml.Node, *part) {
	cut := d.outline.list(list)
	if cut == nil {
		return nil, nil
	}
	p := cut.partOf(index)
	if p == nil {
		return nil, nil
	}
	if p != d.recent {
		// What was walked was read without an error.
		nodes, _, _ := p.parse(d.file, new(plainReader))
		d.recent, d.recentNodes = p, nodes
	}
	if index -= p.first; index < len(d.recentNodes) {
		return d.recentNodes[index], p
	}
	return nil, nil
}

func child(node *yaml.Node, step any) *yaml.Node {
	switch step := step.(type) {
	case string:
		for i := 0; node.Kind == yaml.MappingNode && i+1 < len(node.Content); i += 2 {
			if node.Content[i].Value == step {
				return node.Content[i+1]
			}
		}
	case int:
		if node.Kind == yaml.SequenceNode && step >= 0 && step < len(node.Content) {
			return node.Content[step]
		}
	}
	return nil
}

func resolve(node *yaml.Node) *yaml.Node {
	if node.Kind == yaml.AliasNode {
		return node.Alias
	}
	return node
}
