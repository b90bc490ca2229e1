package rpcerror

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"buf.build/go/protovalidate"
	"connectrpc.com/connect/v2"
	"connectrpc.com/connect/v2/connectproto"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/durationpb"

	adminv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/admin/v1"
	"github.com/admin-gateway/admin-gateway/upstream"
)

// canary is a text that no caller may ever read.
const canary = "canary-a41f"

// heard is the error as a caller gets it.
type heard struct {
	Code    connect.Code
	Message string
	Details []proto.Message
}

func hear(t *testing.T, err error) heard {
	t.Helper()
	e, ok := errors.AsType[*connect.Error](err)
	if !ok {
		t.Fatalf("%T is not a *connect.Error", err)
	}
	h := heard{Code: e.Code(), Message: e.Message()}
	for _, detail := range e.Details() {
		m, err := connectproto.UnmarshalErrorDetail(detail)
		if err != nil {
			t.Fatal(err)
		}
		h.Details = append(h.Details, m)
	}
	return h
}

func root(err error) error {
	for errors.Unwrap(err) != nil {
		err = errors.Unwrap(err)
	}
	return err
}

func info(reason string, metadata map[string]string) *errdetails.ErrorInfo {
	return &errdetails.ErrorInfo{Reason: reason, Domain: "admin-gateway", Metadata: metadata}
}

func badField(field, description string) *errdetails.BadRequest {
	return &errdetails.BadRequest{FieldViolations: []*errdetails.BadRequest_FieldViolation{{Field: field, Description: description}}}
}

func TestToCaller(t *testing.T) {
	t.Parallel()
	withWords := func(kind upstream.Kind, reason string) *upstream.Error {
		return &upstream.Error{Kind: kind, Reason: reason, Status: 499, Message: "its words", Code: "its_code", Type: "its_type", RequestID: "req_up"}
	}
	words := map[string]string{"upstream_status": "499", "upstream_code": "its_code", "upstream_type": "its_type", "upstream_request_id": "req_up"}
	tests := []struct {
		name string
		err  error
		want heard
	}{
		{"invalid argument", withWords(upstream.InvalidArgument, upstream.ReasonInvalidArgument),
			heard{connect.CodeInvalidArgument, "its words", []proto.Message{info("UPSTREAM_INVALID_ARGUMENT", words)}}},
		{"invalid argument of a parameter", &upstream.Error{Kind: upstream.InvalidArgument, Reason: upstream.ReasonInvalidArgument, Status: 400, Message: "no such role", Param: "role"},
			heard{connect.CodeInvalidArgument, "no such role", []proto.Message{
				info("UPSTREAM_INVALID_ARGUMENT", map[string]string{"upstream_status": "400"}), badField("role", "no such role")}}},
		{"not found", withWords(upstream.NotFound, upstream.ReasonNotFound),
			heard{connect.CodeNotFound, "its words", []proto.Message{info("UPSTREAM_NOT_FOUND", words)}}},
		{"not found without words", &upstream.Error{Kind: upstream.NotFound, Reason: upstream.ReasonNotFound},
			heard{connect.CodeNotFound, "not found upstream", []proto.Message{info("UPSTREAM_NOT_FOUND", nil)}}},
		{"conflict", withWords(upstream.Conflict, upstream.ReasonConflict),
			heard{connect.CodeAborted, "its words", []proto.Message{info("UPSTREAM_CONFLICT", words)}}},
		{"rate limited", &upstream.Error{Kind: upstream.RateLimited, Reason: upstream.ReasonRateLimited, Status: 429, Message: "its words", RetryAfter: 1500 * time.Millisecond},
			heard{connect.CodeResourceExhausted, "its words", []proto.Message{
				info("UPSTREAM_RATE_LIMITED", map[string]string{"upstream_status": "429"}),
				&errdetails.RetryInfo{RetryDelay: durationpb.New(1500 * time.Millisecond)}}}},
		{"unavailable", withWords(upstream.Unavailable, upstream.ReasonUnavailable),
			heard{connect.CodeUnavailable, outcomes[upstream.Unavailable].message, []proto.Message{info("UPSTREAM_UNAVAILABLE", words)}}},
		{"unavailable for a while", &upstream.Error{Kind: upstream.Unavailable, Reason: upstream.ReasonUnavailable, RetryAfter: time.Minute},
			heard{connect.CodeUnavailable, outcomes[upstream.Unavailable].message, []proto.Message{
				info("UPSTREAM_UNAVAILABLE", nil), &errdetails.RetryInfo{RetryDelay: durationpb.New(time.Minute)}}}},
		{"no budget", &upstream.Error{Kind: upstream.RateLimited, Reason: upstream.ReasonNoBudget, RetryAfter: time.Minute},
			heard{connect.CodeResourceExhausted, unsent[upstream.ReasonNoBudget], []proto.Message{
				info("NO_BUDGET", nil), &errdetails.RetryInfo{RetryDelay: durationpb.New(time.Minute)}}}},
		{"breaker open", &upstream.Error{Kind: upstream.Unavailable, Reason: upstream.ReasonBreakerOpen, RetryAfter: time.Second},
			heard{connect.CodeUnavailable, unsent[upstream.ReasonBreakerOpen], []proto.Message{
				info("UPSTREAM_BREAKER_OPEN", nil), &errdetails.RetryInfo{RetryDelay: durationpb.New(time.Second)}}}},
		{"outcome unknown", withWords(upstream.OutcomeUnknown, upstream.ReasonOutcomeUnknown),
			heard{connect.CodeUnknown, outcomes[upstream.OutcomeUnknown].message, []proto.Message{info("OUTCOME_UNKNOWN", words)}}},
		{"credential rejected", withWords(upstream.CredentialRejected, upstream.ReasonCredentialRejected),
			heard{connect.CodeInternal, outcomes[upstream.CredentialRejected].message, []proto.Message{info("UPSTREAM_CREDENTIAL_REJECTED", words)}}},
		{"upstream deadline", &upstream.Error{Kind: upstream.DeadlineExceeded, Reason: upstream.ReasonDeadlineExceeded},
			heard{connect.CodeDeadlineExceeded, outcomes[upstream.DeadlineExceeded].message, []proto.Message{info("DEADLINE_EXCEEDED", nil)}}},
		{"upstream canceled", &upstream.Error{Kind: upstream.Canceled, Reason: upstream.ReasonCanceled},
			heard{connect.CodeCanceled, outcomes[upstream.Canceled].message, []proto.Message{info("CANCELED", nil)}}},
		{"kind of no row", &upstream.Error{Kind: upstream.Kind(99), Reason: "NEW", Message: canary},
			heard{connect.CodeInternal, "internal error", []proto.Message{info("NEW", nil)}}},
		{"wrapped upstream error", fmt.Errorf("%s: %w", canary, withWords(upstream.NotFound, upstream.ReasonNotFound)),
			heard{connect.CodeNotFound, "its words", []proto.Message{info("UPSTREAM_NOT_FOUND", words)}}},

		{"request error", &upstream.RequestError{Field: "limit", Reason: "is too large"},
			heard{connect.CodeInvalidArgument, "invalid request: limit: is too large", []proto.Message{info("INVALID_REQUEST", nil), badField("limit", "is too large")}}},
		{"deadline", fmt.Errorf("%s: %w", canary, context.DeadlineExceeded),
			heard{connect.CodeDeadlineExceeded, "the deadline passed", []proto.Message{info("DEADLINE_EXCEEDED", nil)}}},
		{"canceled", fmt.Errorf("%s: %w", canary, context.Canceled),
			heard{connect.CodeCanceled, "the call was canceled", []proto.Message{info("CANCELED", nil)}}},
		{"not decodable", connect.NewError(connect.CodeInvalidArgument, canary),
			heard{connect.CodeInvalidArgument, doorErrors[connect.CodeInvalidArgument].message, []proto.Message{info("MALFORMED_REQUEST", nil)}}},
		{"too large", connect.NewError(connect.CodeResourceExhausted, canary),
			heard{connect.CodeResourceExhausted, doorErrors[connect.CodeResourceExhausted].message, []proto.Message{info("MALFORMED_REQUEST", nil)}}},
		{"not implemented", connect.NewError(connect.CodeUnimplemented, canary),
			heard{connect.CodeUnimplemented, doorErrors[connect.CodeUnimplemented].message, []proto.Message{info("UNKNOWN_METHOD", nil)}}},
		{"any other of the door", connect.NewError(connect.CodeDataLoss, canary),
			heard{connect.CodeInternal, "internal error", []proto.Message{info("INTERNAL", nil)}}},
		{"unknown", errors.New(canary),
			heard{connect.CodeInternal, "internal error", []proto.Message{info("INTERNAL", nil)}}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			err := ToCaller(test.err)
			got := hear(t, err)
			if diff := cmp.Diff(test.want, got, protocmp.Transform()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if strings.Contains(fmt.Sprint(got), canary) {
				t.Errorf("a caller reads %v", got)
			}
			if !errors.Is(err, root(test.err)) {
				t.Errorf("the log does not get the cause: %v", err)
			}
			if again := ToCaller(fmt.Errorf("%s: %w", canary, err)); !cmp.Equal(hear(t, again), got, protocmp.Transform()) {
				t.Errorf("mapped twice, it is %v", hear(t, again))
			}
		})
	}
}

// A kind that is added upstream has a row here, and words of its own.
func TestEveryKindHasAnOutcome(t *testing.T) {
	t.Parallel()
	kinds := 0
	for kind := upstream.Kind(1); !strings.HasPrefix(kind.String(), "Kind("); kind++ {
		kinds++
		if row, ok := outcomes[kind]; !ok || row.message == "" || row.code == 0 {
			t.Errorf("%s has outcome %+v", kind, row)
		}
	}
	if kinds == 0 || kinds != len(outcomes) {
		t.Errorf("%d kinds and %d outcomes", kinds, len(outcomes))
	}
}

// Only failures that the request itself explains are explained by the
// upstream's words; of the others it could say what is not the caller's
// business.
func TestUpstreamWords(t *testing.T) {
	t.Parallel()
	quoted := map[upstream.Kind]bool{upstream.InvalidArgument: true, upstream.NotFound: true, upstream.Conflict: true, upstream.RateLimited: true}
	for kind := range outcomes {
		got := hear(t, ToCaller(&upstream.Error{Kind: kind, Message: canary}))
		if (got.Message == canary) != quoted[kind] {
			t.Errorf("%s has the message %q", kind, got.Message)
		}
	}
}

func TestValidationNamesTheField(t *testing.T) {
	t.Parallel()
	validator, err := protovalidate.New()
	if err != nil {
		t.Fatal(err)
	}
	limit := int32(1e9)
	tests := []struct {
		name    string
		request proto.Message
		fields  []string
	}{
		{"path id", &adminv1.GetProjectUserRequest{ProjectId: canary + "/..", UserId: "user_1"}, []string{"project_id"}},
		{"two fields", &adminv1.GetProjectUserRequest{ProjectId: "..", UserId: canary + "?"}, []string{"project_id", "user_id"}},
		{"required", &adminv1.CreateProjectUserRequest{ProjectId: "proj_1"}, []string{"role"}},
		{"bound", &adminv1.ListProjectUsersRequest{ProjectId: "proj_1", Limit: &limit}, []string{"limit"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			got := hear(t, ToCaller(validator.Validate(test.request)))
			if got.Code != connect.CodeInvalidArgument || !strings.HasPrefix(got.Message, "invalid request: "+test.fields[0]+": ") {
				t.Errorf("mapped to %s: %q", got.Code, got.Message)
			}
			if len(got.Details) != 2 {
				t.Fatalf("details are %v", got.Details)
			}
			if diff := cmp.Diff(info(ReasonInvalidRequest, nil), got.Details[0], protocmp.Transform()); diff != "" {
				t.Error(diff)
			}
			bad, ok := got.Details[1].(*errdetails.BadRequest)
			if !ok {
				t.Fatalf("second detail is %T", got.Details[1])
			}
			var fields []string
			for _, v := range bad.GetFieldViolations() {
				fields = append(fields, v.GetField())
				if v.GetDescription() == "" {
					t.Errorf("%s: no description", v.GetField())
				}
			}
			if diff := cmp.Diff(test.fields, fields); diff != "" {
				t.Error(diff)
			}
			if strings.Contains(fmt.Sprint(got), canary) {
				t.Errorf("the refusal repeats the value: %v", got)
			}
		})
	}
}
