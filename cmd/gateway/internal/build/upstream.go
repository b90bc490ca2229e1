package build

import (
	"log/slog"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/admin-gateway/admin-gateway/cmd/gateway/internal/config"
	"github.com/admin-gateway/admin-gateway/internal/telemetry"
	"github.com/admin-gateway/admin-gateway/service/pacing"
	"github.com/admin-gateway/admin-gateway/upstream"
)

// openUpstream makes the client of the Admin API, and the sender that paces and
// retries its calls.
func openUpstream(opened *closers, conf config.Config, key upstream.KeySource, catalog *Catalog, spending *budget, exports *telemetryExport, registry prometheus.Registerer, logger *slog.Logger) (*upstream.Sender, error) {
	counters, tracer := telemetry.NewUpstream(registry), exports.Tracer()
	client, err := upstream.New(upstream.Config{
		BaseURL: conf.Upstream.BaseURL, Key: key, Attempts: counters, Tracer: tracer, SendTraceparent: conf.Telemetry.SendTraceparent, Logger: logger,
	})
	if err != nil {
		return nil, config.AtKey("upstream", err)
	}
	opened.add(client)
	sender, err := upstream.NewSender(upstream.SenderOptions{
		Client: client, Pacer: pacing.Accounted(upstream.PacedBy(spending.Pacer)), Bucket: catalog.BudgetOf, Metrics: counters, Tracer: tracer, Logger: logger,
	})
	if err != nil {
		return nil, config.AtKey("upstream", err)
	}
	return sender, nil
}
