package service_test

import (
	"context"
	"errors"
	"io"
	"testing"

	"connectrpc.com/connect/v2"
	"connectrpc.com/connect/v2/connecthttp"
	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	reflectionv1 "google.golang.org/grpc/reflection/grpc_reflection_v1"
	"google.golang.org/protobuf/types/known/emptypb"

	"github.com/admin-gateway/admin-gateway/internal/gatewaytest"
	"github.com/admin-gateway/admin-gateway/service"
	connections "github.com/admin-gateway/admin-gateway/service/door"
	"github.com/admin-gateway/admin-gateway/service/health"
	"github.com/admin-gateway/admin-gateway/service/rpcerror"
)

// newHealthGateway is a gateway that serves its health, and reflection.
func newHealthGateway(t *testing.T) (*gatewaytest.Gateway, *health.Health) {
	t.Helper()
	health := health.New()
	return gatewaytest.New(t, gatewaytest.WithLogs(), gatewaytest.WithOptions(func(o *service.Options) { o.Health, o.Reflection = health, true })), health
}

func check(ctx context.Context, door connect.Transport, name string) (healthv1.HealthCheckResponse_ServingStatus, error) {
	var answer healthv1.HealthCheckResponse
	err := connect.NewClient(door).CallUnary(ctx, connect.Spec{Procedure: healthv1.Health_Check_FullMethodName, StreamType: connect.StreamTypeUnary},
		&healthv1.HealthCheckRequest{Service: name}, &answer)
	return answer.GetStatus(), err
}

func TestHealthIsOpenAtEveryDoor(t *testing.T) {
	t.Parallel()
	h, health := newHealthGateway(t)
	for name, door := range h.PlainDoors() {
		for _, known := range []string{"", "admingateway.admin.v1.ProjectService", "admingateway.control.v1.CacheService", "grpc.health.v1.Health", "grpc.reflection.v1.ServerReflection"} {
			if got, err := check(t.Context(), door, known); err != nil || got != healthv1.HealthCheckResponse_SERVING {
				t.Errorf("%s: %q is %v, %v", name, known, got, err)
			}
		}
		if _, err := check(t.Context(), door, "admingateway.admin.v1.NobodyService"); connect.CodeOf(err) != connect.CodeNotFound {
			t.Errorf("%s: an unknown service: %v", name, err)
		}
		health.Set(false)
		if got, err := check(t.Context(), door, ""); err != nil || got != healthv1.HealthCheckResponse_NOT_SERVING {
			t.Errorf("%s: while it does not serve: %v, %v", name, got, err)
		}
		health.Set(true)
	}
	if n := len(h.Records.All()); n != 0 {
		t.Errorf("%d health checks were recorded", n)
	}
}

// TestNothingButHealthIsOpen calls whatever is registered, and what is not,
// without a credential.
func TestNothingButHealthIsOpen(t *testing.T) {
	t.Parallel()
	h, _ := newHealthGateway(t)
	open := map[string]bool{healthv1.Health_Check_FullMethodName: true, healthv1.Health_Watch_FullMethodName: true}
	procedures := []string{"/grpc.health.v1.Health/List", "/grpc.health.v1.Health/check", "/grpc.health.v1.Health/Check/", "/grpc.health.v1.Health/", "", "/"}
	for spec := range h.Server.Specs() {
		if !open[spec.Procedure] {
			procedures = append(procedures, spec.Procedure)
		}
		delete(open, spec.Procedure)
	}
	if len(open) > 0 || len(procedures) < 125 {
		t.Errorf("%v are not registered, of %d", open, len(procedures))
	}
	for _, procedure := range procedures {
		info := &connect.CallInfo{}
		if err := h.Server.Call(connections.WithConnection(t.Context(), connections.InProcess{}), procedure, info, silentStream{}); connect.CodeOf(err) != connect.CodeUnauthenticated {
			t.Errorf("%q without a credential: %v", procedure, err)
		}
	}
}

// silentStream is a client from whom nothing comes.
type silentStream struct{}

func (silentStream) Receive(any) error  { return io.EOF }
func (silentStream) SendHeaders() error { return nil }
func (silentStream) Send(any) error     { return errors.New("sent") }

func TestWatchIsTold(t *testing.T) {
	t.Parallel()
	h, health := newHealthGateway(t)
	doors := h.PlainDoors()
	watches := map[string]connect.ClientStream{
		"the fast door": watchFast(t, h.Server, "", ""),
	}
	for _, name := range []string{"gRPC", "gRPC-Web", "Connect", "Connect JSON", "in process"} {
		watches[name] = watch(t, doors[name], "")
	}
	nobody := watch(t, doors["gRPC"], "nobody")
	wantStatus(t, "nobody", nobody, healthv1.HealthCheckResponse_SERVICE_UNKNOWN)
	for name, w := range watches {
		wantStatus(t, name, w, healthv1.HealthCheckResponse_SERVING)
	}
	for _, serving := range []bool{false, true} {
		health.Set(serving)
		want := healthv1.HealthCheckResponse_NOT_SERVING
		if serving {
			want = healthv1.HealthCheckResponse_SERVING
		}
		for name, w := range watches {
			wantStatus(t, name, w, want)
		}
	}
	health.Stop()
	health.Set(true) // It is over.
	watches["nobody"] = nobody
	for name, w := range watches {
		var last healthv1.HealthCheckResponse
		err := w.Receive(&last)
		if err == nil { // The change and the end come at once, and either may be seen first.
			if last.GetStatus() != healthv1.HealthCheckResponse_NOT_SERVING {
				t.Errorf("%s: at the end %s", name, &last)
			}
			err = w.Receive(&last)
		}
		if connect.CodeOf(err) != connect.CodeUnavailable || reason(t, err) != rpcerror.ReasonStopping {
			t.Errorf("%s: the end: %v", name, err)
		}
	}
	if got, err := check(t.Context(), doors["gRPC"], ""); err != nil || got != healthv1.HealthCheckResponse_NOT_SERVING {
		t.Errorf("after the end: %v, %v", got, err)
	}
}

// TestStopEndsStreamsThatWait: reflection goes on for as long as its client
// likes, and a gateway that stops has not the time.
func TestStopEndsStreamsThatWait(t *testing.T) {
	t.Parallel()
	h, health := newHealthGateway(t)
	spec := connect.Spec{Procedure: reflectionv1.ServerReflection_ServerReflectionInfo_FullMethodName, StreamType: connect.StreamTypeBidi}
	streams := map[string]connect.ClientStream{"the fast door": watchFast(t, h.Server, spec.Procedure, "root")}
	one, err := gatewaytest.As("root", h.PlainDoors()["gRPC"]).CallClientStream(t.Context(), spec)
	if err != nil {
		t.Fatal(err)
	}
	streams["one port"] = one
	for name, s := range streams {
		if err := s.Send(&reflectionv1.ServerReflectionRequest{MessageRequest: &reflectionv1.ServerReflectionRequest_ListServices{}}); err != nil {
			t.Fatal(name, err)
		}
		if err := s.Receive(new(reflectionv1.ServerReflectionResponse)); err != nil {
			t.Fatal(name, err)
		}
	}
	health.Stop()
	for name, s := range streams {
		if err := s.Receive(new(emptypb.Empty)); connect.CodeOf(err) != connect.CodeUnavailable || reason(t, err) != rpcerror.ReasonStopping {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestHealthIsCountedApart: health checks, and what reflection is asked, have
// names of their own, and the former do not dilute what is told of calls.
func TestHealthIsCountedApart(t *testing.T) {
	t.Parallel()
	registry, health := prometheus.NewRegistry(), health.New()
	h := gatewaytest.New(t, gatewaytest.WithOptions(func(o *service.Options) { o.Health, o.Reflection, o.Metrics = health, true, registry }))
	door := h.PlainDoors()["gRPC"]
	for _, name := range []string{"", "", "nobody"} {
		_, _ = check(t.Context(), door, name) // The last is not found.
	}
	for _, procedure := range []string{"/grpc.health.v1.Health/List", "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo"} {
		err := connect.NewClient(door).CallUnary(t.Context(), connect.Spec{Procedure: procedure}, &emptypb.Empty{}, &emptypb.Empty{})
		if connect.CodeOf(err) != connect.CodeUnauthenticated {
			t.Errorf("%s: %v", procedure, err)
		}
	}
	watched := watch(t, door, "")
	wantStatus(t, "watch", watched, healthv1.HealthCheckResponse_SERVING)
	health.Stop()
	for err := error(nil); err == nil; { // Counted by the time that it is told.
		err = watched.Receive(new(healthv1.HealthCheckResponse))
	}
	want := map[string]float64{
		"gateway_health_calls_total grpc.health.v1.Health/Check ok": 2, "gateway_health_calls_total grpc.health.v1.Health/Check not_found": 1, "gateway_health_calls_total grpc.health.v1.Health/Check resource_exhausted": 0,
		"gateway_health_calls_total grpc.health.v1.Health/Watch ok": 0, "gateway_health_calls_total grpc.health.v1.Health/Watch unavailable": 1, "gateway_health_calls_total grpc.health.v1.Health/Watch resource_exhausted": 0,
		"gateway_call_duration_seconds unknown unauthenticated":                                                  1,
		"gateway_call_duration_seconds grpc.reflection.v1.ServerReflection/ServerReflectionInfo unauthenticated": 1,
	}
	if diff := cmp.Diff(want, callsOf(t, registry)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// callsOf counts calls by metric, RPC and code.
func callsOf(t *testing.T, registry *prometheus.Registry) map[string]float64 {
	t.Helper()
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]float64{}
	for _, family := range families {
		for _, m := range family.GetMetric() {
			labels := map[string]string{}
			for _, pair := range m.GetLabel() {
				labels[pair.GetName()] = pair.GetValue()
			}
			switch key := family.GetName() + " " + labels["rpc"] + " " + labels["code"]; family.GetName() {
			case "gateway_health_calls_total":
				all[key] += m.GetCounter().GetValue()
			case "gateway_call_duration_seconds":
				all[key] += float64(m.GetHistogram().GetSampleCount())
			}
		}
	}
	return all
}

// TestOneAddressAsksSoMuch: what it is refused, another one is not.
func TestOneAddressAsksSoMuch(t *testing.T) {
	t.Parallel()
	h, _ := newHealthGateway(t)
	door := h.PlainDoors()["gRPC"]
	var refused error
	for range 64 {
		w := watch(t, door, "")
		wantStatus(t, "watch", w, healthv1.HealthCheckResponse_SERVING)
	}
	if refused = watch(t, door, "").Receive(new(healthv1.HealthCheckResponse)); connect.CodeOf(refused) != connect.CodeResourceExhausted || reason(t, refused) != rpcerror.ReasonHealthLimit {
		t.Errorf("the 65th watch: %v", refused)
	}
	for range 100_000 {
		if _, refused = check(t.Context(), door, ""); refused != nil {
			break
		}
	}
	if connect.CodeOf(refused) != connect.CodeResourceExhausted {
		t.Errorf("asked without end: %v", refused)
	}
	if _, err := check(t.Context(), h.InProcess(), ""); err != nil {
		t.Errorf("somebody else: %v", err)
	}
}

func watch(t *testing.T, door connect.Transport, name string) connect.ClientStream {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	stream, err := connect.NewClient(door).CallServerStream(ctx, connect.Spec{Procedure: healthv1.Health_Watch_FullMethodName, StreamType: connect.StreamTypeServer},
		&healthv1.HealthCheckRequest{Service: name})
	if err != nil {
		t.Fatal(err)
	}
	return stream
}

// watchFast opens a stream through the fast door with connect's client, which
// speaks to it as to any gRPC server; the watch of everything, unless another
// procedure is named.
func watchFast(t *testing.T, server *connect.Server, procedure, caller string) connect.ClientStream {
	t.Helper()
	door := connecthttp.NewTransport(http2Client(t), "http://"+gatewaytest.FastGRPC(t, server, nil, nil).Conn.Target(), connecthttp.WithGRPC())
	if procedure == "" {
		return watch(t, door, "")
	}
	stream, err := gatewaytest.As(caller, door).CallClientStream(t.Context(), connect.Spec{Procedure: procedure, StreamType: connect.StreamTypeBidi})
	if err != nil {
		t.Fatal(err)
	}
	return stream
}

func wantStatus(t *testing.T, name string, stream connect.ClientStream, want healthv1.HealthCheckResponse_ServingStatus) {
	t.Helper()
	var got healthv1.HealthCheckResponse
	if err := stream.Receive(&got); err != nil || got.GetStatus() != want {
		t.Errorf("%s: told %v, %v, want %s", name, got.GetStatus(), err, want)
	}
}
