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

// LoggedCalls are the calls that have a line in the log.
type LoggedCalls uint8

const (
	// FailedCalls are those that failed on this side, and those that were slow. Why a
	// caller was refused is in the record of its call, and in the metrics.
	FailedCalls LoggedCalls = iota
	// AllCalls are all.
	AllCalls
	// NoCalls are none. A panic is logged all the same.
	NoCalls
)

// Lines says which calls have a line in the log.
type Lines struct {
	Calls LoggedCalls
	// Slow is from when on a call is slow, if it is more than zero. A stream never is:
	// it lasts for as long as its caller reads.
	Slow time.Duration
}

// wants says whether a call that is over has a line.
func (l Lines) wants(call *accounting.Call, spec connect.Spec, err error) bool {
	switch l.Calls {
	case AllCalls:
		return true
	case NoCalls:
		return false
	default:
		return failed(err) || l.Slow > 0 && spec.StreamType == connect.StreamTypeUnary && time.Since(call.Start) >= l.Slow
	}
}

// failed says whether a call failed on this side: in the gateway, at the upstream, or
// for want of time. What a caller is refused for is its own business.
func failed(err error) bool {
	if err == nil {
		return false
	}
	switch connect.CodeOf(err) {
	case connect.CodeUnknown, connect.CodeDeadlineExceeded, connect.CodeInternal, connect.CodeUnavailable, connect.CodeDataLoss:
		return true
	default:
		return false
	}
}

// WithLog writes a line for a call that is over, if it is one that has a line. Of
// callers that are not authenticated it writes so many a second, and says in the next
// line how many it left out. A line holds no value of a request;
// [accounting.NewLogHandler] adds which call it is. A call without a line costs a
// comparison and a look at the clock.
func WithLog(logger *slog.Logger, lines Lines) connect.ServerInterceptor {
	anonymous := rate.NewLimiter(anonymousLines, anonymousBurst)
	var leftOut atomic.Int64
	return func(next connect.ServerFunc) connect.ServerFunc {
		return func(ctx context.Context, spec connect.Spec, stream connect.ServerStream) error {
			err := next(ctx, spec, stream)
			call := accounting.From(ctx)
			if !lines.wants(call, spec, err) || !logger.Enabled(ctx, level(err)) {
				return err
			}
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
			if waited, budget := call.Waits.Read(); waited > 0 || budget != "" {
				attrs = append(attrs, slog.Duration("waited", waited), slog.String("budget", budget))
			}
			if cached := call.Cache.Outcome.String(); cached != "" {
				attrs = append(attrs, slog.String("cache", cached))
			}
			if reason := call.Admission.Reason; reason != "" {
				attrs = append(attrs, slog.String("reason", reason))
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
