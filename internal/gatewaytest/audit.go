package gatewaytest

import (
	"bytes"
	"context"
	"encoding/json"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/admin-gateway/admin-gateway/service/audit"
	"github.com/admin-gateway/admin-gateway/service/recent"
)

// Records is an audit log in memory.
type Records struct {
	// Fail makes Write fail with its error; nil fails nothing. It is set while no
	// call is under way.
	Fail func(*audit.Record) error

	remembered *recent.Memory

	mu      sync.Mutex
	records []audit.Record
}

// Write implements record.Log.
func (r *Records) Write(_ context.Context, record *audit.Record) error {
	if r.Fail != nil {
		if err := r.Fail(record); err != nil {
			return err
		}
	}
	r.Offer(record)
	return nil
}

// Offer implements record.Log.
func (r *Records) Offer(record *audit.Record) {
	if r.remembered != nil {
		lines, _ := record.AppendLines(nil)
		r.remembered.Keep(record, lines)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.records = append(r.records, *record)
}

// All are the records so far, in the order in which they were written.
func (r *Records) All() []audit.Record {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]audit.Record(nil), r.records...)
}

// Calls are those of calls that have ended.
func (r *Records) Calls() []audit.Record {
	return slices.DeleteFunc(r.All(), func(r audit.Record) bool { return r.Event != audit.EventCall })
}

// Last is the last of them.
func (r *Records) Last() audit.Record {
	all := r.All()
	return all[len(all)-1]
}

// Logs collects the lines of a log in JSON.
type Logs struct {
	mu  sync.Mutex
	out bytes.Buffer
}

// Write implements [io.Writer].
func (l *Logs) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.out.Write(p)
}

// Text is the whole log so far.
func (l *Logs) Text() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.out.String()
}

// Of are the lines with a message.
func (l *Logs) Of(t *testing.T, message string) []map[string]any {
	t.Helper()
	var found []map[string]any
	for text := range strings.Lines(l.Text()) {
		var line map[string]any
		if err := json.Unmarshal([]byte(text), &line); err != nil {
			t.Fatalf("log line %q: %v", text, err)
		}
		if line["msg"] == message {
			found = append(found, line)
		}
	}
	return found
}
