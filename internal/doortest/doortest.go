// Package doortest has what a door can be tested with whose service is not the
// gateway's. It is for tests and for the conformance suite.
package doortest

import (
	"context"
	"log/slog"
	"time"

	"connectrpc.com/connect/v2"

	"github.com/admin-gateway/admin-gateway/service/accounting"
	"github.com/admin-gateway/admin-gateway/service/admission"
	"github.com/admin-gateway/admin-gateway/service/audit"
	"github.com/admin-gateway/admin-gateway/service/door"
	"github.com/admin-gateway/admin-gateway/service/health"
	"github.com/admin-gateway/admin-gateway/service/observe"
	"github.com/admin-gateway/admin-gateway/service/record"
)

// Interceptors are those of the gateway that need neither a catalog nor callers, in
// its order: a call is named, counted, logged, held back until it is recorded,
// bounded (by longest), and its panic is its own failure. Everybody is authenticated,
// records are kept nowhere, and errors reach the caller as the handler made them.
func Interceptors(logger *slog.Logger, longest time.Duration) []connect.ServerInterceptor {
	metrics, err := observe.NewMetrics(nil, nil, nil)
	if err != nil {
		panic(err) // Nothing is registered, so nothing can fail.
	}
	var (
		noTracer  *observe.Tracer
		noHealth  *health.Health
		noService *health.Service
	)
	return []connect.ServerInterceptor{
		door.Require,
		noService.WithHealth,
		accounting.WithCall,
		noTracer.WithSpan,
		metrics.WithMetrics,
		observe.WithLog(logger, observe.Lines{Calls: observe.AllCalls}),
		record.New(record.Options{Log: forgetful{}}).WithRecord,
		observe.WithRecovery(logger),
		door.WithDeadline(longest, longest),
		noHealth.WithStop,
		admission.WithFreshness,
		WithAuthentication,
	}
}

// WithAuthentication is the interceptor that stands in for that of admission, so that doors keep the connections:
// everybody is the same caller.
func WithAuthentication(next connect.ServerFunc) connect.ServerFunc {
	return func(ctx context.Context, spec connect.Spec, stream connect.ServerStream) error {
		if connection, ok := door.ConnectionOf(ctx); ok {
			if err := connection.Trust("everybody"); err != nil {
				return connect.NewError(connect.CodeResourceExhausted, "too many connections")
			}
		}
		return next(ctx, spec, stream)
	}
}

// forgetful is an audit log that keeps nothing.
type forgetful struct{}

// Write implements [record.Log].
func (forgetful) Write(context.Context, *audit.Record) error { return nil }

// Offer implements [record.Log].
func (forgetful) Offer(*audit.Record) {}
