package main

import (
	"encoding/hex"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/admin-gateway/admin-gateway/internal/otlptest"
	"github.com/admin-gateway/admin-gateway/sandbox"
)

// TestTelemetryArrives: the collector gets all spans of a call, in the trace of its
// caller, and no secret.
func TestTelemetryArrives(t *testing.T) {
	t.Parallel()
	const trace, header = "0af7651916cd43dd8448eb211c80319c", "Bearer of-the-collector"
	receiver, collector := otlptest.GRPC(t)
	s := startServed(t, `
log: {calls: all}
telemetry:
  otlp_endpoint: `+collector+`
  otlp_insecure: true
  otlp_headers: [{name: authorization, file: `+writeFile(t, "otlp", header+"\n")+`}]
  sample_ratio: 0
  service_name: gateway-of-a-test
`)
	for _, traceparent := range []string{"00-" + trace + "-b7ad6b7169203331-01", ""} {
		status, body := ask(t, http.MethodPost, s.url+"/admingateway.admin.v1.UserService/ListUsers", `{"limit": 3}`,
			"Content-Type", "application/json", "Authorization", "Bearer "+s.who.auditor, "Traceparent", traceparent)
		if status != http.StatusOK {
			t.Fatalf("%d %s", status, body)
		}
	}
	if line := s.err.line(t, s.ended, `"msg":"call"`); !strings.Contains(line, `"trace_id":"`+trace+`"`) || !strings.Contains(line, `"request_id":"req_`) {
		t.Errorf("the log says %s", line)
	}
	s.stop(t)
	spans := receiver.Names()
	for _, name := range []string{"admingateway.admin.v1.UserService/ListUsers", "authenticate", "authorize", "cache", "flight", "pace", "GET /organization/users", "audit"} {
		if spans[name] == nil || hex.EncodeToString(spans[name].GetTraceId()) != trace {
			t.Errorf("the span %q is %v", name, spans[name])
		}
	}
	for child, parent := range map[string]string{
		"authenticate": "admingateway.admin.v1.UserService/ListUsers", "authorize": "admingateway.admin.v1.UserService/ListUsers", "cache": "admingateway.admin.v1.UserService/ListUsers", "audit": "admingateway.admin.v1.UserService/ListUsers",
		"flight": "cache", "pace": "flight", "GET /organization/users": "flight",
	} {
		if string(spans[child].GetParentSpanId()) != string(spans[parent].GetSpanId()) {
			t.Errorf("%s is not below %s", child, parent)
		}
	}
	if points := receiver.Metric("gateway_call_duration_seconds").GetHistogram().GetDataPoints(); len(points) != 1 || points[0].GetCount() != 2 {
		t.Errorf("the calls are counted as %v", points)
	}
	for _, h := range receiver.Headers() {
		if fmt.Sprint(h["authorization"]) != "["+header+"]" {
			t.Errorf("an export came with %v", h["authorization"])
		}
	}
	said := fmt.Sprint(receiver.Spans(), receiver.Metrics())
	for _, secret := range []string{sandbox.DefaultAdminKey, s.who.auditor, "of-the-collector"} {
		if strings.Contains(said, secret) || strings.Contains(s.err.String(), secret) {
			t.Errorf("%.8s… was told", secret)
		}
	}
	if !strings.Contains(said, "gateway-of-a-test") {
		t.Error("nobody knows whose spans these are")
	}
}
