package catalog_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"buf.build/gen/go/bufbuild/protovalidate/protocolbuffers/go/buf/validate"
	"google.golang.org/genproto/googleapis/api/annotations"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/known/durationpb"

	adminv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/admin/v1"
	optionsv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/options/v1"
	"github.com/admin-gateway/admin-gateway/internal/catalogtest"
	"github.com/admin-gateway/admin-gateway/service/catalog"
)

const (
	readRPC   = "GetProjectUser"
	createRPC = "CreateProjectUser"
	updateRPC = "UpdateProjectUser"
	deleteRPC = "DeleteProjectUser"
)

func TestCatalogRefusesFaultyDeclarations(t *testing.T) {
	t.Parallel()
	ofPolicy := func(edit func(*optionsv1.Policy)) func(*testing.T, *descriptorpb.MethodDescriptorProto, catalogtest.Declarations) {
		return func(t *testing.T, m *descriptorpb.MethodDescriptorProto, _ catalogtest.Declarations) {
			t.Helper()
			catalogtest.EditPolicy(t, m, edit)
		}
	}
	ofHTTP := func(edit func(*annotations.HttpRule)) func(*testing.T, *descriptorpb.MethodDescriptorProto, catalogtest.Declarations) {
		return func(t *testing.T, m *descriptorpb.MethodDescriptorProto, _ catalogtest.Declarations) {
			t.Helper()
			catalogtest.EditHTTP(t, m, edit)
		}
	}
	idempotency := func(level descriptorpb.MethodOptions_IdempotencyLevel) func(*testing.T, *descriptorpb.MethodDescriptorProto, catalogtest.Declarations) {
		return func(_ *testing.T, m *descriptorpb.MethodDescriptorProto, _ catalogtest.Declarations) {
			m.Options.IdempotencyLevel = level.Enum()
		}
	}
	permission := func(p string) func(*testing.T, *descriptorpb.MethodDescriptorProto, catalogtest.Declarations) {
		return ofPolicy(func(policy *optionsv1.Policy) { policy.Permission = p })
	}
	cache := func(life *durationpb.Duration) func(*testing.T, *descriptorpb.MethodDescriptorProto, catalogtest.Declarations) {
		return ofPolicy(func(policy *optionsv1.Policy) { policy.CacheLife = &optionsv1.Policy_Cache{Cache: life} })
	}
	stale := func(s *optionsv1.Stale) func(*testing.T, *descriptorpb.MethodDescriptorProto, catalogtest.Declarations) {
		return ofPolicy(func(policy *optionsv1.Policy) { policy.Staleness = &optionsv1.Policy_Stale{Stale: s} })
	}
	settled := func(s *optionsv1.Settled) func(*testing.T, *descriptorpb.MethodDescriptorProto, catalogtest.Declarations) {
		return ofPolicy(func(policy *optionsv1.Policy) { policy.Settled = s })
	}
	invalidates := func(template string) func(*testing.T, *descriptorpb.MethodDescriptorProto, catalogtest.Declarations) {
		return ofPolicy(func(policy *optionsv1.Policy) { policy.Invalidates = []string{template} })
	}
	tests := []struct {
		name   string
		rpc    string
		mutate func(*testing.T, *descriptorpb.MethodDescriptorProto, catalogtest.Declarations)
		want   string // in the error, behind the RPC's name
	}{
		{"no options", readRPC, func(_ *testing.T, m *descriptorpb.MethodDescriptorProto, _ catalogtest.Declarations) { m.Options = nil }, "has no (admingateway.options.v1.policy)"},
		{"no policy", readRPC, func(_ *testing.T, m *descriptorpb.MethodDescriptorProto, _ catalogtest.Declarations) {
			proto.ClearExtension(m.GetOptions(), optionsv1.E_Policy)
		}, "has no (admingateway.options.v1.policy)"},
		{"empty policy", readRPC, func(_ *testing.T, m *descriptorpb.MethodDescriptorProto, _ catalogtest.Declarations) {
			proto.SetExtension(m.GetOptions(), optionsv1.E_Policy, &optionsv1.Policy{})
		}, "permission"},
		{"no http rule", readRPC, func(_ *testing.T, m *descriptorpb.MethodDescriptorProto, _ catalogtest.Declarations) {
			proto.ClearExtension(m.GetOptions(), annotations.E_Http)
		}, "google.api.http"},
		{"no essential member", deleteRPC, func(t *testing.T, _ *descriptorpb.MethodDescriptorProto, d catalogtest.Declarations) {
			t.Helper()
			for _, message := range d.File.GetMessageType() {
				for _, field := range message.GetField() {
					if field.GetOptions() != nil && message.GetName() == "DeleteProjectUserResponse" {
						proto.ClearExtension(field.GetOptions(), optionsv1.E_Field)
					}
				}
			}
		}, "essential"},
		{"a field that may reach beyond the project", deleteRPC, func(t *testing.T, _ *descriptorpb.MethodDescriptorProto, d catalogtest.Declarations) {
			t.Helper()
			for _, message := range d.File.GetMessageType() {
				if message.GetName() == "DeleteProjectUserRequest" {
					message.Field = append(message.Field, &descriptorpb.FieldDescriptorProto{
						Name: proto.String("role_id"), Number: proto.Int32(99), JsonName: proto.String("roleId"),
						Type: descriptorpb.FieldDescriptorProto_TYPE_STRING.Enum(), Label: descriptorpb.FieldDescriptorProto_LABEL_OPTIONAL.Enum(),
					})
				}
			}
		}, "reaches"},
		{"a credential in an answer that is not secret", deleteRPC, func(t *testing.T, _ *descriptorpb.MethodDescriptorProto, d catalogtest.Declarations) {
			t.Helper()
			for _, message := range d.File.GetMessageType() {
				if message.GetName() == "DeleteProjectUserResponse" {
					field := message.GetField()[0]
					if field.GetOptions() == nil {
						field.Options = new(descriptorpb.FieldOptions)
					}
					field.Options.DebugRedact = proto.Bool(true)
				}
			}
		}, "is a credential"},
		{"client streams", readRPC, func(_ *testing.T, m *descriptorpb.MethodDescriptorProto, _ catalogtest.Declarations) {
			m.ClientStreaming = proto.Bool(true)
		}, "streams"},
		{"server streams", readRPC, func(_ *testing.T, m *descriptorpb.MethodDescriptorProto, _ catalogtest.Declarations) {
			m.ServerStreaming = proto.Bool(true)
		}, "streams"},

		{"no permission", readRPC, permission(""), "permission"},
		{"permission without a verb", readRPC, permission("projects"), `"projects"`},
		{"permission in capitals", readRPC, permission("Projects.Read"), `"Projects.Read"`},
		{"permission with a wildcard", readRPC, permission("projects.*"), `"projects.*"`},
		{"permission with an empty part", readRPC, permission("projects..read"), `"projects..read"`},
		{"permission with a line behind it", readRPC, permission("projects.read\n"), "permission"},

		{"no scope", readRPC, ofPolicy(func(p *optionsv1.Policy) { p.Scope = nil }), "neither project nor organization"},
		{"organization false", readRPC, ofPolicy(func(p *optionsv1.Policy) { p.Scope = &optionsv1.Policy_Organization{} }), "organization is false"},
		{"organization in spite of a project", readRPC, ofPolicy(func(p *optionsv1.Policy) { p.Scope = &optionsv1.Policy_Organization{Organization: true} }), "project_id"},
		{"project by another field", readRPC, ofPolicy(func(p *optionsv1.Policy) { p.Scope = &optionsv1.Policy_Project{Project: "user_id"} }), "project_id"},
		{"project by no field", readRPC, ofPolicy(func(p *optionsv1.Policy) { p.Scope = &optionsv1.Policy_Project{Project: "nobody"} }), `"nobody"`},
		{"project by nothing", readRPC, ofPolicy(func(p *optionsv1.Policy) { p.Scope = &optionsv1.Policy_Project{} }), `""`},
		{"project below a string", readRPC, ofPolicy(func(p *optionsv1.Policy) { p.Scope = &optionsv1.Policy_Project{Project: "project_id.id"} }), "not a message"},
		{"project by a message", updateRPC, ofPolicy(func(p *optionsv1.Policy) { p.Scope = &optionsv1.Policy_Project{Project: "update_mask"} }), "not a string"},

		{"read without cache declaration", readRPC, ofPolicy(func(p *optionsv1.Policy) { p.CacheLife = nil }), "neither cache nor cache_nothing"},
		{"read with cache_nothing false", readRPC, ofPolicy(func(p *optionsv1.Policy) { p.CacheLife = &optionsv1.Policy_CacheNothing{} }), "cache_nothing is false"},
		{"read with cache of nothing", readRPC, cache(nil), "positive"},
		{"read with cache 0", readRPC, cache(durationpb.New(0)), "positive"},
		{"read with negative cache", readRPC, cache(durationpb.New(-time.Second)), "positive"},
		{"read with invalid cache", readRPC, cache(&durationpb.Duration{Seconds: 1, Nanos: -1}), "positive"},
		{"read with cache beyond all ages", readRPC, cache(&durationpb.Duration{Seconds: 1 << 60}), "positive"},
		{"secret read with cache", readRPC, ofPolicy(func(p *optionsv1.Policy) { p.Secret = true }), "secret"},
		{"read with side effects unsaid", readRPC, idempotency(descriptorpb.MethodOptions_IDEMPOTENCY_UNKNOWN), "NO_SIDE_EFFECTS"},
		{"read that is idempotent only", readRPC, idempotency(descriptorpb.MethodOptions_IDEMPOTENT), "NO_SIDE_EFFECTS"},
		{"read that invalidates", readRPC, invalidates("/organization/users"), "read and declares what it invalidates"},
		{"read that invalidates exactly", readRPC, ofPolicy(func(p *optionsv1.Policy) { p.InvalidatesExactly = []string{"/organization/users"} }), "read and declares what it invalidates"},
		{"read that invalidates nothing", readRPC, ofPolicy(func(p *optionsv1.Policy) { p.InvalidatesNothing = true }), "read and declares what it invalidates"},

		{"kept read that says nothing of staleness", readRPC, ofPolicy(func(p *optionsv1.Policy) { p.Staleness = nil }), "neither stale nor sensitive"},
		{"read with sensitive false", readRPC, ofPolicy(func(p *optionsv1.Policy) { p.Staleness = &optionsv1.Policy_Sensitive{} }), "sensitive is false"},
		{"read with negative staleness", readRPC, stale(&optionsv1.Stale{IfError: durationpb.New(-1)}), "stale.if_error"},
		{"read with staleness 0", readRPC, stale(&optionsv1.Stale{WhileRevalidate: durationpb.New(0)}), "stale.while_revalidate"},
		{"read that is never kept and may be stale", readRPC, ofPolicy(func(p *optionsv1.Policy) {
			p.CacheLife = &optionsv1.Policy_CacheNothing{CacheNothing: true}
		}), "cache_nothing"},
		{"read settled by no field", readRPC, settled(&optionsv1.Settled{End: "nobody", After: durationpb.New(1), Cache: durationpb.New(1)}), `"nobody"`},
		{"read settled by a string", readRPC, settled(&optionsv1.Settled{End: "project_id", After: durationpb.New(1), Cache: durationpb.New(1)}), `"project_id"`},
		{"write that may be stale", updateRPC, stale(&optionsv1.Stale{}), "write and has a cache life"},
		{"write that is settled", deleteRPC, settled(&optionsv1.Settled{}), "write and has a cache life"},

		{"write without side effects", updateRPC, idempotency(descriptorpb.MethodOptions_NO_SIDE_EFFECTS), "write"},
		{"write with cache", updateRPC, cache(durationpb.New(time.Minute)), "write and has a cache life"},
		{"write with cache_nothing", deleteRPC, ofPolicy(func(p *optionsv1.Policy) { p.CacheLife = &optionsv1.Policy_CacheNothing{CacheNothing: true} }), "write and has a cache life"},
		{"write silent about invalidation", createRPC, ofPolicy(func(p *optionsv1.Policy) { p.Invalidates, p.InvalidatesExactly = nil, nil }), "must say what it invalidates"},
		{"write that invalidates something and nothing", updateRPC, ofPolicy(func(p *optionsv1.Policy) { p.InvalidatesNothing = true }), "not both"},
		{"invalidates a relative path", updateRPC, invalidates("organization/users"), "slash"},
		{"invalidates the empty template", updateRPC, invalidates(""), "slash"},
		{"invalidates a path with an empty segment", updateRPC, invalidates("/organization//users"), "empty segment"},
		{"invalidates a path with a slash behind it", updateRPC, invalidates("/organization/users/"), "empty segment"},
		{"invalidates by a variable that is not a field", updateRPC, invalidates("/organization/projects/{nobody}"), "{nobody}"},
		{"invalidates by a variable that is not a string", updateRPC, invalidates("/organization/projects/{update_mask}"), "{update_mask}"},
		{"invalidates by a variable without a name", updateRPC, invalidates("/organization/projects/{}"), "{}"},
		{"invalidates by an open brace", updateRPC, invalidates("/organization/{project_id"), "{project_id"},
		{"invalidates by a star in a segment", updateRPC, invalidates("/organization/us*rs"), "us*rs"},
		{"invalidates a query", updateRPC, invalidates("/organization/users?limit=1"), "limit=1"},
		{"invalidates exactly a bad template", updateRPC, ofPolicy(func(p *optionsv1.Policy) { p.InvalidatesExactly = []string{"/a/{nobody}"} }), "{nobody}"},

		{"path variable without field", readRPC, ofHTTP(func(r *annotations.HttpRule) {
			r.Pattern = &annotations.HttpRule_Get{Get: "/organization/projects/{nobody}"}
		}), "nobody"},
		{"path variable without path_id", readRPC, func(_ *testing.T, _ *descriptorpb.MethodDescriptorProto, d catalogtest.Declarations) {
			clearRules(d, "GetProjectUserRequest", "user_id")
		}, "{user_id}"},
		{"word of no kind", updateRPC, func(_ *testing.T, _ *descriptorpb.MethodDescriptorProto, d catalogtest.Declarations) {
			clearMapping(d, "UpdateProjectUserRequest", "role")
		}, "field admingateway.admin.v1.UpdateProjectUserRequest.role lacks (admingateway.options.v1.field).text"},
		{"verb of another kind", updateRPC, ofHTTP(func(r *annotations.HttpRule) {
			r.Pattern = &annotations.HttpRule_Put{Put: r.GetPost()}
		}), "verb"},
		{"two http rules", updateRPC, ofHTTP(func(r *annotations.HttpRule) {
			r.AdditionalBindings = []*annotations.HttpRule{{Pattern: &annotations.HttpRule_Post{Post: "/elsewhere"}}}
		}), "additional_bindings"},
		{"read with a body", readRPC, ofHTTP(func(r *annotations.HttpRule) { r.Body = "*" }), "body"},
		{"response_body of no field", readRPC, ofHTTP(func(r *annotations.HttpRule) { r.ResponseBody = "nobody" }), "nobody"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			d := catalogtest.CopyOf(adminv1.File_admingateway_admin_v1_project_user_proto)
			test.mutate(t, d.Method(t, test.rpc), d)
			wantFault(t, d, test.rpc, test.want)
		})
	}
}

// wantFault wants the catalog to refuse the file with one fault, in the RPC.
func wantFault(t *testing.T, d catalogtest.Declarations, rpc, want string) {
	t.Helper()
	methods, err := catalog.New([]protoreflect.FileDescriptor{d.Build(t)}, nil)
	if err == nil {
		t.Fatal("the catalog was built")
	}
	if methods != nil {
		t.Error("there is a catalog beside the error")
	}
	head := "rpc admingateway.admin.v1.ProjectUserService." + rpc + ":"
	if !strings.HasPrefix(err.Error(), head) || strings.Count(err.Error(), "rpc ") != 1 {
		t.Errorf("error %q does not name %q, or not it alone", err, head)
	}
	if !strings.Contains(err.Error(), want) {
		t.Errorf("error %q lacks %q", err, want)
	}
}

func clearMapping(d catalogtest.Declarations, message, field string) {
	for _, m := range d.File.GetMessageType() {
		for _, f := range m.GetField() {
			if m.GetName() == message && f.GetName() == field {
				proto.ClearExtension(f.GetOptions(), optionsv1.E_Field)
			}
		}
	}
}

func clearRules(d catalogtest.Declarations, message, field string) {
	for _, m := range d.File.GetMessageType() {
		for _, f := range m.GetField() {
			if m.GetName() == message && f.GetName() == field {
				proto.ClearExtension(f.GetOptions(), validate.E_Field)
			}
		}
	}
}

// A second RPC on a verb and path would leave it to chance whose policy a
// permission on that path means.
func TestCatalogRefusesSharedRoutes(t *testing.T) {
	t.Parallel()
	for name, template := range map[string]string{
		"same variables":    "/organization/projects/{project_id}/users/{user_id}",
		"renamed variables": "/organization/projects/{user_id}/users/{project_id}",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := catalogtest.CopyOf(adminv1.File_admingateway_admin_v1_project_user_proto)
			twin := proto.CloneOf(d.Method(t, readRPC))
			twin.Name = proto.String("FetchProjectUser")
			catalogtest.EditHTTP(t, twin, func(r *annotations.HttpRule) { r.Pattern = &annotations.HttpRule_Get{Get: template} })
			d.File.Service[0].Method = append(d.File.Service[0].Method, twin)
			wantFault(t, d, "FetchProjectUser", "is already admingateway.admin.v1.ProjectUserService.GetProjectUser")
		})
	}
	t.Run("two files", func(t *testing.T) {
		t.Parallel()
		file := adminv1.File_admingateway_admin_v1_project_user_proto
		if _, err := catalog.New([]protoreflect.FileDescriptor{file, file}, nil); err == nil {
			t.Error("the catalog was built from one file twice")
		}
	})
}

func TestCatalogReportsEveryFault(t *testing.T) {
	t.Parallel()
	d := catalogtest.CopyOf(adminv1.File_admingateway_admin_v1_project_user_proto)
	for _, rpc := range []string{readRPC, updateRPC, deleteRPC} {
		proto.ClearExtension(d.Method(t, rpc).GetOptions(), optionsv1.E_Policy)
	}
	_, err := catalog.New([]protoreflect.FileDescriptor{d.Build(t)}, nil)
	if err == nil {
		t.Fatal("the catalog was built")
	}
	for _, rpc := range []string{readRPC, updateRPC, deleteRPC} {
		if !strings.Contains(err.Error(), "admingateway.admin.v1.ProjectUserService."+rpc+":") {
			t.Errorf("error %q does not name %s", err, rpc)
		}
	}
}

func TestCatalogRefusesNoRPCs(t *testing.T) {
	t.Parallel()
	for name, files := range map[string][]protoreflect.FileDescriptor{
		"no files":    nil,
		"no services": {adminv1.File_admingateway_admin_v1_common_proto},
	} {
		if _, err := catalog.New(files, nil); err == nil {
			t.Errorf("%s: the catalog was built", name)
		}
	}
}

// The table of faults proves something only while the file is sound before it
// is changed, and a method is compiled to what it declares.
func TestCatalogCompilesDeclarations(t *testing.T) {
	t.Parallel()
	d := catalogtest.CopyOf(adminv1.File_admingateway_admin_v1_project_user_proto)
	catalogtest.EditPolicy(t, d.Method(t, readRPC), func(p *optionsv1.Policy) {
		p.CacheLife, p.Staleness, p.Secret = &optionsv1.Policy_CacheNothing{CacheNothing: true}, nil, true
	})
	catalogtest.EditPolicy(t, d.Method(t, deleteRPC), func(p *optionsv1.Policy) {
		p.Invalidates, p.InvalidatesExactly, p.InvalidatesNothing = nil, nil, true
	})
	catalogtest.EditPolicy(t, d.Method(t, updateRPC), func(p *optionsv1.Policy) {
		p.Invalidates, p.InvalidatesExactly = []string{"/organization/*/{user_id}"}, []string{"/organization/users"}
	})
	methods, err := catalog.New([]protoreflect.FileDescriptor{d.Build(t)}, nil)
	if err != nil {
		t.Fatal(err)
	}
	find := func(rpc string) *catalog.Method {
		m, ok := methods.Lookup("/admingateway.admin.v1.ProjectUserService/" + rpc)
		if !ok {
			t.Fatalf("no %s in the catalog", rpc)
		}
		return m
	}
	if m := find("ListProjectUsers"); !m.Read || m.Life.Fresh != 5*time.Minute || m.Permission != "projects.users.read" || m.ShortName() != "ProjectUserService/ListProjectUsers" {
		t.Errorf("ListProjectUsers is %+v", m)
	}
	if m := find(readRPC); !m.Read || !m.Secret || m.Life.Fresh != 0 {
		t.Errorf("%s is %+v", readRPC, m)
	}
	if m := find(deleteRPC); m.Read || len(m.Invalidates) != 0 {
		t.Errorf("%s is %+v", deleteRPC, m)
	}
	want := []catalog.Invalidation{{Template: "/organization/*/{user_id}"}, {Template: "/organization/users", Exact: true}}
	if m := find(updateRPC); !slices.Equal(m.Invalidates, want) {
		t.Errorf("%s invalidates %v, want %v", updateRPC, m.Invalidates, want)
	}
	for _, procedure := range []string{"", "/", "admingateway.admin.v1.ProjectUserService/GetProjectUser", "/admingateway.admin.v1.ProjectUserService/Nope"} {
		if m, ok := methods.Lookup(procedure); ok || m != nil {
			t.Errorf("Lookup(%q) found %v", procedure, m)
		}
	}
	all := methods.Methods()
	all[0] = nil
	if methods.Methods()[0] == nil {
		t.Error("a caller of Methods can change the catalog")
	}
}
