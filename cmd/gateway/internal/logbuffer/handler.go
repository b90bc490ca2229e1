package logbuffer

import (
	"context"
	"log/slog"
)

// Handler returns a handler that formats records where they are made, and puts the
// lines into the buffer. It never fails and never waits for the output.
func (b *Buffer) Handler() slog.Handler {
	return handler{lines: b.format(lines{b, false}), errors: b.format(lines{b, true})}
}

// handler has a handler for errors, whose lines have room of their own, and one for all
// others.
type handler struct{ lines, errors slog.Handler }

// Enabled implements [slog.Handler].
func (h handler) Enabled(ctx context.Context, level slog.Level) bool {
	return h.lines.Enabled(ctx, level)
}

// Handle implements [slog.Handler].
func (h handler) Handle(ctx context.Context, record slog.Record) error {
	if record.Level >= slog.LevelError {
		return h.errors.Handle(ctx, record)
	}
	return h.lines.Handle(ctx, record)
}

// WithAttrs implements [slog.Handler].
func (h handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return handler{h.lines.WithAttrs(attrs), h.errors.WithAttrs(attrs)}
}

// WithGroup implements [slog.Handler].
func (h handler) WithGroup(name string) slog.Handler {
	return handler{h.lines.WithGroup(name), h.errors.WithGroup(name)}
}

// lines is the end of a handler: each Write is a line.
type lines struct {
	buffer  *Buffer
	isError bool
}

// Write implements [io.Writer].
func (l lines) Write(line []byte) (int, error) {
	l.buffer.put(line, l.isError)
	return len(line), nil
}
