package service_test

import (
	"bytes"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/admin-gateway/admin-gateway/internal/gatewaytest"
	"github.com/admin-gateway/admin-gateway/service"
	"github.com/admin-gateway/admin-gateway/service/observe"
)

// TestStraysAreSeen: a request that is no call is counted, by a reason and not by what
// it asks for, and logged without a credential; one that is a call is neither.
func TestStraysAreSeen(t *testing.T) {
	t.Parallel()
	registry := prometheus.NewRegistry()
	var log bytes.Buffer
	strays, err := observe.NewStrays(registry, slog.New(slog.NewJSONHandler(&log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	g := gatewaytest.New(t)
	handler := service.NewHTTPHandler(g.Server, g.Catalog, service.WithStrays(strays))
	const rpc = "/admingateway.admin.v1.ProjectService/GetProject"
	send := func(method, path, kind string) {
		r := httptest.NewRequestWithContext(t.Context(), method, path, strings.NewReader("{}"))
		r.Header.Set("Content-Type", kind)
		handler.ServeHTTP(httptest.NewRecorder(), r)
	}
	send(http.MethodGet, "/favicon.ico", "")
	send("BREW", "/agw_0123456789abcdef0123456789abcdef/%0a%22x", "")
	send(http.MethodPut, rpc, "application/json")
	send(http.MethodPost, rpc, "text/plain")
	send(http.MethodPost, rpc, "application/json") // Without a credential, and a call.
	send(http.MethodGet, "/v1/nothing", "")        // The same.
	for reason, want := range map[string]float64{"path": 2, "protocol": 2} {
		if got := strayCount(t, registry, reason); got != want {
			t.Errorf("%v strays with the reason %s, want %v", got, reason, want)
		}
	}
	for _, want := range []string{`"verb":"GET","path":"/favicon.ico"`, `"verb":"other","path":"/…/__x"`, `"reason":"protocol","verb":"PUT","path":"/…/GetProject"`} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("no line with %s:\n%s", want, log.String())
		}
	}
	if strings.Contains(log.String(), "0123456789") || strings.Count(log.String(), "\n") != 4 {
		t.Errorf("the log has a credential, or not 4 lines:\n%s", log.String())
	}
	// Strangers fill no log.
	for range 10_000 {
		send(http.MethodGet, "/favicon.ico", "")
	}
	if n := strings.Count(log.String(), "\n"); n > 200 {
		t.Errorf("%d lines", n)
	}
	if got := strayCount(t, registry, "path"); got != 10_002 {
		t.Errorf("%v strays", got)
	}
}

func strayCount(t *testing.T, registry *prometheus.Registry, reason string) float64 {
	t.Helper()
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, family := range families {
		for _, m := range family.GetMetric() {
			if family.GetName() == "gateway_stray_requests_total" && m.GetLabel()[0].GetValue() == reason {
				return m.GetCounter().GetValue()
			}
		}
	}
	return -1
}
