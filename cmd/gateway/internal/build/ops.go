package build

import (
	"context"
	"crypto/tls"
	"io"
	"log/slog"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/admin-gateway/admin-gateway/cmd/gateway/internal/config"
	"github.com/admin-gateway/admin-gateway/internal/connguard"
	"github.com/admin-gateway/admin-gateway/service/httpdoor"
)

// opsHandler serves operators and their monitoring on the address listen.
func opsHandler(listen string, registry *prometheus.Registry, ready http.Handler, level *slog.LevelVar, logger *slog.Logger) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+healthPath, ok)
	mux.Handle("GET "+readyPath, ready)
	mux.Handle("GET "+metricsPath, promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
	mountDebug(mux, level, logger)
	return withoutStorage(refuseSites(mux, listen, isMonitored))
}

// Probes use these paths.
const (
	healthPath = "/healthz"
	readyPath  = "/readyz"
)

func isProbe(path string) bool { return path == healthPath || path == readyPath }

// requireCertificate refuses requests without a verified client certificate, except
// for open paths.
func requireCertificate(next http.Handler, open func(path string) bool) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !open(r.URL.Path) && !verified(r.TLS) {
			http.Error(w, "a client certificate is required", http.StatusForbidden)
			return
		}
		next.ServeHTTP(w, r)
	})
}

func verified(state *tls.ConnectionState) bool { return state != nil && len(state.VerifiedChains) > 0 }

func ok(w http.ResponseWriter, _ *http.Request) {
	// A client that is gone needs no answer.
	_, _ = io.WriteString(w, "ok\n")
}

// opsDrain bounds the requests of operators that are in flight at the end.
const opsDrain = time.Second

// openOps opens the operators' listener, which has separate certificates. It returns
// nil if the config names no address.
func openOps(ctx context.Context, opened *closers, conf config.Config, handler http.Handler, connections *connguard.Metrics, logger *slog.Logger) (*Listener, error) {
	if conf.OpsListen == "" {
		return nil, nil //nolint:nilnil // The listener is optional.
	}
	secure, err := openOpsTLS(ctx, conf.OpsTLS, logger)
	if err != nil {
		return nil, err
	}
	if conf.OpsTLS.ClientCAFile != "" {
		handler = requireCertificate(handler, isProbe)
	}
	options := httpOptions(conf.Limits, secure, opsDrain)
	options.Counters = connections.Of("ops_listen")
	l, err := Listen(ctx, conf.OpsListen, httpdoor.Open(handler), options)
	if err != nil {
		return nil, err
	}
	opened.add(l)
	return l, nil
}
