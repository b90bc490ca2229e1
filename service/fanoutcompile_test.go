package service_test

import (
	"errors"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/descriptorpb"

	optionsv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/options/v1"
	"github.com/admin-gateway/admin-gateway/service"
)

// spoilInventory compiles the catalog with one rpc of the inventory changed.
func spoilInventory(t *testing.T, rpc string, spoil func(*descriptorpb.MethodDescriptorProto, *optionsv1.FanOut)) error {
	t.Helper()
	files := service.Files()
	for i, file := range files {
		if file.Services().Len() == 0 || file.Package() != service.InventoryPackage {
			continue
		}
		d := copyOf(file)
		m := d.method(t, rpc)
		declared, ok := proto.GetExtension(m.GetOptions(), optionsv1.E_FanOut).(*optionsv1.FanOut)
		if !ok || declared == nil {
			t.Fatalf("rpc %s has no declaration to spoil", rpc)
		}
		declared = proto.CloneOf(declared)
		proto.SetExtension(m.GetOptions(), optionsv1.E_FanOut, declared)
		spoil(m, declared)
		files[i] = d.build(t)
		_, err := service.NewCatalog(files, nil)
		return err
	}
	t.Fatal("no inventory")
	return nil
}

func TestFanOutFaults(t *testing.T) {
	t.Parallel()
	type fanOut = optionsv1.FanOut
	edit := func(change func(*fanOut)) func(*descriptorpb.MethodDescriptorProto, *fanOut) {
		return func(_ *descriptorpb.MethodDescriptorProto, f *fanOut) { change(f) }
	}
	const admin = "admingateway.admin.v1."
	for name, test := range map[string]struct {
		rpc     string
		spoil   func(*descriptorpb.MethodDescriptorProto, *fanOut)
		problem service.FanOutProblem
		what    string
	}{
		"an unknown rpc":               {"ListApiKeys", edit(func(f *fanOut) { f.Calls[1].Rpc = "admingateway.admin.v1.NoService/No" }), service.FanOutUnknownRPC, "NoService"},
		"an rpc of ours":               {"ListApiKeys", edit(func(f *fanOut) { f.Calls[1].Rpc = "admingateway.control.v1.CacheService/GetEntry" }), service.FanOutUnknownRPC, "GetEntry"},
		"a write":                      {"ListApiKeys", edit(func(f *fanOut) { f.Calls[1].Rpc = admin + "ProjectApiKeyService/DeleteProjectApiKey" }), service.FanOutNoRead, "Delete"},
		"one thing above others":       {"ListApiKeys", edit(func(f *fanOut) { f.Calls[0].Rpc = admin + "ProjectService/GetProject" }), service.FanOutNoList, "GetProject"},
		"one thing alone":              {"ListUsers", edit(func(f *fanOut) { f.Calls[0].Rpc = admin + "SpendLimitService/GetSpendLimit" }), service.FanOutNoList, "GetSpendLimit"},
		"no key":                       {"ListApiKeys", edit(func(f *fanOut) { f.Calls[0].Key = "ident" }), service.FanOutNoField, "Project.ident"},
		"a key that is no string":      {"ListApiKeys", edit(func(f *fanOut) { f.Calls[0].Key = "created_at" }), service.FanOutWrongType, "created_at"},
		"a name failures lack":         {"ListApiKeys", edit(func(f *fanOut) { f.Calls[0].As = "proj" }), service.FanOutNoField, "Failure.proj"},
		"a name of a variable not":     {"ListApiKeys", edit(func(f *fanOut) { f.Calls[0].As = "user_id" }), service.FanOutUnbound, "project_id"},
		"no list given":                {"ListApiKeys", edit(func(f *fanOut) { f.Calls[0].Given = "projects" }), service.FanOutNoField, "projects"},
		"a list given of another type": {"ListApiKeys", edit(func(f *fanOut) { f.Calls[0].Given = "include_archived" }), service.FanOutWrongType, "include_archived"},
		"given below":                  {"ListApiKeys", edit(func(f *fanOut) { f.Calls[1].Given = "project_ids" }), service.FanOutShape, "outermost"},
		"with what there is not":       {"ListApiKeys", edit(func(f *fanOut) { f.Calls[1].With = "colour: 1" }), service.FanOutNoField, "colour"},
		"a list that may be absent":    {"ListApiKeys", edit(func(f *fanOut) { f.Calls[1].MayBeAbsent = true }), service.FanOutShape, "absent"},
		"the last with a key":          {"ListApiKeys", edit(func(f *fanOut) { f.Calls[1].Key, f.Calls[1].As = "id", "user_id" }), service.FanOutShape, "but the last"},
		"no place":                     {"ListApiKeys", edit(func(f *fanOut) { f.Calls[1].Rpc = admin + "ProjectUserService/ListProjectUsers"; f.Calls[1].With = "" }), service.FanOutNoPlace, "ProjectUser"},
		"nothing":                      {"ListApiKeys", edit(func(f *fanOut) { f.Calls = nil }), service.FanOutShape, "no read"},
		"an untaken field":             {"ListAuditLogs", edit(func(f *fanOut) { f.Calls[0].Rpc = admin + "UserService/ListUsers" }), service.FanOutNoPlace, "User"},
		"a field without a use":        {"GetKeyInventory", edit(func(f *fanOut) { f.Calls[0].Rpc = admin + "GroupService/ListGroups"; f.Calls[0].Given = "project_ids" }), service.FanOutUntaken, "include_archived"},
		"a field of ours unfilled":     {"ListGroupMembers", edit(func(f *fanOut) { f.Calls[0].Rpc = admin + "ProjectService/ListProjects" }), service.FanOutUnfilled, "Groups.items"},
		"no view":                      {"FindStaleKeys", edit(func(f *fanOut) { f.View = "nowhere" }), service.FanOutNoView, "nowhere"},
		"a view of something else":     {"FindStaleKeys", edit(func(f *fanOut) { f.Calls[1].Rpc = admin + "ProjectUserService/ListProjectUsers"; f.Calls[1].With = "" }), service.FanOutWrongType, "ProjectUser"},
		"a view that is not asked":     {"FindStaleKeys", edit(func(f *fanOut) { f.View = "" }), service.FanOutNoPlace, "ProjectApiKey"},
		"no stream":                    {"ListApiKeys", func(m *descriptorpb.MethodDescriptorProto, _ *fanOut) { m.ServerStreaming = new(false) }, service.FanOutShape, "streams"},
		"another response": {"ListApiKeys", func(m *descriptorpb.MethodDescriptorProto, _ *fanOut) {
			*m.OutputType = ".admingateway.inventory.v1.Complete"
		}, service.FanOutShape, "oneof"},
		"a request without resuming": {"ListApiKeys", func(m *descriptorpb.MethodDescriptorProto, _ *fanOut) {
			*m.InputType = ".admingateway.inventory.v1.Complete"
		}, service.FanOutShape, "resume_token"},
		"a kind twice":           {"ListUsage", edit(func(f *fanOut) { f.Buckets.Lists[1].Kind = f.Buckets.Lists[0].Kind }), service.FanOutNoField, "twice"},
		"a kind less":            {"ListUsage", edit(func(f *fanOut) { f.Buckets.Lists = f.Buckets.Lists[1:] }), service.FanOutShape, "COMPLETIONS"},
		"no days":                {"ListUsage", edit(func(f *fanOut) { f.Buckets.Lists[0].Days = 0 }), service.FanOutShape, "how many"},
		"buckets of no time":     {"ListUsage", edit(func(f *fanOut) { f.Buckets.Lists[0].Rpc = admin + "UserService/ListUsers" }), service.FanOutNoField, "start_time"},
		"hours of what has none": {"ListUsage", edit(func(f *fanOut) { f.Buckets.Lists[10].Hours = 24 }), service.FanOutWrongType, "bucket_width"},
		"buckets of a setting":   {"ListUsage", edit(func(f *fanOut) { f.Buckets.Lists[0].Rpc = admin + "SpendLimitService/GetSpendLimit" }), service.FanOutNoList, "GetSpendLimit"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := spoilInventory(t, test.rpc, test.spoil)
			fault, ok := errors.AsType[*service.FanOutError](err)
			if !ok || fault.Problem != test.problem || !strings.Contains(fault.What, test.what) {
				t.Fatalf("%v, want %q about %q", err, test.problem, test.what)
			}
			if !strings.Contains(err.Error(), "InventoryService."+test.rpc) {
				t.Errorf("%v does not name the rpc", err)
			}
		})
	}
}

// TestEachCallAndFanOutGoTogether, in ours and never in a mirror.
func TestEachCallAndFanOutGoTogether(t *testing.T) {
	t.Parallel()
	err := spoilInventory(t, "ListApiKeys", func(m *descriptorpb.MethodDescriptorProto, _ *optionsv1.FanOut) {
		proto.ClearExtension(m.GetOptions(), optionsv1.E_FanOut)
	})
	if err == nil || !strings.Contains(err.Error(), "each_call") {
		t.Errorf("each_call without a fan_out: %v", err)
	}
	err = spoilInventory(t, "ListApiKeys", func(m *descriptorpb.MethodDescriptorProto, _ *optionsv1.FanOut) {
		editPolicy(t, m, func(p *optionsv1.Policy) { p.Scope = &optionsv1.Policy_Organization{Organization: true} })
	})
	if err == nil || !strings.Contains(err.Error(), "each_call") {
		t.Errorf("a fan_out without each_call: %v", err)
	}
	files := service.Files()
	for i, file := range files {
		if file.Path() != "admingateway/admin/v1/project.proto" {
			continue
		}
		d := copyOf(file)
		editPolicy(t, d.method(t, "GetProject"), func(p *optionsv1.Policy) { p.Scope = &optionsv1.Policy_EachCall{EachCall: true} })
		files[i] = d.build(t)
	}
	if _, err := service.NewCatalog(files, nil); err == nil || !strings.Contains(err.Error(), "rpc admingateway.admin.v1.ProjectService.GetProject") {
		t.Errorf("each_call in a mirror: %v", err)
	}
}
