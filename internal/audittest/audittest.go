// Package audittest holds lines of the audit log against their JSON Schema. It is for
// tests alone.
package audittest

import (
	"bytes"
	"sync"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/admin-gateway/admin-gateway/internal/racing"
	"github.com/admin-gateway/admin-gateway/service/audit"
)

// compiled is the schema, which all tests of a process share.
//
//nolint:gochecknoglobals // A value that is computed once and never changes.
var compiled = sync.OnceValues(func() (*jsonschema.Schema, error) {
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(audit.Schema()))
	if err != nil {
		return nil, err
	}
	compiler := jsonschema.NewCompiler()
	if err := compiler.AddResource("audit.json", document); err != nil {
		return nil, err
	}
	return compiler.Compile("audit.json")
})

// spared tells whether a line of a long text, by its number, is not checked: with the race
// detector one of ten is.
func spared(n int) bool { return racing.Enabled && n > 100 && n%10 != 0 }

// Lines checks each line of a text, and that the last is whole. With the race detector, of
// a long text it checks a part.
func Lines(tb testing.TB, text []byte) {
	tb.Helper()
	schema, err := compiled()
	if err != nil {
		tb.Fatal(err)
	}
	if len(text) > 0 && text[len(text)-1] != '\n' {
		tb.Errorf("the last line of the audit log is not whole: %.200s", text[max(0, len(text)-200):])
	}
	n := 0
	for line := range bytes.Lines(text) {
		if n++; spared(n) {
			continue
		}
		document, err := jsonschema.UnmarshalJSON(bytes.NewReader(line))
		if err == nil {
			err = schema.Validate(document)
		}
		if err != nil {
			tb.Errorf("a line of the audit log: %v\n%s", err, line)
		}
	}
}

// Records checks the lines of records, as Lines does.
func Records(tb testing.TB, records []audit.Record) {
	tb.Helper()
	var text []byte
	for i := range records {
		if spared(i) {
			continue
		}
		text, _ = records[i].AppendLines(text[:0])
		Lines(tb, text)
	}
}
