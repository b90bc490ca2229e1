package audit

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	if name := os.Getenv(childVariable); name != "" {
		os.Exit(runChild(name)) //nolint:forbidigo // This process is not there to test.
	}
	goleak.VerifyTestMain(m)
}

// within is a context that ends long after whatever a test waits for.
func within(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), 30*time.Second)
	t.Cleanup(cancel)
	return ctx
}

// open opens a log that a test closes at its end, if not before.
func open(t *testing.T, options Options) *Log {
	t.Helper()
	l, err := Open(options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close(within(t)) })
	return l
}

// hasty opens a log on a path that tries to open it anew all the time.
func hasty(t *testing.T, options Options) *Log {
	t.Helper()
	l, err := start(options, &sink{path: options.Path, open: openPath, retry: time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close(within(t)) })
	return l
}

func mustClose(t *testing.T, l *Log) {
	t.Helper()
	if err := l.Close(within(t)); err != nil {
		t.Fatal(err)
	}
}

// call is a record with an id.
func call(id string) *Record { return &Record{Event: EventCall, RequestID: id, Caller: "one"} }

// ids reads lines, all of which have to be whole, and returns their ids.
func ids(t *testing.T, text []byte) []string {
	t.Helper()
	if len(text) > 0 && text[len(text)-1] != '\n' {
		t.Errorf("the last line is torn: %q", text[max(0, len(text)-80):])
	}
	var all []string
	for line := range bytes.Lines(text) {
		var r struct {
			Event     string
			RequestID string `json:"request_id"`
		}
		if err := json.Unmarshal(line, &r); err != nil {
			t.Errorf("line %q: %v", line, err)
		}
		if r.Event == EventDropped || r.Event == EventResumed {
			continue // It is about the log, and no call.
		}
		all = append(all, r.RequestID)
	}
	return all
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func tempPath(t *testing.T) string {
	t.Helper()
	return filepath.Join(t.TempDir(), "audit.log")
}
