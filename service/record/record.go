package record

import (
	"context"
	"errors"
	"strings"
	"sync"
	"time"

	"connectrpc.com/connect/v2"
	"google.golang.org/protobuf/proto"

	controlv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/control/v1"
	"github.com/admin-gateway/admin-gateway/service/accounting"
	"github.com/admin-gateway/admin-gateway/service/admission"
	"github.com/admin-gateway/admin-gateway/service/audit"
	"github.com/admin-gateway/admin-gateway/service/catalog"
	"github.com/admin-gateway/admin-gateway/service/observe"
	"github.com/admin-gateway/admin-gateway/service/pipeline"
	"github.com/admin-gateway/admin-gateway/service/rpcerror"
)

// Log stores records. It keeps none of those that it gets: each is used again.
type Log interface {
	// Write returns once the record is stored, or fails.
	Write(ctx context.Context, record *audit.Record) error
	// Offer stores the record if possible, and does not wait.
	Offer(record *audit.Record)
}

// Options configure [New].
type Options struct {
	// Log stores the records. Required.
	Log Log
	// Required says of which calls a record is required.
	Required Required
	// Key makes the fingerprints of requests; without it there are none.
	Key Key
	// Origins finds out from where calls come.
	Origins Origins
	// Tracer makes spans; nil makes none.
	Tracer *observe.Tracer
}

// Recorder writes a record of every call.
type Recorder struct {
	Options

	free sync.Pool // Of *audit.Record.
}

// New makes a Recorder.
func New(options Options) *Recorder {
	return &Recorder{Options: options, free: sync.Pool{New: func() any { return new(audit.Record) }}}
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
		if recordErr := r.keep(ctx, call, held.answer, outcomeOf(err)); recordErr != nil && err == nil {
			err = withoutRecord(call, held.answer, recordErr)
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
// made, or of a read that was allowed.
func (r *Recorder) keep(ctx context.Context, call *accounting.Call, answer any, end outcome) error {
	ctx, span := r.Tracer.Stage(ctx, observe.StageAudit)
	record := r.recordOf(ctx, call, audit.EventCall, end)
	defer r.recycle(record)
	if m := call.Admission.Method; m != nil {
		record.Answer = answerDetails(answer, m)
	}
	if !r.due(call) {
		r.Log.Offer(record)
		span.End(nil)
		return nil
	}
	err := r.Log.Write(context.WithoutCancel(ctx), record)
	span.End(err)
	return err
}

// due says whether the record of a call that is over is required.
func (r *Recorder) due(call *accounting.Call) bool {
	m := call.Admission.Method
	if m == nil || !m.Read {
		// A write that was not made has left its intent, and nothing else.
		return r.Required != RequireNothing && call.Upstream.Done
	}
	return r.Required.covers(m) && call.Admission.Verdict == audit.DecisionAllowed
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
	if r.Required == RequireNothing {
		return nil
	}
	return r.write(ctx, audit.EventIntent)
}

// Begin records that the call of ctx is about to stream its answer, so that a stream
// is known while it runs. Where the operator requires it, a stream whose beginning
// cannot be recorded does not begin.
func (r *Recorder) Begin(ctx context.Context) error {
	call := accounting.From(ctx)
	if r.Required.covers(call.Admission.Method) {
		return r.write(ctx, audit.EventBegin)
	}
	record := r.recordOf(ctx, call, audit.EventBegin, outcome{})
	defer r.recycle(record)
	r.Log.Offer(record)
	return nil
}

// write writes a record of a call before it is made.
func (r *Recorder) write(ctx context.Context, event string) error {
	ctx, span := r.Tracer.Stage(ctx, observe.StageAudit)
	record := r.recordOf(ctx, accounting.From(ctx), event, outcome{})
	defer r.recycle(record)
	err := r.Log.Write(ctx, record)
	span.End(err)
	if err != nil {
		return unavailable("the call cannot be recorded, so it was not made", err)
	}
	return nil
}

func unavailable(message string, cause error) error {
	return &rpcerror.Error{Code: connect.CodeUnavailable, Reason: rpcerror.ReasonAuditUnavailable, Cause: cause, Message: message}
}

// withoutRecord is the error for a call whose record is required, and was not stored
// after it was made.
func withoutRecord(call *accounting.Call, sent any, cause error) error {
	switch m := call.Admission.Method; {
	case m == nil || !m.Read:
		return doneWithoutRecord(call, sent, cause)
	case m.Source == catalog.FanOut:
		return unavailable("the end of the stream cannot be recorded", cause)
	}
	return unavailable("the call cannot be recorded, so it is not answered", cause)
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

// outcome is how a call ended for its caller. The zero value has not ended.
type outcome struct{ code, reason string }

func outcomeOf(err error) outcome {
	end := outcome{code: observe.CodeName(err)}
	if seen, ok := errors.AsType[*rpcerror.Error](err); ok {
		end.reason = seen.Reason
	}
	return end
}

// recycle keeps the memory of a record, and nothing of its call.
func (r *Recorder) recycle(record *audit.Record) {
	*record = audit.Record{}
	r.free.Put(record)
}

// recordOf is the record of a call, for recycle.
func (r *Recorder) recordOf(ctx context.Context, call *accounting.Call, event string, end outcome) *audit.Record {
	a := &call.Admission
	made, _ := r.free.Get().(*audit.Record)
	*made = audit.Record{
		Time:              call.Start,
		Event:             event,
		RequestID:         call.ID,
		TraceID:           call.TraceID,
		Caller:            a.Identity.Caller,
		Presented:         a.Presented,
		Authenticated:     a.Identity.Method,
		Credential:        a.Identity.CredentialID,
		Agent:             call.Own.Agent,
		Within:            call.Own.Within,
		Lease:             call.Lease.ID,
		Role:              call.Lease.Role,
		Holder:            call.Lease.Holder,
		Cause:             call.Lease.Cause,
		Method:            strings.TrimPrefix(call.Procedure, "/"),
		Permission:        a.Decision.Permission,
		Decision:          a.Verdict,
		Grant:             a.Decision.Grant,
		Reason:            a.Reason,
		Code:              end.code,
		Error:             end.reason,
		Write:             a.Method != nil && !a.Method.Read,
		UpstreamRequestID: call.Upstream.RequestID,
		Cache:             call.Cache.Outcome.String(),
		Calls:             call.Reads.Made.Load(),
		Refused:           call.Reads.Refused.Load(),
		Idempotency:       call.Idempotency,
		Duration:          time.Since(call.Start),
	}
	made.Waited, made.Budget = call.Waits.Read()
	if a.Verdict == audit.DecisionDenied {
		made.DeniedProject, made.DeniedRole = a.Decision.Project, a.Decision.Role
	}
	if info, ok := connect.CallInfoForServerContext(ctx); ok && call.Own.Agent == "" {
		made.Peer, made.ForwardedFor = r.Origins.of(info)
		made.Door = observe.Door(ctx)
	}
	if a.Request == nil || a.Method == nil {
		return made
	}
	made.Projects = a.Method.ProjectsIn(a.Request)
	for _, variable := range a.Method.Variables() {
		made.Resources = append(made.Resources, audit.Resource{Name: string(variable.Name()), ID: a.Request.Get(variable).String()})
	}
	made.Request = detailsOf(a.Request, a.Method.RecordedRequest())
	made.HMAC, _ = r.Key.Fingerprint(call.Procedure, a.Request) // It was decoded, so it can be encoded.
	return made
}

// answerDetails are the declared values of an answer.
func answerDetails(answer any, m *catalog.Method) []audit.Detail {
	if answer == nil || len(m.RecordedAnswer()) == 0 {
		return nil
	}
	message, ok := answer.(proto.Message)
	if response, is := answer.(*pipeline.Response); is {
		decoded, err := response.Message()
		message, ok = decoded, err == nil
	}
	if !ok {
		return nil
	}
	return detailsOf(message.ProtoReflect(), m.RecordedAnswer())
}
