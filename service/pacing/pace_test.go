package pacing_test

import (
	"context"
	"errors"
	"testing"

	"google.golang.org/protobuf/proto"

	adminv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/admin/v1"
	"github.com/admin-gateway/admin-gateway/internal/admissiontest"
	"github.com/admin-gateway/admin-gateway/internal/catalogtest"
	"github.com/admin-gateway/admin-gateway/service/accounting"
	"github.com/admin-gateway/admin-gateway/service/admission"
	"github.com/admin-gateway/admin-gateway/service/pacing"
	"github.com/admin-gateway/admin-gateway/service/pipeline"
	"github.com/admin-gateway/admin-gateway/upstream"
	"github.com/admin-gateway/admin-gateway/upstream/pace"
)

// fakeUpstream admits every request that it does not refuse, and counts what becomes
// of its deliveries.
type fakeUpstream struct {
	refusal, failure error
	body             string
	flow             pace.Flow // of the last request
	admitted         int
	sent, abandoned  int
}

func (u *fakeUpstream) Admit(ctx context.Context, _ *upstream.Endpoint, _ *upstream.Request) (upstream.Delivery, error) {
	u.flow = pace.FlowFrom(ctx)
	if u.refusal != nil {
		return nil, u.refusal
	}
	u.admitted++
	return fakeDelivery{u}, nil
}

type fakeDelivery struct{ *fakeUpstream }

func (d fakeDelivery) Send(_, _ context.Context) (*upstream.Reply, error) {
	d.sent++
	if d.failure != nil {
		return nil, d.failure
	}
	return &upstream.Reply{Status: 200, RequestID: "up_1", Body: []byte(d.body)}, nil
}

func (d fakeDelivery) Abandon() { d.abandoned++ }

func (u *fakeUpstream) want(t *testing.T, admitted, sent, abandoned int) {
	t.Helper()
	if u.admitted != admitted || u.sent != sent || u.abandoned != abandoned {
		t.Errorf("admitted %d, sent %d, abandoned %d; want %d, %d, %d", u.admitted, u.sent, u.abandoned, admitted, sent, abandoned)
	}
}

const projectBody = `{"id": "proj_1"}`

func permitOf(t *testing.T, method string, request proto.Message) admission.Permit {
	t.Helper()
	return admissiontest.Permit(t, catalogtest.Method(t, method), request)
}

func read(t *testing.T) admission.Permit {
	t.Helper()
	return permitOf(t, "ProjectService/GetProject", &adminv1.GetProjectRequest{ProjectId: "proj_1"})
}

func write(t *testing.T) admission.Permit {
	t.Helper()
	return permitOf(t, "ProjectService/CreateProject", &adminv1.CreateProjectRequest{Name: "one"})
}

// account is a context with an account, as that of a part of a call.
func account(t *testing.T) (context.Context, *accounting.Call) {
	t.Helper()
	return accounting.Part(t.Context())
}

// TestSendOnce: an admitted request is sent once, and its answer decoded.
func TestSendOnce(t *testing.T) {
	t.Parallel()
	up := &fakeUpstream{body: projectBody}
	response, err := pipeline.Chain(pacing.Send(nil), pacing.Pace(up, nil)).Invoke(t.Context(), read(t))
	if err != nil {
		t.Fatal(err)
	}
	up.want(t, 1, 1, 0)
	answer, err := response.JSON()
	if err != nil || response.ID() != "proj_1" || string(answer) != projectBody || response.UpstreamRequestID() != "up_1" {
		t.Errorf("answered %s, %v, id %q, upstream request %q", answer, err, response.ID(), response.UpstreamRequestID())
	}
}

// TestUnsentDeliveriesAreAbandoned: whatever keeps a step between the two from going
// on, the delivery is given up.
func TestUnsentDeliveriesAreAbandoned(t *testing.T) {
	t.Parallel()
	refusal := errors.New("refused")
	for name, step := range map[string]func() error{
		"a refusal": func() error { return refusal },
		"an answer": func() error { return nil },
		"a panic":   func() error { panic("oops") },
	} {
		up := &fakeUpstream{body: projectBody}
		between := func(pipeline.Invoker) pipeline.Invoker {
			return pipeline.Func(func(context.Context, admission.Permit) (*pipeline.Response, error) { return nil, step() })
		}
		func() {
			defer func() {
				if value := recover(); (value != nil) != (name == "a panic") {
					t.Errorf("%s: recovered %v", name, value)
				}
			}()
			if _, err := pipeline.Chain(pacing.Send(nil), pacing.Pace(up, nil), between).Invoke(t.Context(), write(t)); errors.Is(err, refusal) != (name == "a refusal") {
				t.Errorf("%s: %v", name, err)
			}
		}()
		up.want(t, 1, 0, 1)
	}
}

// TestNothingIsSentTwice: a step that goes on twice sends the request once, also when
// that has failed.
func TestNothingIsSentTwice(t *testing.T) {
	t.Parallel()
	for name, failure := range map[string]error{"sent": nil, "failed": &upstream.Error{Kind: upstream.Unavailable, Reason: upstream.ReasonUnavailable}} {
		up := &fakeUpstream{body: projectBody, failure: failure}
		var first, second error
		twice := func(next pipeline.Invoker) pipeline.Invoker {
			return pipeline.Func(func(ctx context.Context, permit admission.Permit) (*pipeline.Response, error) {
				_, first = next.Invoke(ctx, permit)
				var response *pipeline.Response
				response, second = next.Invoke(ctx, permit)
				return response, second
			})
		}
		response, err := pipeline.Chain(pacing.Send(nil), pacing.Pace(up, nil), twice).Invoke(t.Context(), write(t))
		if !errors.Is(first, failure) || second == nil || errors.Is(second, failure) && failure != nil || err == nil || response != nil {
			t.Errorf("%s: first %v, then %v", name, first, second)
		}
		up.want(t, 1, 1, 0)
	}
}

// TestSendNeedsPace: a request that was not admitted is not sent.
func TestSendNeedsPace(t *testing.T) {
	t.Parallel()
	if response, err := pacing.Send(nil).Invoke(t.Context(), read(t)); err == nil || response != nil {
		t.Errorf("%v, %v", response, err)
	}
}

// TestRefusedByTheBudget: the refusal is the answer, and no later step runs.
func TestRefusedByTheBudget(t *testing.T) {
	t.Parallel()
	up := &fakeUpstream{refusal: &upstream.Error{Kind: upstream.RateLimited, Reason: upstream.ReasonNoBudget}}
	last := pipeline.Func(func(context.Context, admission.Permit) (*pipeline.Response, error) {
		t.Error("a later step ran")
		return nil, nil
	})
	ctx, call := account(t)
	if _, err := pipeline.Chain(last, pacing.Pace(up, nil)).Invoke(ctx, write(t)); !errors.Is(err, up.refusal) {
		t.Errorf("%v", err)
	}
	up.want(t, 0, 0, 0)
	if call.Upstream.Done {
		t.Error("the account says that the write was made")
	}
}

// TestFlows: a write waits in the flow of its permit, a read in that of its context.
func TestFlows(t *testing.T) {
	t.Parallel()
	up := &fakeUpstream{body: projectBody}
	of := pace.Flow{Key: "somebody", Class: pace.FanOut}
	ctx := pace.WithFlow(t.Context(), of)
	for _, test := range []struct {
		permit admission.Permit
		want   pace.Flow
	}{{read(t), of}, {write(t), pace.Flow{Key: "root", Class: pace.Interactive}}} {
		if _, err := pipeline.Chain(pacing.Send(nil), pacing.Pace(up, nil)).Invoke(ctx, test.permit); err != nil || up.flow != test.want {
			t.Errorf("%s: flow %+v, want %+v, %v", test.permit.Method().ShortName(), up.flow, test.want, err)
		}
	}
}

// TestAccountOfAWrite: a write that was made, or may have been, is done; one that the
// upstream refused is not.
func TestAccountOfAWrite(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		failure error
		body    string
		want    accounting.Upstream
	}{
		"made":           {nil, projectBody, accounting.Upstream{RequestID: "up_1", Done: true}},
		"made, not JSON": {nil, "<html>", accounting.Upstream{RequestID: "up_1", Done: true}},
		"unknown":        {&upstream.Error{Kind: upstream.OutcomeUnknown, RequestID: "up_2"}, "", accounting.Upstream{RequestID: "up_2", Done: true}},
		"refused":        {&upstream.Error{Kind: upstream.Conflict, RequestID: "up_3"}, "", accounting.Upstream{RequestID: "up_3"}},
		"another error":  {errors.New("oops"), "", accounting.Upstream{}},
	} {
		ctx, call := account(t)
		_, err := pipeline.Chain(pacing.Send(nil), pacing.Pace(&fakeUpstream{failure: test.failure, body: test.body}, nil)).Invoke(ctx, write(t))
		if call.Upstream != test.want || (err == nil) != (name == "made") {
			t.Errorf("%s: %+v, want %+v; %v", name, call.Upstream, test.want, err)
		}
		if e, ok := errors.AsType[*upstream.Error](err); name == "made, not JSON" && (!ok || e.RequestID != "up_1" || e.Status != 200) {
			t.Errorf("%s: %+v", name, err)
		}
	}
	ctx, call := account(t)
	if _, err := pipeline.Chain(pacing.Send(nil), pacing.Pace(&fakeUpstream{body: projectBody}, nil)).Invoke(ctx, read(t)); err != nil || call.Upstream != (accounting.Upstream{}) {
		t.Errorf("a read: %+v, %v", call.Upstream, err)
	}
}
