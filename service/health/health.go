package health

import (
	"context"
	"sync"

	"connectrpc.com/connect/v2"

	healthv1 "google.golang.org/grpc/health/grpc_health_v1"

	"github.com/admin-gateway/admin-gateway/service/door"
	"github.com/admin-gateway/admin-gateway/service/rpcerror"
)

// Health is the status of the gateway over grpc.health.v1, for all of its
// services alike: they are one process with one upstream. It also ends streams
// when the gateway stops. It is safe for concurrent use.
type Health struct {
	stopped context.Context
	stop    context.CancelFunc

	mu      sync.Mutex
	serving bool
	changed chan struct{} // closed and replaced by every change
}

// New begins with SERVING.
func New() *Health {
	h := &Health{serving: true, changed: make(chan struct{})}
	h.stopped, h.stop = context.WithCancel(context.Background())
	return h
}

// Set says whether the gateway serves. Watchers get a message when that
// changes. After [Health.Stop] it does nothing.
func (h *Health) Set(serving bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.serving == serving || h.stopped.Err() != nil {
		return
	}
	h.serving = serving
	close(h.changed)
	h.changed = make(chan struct{})
}

// Stop sets NOT_SERVING for good, and ends streams with UNAVAILABLE: watches, and
// those that wait for their client. Calls that have their request finish.
func (h *Health) Stop() {
	h.Set(false)
	h.stop()
}

// now is the status, and a channel that is closed when it changes.
func (h *Health) now() (healthv1.HealthCheckResponse_ServingStatus, <-chan struct{}) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.serving {
		return healthv1.HealthCheckResponse_SERVING, h.changed
	}
	return healthv1.HealthCheckResponse_NOT_SERVING, h.changed
}

// stopping is the error that ends a stream.
func stopping() error {
	return &rpcerror.Error{Code: connect.CodeUnavailable, Reason: rpcerror.ReasonStopping, Message: "the gateway stops; another one answers"}
}

// WithStop is the interceptor that ends calls that go on for as long as their client
// likes when the gateway stops. Calls that have their request finish.
func (h *Health) WithStop(next connect.ServerFunc) connect.ServerFunc {
	if h == nil {
		return next
	}
	return func(ctx context.Context, spec connect.Spec, stream connect.ServerStream) error {
		if spec.StreamType&connect.StreamTypeClient == 0 {
			return next(ctx, spec, stream)
		}
		ctx, cancel := context.WithCancelCause(ctx)
		defer cancel(nil)
		defer context.AfterFunc(h.stopped, func() { cancel(stopping()) })() //nolint:contextcheck // It waits for the end of the gateway.
		return next(ctx, spec, door.Bind(ctx, stream))
	}
}
