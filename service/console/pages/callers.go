package pages

import (
	"context"
	"net/url"
	"slices"
	"strings"

	"connectrpc.com/connect/v2"

	controlv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/control/v1"
	"github.com/admin-gateway/admin-gateway/gen/admingateway/control/v1/controlv1connect"
	"github.com/admin-gateway/admin-gateway/service/console"
)

const (
	permissionPolicy = "policy.read"
	// pageOfCallers is how many callers one page shows.
	pageOfCallers = 200
)

// callers is the page of the policy.
func callers() *console.Page {
	return &console.Page{
		Path: "/callers", Title: "Callers", Needs: []string{permissionPolicy, permissionHolds},
		Parts: []console.Part{
			{ID: "caller", Title: "Caller", Needs: permissionPolicy, Wide: true, Shown: has("caller"), Gather: gatherCaller, Template: "caller"},
			{ID: "try", Title: "May this caller do that?", Needs: permissionPolicy, Wide: true, Gather: gatherTry, Template: "try"},
			{ID: "callers", Title: "Callers of the policy", Needs: permissionPolicy, Wide: true, Gather: gatherCallers, Template: "callers"},
			{ID: "holds", Title: "Callers that are held", Needs: permissionHolds, Wide: true, Gather: gatherHolds, Template: "holds"},
		},
		Actions: []*console.Action{createHold(), releaseHold()},
	}
}

// has says whether the address of a page has a field.
func has(field string) func(*console.Visit) bool {
	return func(v *console.Visit) bool { return v.Query.Get(field) != "" }
}

// callersView is what the template "callers" shows.
type callersView struct {
	*controlv1.ListCallersResponse

	Next string // the address of the next page; "" after the last one
}

func gatherCallers(ctx context.Context, v *console.Visit) (any, error) {
	answer, err := controlv1connect.NewPolicyServiceClient(v.Client()).ListCallers(ctx, &controlv1.ListCallersRequest{
		PageSize: pageOfCallers, PageToken: v.Query.Get("after"),
	})
	if err != nil {
		return nil, err
	}
	view := callersView{ListCallersResponse: answer}
	if token := answer.GetNextPageToken(); token != "" {
		view.Next = "/callers?" + url.Values{"after": {token}}.Encode()
	}
	return view, nil
}

func gatherCaller(ctx context.Context, v *console.Visit) (any, error) {
	return controlv1connect.NewPolicyServiceClient(v.Client()).GetCaller(ctx, &controlv1.GetCallerRequest{Name: v.Query.Get("caller")})
}

// tryView is what the template "try" shows: a question, and its answer.
type tryView struct {
	Caller, RPC, Request, Role, Of string
	Methods                        []string
	Answer                         *controlv1.CheckCallerPermissionResponse // nil: nothing was asked
	Fault                          string                                   // what is wrong with the question
}

func gatherTry(ctx context.Context, v *console.Visit) (any, error) {
	q := v.Query
	view := tryView{Caller: q.Get("caller"), RPC: strings.TrimSpace(q.Get("rpc")), Request: strings.TrimSpace(q.Get("request")), Role: q.Get("role"), Of: q.Get("of"), Methods: methods()}
	if view.Caller == "" || view.RPC == "" {
		return view, nil
	}
	request := &controlv1.CheckCallerPermissionRequest{Name: view.Caller, Method: view.RPC, LeaseRole: view.Role, LeaseOf: view.Of}
	if view.Request != "" {
		if request.Request = objectOf(view.Request); request.Request == nil {
			view.Fault = notObject
			return view, nil
		}
	}
	answer, err := controlv1connect.NewPolicyServiceClient(v.Client()).CheckCallerPermission(ctx, request)
	if fault := faultOf(err); fault != "" {
		view.Fault = fault
		return view, nil
	}
	view.Answer = answer
	return view, err
}

// faultOf is what is wrong with a question, for the part that asks it; "" for any other
// error.
func faultOf(err error) string {
	if connect.CodeOf(err) != connect.CodeInvalidArgument {
		return ""
	}
	return console.Reason(err)
}

// methods are names of RPCs that are asked about often, for the browser to propose.
func methods() []string {
	var names []string
	for _, list := range [][]string{
		{"CostService/ListCosts", "UsageService/ListCompletionsUsage", "UserService/ListUsers", "UserService/UpdateUser", "UserService/DeleteUser"},
		{"ProjectService/ListProjects", "ProjectService/GetProject", "ProjectService/CreateProject", "ProjectService/ArchiveProject"},
		{"ProjectApiKeyService/ListProjectApiKeys", "ProjectApiKeyService/DeleteProjectApiKey", "ProjectUserService/CreateProjectUser"},
		{"ProjectServiceAccountService/CreateProjectServiceAccount", "LeaseService/CreateLease", "LeaseService/RevokeLease", "CacheService/Purge"},
	} {
		names = append(names, list...)
	}
	slices.Sort(names)
	return names
}
