package service

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync/atomic"
	"time"

	"connectrpc.com/connect/v2"
	"golang.org/x/time/rate"

	"github.com/admin-gateway/admin-gateway/service/audit"
	"github.com/admin-gateway/admin-gateway/service/rpcerror"
)

// requestIDHeader carries the id of a call back to its caller.
const requestIDHeader = "X-Request-Id"

// interceptors is the road in front of every handler, outermost first. The
// order is the contract: what is recovered is told, what is told is recorded and
// logged, and nothing of a payload is decoded before all of them have run. Only
// health checks leave it, at its beginning.
func (r *road) interceptors(longest time.Duration) []connect.ServerInterceptor {
	return []connect.ServerInterceptor{
		r.withHealth,
		withCall,
		r.tracing.withSpan,
		r.metrics.calls.withCount,
		withLog(r.logger),
		r.withAudit,
		withCallerErrors,
		withRecovery(r.logger),
		withDeadline(longest, r.fan.Longest),
		r.withStop,
		r.withAuthentication,
		r.withLimits,
		r.withPermission,
	}
}

// DoorInterceptors are those of the road that need neither a catalog nor callers,
// in its order: a call is named, counted, logged, held back until it is recorded, bounded
// (by longest), and its panic is its own failure. They are what a door can be
// tested with whose service is not the gateway's. Nobody is asked who they are,
// records are kept nowhere, and errors reach the caller as the handler made them.
func DoorInterceptors(logger *slog.Logger, longest time.Duration) []connect.ServerInterceptor {
	r := newDoorRoad(logger, longest)
	return []connect.ServerInterceptor{
		r.withHealth,
		withCall,
		r.tracing.withSpan,
		r.metrics.calls.withCount,
		withLog(r.logger),
		r.withAudit,
		withRecovery(r.logger),
		withDeadline(longest, r.fan.Longest),
		r.withStop,
	}
}

// newDoorRoad is a road without a catalog, callers and records.
func newDoorRoad(logger *slog.Logger, longest time.Duration) *road {
	return &road{
		audit: unrecorded{}, logger: logger, metrics: &metrics{calls: newCallMetrics(rpcNames{})}, fan: FanOutOptions{Longest: longest},
	}
}

// unrecorded is an audit log that keeps nothing.
type unrecorded struct{}

// Write says that the record is kept.
func (unrecorded) Write(context.Context, *audit.Record) error { return nil }

// Offer is to no purpose.
func (unrecorded) Offer(*audit.Record) {}

// withCall names the call. The name is ours: one that a caller chose could be
// another call's.
func withCall(next connect.ServerFunc) connect.ServerFunc {
	return func(ctx context.Context, spec connect.Spec, stream connect.ServerStream) error {
		c := newCall(ctx, spec)
		if info, ok := connect.CallInfoForServerContext(ctx); ok {
			info.ResponseHeader().Set(requestIDHeader, c.id)
		}
		return next(context.WithValue(ctx, callKey{}, c), spec, stream)
	}
}

// strangersLogged is how many lines a second those get who have not shown who
// they are, and as many at once as they leave unused: a logger is a pipe and a
// lock, and what they do would fill the one and hold up everybody at the other.
const strangersLogged, strangersAtOnce = 50, 500

// withLog writes one line a call; of strangers' calls, so many a second, and in
// the next line how many it left out. It holds no value of a request; which call
// it is the handler adds, see [NewLogHandler].
func withLog(logger *slog.Logger) connect.ServerInterceptor {
	strangers := rate.NewLimiter(strangersLogged, strangersAtOnce)
	var leftOut atomic.Int64
	return func(next connect.ServerFunc) connect.ServerFunc {
		return func(ctx context.Context, spec connect.Spec, stream connect.ServerStream) error {
			err := next(ctx, spec, stream)
			c := callOf(ctx)
			if c.identity.Caller == "" && !strangers.Allow() {
				leftOut.Add(1)
				return err
			}
			attrs := []slog.Attr{
				slog.String("method", clip(spec.Procedure)),
				slog.String("caller", c.identity.Caller),
				slog.Duration("duration", time.Since(c.start)),
				slog.String("code", codeName(err)),
			}
			if c.idempotency != "" {
				attrs = append(attrs, slog.String("idempotency", c.idempotency))
			}
			if err != nil {
				if cause := errors.Unwrap(connectError(err)); cause != nil {
					attrs = append(attrs, slog.String("cause", cause.Error()))
				}
			}
			if n := leftOut.Swap(0); n > 0 {
				attrs = append(attrs, slog.Int64("left_out", n))
			}
			logger.LogAttrs(ctx, logLevel(err), "call", attrs...)
			return err
		}
	}
}

func connectError(err error) error {
	if e, ok := errors.AsType[*connect.Error](err); ok {
		return e
	}
	return err
}

// withCallerErrors turns every error into what its caller may see.
func withCallerErrors(next connect.ServerFunc) connect.ServerFunc {
	return func(ctx context.Context, spec connect.Spec, stream connect.ServerStream) error {
		if err := next(ctx, spec, stream); err != nil {
			return rpcerror.ToCaller(err)
		}
		return nil
	}
}

// withRecovery makes a panic the failure of one call.
func withRecovery(logger *slog.Logger) connect.ServerInterceptor {
	return func(next connect.ServerFunc) connect.ServerFunc {
		return func(ctx context.Context, spec connect.Spec, stream connect.ServerStream) (err error) {
			defer func() {
				if value := recover(); value != nil {
					logger.ErrorContext(ctx, "panic", "method", clip(spec.Procedure), "stack", string(debug.Stack()))
					err = fmt.Errorf("panic: %T", value)
				}
			}()
			return next(ctx, spec, stream)
		}
	}
}

// withDeadline ends a call that names no deadline of its own, or a later one,
// after the longest time that a call may take, or that a stream of ours may; also
// one that waits for its client.
func withDeadline(longest, longestStream time.Duration) connect.ServerInterceptor {
	return func(next connect.ServerFunc) connect.ServerFunc {
		return func(ctx context.Context, spec connect.Spec, stream connect.ServerStream) error {
			most := longest
			if spec.StreamType == connect.StreamTypeServer {
				most = longestStream
			}
			ctx, cancel := context.WithTimeout(ctx, most)
			defer cancel()
			if spec.StreamType == connect.StreamTypeServer {
				defer lastAsLongAs(ctx)()
			}
			bound := &boundStream{ServerStream: stream, ctx: ctx}
			err := next(ctx, spec, bound)
			if err != nil {
				bound.refused()
			}
			return err
		}
	}
}
