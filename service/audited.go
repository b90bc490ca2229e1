package service

import (
	"context"
	"log/slog"

	"connectrpc.com/connect/v2"

	controlv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/control/v1"
	"github.com/admin-gateway/admin-gateway/service/audit"
	"github.com/admin-gateway/admin-gateway/service/rpcerror"
)

// AuditLog keeps a record of every call.
type AuditLog interface {
	// Write returns once the record is kept, or when it cannot be.
	Write(ctx context.Context, record *audit.Record) error
	// Offer keeps the record if it can, and does not wait.
	Offer(record *audit.Record)
}

// withAudit keeps a record of the call with the code that its caller sees. The
// answer of a unary call is held back until then.
func (r *road) withAudit(next connect.ServerFunc) connect.ServerFunc {
	return func(ctx context.Context, spec connect.Spec, stream connect.ServerStream) error {
		c := callOf(ctx)
		held := &heldStream{ServerStream: stream}
		if spec.StreamType == connect.StreamTypeUnary {
			stream = held
		}
		err := next(ctx, spec, stream)
		if auditErr := r.keepRecord(ctx, c, codeName(err)); auditErr != nil && err == nil {
			err = doneWithoutRecord(c, held.answer, auditErr)
		}
		if err != nil || held.answer == nil {
			return err
		}
		if err := held.ServerStream.Send(held.answer); err != nil {
			return rpcerror.ToCaller(err)
		}
		return nil
	}
}

// keepRecord fails only where the operator requires a record: that of a write
// that was made.
func (r *road) keepRecord(ctx context.Context, c *call, code string) error {
	ctx, s := r.tracing.stage(ctx, stageAudit)
	record := c.record(audit.EventCall, code)
	if !r.auditRequired || !c.done {
		r.audit.Offer(record)
		s.end(nil)
		return nil
	}
	err := r.audit.Write(context.WithoutCancel(ctx), record)
	s.end(err)
	return err
}

// heldStream keeps the answer of a unary call to itself.
type heldStream struct {
	connect.ServerStream
	answer any
}

// Send holds the answer.
func (s *heldStream) Send(msg any) error {
	s.answer = msg
	return nil
}

// announce keeps a record of a write before it is made, where the operator
// requires one: a write that cannot be recorded is not made.
func (r *road) announce(ctx context.Context, c *call) error {
	if !r.auditRequired {
		return nil
	}
	ctx, s := r.tracing.stage(ctx, stageAudit)
	err := r.audit.Write(ctx, c.record(audit.EventIntent, ""))
	s.end(err)
	if err != nil {
		return &rpcerror.Error{
			Code: connect.CodeUnavailable, Reason: rpcerror.ReasonAuditUnavailable, Cause: err,
			Message: "the call cannot be recorded, so it was not made",
		}
	}
	return nil
}

// doneWithoutRecord tells the caller of a write that was made. It must not look
// like a failure that may be repeated. What was created is named by its id; the
// rest of the answer may be a secret, and errors are logged.
func doneWithoutRecord(c *call, sent any, cause error) error {
	done := &controlv1.WriteDone{Reason: controlv1.WriteDone_REASON_NOT_RECORDED, UpstreamRequestId: c.upstreamRequestID}
	if a, ok := sent.(*answer); ok {
		done.Id = a.id()
	}
	return &rpcerror.Error{
		Code: connect.CodeUnknown, Reason: rpcerror.ReasonWriteNotRecorded, Done: done, Cause: cause,
		Message: "the change was made, and its record could not be kept; do not repeat the call",
	}
}

// codeName is what a caller sees of an error, "ok" without one.
func codeName(err error) string {
	if err == nil {
		return "ok"
	}
	return connect.CodeOf(err).String()
}

// logLevel is how much a call's end matters to an operator.
func logLevel(err error) slog.Level {
	if err != nil && connect.CodeOf(err) == connect.CodeInternal {
		return slog.LevelError
	}
	return slog.LevelInfo
}
