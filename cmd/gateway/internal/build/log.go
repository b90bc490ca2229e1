package build

import (
	"context"
	"io"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/admin-gateway/admin-gateway/cmd/gateway/internal/config"
	"github.com/admin-gateway/admin-gateway/cmd/gateway/internal/logbuffer"
	"github.com/admin-gateway/admin-gateway/service/accounting"
	"github.com/admin-gateway/admin-gateway/service/observe"
)

// logFlush bounds the time for the last lines of the log.
const logFlush = time.Second

// Log is the log of the process: JSON lines, with the ids of the call in each, behind a
// buffer. It must be closed last.
type Log struct {
	*slog.Logger

	// Level can be changed at any time.
	Level  *slog.LevelVar
	buffer *logbuffer.Buffer
}

// OpenLog returns a log that writes to w. Nothing that logs ever waits for w.
func OpenLog(w io.Writer, c config.Log) *Log {
	level := new(slog.LevelVar)
	level.Set(slog.Level(c.Level))
	buffer := logbuffer.Open(logbuffer.Options{
		Out: w, Format: func(w io.Writer) slog.Handler {
			return slog.NewJSONHandler(w, &slog.HandlerOptions{Level: level, ReplaceAttr: seconds})
		},
	})
	return &Log{slog.New(accounting.NewLogHandler(buffer.Handler())), level, buffer}
}

// seconds writes a duration as a number of seconds, which its key says: a number of
// nanoseconds is not for people, and a text such as 1m30s not for programs.
func seconds(_ []string, a slog.Attr) slog.Attr {
	if a.Value.Kind() != slog.KindDuration {
		return a
	}
	return slog.Float64(a.Key+"_seconds", a.Value.Duration().Seconds())
}

// Flush waits until what was logged is written, or ctx ends.
func (l *Log) Flush(ctx context.Context) { l.buffer.Flush(ctx) }

// Close writes the last lines, and waits for a reader that does not read them for a
// second.
func (l *Log) Close() {
	ctx, cancel := context.WithTimeout(context.Background(), logFlush)
	defer cancel()
	l.buffer.Close(ctx)
}

// collectors implements measured. A log of another kind has none.
func (l *Log) collectors() []prometheus.Collector {
	if l == nil {
		return nil
	}
	return []prometheus.Collector{
		newCounter("gateway_log_dropped_total", "Lines of the log that were dropped, because their reader was too slow or gone.", l.buffer.Dropped),
	}
}

// lines is the configuration's word for the server.
func lines(c config.Log) observe.Lines {
	calls := observe.FailedCalls
	switch c.Calls {
	case config.LogAll:
		calls = observe.AllCalls
	case config.LogNone:
		calls = observe.NoCalls
	case config.LogFailed:
	}
	return observe.Lines{Calls: calls, Slow: c.Slow}
}
