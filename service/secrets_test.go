package service_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"connectrpc.com/connect/v2"
	"connectrpc.com/connect/v2/connecthttp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	bridge "go.opentelemetry.io/contrib/bridges/prometheus"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/admin-gateway/admin-gateway/internal/admissiontest"
	"github.com/admin-gateway/admin-gateway/internal/gatewaytest"
	"github.com/admin-gateway/admin-gateway/internal/racing"
	"github.com/admin-gateway/admin-gateway/sandbox"
)

// TestSecretsAreHidden makes every call with and without faults, and as callers
// that are not allowed to, and looks for the admin key, the callers' tokens and every created
// key in all that the gateway says: its log, its metrics, its spans, its audit log
// and its errors, and every answer but the one that shows the key.
func TestSecretsAreHidden(t *testing.T) {
	t.Parallel()
	gw := newTourGateway(t, sandbox.Options{})
	w := newTourValues(t)
	secrets := []string{sandbox.DefaultAdminKey} // which the upstream knows
	var told strings.Builder
	for _, s := range readTour(t, gw.Catalog) {
		request, response := s.message(t, w), s.method.Response.New().Interface()
		if err := gw.call(t.Context(), doors[1], s.method, request, response); err != nil {
			t.Fatalf("%s: %v", s.method.ShortName(), err)
		}
		s.learn(t, w, response)
		if s.method.Secret {
			said := gw.Sandbox.Last()
			secrets = append(secrets, valuesOf(decodeJSON(t, said.Body))...)
			continue
		}
		text, err := protojson.Marshal(response)
		if err != nil {
			t.Fatal(err)
		}
		told.Write(text)
	}
	if len(secrets) < 4 {
		t.Fatalf("only %d secrets to look for", len(secrets))
	}
	for i, fault := range []sandbox.Fault{
		{Kind: sandbox.Refuse, Status: 401, Message: "Incorrect API key provided: " + sandbox.DefaultAdminKey},
		{Kind: sandbox.Refuse, Status: 400, Message: "bad key " + strings.Join(secrets, " ")},
		{Kind: sandbox.Refuse, Status: 500, Message: "oops " + sandbox.DefaultAdminKey},
		{Kind: sandbox.Redirect, Location: "https://elsewhere.example/?key=" + sandbox.DefaultAdminKey},
		{Kind: sandbox.Lost}, {Kind: sandbox.Cut}, {Kind: sandbox.HTML}, {Kind: sandbox.WrongType, Variant: "members"},
	} {
		fault.Op = "*"
		remove := gw.Sandbox.Inject(fault)
		for n, s := range readTour(t, gw.Catalog) {
			if every := racing.Of(1, 4); (n+i)%every != 0 {
				continue // With the race detector, each call meets two of the faults.
			}
			err := gw.call(t.Context(), doors[1], s.method, s.message(t, w), s.method.Response.New().Interface())
			if err == nil {
				continue // Some answers survive members of another type.
			}
			told.WriteString(everything(err))
			told.WriteString(everything(gatewaytest.As("unknown", connecthttp.NewTransport(gw.HTTPS().Client, gw.HTTPS().URL)).
				CallUnary(t.Context(), s.method.Spec(), s.message(t, w), s.method.Response.New().Interface())))
		}
		remove()
	}
	told.WriteString(gw.written(t))
	wantHidden(t, told.String(), secrets)
}

// hides makes a call that is refused, and looks for the keys that were created through a
// door, and for those of the gateway and its callers, in all that the gateway wrote.
func (gw *tourGateway) hides(t *testing.T, d gatewaytest.Door, created []string) {
	t.Helper()
	if len(created) < 3 {
		t.Errorf("only %d created keys to look for", len(created))
	}
	s := readTour(t, gw.Catalog)[0]
	if err := gatewaytest.As("unknown", gw.Transport(d)).CallUnary(t.Context(), s.method.Spec(), s.method.Request.New().Interface(), s.method.Response.New().Interface()); connect.CodeOf(err) != connect.CodeUnauthenticated {
		t.Errorf("a caller without a credential got %v", err)
	}
	wantHidden(t, gw.written(t), append(created, sandbox.DefaultAdminKey))
}

// wantHidden looks for secrets, and for the tokens of the callers, in what was told.
func wantHidden(t *testing.T, told string, secrets []string) {
	t.Helper()
	for _, secret := range append(secrets, admissiontest.TokenOf("root"), admissiontest.TokenOf("unknown")) {
		if at := strings.Index(told, secret); at >= 0 {
			t.Errorf("%.8s… was shown: %s", secret, told[max(0, at-200):min(len(told), at+100)])
		}
	}
}

// written is the log, the audit log, the metrics and the spans of the gateway.
func (gw *tourGateway) written(t *testing.T) string {
	t.Helper()
	if err := gw.AuditFile.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	lines, err := os.ReadFile(gw.AuditFile.Path)
	if err != nil {
		t.Fatal(err)
	}
	metrics := httptest.NewRecorder()
	promhttp.HandlerFor(gw.Metrics, promhttp.HandlerOpts{}).ServeHTTP(metrics, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/metrics", nil))
	spans := fmt.Sprintf("%+v", gw.Spans.GetSpans())
	exported := exportedMetrics(t, gw.Metrics)
	for what, text := range map[string]string{
		"log": gw.Logs.Text(), "audit log": string(lines), "metrics": metrics.Body.String(), "exported metrics": exported, "spans": spans,
	} {
		if !strings.Contains(text, "unauthenticated") {
			t.Errorf("the %s says nothing of the unauthenticated calls: %.300s", what, text)
		}
	}
	return gw.Logs.Text() + string(lines) + metrics.Body.String() + exported + spans
}

// exportedMetrics are the metrics as they leave over OTLP.
func exportedMetrics(t *testing.T, registry *prometheus.Registry) string {
	t.Helper()
	reader := metric.NewManualReader(metric.WithProducer(bridge.NewMetricProducer(bridge.WithGatherer(registry))))
	provider := metric.NewMeterProvider(metric.WithReader(reader))
	defer func() {
		if err := provider.Shutdown(t.Context()); err != nil {
			t.Error(err)
		}
	}()
	var all metricdata.ResourceMetrics
	if err := reader.Collect(t.Context(), &all); err != nil {
		t.Fatal(err)
	}
	return attributesOf(all)
}

// attributesOf is what metrics say in words: their names and their attributes.
func attributesOf(all metricdata.ResourceMetrics) string {
	var said strings.Builder
	for _, scope := range all.ScopeMetrics {
		for _, m := range scope.Metrics {
			fmt.Fprintf(&said, "%s %s", m.Name, m.Description)
			switch data := m.Data.(type) {
			case metricdata.Sum[float64]:
				for _, p := range data.DataPoints {
					said.WriteString(" " + p.Attributes.Encoded(attribute.DefaultEncoder()))
				}
			case metricdata.Gauge[float64]:
				for _, p := range data.DataPoints {
					said.WriteString(" " + p.Attributes.Encoded(attribute.DefaultEncoder()))
				}
			case metricdata.Histogram[float64]:
				for _, p := range data.DataPoints {
					said.WriteString(" " + p.Attributes.Encoded(attribute.DefaultEncoder()))
				}
			default:
				fmt.Fprintf(&said, "%+v", data)
			}
			said.WriteByte('\n')
		}
	}
	return said.String()
}

// valuesOf finds the members that hold a key.
func valuesOf(v any) []string {
	var found []string
	object, _ := v.(map[string]any)
	for name, member := range object {
		if text, ok := member.(string); ok && name == "value" {
			found = append(found, text)
		}
		found = append(found, valuesOf(member)...)
	}
	return found
}
