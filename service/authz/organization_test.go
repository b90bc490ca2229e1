package authz_test

import (
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/dynamicpb"

	"github.com/admin-gateway/admin-gateway/service/authz"
)

// fill sets every string of message to value and puts one element in every list,
// as deep as depth.
func fill(message protoreflect.Message, value string, depth int) {
	if depth == 0 {
		return
	}
	for i := range message.Descriptor().Fields().Len() {
		field := message.Descriptor().Fields().Get(i)
		switch {
		case field.IsMap():
		case field.IsList() && field.Message() != nil:
			fill(message.Mutable(field).List().AppendMutable().Message(), value, depth-1)
		case field.Message() != nil:
			fill(message.Mutable(field).Message(), value, depth-1)
		case field.Kind() != protoreflect.StringKind:
		case field.IsList():
			message.Mutable(field).List().Append(protoreflect.ValueOfString(value))
		default:
			message.Set(field, protoreflect.ValueOfString(value))
		}
	}
}

// TestScopedCallersOnEveryRPC asks for all RPCs of the mirror with a grant of
// everything in one project.
func TestScopedCallersOnEveryRPC(t *testing.T) {
	t.Parallel()
	declared := declarations()
	if len(declared) < 143 {
		t.Errorf("got %d RPCs, want 143 or more", len(declared))
	}
	methods := compileDeclarations(t)
	policy := compilePolicy(t, methods,
		authz.Caller{Name: "scoped", Grants: grants{scoped("*", "proj_mine")}},
		authz.Caller{Name: "barred", Grants: grants{permissions("*")}, Denies: grants{scoped("*", "proj_secret")}},
		authz.Caller{Name: "stopped", Grants: grants{permissions("*"), scoped("*", "proj_mine")}, Denies: grants{permissions("*")}},
		authz.Caller{Name: "idle"},
	)
	for _, method := range declared {
		t.Run(method.Procedure, func(t *testing.T) {
			t.Parallel()
			h, _ := methods.Lookup(method.Procedure)
			request := func(project string) protoreflect.Message {
				message := dynamicpb.NewMessage(method.Request)
				if project != "" {
					fill(message, project, 5)
				}
				return message
			}
			expect := func(caller, project string, allowed bool, reason authz.Reason) {
				t.Helper()
				if d := policy.Decide(caller, h, request(project), moment); d.Allowed != allowed || d.Reason != reason {
					t.Errorf("%s with %q: got %+v, want %v", caller, project, d, reason)
				}
			}
			for _, project := range []string{"", "proj_mine", "proj_secret"} {
				expect("unknown", project, false, authz.UnknownCaller)
				expect("idle", project, false, authz.NoPermission)
				expect("stopped", project, false, authz.Denied)
			}
			if len(method.Projects) == 0 {
				for _, project := range []string{"", "proj_mine", "proj_secret"} {
					expect("scoped", project, false, authz.OrganizationWide)
					expect("barred", project, true, authz.Granted)
				}
				return
			}
			expect("scoped", "", false, authz.ProjectMissing)
			expect("scoped", "proj_mine", true, authz.Granted)
			expect("scoped", "proj_secret", false, authz.ProjectOutOfScope)
			expect("barred", "", false, authz.Denied)
			expect("barred", "proj_mine", true, authz.Granted)
			expect("barred", "proj_secret", false, authz.Denied)
		})
	}
}

// TestNoProjectIsForgotten wants every field that looks as if it named a project
// to be declared as such.
func TestNoProjectIsForgotten(t *testing.T) {
	t.Parallel()
	for _, method := range declarations() {
		for i := range method.Request.Fields().Len() {
			name := string(method.Request.Fields().Get(i).Name())
			if !strings.HasPrefix(name, "project") {
				continue
			}
			if !slices.ContainsFunc(method.Projects, func(path string) bool { return path == name || strings.HasPrefix(path, name+".") }) {
				t.Errorf("%s: field %s is not in %q", method.Procedure, name, method.Projects)
			}
		}
	}
}
