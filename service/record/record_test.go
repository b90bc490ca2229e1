package record_test

import (
	"context"
	"errors"
	"slices"
	"testing"

	"connectrpc.com/connect/v2"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/emptypb"

	adminv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/admin/v1"
	controlv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/control/v1"
	"github.com/admin-gateway/admin-gateway/internal/admissiontest"
	"github.com/admin-gateway/admin-gateway/internal/catalogtest"
	"github.com/admin-gateway/admin-gateway/internal/rpctest"
	"github.com/admin-gateway/admin-gateway/service/accounting"
	"github.com/admin-gateway/admin-gateway/service/admission"
	"github.com/admin-gateway/admin-gateway/service/audit"
	"github.com/admin-gateway/admin-gateway/service/pipeline"
	"github.com/admin-gateway/admin-gateway/service/record"
	"github.com/admin-gateway/admin-gateway/service/rpcerror"
)

var errFull = errors.New("no space left on device")

// log keeps records, and what happened around them, in order.
type log struct {
	events  []string
	records []audit.Record
	fail    error // of Write
}

func (l *log) Write(_ context.Context, r *audit.Record) error {
	l.events = append(l.events, "write "+r.Event)
	if l.fail != nil {
		return l.fail
	}
	l.records = append(l.records, *r)
	return nil
}

func (l *log) Offer(r *audit.Record) {
	l.events = append(l.events, "offer "+r.Event)
	l.records = append(l.records, *r)
}

// sending notes in the log that an answer was sent.
type sending struct {
	connect.ServerStream
	log *log
}

func (s sending) Send(msg any) error {
	s.log.events = append(s.log.events, "answer")
	return s.ServerStream.Send(msg)
}

func writes(required bool) record.Required {
	if required {
		return record.RequireWrites
	}
	return record.RequireNothing
}

// call serves a call with a recorder; done says that its handler made a write.
func call(t *testing.T, l *log, required, done bool, failure error) error {
	t.Helper()
	_, err := rpctest.Call{
		Interceptors: []connect.ServerInterceptor{accounting.WithCall, func(next connect.ServerFunc) connect.ServerFunc {
			return func(ctx context.Context, spec connect.Spec, stream connect.ServerStream) error {
				return next(ctx, spec, sending{stream, l})
			}
		}, record.New(record.Options{Log: l, Required: writes(required)}).WithRecord},
		Handler: func(ctx context.Context, spec connect.Spec, stream connect.ServerStream) error {
			accounting.From(ctx).Upstream = accounting.Upstream{Done: done, RequestID: "up_1"}
			if failure != nil {
				return failure
			}
			return rpctest.Answer(ctx, spec, stream)
		},
	}.Do(t.Context())
	return err
}

// TestTheAnswerWaitsForTheRecord: the record comes first, and only that of a write
// that was made is waited for, where the operator requires it.
func TestTheAnswerWaitsForTheRecord(t *testing.T) {
	t.Parallel()
	refusal := connect.NewError(connect.CodeNotFound, "no such thing")
	for name, test := range map[string]struct {
		required, done bool
		failure        error
		events         []string
		code           string
	}{
		"a read":                   {false, false, nil, []string{"offer call", "answer"}, "ok"},
		"a read, required":         {true, false, nil, []string{"offer call", "answer"}, "ok"},
		"a write":                  {false, true, nil, []string{"offer call", "answer"}, "ok"},
		"a write, required":        {true, true, nil, []string{"write call", "answer"}, "ok"},
		"a refusal":                {false, false, refusal, []string{"offer call"}, "not_found"},
		"an unknown write outcome": {true, true, refusal, []string{"write call"}, "not_found"},
	} {
		l := new(log)
		if err := call(t, l, test.required, test.done, test.failure); !errors.Is(err, test.failure) {
			t.Errorf("%s: %v", name, err)
		}
		if !slices.Equal(l.events, test.events) {
			t.Errorf("%s: %q, want %q", name, l.events, test.events)
		}
		if r := l.records[0]; r.Code != test.code || r.Event != audit.EventCall || r.Method != "test.v1.Service/Method" || r.UpstreamRequestID != "up_1" || r.RequestID == "" || r.Duration <= 0 {
			t.Errorf("%s: %+v", name, r)
		}
	}
}

// TestDoneWithoutRecord: a write that was made and not recorded is not answered, and
// its error says that it was made. An error of the call itself stays.
func TestDoneWithoutRecord(t *testing.T) {
	t.Parallel()
	l := &log{fail: errFull}
	err := call(t, l, true, true, nil)
	e, ok := errors.AsType[*rpcerror.Error](err)
	if !ok || e.Reason != rpcerror.ReasonWriteNotRecorded || !errors.Is(e.Cause, errFull) {
		t.Fatalf("%v", err)
	}
	if e.Done.GetReason() != controlv1.WriteDone_REASON_NOT_RECORDED || e.Done.GetUpstreamRequestId() != "up_1" {
		t.Errorf("%v", e.Done)
	}
	if len(l.events) != 1 {
		t.Errorf("%q: an answer was sent", l.events)
	}
	refusal := connect.NewError(connect.CodeUnknown, "the outcome is not known")
	if err := call(t, l, true, true, refusal); !errors.Is(err, refusal) {
		t.Errorf("a call that failed: %v", err)
	}
}

// TestStreamsAreNotHeld: the messages of a stream are sent as they come.
func TestStreamsAreNotHeld(t *testing.T) {
	t.Parallel()
	l := new(log)
	sent := false
	handler := record.New(record.Options{Log: l, Required: record.RequireWrites}).WithRecord(func(_ context.Context, _ connect.Spec, stream connect.ServerStream) error {
		if err := stream.Send(&emptypb.Empty{}); err != nil {
			return err
		}
		sent = len(l.events) == 1
		return nil
	})
	if err := handler(t.Context(), connect.Spec{StreamType: connect.StreamTypeServer}, sending{discarding{}, l}); err != nil || !sent {
		t.Errorf("sent before the end: %t, %v", sent, err)
	}
}

type discarding struct{ connect.ServerStream }

func (discarding) Send(any) error { return nil }

// TestIntent: a write whose intent cannot be recorded is not made, where the operator
// requires it; a read is.
func TestIntent(t *testing.T) {
	t.Parallel()
	read := admissiontest.Permit(t, catalogtest.Method(t, "ProjectService/GetProject"), &adminv1.GetProjectRequest{ProjectId: "proj_1"})
	write := admissiontest.Permit(t, catalogtest.Method(t, "ProjectService/CreateProject"), &adminv1.CreateProjectRequest{Name: "one"})
	for name, test := range map[string]struct {
		permit   admission.Permit
		required bool
		fail     error
		made     bool
		events   int
	}{
		"a read":                 {read, true, errFull, true, 0},
		"a write":                {write, true, nil, true, 1},
		"a write, not required":  {write, false, errFull, true, 0},
		"a write, cannot record": {write, true, errFull, false, 1},
	} {
		l, made := &log{fail: test.fail}, false
		last := pipeline.Func(func(context.Context, admission.Permit) (*pipeline.Response, error) {
			made = true
			return nil, nil
		})
		_, err := record.New(record.Options{Log: l, Required: writes(test.required)}).Intent(last).Invoke(t.Context(), test.permit)
		if made != test.made || len(l.events) != test.events || made != (err == nil) {
			t.Errorf("%s: made %t, %q, %v", name, made, l.events, err)
		}
		if e, ok := errors.AsType[*rpcerror.Error](err); !made && (!ok || e.Reason != rpcerror.ReasonAuditUnavailable || !errors.Is(e.Cause, errFull)) {
			t.Errorf("%s: %v", name, err)
		}
		if test.events == 1 && l.events[0] != "write intent" {
			t.Errorf("%s: %q", name, l.events)
		}
	}
}

// TestRecordNamesTheResources of the path, the projects, and the lease.
func TestRecordNamesTheResources(t *testing.T) {
	t.Parallel()
	l := new(log)
	m := catalogtest.Method(t, "ProjectUserService/GetProjectUser")
	var request proto.Message = &adminv1.GetProjectUserRequest{ProjectId: "proj_1", UserId: "user_1"}
	if _, err := (rpctest.Call{
		Interceptors: []connect.ServerInterceptor{accounting.WithCall, record.New(record.Options{Log: l}).WithRecord},
		Handler: func(ctx context.Context, spec connect.Spec, stream connect.ServerStream) error {
			account := &accounting.From(ctx).Admission
			account.Method, account.Request, account.Verdict = m, request.ProtoReflect(), audit.DecisionAllowed
			accounting.From(ctx).Lease = accounting.Lease{ID: "lease_1", Role: "search", Holder: "pod", Cause: "revoked"}
			return rpctest.Answer(ctx, spec, stream)
		},
	}).Do(t.Context()); err != nil {
		t.Fatal(err)
	}
	r := l.records[0]
	if len(r.Resources) != 2 || r.Resources[0] != (audit.Resource{Name: "project_id", ID: "proj_1"}) || r.Resources[1] != (audit.Resource{Name: "user_id", ID: "user_1"}) {
		t.Errorf("resources %v", r.Resources)
	}
	if r.Lease != "lease_1" || r.Role != "search" || r.Holder != "pod" || r.Cause != "revoked" || r.Agent != "" {
		t.Errorf("the lease in %+v", r)
	}
	if len(r.Projects) != 1 || r.Projects[0] != "proj_1" || r.Decision != audit.DecisionAllowed {
		t.Errorf("%+v", r)
	}
}
