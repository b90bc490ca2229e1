package accounting

import (
	"context"
	"log/slog"
)

// NewLogHandler returns a handler that adds the call to every record: its
// request_id, and its trace_id if it is part of a trace. Records that belong to
// no call stay as they are. A handler that it made before is returned as it is.
func NewLogHandler(next slog.Handler) slog.Handler {
	if _, ok := next.(*logHandler); ok {
		return next
	}
	return &logHandler{next}
}

// Logger is a logger through such a handler; nil discards.
func Logger(logger *slog.Logger) *slog.Logger {
	if logger == nil {
		return slog.New(slog.DiscardHandler)
	}
	return slog.New(NewLogHandler(logger.Handler()))
}

type logHandler struct{ slog.Handler }

// Handle implements [slog.Handler].
func (h *logHandler) Handle(ctx context.Context, record slog.Record) error {
	c, ok := ctx.Value(contextKey{}).(*Call)
	if !ok {
		return h.Handler.Handle(ctx, record)
	}
	record = record.Clone() // Another handler may hold the same record.
	record.AddAttrs(slog.String("request_id", c.ID))
	if c.TraceID != "" {
		record.AddAttrs(slog.String("trace_id", c.TraceID))
	}
	return h.Handler.Handle(ctx, record)
}

// WithAttrs implements [slog.Handler].
func (h *logHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return &logHandler{h.Handler.WithAttrs(attrs)}
}

// WithGroup implements [slog.Handler].
func (h *logHandler) WithGroup(name string) slog.Handler {
	return &logHandler{h.Handler.WithGroup(name)}
}
