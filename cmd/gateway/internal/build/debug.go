package build

import (
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/pprof"
	"strings"
	"time"

	"github.com/admin-gateway/admin-gateway/cmd/gateway/internal/config"
)

// maxLevelBytes bounds the body of PUT /loglevel.
const maxLevelBytes = 64

// mountDebug adds endpoints that change the process or cost it time. The operators'
// port may be open to a cluster, for its probes. These endpoints answer only on the
// machine itself, which includes `kubectl port-forward`.
func mountDebug(mux *http.ServeMux, level *slog.LevelVar, logger *slog.Logger) {
	mux.HandleFunc("GET /loglevel", func(w http.ResponseWriter, _ *http.Request) { tellLevel(w, level) })
	mux.Handle("PUT /loglevel", local(func(w http.ResponseWriter, r *http.Request) {
		text, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxLevelBytes))
		var wanted config.LogLevel
		if err != nil || wanted.UnmarshalText([]byte(strings.TrimSpace(string(text)))) != nil {
			http.Error(w, "a level is "+wanted.Form(), http.StatusBadRequest)
			return
		}
		sayAlways(r.Context(), logger, "the log level is changed", slog.String("from", level.Level().String()), slog.String("to", slog.Level(wanted).String()))
		level.Set(slog.Level(wanted))
		tellLevel(w, level)
	}))
	mux.Handle("GET /debug/pprof/", local(pprof.Index))
	mux.Handle("GET /debug/pprof/cmdline", local(pprof.Cmdline))
	mux.Handle("GET /debug/pprof/profile", local(pprof.Profile))
	mux.Handle("GET /debug/pprof/symbol", local(pprof.Symbol))
	mux.Handle("POST /debug/pprof/symbol", local(pprof.Symbol))
	mux.Handle("GET /debug/pprof/trace", local(pprof.Trace))
}

// sayAlways writes a line that is no error and has to be there at every level: it is handed
// to the handler past its level.
func sayAlways(ctx context.Context, logger *slog.Logger, message string, attrs ...slog.Attr) {
	record := slog.NewRecord(time.Now(), slog.LevelInfo, message, 0)
	record.AddAttrs(attrs...)
	_ = logger.Handler().Handle(ctx, record) // As every logger does.
}

func tellLevel(w http.ResponseWriter, level *slog.LevelVar) {
	// A client that is gone needs no answer.
	_, _ = io.WriteString(w, strings.ToLower(level.Level().String())+"\n")
}

// local refuses requests from other machines.
func local(next http.HandlerFunc) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host, _, err := net.SplitHostPort(r.RemoteAddr)
		if err != nil || !config.IsLoopback(host) {
			http.Error(w, "from a loopback address only", http.StatusForbidden)
			return
		}
		next(w, r)
	})
}
