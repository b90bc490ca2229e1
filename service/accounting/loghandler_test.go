package accounting_test

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"testing"

	"github.com/admin-gateway/admin-gateway/service/accounting"
)

// TestLogHandlerOnce: a handler around a handler would add every attribute twice.
func TestLogHandlerOnce(t *testing.T) {
	t.Parallel()
	once := accounting.NewLogHandler(slog.NewJSONHandler(new(bytes.Buffer), nil))
	if accounting.NewLogHandler(once) != once {
		t.Error("a second handler is around the first")
	}
	lines := new(bytes.Buffer)
	grouped := slog.New(accounting.NewLogHandler(slog.NewJSONHandler(lines, nil))).WithGroup("g").With("a", 1)
	grouped.InfoContext(t.Context(), "x", "b", 2)
	var line struct{ G struct{ A, B int } }
	if err := json.Unmarshal(lines.Bytes(), &line); err != nil || line.G.A != 1 || line.G.B != 2 {
		t.Errorf("line %s, error %v", lines.String(), err)
	}
}
