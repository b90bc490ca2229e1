package service_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"connectrpc.com/connect/v2"
	"github.com/prometheus/client_golang/prometheus"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/protobuf/types/known/emptypb"

	adminv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/admin/v1"
	"github.com/admin-gateway/admin-gateway/internal/admissiontest"
	"github.com/admin-gateway/admin-gateway/internal/gatewaytest"
	"github.com/admin-gateway/admin-gateway/internal/racing"
	"github.com/admin-gateway/admin-gateway/service"
	"github.com/admin-gateway/admin-gateway/service/audit"
	"github.com/admin-gateway/admin-gateway/service/health"
	"github.com/admin-gateway/admin-gateway/upstream"
)

const (
	// strangeCalls is how many names, ids and user agents there are that nobody
	// has seen before.
	strangeCalls = 100_000
	// overHTTP of them come in by the network's doors.
	overHTTP = 4_000
)

// seriesOf counts what a registry would show.
func seriesOf(t *testing.T, registry *prometheus.Registry) (count int, said string) {
	t.Helper()
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	var all strings.Builder
	for _, family := range families {
		count += len(family.GetMetric())
		fmt.Fprintln(&all, family)
	}
	return count, all.String()
}

// However many procedures, ids and user agents callers think of, there are as
// many series as before, and no word of theirs is in one.
func TestCallersMakeNoSeries(t *testing.T) {
	t.Parallel()
	registry := prometheus.NewRegistry()
	up := gatewaytest.UpstreamFunc(func(context.Context) (*upstream.Reply, error) {
		return &upstream.Reply{Status: http.StatusOK, Body: []byte(`{"id": "x", "object": "organization.project"}`)}, nil
	})
	gateway := gatewaytest.New(t, gatewaytest.WithUpstream(up), gatewaytest.WithAudit(forgetful{}), gatewaytest.WithOptions(func(o *service.Options) { o.Metrics, o.Health = registry, health.New() }))
	web := httptest.NewServer(gateway.Handler())
	t.Cleanup(web.Close)
	client := gateway.Client("root")

	ask := func(i int) {
		word := fmt.Sprintf("canary-%d-%x", i, rand.Uint64())
		ctx, info := connect.NewClientContext(t.Context())
		info.RequestHeader().Set("User-Agent", word)
		// The error is what is wanted, where there is one.
		switch i % 3 {
		case 0:
			_ = client.CallUnary(ctx, connect.Spec{Procedure: "/" + word + ".Service/" + word}, &emptypb.Empty{}, &emptypb.Empty{})
		case 1:
			_ = client.CallUnary(ctx, connect.Spec{Procedure: healthv1.Health_Check_FullMethodName}, &healthv1.HealthCheckRequest{Service: word}, &healthv1.HealthCheckResponse{})
		default:
			_ = client.CallUnary(ctx, connect.Spec{Procedure: getProject}, &adminv1.GetProjectRequest{ProjectId: word}, &adminv1.GetProjectResponse{})
		}
	}
	knock := func(i int) {
		word := fmt.Sprintf("canary-%d-%x", i, rand.Uint64())
		url := web.URL + []string{"/" + word + "/" + word, "/v1/" + word, "/v1/organization/projects/" + word, getProject}[i%4]
		request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, strings.NewReader("{}"))
		if err != nil {
			t.Error(err)
			return
		}
		request.Header.Set("User-Agent", word)
		request.Header.Set("Content-Type", []string{"application/json", "application/grpc", "application/grpc-web", "application/" + word}[i/4%4])
		if i%3 > 0 {
			request.Header.Set("Authorization", "Bearer "+[]string{word, admissiontest.TokenOf("root")}[i%3-1])
		}
		response, err := web.Client().Do(request)
		if err != nil {
			t.Error(err)
			return
		}
		if err := response.Body.Close(); err != nil {
			t.Error(err)
		}
	}
	// One of each kind makes the series that there are.
	for i := range 48 {
		ask(i)
		knock(i)
	}
	before, _ := seriesOf(t, registry)
	var all sync.WaitGroup
	for worker := range 4 {
		all.Go(func() {
			for i := worker; i < racing.Of(strangeCalls-overHTTP, 20_000); i += 4 {
				ask(i)
			}
			for i := worker; i < racing.Of(overHTTP, 1000); i += 4 {
				knock(i)
			}
		})
	}
	all.Wait()
	after, said := seriesOf(t, registry)
	if before != after || strings.Contains(said, "canary") {
		t.Errorf("%d series before, %d after; a caller's word is in one: %t", before, after, strings.Contains(said, "canary"))
	}
	if !strings.Contains(said, `value:"unknown"`) || !strings.Contains(said, `value:"grpc.health.v1.Health/Check"`) {
		t.Error("nobody counted the procedures that there are not, or health checks")
	}
}

// forgetful is an audit log that keeps nothing.
type forgetful struct{}

func (forgetful) Write(context.Context, *audit.Record) error { return nil }

func (forgetful) Offer(*audit.Record) {}
