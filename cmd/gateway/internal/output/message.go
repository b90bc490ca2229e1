package output

import (
	"bytes"
	"encoding/json"
	"io"
	"strings"

	"go.yaml.in/yaml/v3"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
)

// Format is how answers are written.
type Format string

// The formats.
const (
	Text Format = "table"
	JSON Format = "json"
	YAML Format = "yaml"
)

// Whole writes an answer that stands alone: JSON over several lines, or a document of
// YAML.
func Whole(w io.Writer, format Format, answer proto.Message) error {
	text, err := compact(answer)
	if err != nil {
		return err
	}
	return document(w, format, text)
}

// One writes one of many messages: a line of JSON, or a document of YAML among others.
func One(w io.Writer, format Format, message proto.Message) error {
	text, err := compact(message)
	if err != nil {
		return err
	}
	if format == YAML {
		if _, err := io.WriteString(w, "---\n"); err != nil {
			return err
		}
		return asYAML(w, text)
	}
	_, err = w.Write(append(text, '\n'))
	return err
}

// Value writes a value that encoding/json writes, in a form for programs.
func Value(w io.Writer, format Format, value any) error {
	text, err := json.Marshal(value)
	if err != nil {
		return err
	}
	return document(w, format, text)
}

// document writes JSON over several lines, or as YAML.
func document(w io.Writer, format Format, text []byte) error {
	if format == YAML {
		return asYAML(w, text)
	}
	var lines bytes.Buffer
	if err := json.Indent(&lines, text, "", "  "); err != nil {
		return err
	}
	lines.WriteByte('\n')
	_, err := w.Write(lines.Bytes())
	return err
}

// compact is a message as JSON with the names of the schema. The spaces of protojson are
// at random.
func compact(message proto.Message) ([]byte, error) {
	text, err := protojson.MarshalOptions{UseProtoNames: true}.Marshal(message)
	if err != nil {
		return nil, err
	}
	var line bytes.Buffer
	if err := json.Compact(&line, text); err != nil {
		return nil, err
	}
	return line.Bytes(), nil
}

// asYAML writes JSON as YAML, in the same order: JSON is YAML, in another style.
func asYAML(w io.Writer, text []byte) error {
	var node yaml.Node
	if err := yaml.Unmarshal(text, &node); err != nil {
		return err
	}
	inBlocks(&node)
	encoder := yaml.NewEncoder(w)
	encoder.SetIndent(2)
	if err := encoder.Encode(&node); err != nil {
		return err
	}
	return encoder.Close()
}

// inBlocks takes the style of JSON from a tree, and the quotes from texts that need none.
func inBlocks(node *yaml.Node) {
	node.Style &^= yaml.FlowStyle
	if node.Kind == yaml.ScalarNode && node.Tag == "!!str" && !olderBool(node.Value) {
		node.Style = 0 // The encoder quotes what would be read as something else.
	}
	for _, child := range node.Content {
		inBlocks(child)
	}
}

// olderBool says whether a text is a bool for readers of YAML 1.1, which there still are.
func olderBool(text string) bool {
	switch strings.ToLower(text) {
	case "y", "yes", "on", "n", "no", "off":
		return true
	}
	return false
}
