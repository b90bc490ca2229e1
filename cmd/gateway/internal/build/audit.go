package build

import (
	"context"
	"io"
	"log/slog"
	"os"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/admin-gateway/admin-gateway/cmd/gateway/internal/config"
	"github.com/admin-gateway/admin-gateway/service/audit"
)

// auditLog is the audit log, with the lifetime of the gateway.
type auditLog struct {
	*audit.Log

	// flush bounds the time for the last records.
	flush time.Duration
	// reopen receives a signal after the file was rotated. A nil channel never does.
	reopen <-chan os.Signal
	logger *slog.Logger
}

func openAudit(opened *closers, conf config.Config, stdout io.Writer, reopen <-chan os.Signal, logger *slog.Logger) (*auditLog, error) {
	log, err := audit.Open(audit.Options{Path: conf.Audit.Path, Stdout: stdout, Logger: logger})
	if err != nil {
		return nil, err
	}
	_, _, flush := conf.Shutdown.Split()
	records := &auditLog{Log: log, flush: flush, reopen: reopen, logger: logger}
	opened.addWriter(records)
	return records, nil
}

// Run reopens the file after each rotation, until ctx ends.
func (l *auditLog) Run(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-l.reopen:
			if err := l.Reopen(); err != nil {
				l.logger.ErrorContext(ctx, "the audit file cannot be opened again; the old one stays in use", "error", err.Error())
			}
		}
	}
}

// Close flushes the records of the last calls.
func (l *auditLog) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), l.flush)
	defer cancel()
	return l.Log.Close(ctx)
}

func (l *auditLog) collectors() []prometheus.Collector {
	return []prometheus.Collector{
		newCounter("gateway_audit_written_total", "Audit records that were written.", l.Written),
		newCounter("gateway_audit_failed_total", "Audit records that could not be written.", l.Failed),
		newCounter("gateway_audit_dropped_total", "Audit records that were dropped, because the queue was full.", l.Dropped),
	}
}
