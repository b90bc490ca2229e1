package policy

import (
	"context"
	"encoding/base64"
	"errors"
	"time"

	"connectrpc.com/connect/v2"
	"google.golang.org/protobuf/encoding/protojson"

	controlv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/control/v1"
	"github.com/admin-gateway/admin-gateway/gen/admingateway/control/v1/controlv1connect"
	"github.com/admin-gateway/admin-gateway/service/admission"
	"github.com/admin-gateway/admin-gateway/service/callers"
	"github.com/admin-gateway/admin-gateway/service/catalog"
	"github.com/admin-gateway/admin-gateway/service/explain"
	"github.com/admin-gateway/admin-gateway/service/limits"
	"github.com/admin-gateway/admin-gateway/service/pipeline"
	"github.com/admin-gateway/admin-gateway/service/rpcerror"
)

const (
	// defaultPage is how many callers a page has where the request does not say.
	defaultPage = 100
	// mostRules and mostNames bound what an answer has of a caller.
	mostRules, mostNames = 1000, 1000
)

// Source holds the policy in force. A [*callers.Source] is one.
type Source interface {
	// Current is the policy in force.
	Current() *callers.Set
}

// service answers admingateway.control.v1.PolicyService.
type service struct {
	catalog *catalog.Catalog
	source  Source
	limits  *limits.Limits
	now     func() time.Time
}

// Handlers answer admingateway.control.v1.PolicyService. others are the callers with other
// limits than the policy's; nil for none.
func Handlers(methods *catalog.Catalog, source Source, others *limits.Limits) pipeline.Handlers {
	s := service{methods, source, others, time.Now}
	return pipeline.Handlers{
		controlv1connect.PolicyServiceListCallersProcedure:           pipeline.Unary(s.list),
		controlv1connect.PolicyServiceGetCallerProcedure:             pipeline.Unary(s.get),
		controlv1connect.PolicyServiceCheckCallerPermissionProcedure: pipeline.Unary(s.check),
	}
}

func (s service) list(_ context.Context, _ admission.Permit, request *controlv1.ListCallersRequest) (*controlv1.ListCallersResponse, error) {
	set := s.source.Current()
	names := set.Callers()
	from, err := begin(set, request.GetPageToken())
	if err != nil {
		return nil, err
	}
	size := int(request.GetPageSize())
	if size == 0 {
		size = defaultPage
	}
	to := min(from+size, len(names))
	answer := &controlv1.ListCallersResponse{Policy: version(set), Total: int32(len(names))}
	for _, name := range names[from:to] {
		answer.Callers = append(answer.Callers, s.summary(set, name))
	}
	if to < len(names) {
		answer.NextPageToken = base64.RawURLEncoding.EncodeToString([]byte(names[to-1]))
	}
	return answer, nil
}

// begin is the place of the first caller of a page: that after the last one of the page
// before, wherever the policy has that now.
func begin(set *callers.Set, token string) (int, error) {
	if token == "" {
		return 0, nil
	}
	name, err := base64.RawURLEncoding.DecodeString(token)
	if err != nil {
		return 0, rpcerror.InvalidField("page_token", "is not one of this list", err)
	}
	last, ok := set.Policy.Index(string(name))
	if !ok {
		return 0, rpcerror.InvalidField("page_token", "leads to a caller that the policy has no more; begin again", nil)
	}
	return last + 1, nil
}

func (s service) get(_ context.Context, _ admission.Permit, request *controlv1.GetCallerRequest) (*controlv1.GetCallerResponse, error) {
	set := s.source.Current()
	if _, ok := set.Policy.Index(request.GetName()); !ok {
		return nil, &rpcerror.Error{Code: connect.CodeNotFound, Reason: rpcerror.ReasonNoSuchCaller, Message: "the policy has no caller of this name"}
	}
	return &controlv1.GetCallerResponse{Policy: version(set), Caller: s.describe(set, request.GetName())}, nil
}

func (s service) check(_ context.Context, _ admission.Permit, request *controlv1.CheckCallerPermissionRequest) (*controlv1.CheckCallerPermissionResponse, error) {
	set := s.source.Current()
	question := explain.Question{
		Caller: request.GetName(), RPC: request.GetMethod(), LeaseRole: request.GetLeaseRole(), LeaseOf: request.GetLeaseOf(),
	}
	if request.GetRequest() != nil {
		text, err := protojson.Marshal(request.GetRequest())
		if err != nil {
			return nil, rpcerror.InvalidField("request", "is not JSON", err)
		}
		question.Request = string(text)
	}
	verdict, err := explain.Answer(s.catalog, set, question, s.now())
	if fault, ok := errors.AsType[*explain.QuestionError](err); ok {
		return nil, rpcerror.InvalidField(fields[fault.Part], fault.Reason, nil)
	}
	if err != nil {
		return nil, err
	}
	return &controlv1.CheckCallerPermissionResponse{
		Policy: version(set), Allowed: verdict.Allowed, Reason: verdict.Reason.String(), Permission: verdict.Permission, Rule: verdict.Grant,
		ProjectId: verdict.Project, Explanation: verdict.String(), Conditional: verdict.Conditional(), Violations: verdict.Invalid,
	}, nil
}

// fields are those of a request with the parts of its question.
var fields = map[explain.Part]string{ //nolint:gochecknoglobals // Never changes.
	explain.PartCaller: "name", explain.PartRPC: "method", explain.PartRequest: "request",
	explain.PartLeaseRole: "lease_role", explain.PartLeaseOf: "lease_of",
}
