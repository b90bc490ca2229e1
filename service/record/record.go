package record

import (
	"context"
	"strings"
	"time"

	"connectrpc.com/connect/v2"

	controlv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/control/v1"
	"github.com/admin-gateway/admin-gateway/service/accounting"
	"github.com/admin-gateway/admin-gateway/service/admission"
	"github.com/admin-gateway/admin-gateway/service/audit"
	"github.com/admin-gateway/admin-gateway/service/observe"
	"github.com/admin-gateway/admin-gateway/service/pipeline"
	"github.com/admin-gateway/admin-gateway/service/rpcerror"
)

// Log stores records.
type Log interface {
	// Write returns once the record is stored, or fails.
	Write(ctx context.Context, record *audit.Record) error
	// Offer stores the record if possible, and does not wait.
	Offer(record *audit.Record)
}

// Recorder writes a record of every call.
type Recorder struct {
	log      Log
	required bool
	tracer   *observe.Tracer
}

// New makes a Recorder over a log. Where records are required, a write whose record
// cannot be stored is refused.
func New(log Log, required bool, tracer *observe.Tracer) *Recorder {
	return &Recorder{log, required, tracer}
}

// WithRecord is the interceptor that writes a record of the call, with the code
// that its caller sees. The answer of a unary call is held back until then.
func (r *Recorder) WithRecord(next connect.ServerFunc) connect.ServerFunc {
	return func(ctx context.Context, spec connect.Spec, stream connect.ServerStream) error {
		held := &heldStream{ServerStream: stream}
		if spec.StreamType == connect.StreamTypeUnary {
			stream = held
		}
		err := next(ctx, spec, stream)
		call := accounting.From(ctx)
		if recordErr := r.keep(ctx, call, observe.CodeName(err)); recordErr != nil && err == nil {
			err = doneWithoutRecord(call, held.answer, recordErr)
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

// keep fails only where the operator requires a record: that of a write that was
// made.
func (r *Recorder) keep(ctx context.Context, call *accounting.Call, code string) error {
	ctx, span := r.tracer.Stage(ctx, observe.StageAudit)
	record := recordOf(call, audit.EventCall, code)
	if !r.required || !call.Upstream.Done {
		r.log.Offer(record)
		span.End(nil)
		return nil
	}
	err := r.log.Write(context.WithoutCancel(ctx), record)
	span.End(err)
	return err
}

// heldStream holds the answer of a unary call back.
type heldStream struct {
	connect.ServerStream
	answer any
}

// Send holds the answer.
func (s *heldStream) Send(msg any) error {
	s.answer = msg
	return nil
}

// Intent is the step that writes a record of a write before it is made, where the
// operator requires one: a write that cannot be recorded is not made. Reads pass.
func (r *Recorder) Intent(next pipeline.Invoker) pipeline.Invoker {
	return pipeline.Func(func(ctx context.Context, permit admission.Permit) (*pipeline.Response, error) {
		if !permit.Method().Read {
			if err := r.Announce(ctx); err != nil {
				return nil, err
			}
		}
		return next.Invoke(ctx, permit)
	})
}

// Announce writes the record of the intent of the call that ctx belongs to,
// where the operator requires one.
func (r *Recorder) Announce(ctx context.Context) error {
	if !r.required {
		return nil
	}
	call := accounting.From(ctx)
	ctx, span := r.tracer.Stage(ctx, observe.StageAudit)
	err := r.log.Write(ctx, recordOf(call, audit.EventIntent, ""))
	span.End(err)
	if err != nil {
		return &rpcerror.Error{
			Code: connect.CodeUnavailable, Reason: rpcerror.ReasonAuditUnavailable, Cause: err,
			Message: "the call cannot be recorded, so it was not made",
		}
	}
	return nil
}

// doneWithoutRecord is the error for a write that was made. It must not look
// like a failure that may be repeated. What was created is named by its id; the
// rest of the answer may be a secret, and errors are logged.
func doneWithoutRecord(call *accounting.Call, sent any, cause error) error {
	done := &controlv1.WriteDone{Reason: controlv1.WriteDone_REASON_NOT_RECORDED, UpstreamRequestId: call.Upstream.RequestID}
	if response, ok := sent.(*pipeline.Response); ok {
		done.Id = response.ID()
	}
	return &rpcerror.Error{
		Code: connect.CodeUnknown, Reason: rpcerror.ReasonWriteNotRecorded, Done: done, Cause: cause,
		Message: "the change was made, and its record could not be stored; do not repeat the call",
	}
}

// recordOf is the record of a call.
func recordOf(call *accounting.Call, event, code string) *audit.Record {
	a := &call.Admission
	r := &audit.Record{
		Time:              call.Start,
		Event:             event,
		RequestID:         call.ID,
		TraceID:           call.TraceID,
		Caller:            a.Identity.Caller,
		Authenticated:     a.Identity.Method,
		Method:            strings.TrimPrefix(call.Procedure, "/"),
		Permission:        a.Decision.Permission,
		Decision:          a.Verdict,
		Grant:             a.Decision.Grant,
		Reason:            a.Reason,
		Code:              code,
		UpstreamRequestID: call.Upstream.RequestID,
		Cache:             call.Cache.Outcome.String(),
		Calls:             call.Reads.Made.Load(),
		Refused:           call.Reads.Refused.Load(),
		Idempotency:       call.Idempotency,
		Duration:          time.Since(call.Start),
	}
	if a.Request == nil || a.Method == nil {
		return r
	}
	r.Projects = a.Method.ProjectsIn(a.Request)
	for _, variable := range a.Method.Variables() {
		r.Resources = append(r.Resources, audit.Resource{Name: string(variable.Name()), ID: a.Request.Get(variable).String()})
	}
	return r
}
