package build

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// TestDebugIsLocal: other machines cannot profile the process or change its level.
func TestDebugIsLocal(t *testing.T) {
	t.Parallel()
	paths := []string{"/debug/pprof/", "/debug/pprof/heap", "/debug/pprof/cmdline", "/debug/pprof/symbol", "/debug/pprof/trace?seconds=0", "/loglevel"}
	mux := http.NewServeMux()
	level := new(slog.LevelVar)
	mountDebug(mux, level, nil)
	for _, from := range []string{"192.0.2.1:1234", "[2001:db8::1]:1234", "nobody", ""} {
		for _, path := range append(paths, "/debug/pprof/profile?seconds=1") {
			method := http.MethodGet
			if path == "/loglevel" {
				method = http.MethodPut
			}
			r, w := httptest.NewRequestWithContext(t.Context(), method, path, strings.NewReader("debug")), httptest.NewRecorder()
			r.RemoteAddr = from
			mux.ServeHTTP(w, r)
			if w.Code != http.StatusForbidden || level.Level() != 0 {
				t.Errorf("%s from %q: %d, level %s", path, from, w.Code, level.Level())
			}
		}
	}
}
