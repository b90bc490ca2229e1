package service

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"time"

	"connectrpc.com/connect/v2"
)

// requestIDHeader carries the id of a call back to its caller.
const requestIDHeader = "X-Request-Id"

// interceptors is the road in front of every handler, outermost first. The
// order is the contract: what is recovered is told, what is told is logged, and
// nothing of a payload is decoded before all of them have run.
func interceptors(logger *slog.Logger, longest time.Duration) []connect.ServerInterceptor {
	return []connect.ServerInterceptor{
		withRequestID,
		withLog(logger),
		withCallerErrors,
		withRecovery(logger),
		withDeadline(longest),
	}
}

type requestIDKey struct{}

// RequestID is the id of the call that ctx belongs to, or "".
func RequestID(ctx context.Context) string {
	id, _ := ctx.Value(requestIDKey{}).(string)
	return id
}

// withRequestID names the call. The name is ours: one that a caller chose
// could be another call's.
func withRequestID(next connect.ServerFunc) connect.ServerFunc {
	return func(ctx context.Context, spec connect.Spec, stream connect.ServerStream) error {
		id := "req_" + rand.Text()
		if info, ok := connect.CallInfoForServerContext(ctx); ok {
			info.ResponseHeader().Set(requestIDHeader, id)
		}
		return next(context.WithValue(ctx, requestIDKey{}, id), spec, stream)
	}
}

// withLog writes one line a call. It holds no value of a request.
func withLog(logger *slog.Logger) connect.ServerInterceptor {
	return func(next connect.ServerFunc) connect.ServerFunc {
		return func(ctx context.Context, spec connect.Spec, stream connect.ServerStream) error {
			start := time.Now()
			err := next(ctx, spec, stream)
			attrs := []slog.Attr{
				slog.String("request_id", RequestID(ctx)),
				slog.String("method", spec.Procedure),
				slog.Duration("duration", time.Since(start)),
			}
			level, code := slog.LevelInfo, "ok"
			if err != nil {
				code = connect.CodeOf(err).String()
				if cause := errors.Unwrap(connectError(err)); cause != nil {
					attrs = append(attrs, slog.String("cause", cause.Error()))
				}
				if connect.CodeOf(err) == connect.CodeInternal {
					level = slog.LevelError
				}
			}
			attrs = append(attrs, slog.String("code", code))
			logger.LogAttrs(ctx, level, "call", attrs...)
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
			return toCaller(err)
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
					logger.ErrorContext(ctx, "panic", "request_id", RequestID(ctx), "method", spec.Procedure, "stack", string(debug.Stack()))
					err = fmt.Errorf("panic: %T", value)
				}
			}()
			return next(ctx, spec, stream)
		}
	}
}

// withDeadline ends a call that names no deadline of its own, or a later one,
// after the longest time that a call may take.
func withDeadline(longest time.Duration) connect.ServerInterceptor {
	return func(next connect.ServerFunc) connect.ServerFunc {
		return func(ctx context.Context, spec connect.Spec, stream connect.ServerStream) error {
			ctx, cancel := context.WithTimeout(ctx, longest)
			defer cancel()
			return next(ctx, spec, stream)
		}
	}
}
