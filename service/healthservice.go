package service

import (
	"context"
	"errors"
	"net/netip"
	"strings"
	"time"

	"connectrpc.com/connect/v2"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"

	"github.com/admin-gateway/admin-gateway/service/rpcerror"
)

const (
	// healthPatience is how long the question may take to come.
	healthPatience = 10 * time.Second
	// longestWatch ends a watch, so that whoever watches comes back to see what
	// is there then.
	longestWatch = 30 * time.Minute
)

// healthService answers grpc.health.v1. Load balancers have no credentials, so
// it is open to all: it tells one bit, of services whose names are public. Its
// calls are neither logged nor recorded, and are counted apart.
type healthService struct {
	health *Health
	peers  *healthPeers
	// names are the services that it knows, "" for the whole.
	names map[string]bool
	// open are its procedures: nobody has to show a credential for these, and
	// for no others.
	open map[string]connect.ServerFunc
}

func newHealthService(health *Health) *healthService {
	s := &healthService{health: health, peers: newHealthPeers(), names: map[string]bool{"": true}}
	s.open = map[string]connect.ServerFunc{
		healthv1.Health_Check_FullMethodName: withDeadline(healthPatience, 0)(s.check),
		healthv1.Health_Watch_FullMethodName: withDeadline(0, longestWatch)(s.watch),
	}
	return s
}

// register tells the doors of the procedures, and learns which services there
// are: it is the last to register. What answers is open; the handlers are for
// who comes down the road, and nobody does.
func (s *healthService) register(server *connect.Server) {
	closed := func(context.Context, connect.Spec, connect.ServerStream) error {
		return errors.New("a health check that is not open")
	}
	methods := healthv1.File_grpc_health_v1_health_proto.Services().ByName("Health").Methods()
	server.Register(
		connect.Method{Handler: closed, Spec: connect.Spec{
			Procedure: healthv1.Health_Check_FullMethodName, Schema: methods.ByName("Check"), StreamType: connect.StreamTypeUnary,
		}},
		connect.Method{Handler: closed, Spec: connect.Spec{
			Procedure: healthv1.Health_Watch_FullMethodName, Schema: methods.ByName("Watch"), StreamType: connect.StreamTypeServer,
		}},
	)
	for spec := range server.Specs() {
		name, _, _ := strings.Cut(strings.TrimPrefix(spec.Procedure, "/"), "/")
		s.names[name] = true
	}
}

// withHealth answers health checks, and nothing else: everybody else takes the
// road.
func (r *road) withHealth(next connect.ServerFunc) connect.ServerFunc {
	return func(ctx context.Context, spec connect.Spec, stream connect.ServerStream) error {
		if r.health == nil {
			return next(ctx, spec, stream)
		}
		open, ok := r.health.open[spec.Procedure]
		if !ok {
			return next(ctx, spec, stream)
		}
		return r.metrics.calls.withHealthCount(withCallerErrors(withRecovery(r.logger)(open)))(ctx, spec, stream)
	}
}

func (s *healthService) check(ctx context.Context, _ connect.Spec, stream connect.ServerStream) error {
	if !s.peers.allow(peer(ctx)) {
		return tooManyChecks()
	}
	var request healthv1.HealthCheckRequest
	if err := stream.Receive(&request); err != nil {
		return err
	}
	if !s.names[request.GetService()] {
		return &rpcerror.Error{Code: connect.CodeNotFound, Reason: rpcerror.ReasonUnknownMethod, Message: "no such service"}
	}
	status, _ := s.health.now()
	return stream.Send(&healthv1.HealthCheckResponse{Status: status})
}

// watch tells the status, and then every change of it.
func (s *healthService) watch(ctx context.Context, _ connect.Spec, stream connect.ServerStream) error {
	from := peer(ctx)
	if !s.peers.allow(from) || !s.peers.watch(from) {
		return tooManyChecks()
	}
	defer s.peers.unwatch(from)
	var request healthv1.HealthCheckRequest
	if err := s.question(ctx, stream, &request); err != nil {
		return err
	}
	for said := healthv1.HealthCheckResponse_UNKNOWN; ; {
		status, changed := s.health.now()
		if !s.names[request.GetService()] {
			status = healthv1.HealthCheckResponse_SERVICE_UNKNOWN
		}
		if status != said {
			if err := stream.Send(&healthv1.HealthCheckResponse{Status: status}); err != nil {
				return err
			}
			said = status
		}
		select {
		case <-changed:
		case <-s.health.stopped.Done():
			return stopping()
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// question waits for the request of a watch, for less than a watch may last.
func (s *healthService) question(ctx context.Context, stream connect.ServerStream, request *healthv1.HealthCheckRequest) error {
	ctx, cancel := context.WithTimeout(ctx, healthPatience)
	defer cancel()
	bound := &boundStream{ServerStream: stream, ctx: ctx}
	return bound.Receive(request)
}

func peer(ctx context.Context) netip.Addr {
	info, ok := connect.CallInfoForServerContext(ctx)
	if !ok {
		return netip.Addr{}
	}
	return peerOf(info.PeerAddr)
}

func tooManyChecks() error {
	return &rpcerror.Error{
		Code: connect.CodeResourceExhausted, Reason: rpcerror.ReasonHealthLimit, RetryAfter: time.Second,
		Message: "too many health checks come from this address",
	}
}
