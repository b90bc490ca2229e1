package health

import (
	"context"
	"errors"
	"log/slog"
	"net/netip"
	"strings"
	"time"

	"connectrpc.com/connect/v2"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/admin-gateway/admin-gateway/internal/peernet"
	"github.com/admin-gateway/admin-gateway/service/door"
	"github.com/admin-gateway/admin-gateway/service/observe"
	"github.com/admin-gateway/admin-gateway/service/rpcerror"
)

const (
	// patience is how long the request may take to come.
	patience = 10 * time.Second
	// longestWatch ends a watch, so that its client connects anew and finds new
	// replicas.
	longestWatch = 30 * time.Minute
)

// Service answers grpc.health.v1. Load balancers have no credentials, so it is open
// to all: it reveals one bit, of services whose names are public. Its calls are
// neither logged nor recorded, and are counted apart.
type Service struct {
	health *Health
	peers  *peers
	logger *slog.Logger
	// counted is apart from the calls: a watch lasts for as long as its client
	// likes, and checks by the thousand would dilute the metrics of calls.
	counted *prometheus.CounterVec
	// names are the known services, "" for the whole gateway.
	names map[string]bool
	// open are its procedures: these need no credential, and all others do.
	open map[string]connect.ServerFunc
}

// NewService makes the service, and registers its metrics; with a nil registerer
// they are not exported.
func NewService(health *Health, registerer prometheus.Registerer, logger *slog.Logger) (*Service, error) {
	s := &Service{
		health: health, peers: newPeers(), logger: logger, names: map[string]bool{"": true},
		counted: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "gateway_health_calls_total", Help: "Health checks, and watches that have ended, by RPC and by the code that the caller saw.",
		}, []string{"rpc", "code"}),
	}
	s.open = map[string]connect.ServerFunc{
		healthv1.Health_Check_FullMethodName: door.WithDeadline(patience, 0)(s.check),
		healthv1.Health_Watch_FullMethodName: door.WithDeadline(0, longestWatch)(s.watch),
	}
	for procedure := range s.open {
		for _, code := range []string{observe.CodeName(nil), connect.CodeResourceExhausted.String()} {
			s.counted.WithLabelValues(observe.Method(procedure), code)
		}
	}
	return s, observe.Register(registerer, s.counted)
}

// Register registers the procedures with the server, and reads which services
// there are: it comes last. [Service.WithHealth] answers; the handlers are for
// calls that get past it, and none does.
func (s *Service) Register(server *connect.Server) {
	closed := func(context.Context, connect.Spec, connect.ServerStream) error {
		return errors.New("a health check that is not open")
	}
	methods := healthv1.File_grpc_health_v1_health_proto.Services().ByName("Health").Methods()
	server.Register( //nolint:forbidigo // Health is open to all: WithHealth answers it in front of admission.
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

// WithHealth is the interceptor that answers health checks, and nothing else. Without
// a service all calls pass.
func (s *Service) WithHealth(next connect.ServerFunc) connect.ServerFunc {
	if s == nil {
		return next
	}
	return func(ctx context.Context, spec connect.Spec, stream connect.ServerStream) error {
		open, ok := s.open[spec.Procedure]
		if !ok {
			return next(ctx, spec, stream)
		}
		err := rpcerror.WithCallerErrors(observe.WithRecovery(s.logger)(open))(ctx, spec, stream)
		s.counted.WithLabelValues(observe.Method(spec.Procedure), observe.CodeName(err)).Inc()
		return err
	}
}

func (s *Service) check(ctx context.Context, _ connect.Spec, stream connect.ServerStream) error {
	if !s.peers.allow(peer(ctx)) {
		return tooManyChecks()
	}
	probes(ctx)
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

// watch sends the status, and then every change of it.
func (s *Service) watch(ctx context.Context, _ connect.Spec, stream connect.ServerStream) error {
	from := peer(ctx)
	ctx, end := context.WithCancelCause(ctx)
	defer end(nil)
	if !s.peers.allow(from) {
		return tooManyChecks()
	}
	watch := s.peers.watch(from, func() { end(tooManyChecks()) })
	if watch == nil {
		return tooManyChecks()
	}
	defer s.peers.unwatch(watch)
	probes(ctx)
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
			return context.Cause(ctx)
		}
	}
}

// question waits for the request of a watch, for less than a watch may last.
func (s *Service) question(ctx context.Context, stream connect.ServerStream, request *healthv1.HealthCheckRequest) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	return door.Bind(ctx, stream).Receive(request)
}

// probes tells the door that no credential is due.
func probes(ctx context.Context) {
	if connection, ok := door.ConnectionOf(ctx); ok {
		connection.Probe()
	}
}

func peer(ctx context.Context) netip.Addr {
	info, ok := connect.CallInfoForServerContext(ctx)
	if !ok {
		return netip.Addr{}
	}
	return peernet.Of(info.PeerAddr)
}

func tooManyChecks() error {
	return &rpcerror.Error{
		Code: connect.CodeResourceExhausted, Reason: rpcerror.ReasonHealthLimit, RetryAfter: time.Second,
		Message: "too many health checks come from this address",
	}
}
