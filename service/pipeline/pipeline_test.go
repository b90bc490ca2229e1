package pipeline_test

import (
	"bytes"
	"context"
	"errors"
	"testing"

	adminv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/admin/v1"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"

	"github.com/admin-gateway/admin-gateway/internal/admissiontest"
	"github.com/admin-gateway/admin-gateway/internal/catalogtest"
	"github.com/admin-gateway/admin-gateway/service/admission"
	"github.com/admin-gateway/admin-gateway/service/pipeline"
)

// TestChainRunsTheStepsInOrder: the first decorator of a chain runs first.
func TestChainRunsTheStepsInOrder(t *testing.T) {
	t.Parallel()
	var ran []string
	step := func(name string) pipeline.Decorator {
		return func(next pipeline.Invoker) pipeline.Invoker {
			return pipeline.Func(func(ctx context.Context, permit admission.Permit) (*pipeline.Response, error) {
				ran = append(ran, name)
				return next.Invoke(ctx, permit)
			})
		}
	}
	last := pipeline.Func(func(context.Context, admission.Permit) (*pipeline.Response, error) {
		ran = append(ran, "last")
		return nil, nil
	})
	if _, err := pipeline.Chain(last, step("first"), step("second")).Invoke(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"first", "second", "last"}, ran); diff != "" {
		t.Error(diff)
	}
}

func permitOf(t *testing.T, method string, request proto.Message) admission.Permit {
	t.Helper()
	return admissiontest.Permit(t, catalogtest.Method(t, method), request)
}

// TestResponse: an answer in both of its forms, and the id of the thing in it.
func TestResponse(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		method  string
		request proto.Message
		message proto.Message
		id      string
	}{
		"a thing":          {"ProjectService/GetProject", &adminv1.GetProjectRequest{ProjectId: "p"}, &adminv1.GetProjectResponse{Project: &adminv1.Project{Id: "proj_1"}}, "proj_1"},
		"a list":           {"ProjectService/ListProjects", &adminv1.ListProjectsRequest{}, &adminv1.ListProjectsResponse{Data: []*adminv1.Project{{Id: "proj_1"}}}, ""},
		"an empty message": {"ProjectService/GetProject", &adminv1.GetProjectRequest{ProjectId: "p"}, &adminv1.GetProjectResponse{}, ""},
	} {
		wire, err := proto.Marshal(test.message)
		if err != nil {
			t.Fatal(err)
		}
		r := pipeline.NewResponse(permitOf(t, test.method, test.request), pipeline.Answer{Wire: wire, JSON: []byte("{}")}, "up_1")
		got, err := r.Message()
		if err != nil || !proto.Equal(got, test.message) {
			t.Errorf("%s: %v, %v", name, got, err)
		}
		text, err := r.JSON()
		if err != nil || string(text) != "{}" {
			t.Errorf("%s: the upstream's JSON is %s, %v", name, text, err)
		}
		sent, err := r.Wire()
		if err != nil || r.ID() != test.id || r.UpstreamRequestID() != "up_1" || !bytes.Equal(sent, wire) {
			t.Errorf("%s: id %q of upstream request %q", name, r.ID(), r.UpstreamRequestID())
		}
	}
	broken := pipeline.NewResponse(permitOf(t, "ProjectService/GetProject", &adminv1.GetProjectRequest{ProjectId: "p"}), pipeline.Answer{Wire: []byte{0xff}}, "")
	if _, err := broken.Message(); err == nil || broken.ID() != "" {
		t.Errorf("an answer that cannot be decoded: %v, id %q", err, broken.ID())
	}
}

// sent is a Sender that keeps what it gets.
type sent struct{ messages []proto.Message }

func (s *sent) Send(m proto.Message) error { s.messages = append(s.messages, m); return nil }

func (s *sent) SendWire([]byte) error { return errors.ErrUnsupported }

// TestUnary: the handler gets the request of the permit, and its answer is sent once.
func TestUnary(t *testing.T) {
	t.Parallel()
	permit := permitOf(t, "ProjectService/GetProject", &adminv1.GetProjectRequest{ProjectId: "proj_1"})
	refusal := errors.New("refused")
	to := new(sent)
	handler := pipeline.Unary(func(_ context.Context, p admission.Permit, request *adminv1.GetProjectRequest) (*adminv1.GetProjectResponse, error) {
		if p != permit {
			t.Error("another permit")
		}
		return &adminv1.GetProjectResponse{Project: &adminv1.Project{Id: request.GetProjectId()}}, nil
	})
	if err := handler(t.Context(), permit, to); err != nil || len(to.messages) != 1 || !proto.Equal(to.messages[0], &adminv1.GetProjectResponse{Project: &adminv1.Project{Id: "proj_1"}}) {
		t.Errorf("%v, sent %v", err, to.messages)
	}
	failing := pipeline.Unary(func(context.Context, admission.Permit, *adminv1.GetProjectRequest) (*adminv1.GetProjectResponse, error) {
		return nil, refusal
	})
	if err := failing(t.Context(), permit, to); !errors.Is(err, refusal) || len(to.messages) != 1 {
		t.Errorf("%v, sent %v", err, to.messages)
	}
	if err := handler(t.Context(), permitOf(t, "UserService/GetUser", &adminv1.GetUserRequest{UserId: "u"}), to); err == nil || len(to.messages) != 1 {
		t.Errorf("a request of another method: %v, sent %v", err, to.messages)
	}
}
