package audit

import (
	"bytes"
	_ "embed" // For the schema.
)

//go:embed schema.json
var schema []byte

// Schema is the JSON Schema of a line.
func Schema() []byte { return bytes.Clone(schema) }
