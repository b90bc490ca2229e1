package telemetry_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	adminv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/admin/v1"
	"github.com/admin-gateway/admin-gateway/internal/telemetry"
	"github.com/admin-gateway/admin-gateway/upstream"
)

// shown are the values of a metric by its labels.
func shown(t *testing.T, registry *prometheus.Registry, name string) map[string]float64 {
	t.Helper()
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	values := map[string]float64{}
	for _, family := range families {
		if family.GetName() != name {
			continue
		}
		for _, m := range family.GetMetric() {
			var labels []string
			for _, l := range m.GetLabel() {
				labels = append(labels, l.GetName()+"="+l.GetValue())
			}
			values[strings.Join(labels, " ")] = m.GetCounter().GetValue() + m.GetGauge().GetValue() + float64(m.GetHistogram().GetSampleCount())
		}
	}
	return values
}

func TestUpstreamMetrics(t *testing.T) {
	t.Parallel()
	e, err := upstream.Compile(adminv1.File_admingateway_admin_v1_project_proto.Services().ByName("ProjectService").Methods().ByName("GetProject"), nil)
	if err != nil {
		t.Fatal(err)
	}
	registry := prometheus.NewRegistry()
	u := telemetry.NewUpstream(registry)
	for _, status := range []int{0, 100, 200, 204, 302, 404, 503, 999, -1} {
		u.Began()
		u.Ended(e, status, time.Second)
	}
	u.Began()
	const route = "endpoint=GET /organization/projects/{project_id} status="
	want := map[string]float64{route + "none": 2, route + "1xx": 1, route + "2xx": 2, route + "3xx": 1, route + "4xx": 1, route + "5xx": 1, route + "other": 1}
	if got := shown(t, registry, "gateway_upstream_attempt_duration_seconds"); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("attempts %v, want %v", got, want)
	}
	if got := shown(t, registry, "gateway_upstream_attempts_in_flight")[""]; got != 1 {
		t.Errorf("%v under way", got)
	}
}

// What is alerted on is there before it happens, and the breaker is in one state.
func TestSendMetrics(t *testing.T) {
	t.Parallel()
	registry := prometheus.NewRegistry()
	u := telemetry.NewUpstream(registry)
	for name, want := range map[string]int{"gateway_upstream_results_total": 10, "gateway_upstream_retries_total": 4, "gateway_upstream_retries_refused_total": 3} {
		if got := shown(t, registry, name); len(got) != want {
			t.Errorf("%s has %v at the start, want %d", name, got, want)
		}
	}
	u.Attempt(upstream.CredentialRejected.String())
	u.Retry(upstream.RetryConnection)
	u.RetryRefused(upstream.RefusedByBudget)
	for _, state := range []upstream.BreakerState{upstream.BreakerClosed, upstream.BreakerOpen, upstream.BreakerHalfOpen} {
		u.Breaker(state)
		for label, value := range shown(t, registry, "gateway_upstream_breaker_state") {
			if (value == 1) != (label == "state="+string(state)) {
				t.Errorf("in state %s, %s is %v", state, label, value)
			}
		}
	}
	for name, label := range map[string]string{
		"gateway_upstream_results_total": "result=CREDENTIAL_REJECTED", "gateway_upstream_retries_total": "reason=CONNECTION", "gateway_upstream_retries_refused_total": "by=BUDGET",
	} {
		if got := shown(t, registry, name); got[label] != 1 {
			t.Errorf("%s is %v", name, got)
		}
	}
}
