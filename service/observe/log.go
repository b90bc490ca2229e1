package observe

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"strings"
	"sync/atomic"
	"time"

	"connectrpc.com/connect/v2"
	"golang.org/x/time/rate"

	"github.com/admin-gateway/admin-gateway/service/accounting"
	"github.com/admin-gateway/admin-gateway/service/rpcerror"
)

// Callers that are not authenticated get so many lines a second, and as many at
// once as they leave unused: a logger is a pipe and a lock, and such calls would
// fill the one and hold up everybody at the other.
const anonymousLines, anonymousBurst = 50, 500

// WithLog writes one line a call. Of callers that are not authenticated it writes
// so many a second, and says in the next line how many it left out. A line holds
// no value of a request; [accounting.NewLogHandler] adds which call it is.
func WithLog(logger *slog.Logger) connect.ServerInterceptor {
	anonymous := rate.NewLimiter(anonymousLines, anonymousBurst)
	var leftOut atomic.Int64
	return func(next connect.ServerFunc) connect.ServerFunc {
		return func(ctx context.Context, spec connect.Spec, stream connect.ServerStream) error {
			err := next(ctx, spec, stream)
			if !logger.Enabled(ctx, level(err)) {
				return err
			}
			call := accounting.From(ctx)
			if call.Admission.Identity.Caller == "" && !anonymous.Allow() {
				leftOut.Add(1)
				return err
			}
			attrs := []slog.Attr{
				slog.String("method", Method(spec.Procedure)),
				slog.String("caller", call.Admission.Identity.Caller),
				slog.Duration("duration", time.Since(call.Start)),
				slog.String("code", CodeName(err)),
			}
			if call.Idempotency != "" {
				attrs = append(attrs, slog.String("idempotency", call.Idempotency))
			}
			if cause := causeOf(err); cause != nil {
				attrs = append(attrs, slog.String("cause", cause.Error()))
			}
			if n := leftOut.Swap(0); n > 0 {
				attrs = append(attrs, slog.Int64("left_out", n))
			}
			logger.LogAttrs(ctx, level(err), "call", attrs...)
			return err
		}
	}
}

// causeOf is the cause of an error, which the log has and its caller does not
// see.
func causeOf(err error) error {
	if e, ok := errors.AsType[*rpcerror.Error](err); ok {
		return e.Cause
	}
	if e, ok := errors.AsType[*connect.Error](err); ok {
		return e.Unwrap()
	}
	return errors.Unwrap(err)
}

// WithRecovery makes a panic the failure of one call.
func WithRecovery(logger *slog.Logger) connect.ServerInterceptor {
	return func(next connect.ServerFunc) connect.ServerFunc {
		return func(ctx context.Context, spec connect.Spec, stream connect.ServerStream) (err error) {
			defer Recover(ctx, logger, &err)
			return next(ctx, spec, stream)
		}
	}
}

// Recover makes an error of a panic, if there is one, and logs its stack. It has to
// be deferred itself.
func Recover(ctx context.Context, logger *slog.Logger, err *error) {
	if value := recover(); value != nil {
		logger.ErrorContext(ctx, "panic", "method", Method(accounting.From(ctx).Procedure), "stack", string(debug.Stack()))
		*err = fmt.Errorf("panic: %T", value)
	}
}

// Method is the one spelling of an RPC for people, of a procedure that a caller
// chose: without its slash, and cut where it is too long for a line.
func Method(procedure string) string { return rpcerror.Clip(strings.TrimPrefix(procedure, "/")) }

// CodeName is the code of an error, "ok" without one.
func CodeName(err error) string {
	if err == nil {
		return "ok"
	}
	return connect.CodeOf(err).String()
}

// level is how much the end of a call matters to an operator.
func level(err error) slog.Level {
	if err != nil && connect.CodeOf(err) == connect.CodeInternal {
		return slog.LevelError
	}
	return slog.LevelInfo
}
