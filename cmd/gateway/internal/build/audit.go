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

// auditLog is the audit log of a gateway.
type auditLog struct {
	*audit.Log

	// flush is how long the last records may take.
	flush time.Duration
	// reopen asks for the file to be opened again; nil never does.
	reopen <-chan os.Signal
	logger *slog.Logger
}

func openAudit(opened *closers, conf config.Config, stdout io.Writer, reopen <-chan os.Signal, logger *slog.Logger) (*auditLog, error) {
	log, err := audit.Open(audit.Options{Path: conf.Audit.Path, Stdout: stdout, Logger: logger})
	if err != nil {
		return nil, err
	}
	_, flush := conf.Shutdown.Split()
	records := &auditLog{Log: log, flush: flush, reopen: reopen, logger: logger}
	opened.addWriter(records)
	return records, nil
}

// Run opens the file again when it is asked to, until ctx ends: whoever rotates
// the file moves it away and sends a signal.
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

// Close writes the records that the last calls left.
func (l *auditLog) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), l.flush)
	defer cancel()
	return l.Log.Close(ctx)
}

func (l *auditLog) collectors() []prometheus.Collector {
	return []prometheus.Collector{
		newCounter("gateway_audit_written_total", "Audit records that were kept.", l.Written),
		newCounter("gateway_audit_failed_total", "Audit records that could not be written.", l.Failed),
		newCounter("gateway_audit_dropped_total", "Audit records for which there was no room.", l.Dropped),
	}
}
