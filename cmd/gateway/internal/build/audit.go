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
	"github.com/admin-gateway/admin-gateway/service/recent"
	"github.com/admin-gateway/admin-gateway/service/record"
)

// auditLog is the audit log, with the lifetime of the gateway.
type auditLog struct {
	*audit.Log

	// recent has the last records in memory; nil: none.
	recent *recent.Memory
	// all says that no call is answered whose record cannot be written.
	all bool
	// flush bounds the time for the last records.
	flush time.Duration
	// reopen receives a signal after the file was rotated. A nil channel never does.
	reopen <-chan os.Signal
	logger *slog.Logger
}

func openAudit(opened *closers, conf config.Config, stdout io.Writer, reopen <-chan os.Signal, logger *slog.Logger) (*auditLog, error) {
	options := audit.Options{Path: conf.Audit.Path, Sync: conf.Audit.Sync, Stdout: stdout, Logger: logger}
	var memory *recent.Memory
	if conf.Audit.Memory > 0 {
		memory = recent.New(recent.Options{Bytes: int(conf.Audit.Memory), Slow: conf.Log.Slow})
		options.Memory = memory
	}
	log, err := audit.Open(options)
	if err != nil {
		return nil, err
	}
	_, _, flush := conf.Shutdown.Split()
	records := &auditLog{Log: log, recent: memory, all: conf.Audit.Required == config.AuditAll, flush: flush, reopen: reopen, logger: logger}
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
		newQueueCounter(l.Dropped),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "gateway_audit_up", Help: "1 while the sink of audit records takes them, 0 while it fails.",
		}, func() float64 {
			if l.Failing() != nil {
				return 0
			}
			return 1
		}),
	}
}

// queueCounter counts dropped records by queue.
type queueCounter struct {
	description *prometheus.Desc
	dropped     func() audit.Queues
}

func newQueueCounter(dropped func() audit.Queues) queueCounter {
	return queueCounter{prometheus.NewDesc(
		"gateway_audit_dropped_total", "Audit records that were dropped, because their queue was full, by queue.", []string{"queue"}, nil,
	), dropped}
}

// Describe implements [prometheus.Collector].
func (c queueCounter) Describe(descriptions chan<- *prometheus.Desc) { descriptions <- c.description }

// Collect implements [prometheus.Collector].
func (c queueCounter) Collect(metrics chan<- prometheus.Metric) {
	dropped := c.dropped()
	for queue, n := range map[string]uint64{audit.QueueCallers: dropped.Callers, audit.QueueStrangers: dropped.Strangers} {
		metrics <- prometheus.MustNewConstMetric(c.description, prometheus.CounterValue, float64(n), queue)
	}
}

// condition is for readiness: why the log is not as it should be, "" when it is, and
// whether calls are answered all the same.
func (l *auditLog) condition() (reason string, degraded bool) {
	if l.Failing() == nil {
		return "", false
	}
	return "audit records cannot be written; the log says why", !l.all
}

// required is the configuration's word for the recorder.
func required(r config.AuditRequired) record.Required {
	switch r {
	case config.AuditWrites:
		return record.RequireWrites
	case config.AuditSensitive:
		return record.RequireSensitive
	case config.AuditAll:
		return record.RequireAll
	case config.AuditNothing:
	}
	return record.RequireNothing
}

// FingerprintKey reads the key of requests' fingerprints; the zero value where none is
// configured.
func FingerprintKey(ctx context.Context, conf config.Audit, logger *slog.Logger) (record.Key, error) {
	if conf.HMACKey == (config.SecretRef{}) {
		return record.Key{}, nil
	}
	raw, err := encryptionKeys(ctx, []config.SecretRef{conf.HMACKey}, logger)
	if err != nil {
		return record.Key{}, config.AtKey("audit.hmac_key", err)
	}
	key, err := record.NewKey(raw[0])
	if err != nil {
		return record.Key{}, config.AtKey("audit.hmac_key", err)
	}
	return key, nil
}

// origins says which proxies records believe.
func origins(conf config.Audit) (record.Origins, error) {
	trusted, err := conf.Proxies()
	return record.Origins{Trusted: trusted, Header: conf.ForwardedHeader.String()}, err
}
