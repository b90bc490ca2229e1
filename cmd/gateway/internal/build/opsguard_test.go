package build

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
)

// opsRequest makes a request of this machine, and returns the answer.
func opsRequest(t *testing.T, handler http.Handler, method, path, host string, header map[string]string) *httptest.ResponseRecorder {
	t.Helper()
	r, w := httptest.NewRequestWithContext(t.Context(), method, path, strings.NewReader("debug")), httptest.NewRecorder()
	r.Host, r.RemoteAddr = host, "127.0.0.1:1234"
	for name, value := range header {
		r.Header.Set(name, value)
	}
	handler.ServeHTTP(w, r)
	return w
}

func newOpsHandler(listen string, level *slog.LevelVar) http.Handler {
	return opsHandler(listen, prometheus.NewRegistry(), http.HandlerFunc(ok), level, slog.New(slog.DiscardHandler))
}

// TestPagesOfOthersReachNoOperator: a page that a browser on this machine shows, under
// whatever name it makes resolve to it, neither changes the log's level nor profiles.
func TestPagesOfOthersReachNoOperator(t *testing.T) {
	t.Parallel()
	level := new(slog.LevelVar)
	handler := newOpsHandler("10.1.2.3:8081", level)
	for name, test := range map[string]struct {
		host   string
		header map[string]string
	}{
		"rebound name":        {"attacker.example:8081", nil},
		"name like localhost": {"localhost.attacker.example:8081", nil},
		"another address":     {"192.0.2.1:8081", nil},
		"no host":             {"", nil},
		"cross-site":          {"localhost:8081", map[string]string{"Sec-Fetch-Site": "cross-site"}},
		"another port":        {"localhost:8081", map[string]string{"Sec-Fetch-Site": "same-site"}},
		"origin":              {"localhost:8081", map[string]string{"Origin": "https://attacker.example"}},
		"origin of a port":    {"localhost:8081", map[string]string{"Origin": "http://localhost:3000"}},
		"opaque origin":       {"127.0.0.1:8081", map[string]string{"Origin": "null"}},
	} {
		for path, method := range map[string]string{"/loglevel": http.MethodPut, "/debug/pprof/": http.MethodGet, "/debug/pprof/symbol": http.MethodPost, "/nothing": http.MethodGet} {
			if got := opsRequest(t, handler, method, path, test.host, test.header); got.Code != http.StatusForbidden || level.Level() != slog.LevelInfo {
				t.Errorf("%s, %s: %d, level %s", name, path, got.Code, level.Level())
			}
		}
		for _, path := range []string{healthPath, readyPath, metricsPath} {
			if got := opsRequest(t, handler, http.MethodGet, path, test.host, test.header); got.Code != http.StatusOK {
				t.Errorf("%s, %s: %d", name, path, got.Code)
			}
		}
	}
}

// TestUnspecifiedIsNoName: a port on all addresses is not known as one of them.
func TestUnspecifiedIsNoName(t *testing.T) {
	t.Parallel()
	for _, listen := range []string{"0.0.0.0:8081", "[::]:8081", ":8081"} {
		host, _, _ := strings.Cut(listen, ":8081")
		if got := opsRequest(t, newOpsHandler(listen, new(slog.LevelVar)), http.MethodPut, "/loglevel", host, nil); got.Code != http.StatusForbidden {
			t.Errorf("%q at %s: %d", host, listen, got.Code)
		}
	}
}

// TestOperatorsReachTheirPort under the names that a machine has for itself.
func TestOperatorsReachTheirPort(t *testing.T) {
	t.Parallel()
	for _, host := range []string{"localhost", "localhost:8081", "127.0.0.1:9", "[::1]:8081", "[::1]", "10.1.2.3:8081", "10.1.2.3"} {
		for name, header := range map[string]map[string]string{
			"curl": nil, "typed": {"Sec-Fetch-Site": "none"}, "own page": {"Sec-Fetch-Site": "same-origin", "Origin": "http://" + host},
		} {
			level := new(slog.LevelVar)
			handler := newOpsHandler("10.1.2.3:8081", level)
			if got := opsRequest(t, handler, http.MethodPut, "/loglevel", host, header); got.Code != http.StatusOK || level.Level() != slog.LevelDebug {
				t.Errorf("%s at %s: %d, level %s", name, host, got.Code, level.Level())
			}
		}
	}
}

// TestNothingStoresAnswersToOperators: every answer says so, errors of the mux included.
func TestNothingStoresAnswersToOperators(t *testing.T) {
	t.Parallel()
	handler := newOpsHandler("127.0.0.1:8081", new(slog.LevelVar))
	for path, method := range map[string]string{
		healthPath: http.MethodGet, readyPath: http.MethodGet, metricsPath: http.MethodGet, "/loglevel": http.MethodGet,
		"/debug/pprof/": http.MethodGet, "/nothing": http.MethodGet, "/debug/pprof/cmdline": http.MethodDelete,
	} {
		for _, host := range []string{"localhost", "attacker.example"} {
			if got := opsRequest(t, handler, method, path, host, nil).Header().Values("Cache-Control"); len(got) != 1 || got[0] != "no-store" {
				t.Errorf("%s at %s: %q", path, host, got)
			}
		}
	}
}
