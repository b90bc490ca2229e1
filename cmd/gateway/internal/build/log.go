package build

import (
	"io"
	"log/slog"

	"github.com/admin-gateway/admin-gateway/cmd/gateway/internal/config"
	"github.com/admin-gateway/admin-gateway/service/accounting"
)

// NewLogger returns a logger that writes JSON lines, with the ids of the call in
// each. The level can be changed at any time.
func NewLogger(w io.Writer, c config.Log) (*slog.Logger, *slog.LevelVar) {
	level := new(slog.LevelVar)
	level.Set(slog.Level(c.Level))
	return slog.New(accounting.NewLogHandler(slog.NewJSONHandler(w, &slog.HandlerOptions{Level: level}))), level
}
