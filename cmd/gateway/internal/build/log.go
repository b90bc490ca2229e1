package build

import (
	"io"
	"log/slog"

	"github.com/admin-gateway/admin-gateway/cmd/gateway/internal/config"
	"github.com/admin-gateway/admin-gateway/service"
)

// NewLogger writes JSON, a line an event, with the ids of the call that an event
// belongs to. The level can be changed while the gateway runs.
func NewLogger(w io.Writer, c config.Log) (*slog.Logger, *slog.LevelVar) {
	level := new(slog.LevelVar)
	level.Set(slog.Level(c.Level))
	return slog.New(service.NewLogHandler(slog.NewJSONHandler(w, &slog.HandlerOptions{Level: level}))), level
}
