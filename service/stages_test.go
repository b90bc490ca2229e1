package service_test

import (
	"bytes"
	"context"
	"runtime"
	"runtime/pprof"
	"strings"
	"testing"
	"time"

	"github.com/admin-gateway/admin-gateway/internal/gatewaytest"
	"github.com/admin-gateway/admin-gateway/service"
	"github.com/admin-gateway/admin-gateway/upstream"
)

// stagesOf counts what gateway_stage_seconds has of each stage; nil without the metric.
func stagesOf(t *testing.T, g *gatewaytest.Gateway) map[string]uint64 {
	t.Helper()
	families, err := g.Metrics.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, family := range families {
		if family.GetName() != "gateway_stage_seconds" {
			continue
		}
		counts := make(map[string]uint64)
		for _, m := range family.GetMetric() {
			if labels := m.GetLabel(); len(labels) != 1 || labels[0].GetName() != "stage" {
				t.Fatalf("labels %v", labels)
			}
			counts[m.GetLabel()[0].GetValue()] = m.GetHistogram().GetSampleCount()
		}
		return counts
	}
	return nil
}

// labels are the labels of all goroutines.
func labels(t *testing.T) string {
	t.Helper()
	var profile bytes.Buffer
	if err := pprof.Lookup("goroutine").WriteTo(&profile, 1); err != nil {
		t.Error(err)
	}
	var all strings.Builder
	for line := range strings.Lines(profile.String()) {
		if strings.HasPrefix(line, "# labels:") {
			all.WriteString(line)
		}
	}
	return all.String()
}

// TestStages: with the option each stage of a call is counted once, and a profile says
// which RPC and stage a goroutine is in; without it neither is there. Spans are there
// both times.
//
//nolint:paralleltest // Profiles are about all goroutines of the process.
func TestStages(t *testing.T) {
	const rpc, inSend = `"method":"admingateway.admin.v1.ProjectService/ListProjects"`, `"stage":"send"`
	for _, on := range []bool{true, false} {
		var seen string
		up := gatewaytest.UpstreamFunc(func(context.Context) (*upstream.Reply, error) {
			seen = labels(t)
			return &upstream.Reply{Status: 200, Body: []byte(`{"object": "list", "data": []}`)}, nil
		})
		g := gatewaytest.New(t, gatewaytest.WithUpstream(up), gatewaytest.WithMemoryCache(), gatewaytest.WithTelemetry(),
			gatewaytest.WithOptions(func(o *service.Options) { o.Stages = on }))
		for range 2 {
			if err := listProjects(t.Context(), g.Client("root")); err != nil {
				t.Fatal(err)
			}
		}
		counts := stagesOf(t, g)
		if !on {
			if counts != nil || strings.Contains(seen, rpc) {
				t.Errorf("without the option: %v, labels %s", counts, seen)
			}
			continue
		}
		for stage, want := range map[string]uint64{
			"authenticate": 2, "authorize": 2, "cache": 2, "audit": 2, // Of both calls; the second is a hit.
			"flight": 1, "pace": 1, "send": 1, "own": 0,
		} {
			if got, ok := counts[stage]; !ok || got != want {
				t.Errorf("%s is counted %d times, want %d", stage, got, want)
			}
		}
		found := false
		for line := range strings.Lines(seen) {
			found = found || strings.Contains(line, rpc) && strings.Contains(line, inSend)
		}
		if !found {
			t.Errorf("no goroutine is in the stage: %s", seen)
		}
		// The goroutine of the flight may end behind the call.
		after := labels(t)
		for limit := time.Now().Add(10 * time.Second); strings.Contains(after, rpc) && time.Now().Before(limit); after = labels(t) {
			runtime.Gosched()
		}
		if strings.Contains(after, rpc) {
			t.Errorf("after the call there are labels: %s", after)
		}
		if len(g.Spans.GetSpans()) == 0 {
			t.Error("there are no spans")
		}
	}
}
