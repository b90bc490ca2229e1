package idempotency_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"connectrpc.com/connect/v2"
	"connectrpc.com/connect/v2/connectproto"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/protobuf/proto"

	"github.com/admin-gateway/admin-gateway/cache/outcome"
	adminv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/admin/v1"
	"github.com/admin-gateway/admin-gateway/internal/admissiontest"
	"github.com/admin-gateway/admin-gateway/internal/catalogtest"
	"github.com/admin-gateway/admin-gateway/service/accounting"
	"github.com/admin-gateway/admin-gateway/service/admission"
	"github.com/admin-gateway/admin-gateway/service/idempotency"
	"github.com/admin-gateway/admin-gateway/service/pipeline"
	"github.com/admin-gateway/admin-gateway/service/rpcerror"
	"github.com/admin-gateway/admin-gateway/upstream"
)

// TestAWriteThatMayHaveBeenMadeIsNotMadeAgain: however the first attempt of a key ended,
// the second one makes the write only if the first changed nothing. An end that nobody
// saw is told as unknown.
func TestAWriteThatMayHaveBeenMadeIsNotMadeAgain(t *testing.T) {
	t.Parallel()
	notRecorded := &rpcerror.Error{Code: connect.CodeUnknown, Reason: rpcerror.ReasonWriteNotRecorded}
	for name, test := range map[string]struct {
		made   bool // at the upstream, as the account has it
		panics bool
		err    error
		again  bool
		want   string // reason of the second attempt
	}{
		"made, and not recorded":      {made: true, err: notRecorded, want: rpcerror.ReasonWriteNotRecorded},
		"not recorded, so not made":   {err: &rpcerror.Error{Code: connect.CodeUnavailable, Reason: rpcerror.ReasonAuditUnavailable}, again: true, want: rpcerror.ReasonAuditUnavailable},
		"refused by the upstream":     {err: &upstream.Error{Kind: upstream.NotFound, Reason: upstream.ReasonNotFound}, again: true, want: upstream.ReasonNotFound},
		"an answer that did not come": {made: true, err: &upstream.Error{Kind: upstream.OutcomeUnknown, Reason: upstream.ReasonOutcomeUnknown}, want: upstream.ReasonOutcomeUnknown},
		"a panic":                     {panics: true, want: upstream.ReasonOutcomeUnknown},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			attempts := 0
			invoke := newStep(t, func(ctx context.Context) error {
				attempts++
				accounting.From(ctx).Upstream.Done = test.made
				if test.panics {
					panic("in the middle of a write")
				}
				return test.err
			})
			var err error
			for range 2 {
				func() {
					defer func() { _ = recover() }()
					err = invoke()
				}()
			}
			if (attempts == 2) != test.again {
				t.Errorf("%d attempts", attempts)
			}
			if got := reasonOf(err); got != test.want {
				t.Errorf("the second attempt ends with %v (%s), want %s", err, got, test.want)
			}
		})
	}
}

// newStep returns a function that makes a write with a key, by what does it.
func newStep(t *testing.T, does func(ctx context.Context) error) (invoke func() error) {
	t.Helper()
	memory, err := outcome.NewMemory(outcome.MemoryOptions{MaxBytes: 32 << 20})
	if err != nil {
		t.Fatal(err)
	}
	outcomes, err := idempotency.New(idempotency.Options{
		Outcomes: memory, Scope: "s", Org: func(context.Context) (string, error) { return "org", nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	metrics, err := idempotency.NewMetrics(nil)
	if err != nil {
		t.Fatal(err)
	}
	step := idempotency.Step(outcomes, metrics)(pipeline.Func(func(ctx context.Context, _ admission.Permit) (*pipeline.Response, error) {
		return nil, does(ctx)
	}))
	permit := admissiontest.Permit(t, catalogtest.Method(t, "ProjectService/UpdateProject"), &adminv1.UpdateProjectRequest{ProjectId: "p", Name: proto.String("new")})
	return func() error {
		ctx, cancel := context.WithTimeout(idempotency.WithKey(t.Context(), "key"), time.Minute)
		defer cancel()
		return accounting.WithCall(func(ctx context.Context, _ connect.Spec, _ connect.ServerStream) error {
			_, err := step.Invoke(ctx, permit)
			return err
		})(ctx, connect.Spec{}, nil)
	}
}

// reasonOf is the reason that a caller gets.
func reasonOf(err error) string {
	if e, ok := errors.AsType[*upstream.Error](err); ok {
		return e.Reason
	}
	failure, ok := errors.AsType[*connect.Error](err)
	if !ok {
		return ""
	}
	for _, detail := range failure.Details() {
		if m, err := connectproto.UnmarshalErrorDetail(detail); err == nil {
			if info, ok := m.(*errdetails.ErrorInfo); ok {
				return info.GetReason()
			}
		}
	}
	return ""
}
