package inventory_test

import (
	"errors"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/descriptorpb"

	optionsv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/options/v1"
	"github.com/admin-gateway/admin-gateway/internal/catalogtest"
	"github.com/admin-gateway/admin-gateway/service/catalog"
	"github.com/admin-gateway/admin-gateway/service/inventory"
)

// mutateInventory compiles the catalog with one rpc of the inventory changed.
func mutateInventory(t *testing.T, rpc string, mutate func(*descriptorpb.MethodDescriptorProto, *optionsv1.FanOut)) error {
	t.Helper()
	files := catalog.Files()
	for i, file := range files {
		if file.Services().Len() == 0 || file.Package() != catalog.InventoryPackage {
			continue
		}
		d := catalogtest.CopyOf(file)
		m := d.Method(t, rpc)
		declared, ok := proto.GetExtension(m.GetOptions(), optionsv1.E_FanOut).(*optionsv1.FanOut)
		if !ok || declared == nil {
			t.Fatalf("rpc %s declares no fan-out", rpc)
		}
		declared = proto.CloneOf(declared)
		proto.SetExtension(m.GetOptions(), optionsv1.E_FanOut, declared)
		mutate(m, declared)
		files[i] = d.Build(t)
		methods, err := catalog.New(files, nil)
		if err == nil {
			_, err = inventory.Compile(methods)
		}
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
		mutate  func(*descriptorpb.MethodDescriptorProto, *fanOut)
		problem inventory.Problem
		what    string
	}{
		"an unknown rpc":                   {"ListApiKeys", edit(func(f *fanOut) { f.Calls[1].Rpc = "admingateway.admin.v1.NoService/No" }), inventory.UnknownRPC, "NoService"},
		"an rpc of the gateway":            {"ListApiKeys", edit(func(f *fanOut) { f.Calls[1].Rpc = "admingateway.control.v1.CacheService/GetEntry" }), inventory.UnknownRPC, "GetEntry"},
		"a write":                          {"ListApiKeys", edit(func(f *fanOut) { f.Calls[1].Rpc = admin + "ProjectApiKeyService/DeleteProjectApiKey" }), inventory.NoRead, "Delete"},
		"one thing above others":           {"ListApiKeys", edit(func(f *fanOut) { f.Calls[0].Rpc = admin + "ProjectService/GetProject" }), inventory.NoList, "GetProject"},
		"one thing alone":                  {"ListUsers", edit(func(f *fanOut) { f.Calls[0].Rpc = admin + "SpendLimitService/GetSpendLimit" }), inventory.NoList, "GetSpendLimit"},
		"no key":                           {"ListApiKeys", edit(func(f *fanOut) { f.Calls[0].Key = "ident" }), inventory.NoField, "Project.ident"},
		"a key that is not a string":       {"ListApiKeys", edit(func(f *fanOut) { f.Calls[0].Key = "created_at" }), inventory.WrongType, "created_at"},
		"a name failures lack":             {"ListApiKeys", edit(func(f *fanOut) { f.Calls[0].As = "proj" }), inventory.NoField, "Failure.proj"},
		"a name of a variable not":         {"ListApiKeys", edit(func(f *fanOut) { f.Calls[0].As = "user_id" }), inventory.Unbound, "project_id"},
		"no list given":                    {"ListApiKeys", edit(func(f *fanOut) { f.Calls[0].Given = "projects" }), inventory.NoField, "projects"},
		"a list given of another type":     {"ListApiKeys", edit(func(f *fanOut) { f.Calls[0].Given = "include_archived" }), inventory.WrongType, "include_archived"},
		"given below":                      {"ListApiKeys", edit(func(f *fanOut) { f.Calls[1].Given = "project_ids" }), inventory.Shape, "outermost"},
		"with a field that does not exist": {"ListApiKeys", edit(func(f *fanOut) { f.Calls[1].With = "colour: 1" }), inventory.NoField, "colour"},
		"a list that may be absent":        {"ListApiKeys", edit(func(f *fanOut) { f.Calls[1].MayBeAbsent = true }), inventory.Shape, "absent"},
		"the last with a key":              {"ListApiKeys", edit(func(f *fanOut) { f.Calls[1].Key, f.Calls[1].As = "id", "user_id" }), inventory.Shape, "but the last"},
		"no place":                         {"ListApiKeys", edit(func(f *fanOut) { f.Calls[1].Rpc = admin + "ProjectUserService/ListProjectUsers"; f.Calls[1].With = "" }), inventory.NoPlace, "ProjectUser"},
		"nothing":                          {"ListApiKeys", edit(func(f *fanOut) { f.Calls = nil }), inventory.Shape, "no read"},
		"an untaken field":                 {"ListAuditLogs", edit(func(f *fanOut) { f.Calls[0].Rpc = admin + "UserService/ListUsers" }), inventory.NoPlace, "User"},
		"a field without a use":            {"GetKeyInventory", edit(func(f *fanOut) { f.Calls[0].Rpc = admin + "GroupService/ListGroups"; f.Calls[0].Given = "project_ids" }), inventory.Untaken, "include_archived"},
		"an unfilled field of the page":    {"ListGroupMembers", edit(func(f *fanOut) { f.Calls[0].Rpc = admin + "ProjectService/ListProjects" }), inventory.Unfilled, "Groups.items"},
		"no view":                          {"FindStaleKeys", edit(func(f *fanOut) { f.View = "nowhere" }), inventory.NoView, "nowhere"},
		"a view of something else":         {"FindStaleKeys", edit(func(f *fanOut) { f.Calls[1].Rpc = admin + "ProjectUserService/ListProjectUsers"; f.Calls[1].With = "" }), inventory.WrongType, "ProjectUser"},
		"a view that is not asked":         {"FindStaleKeys", edit(func(f *fanOut) { f.View = "" }), inventory.NoPlace, "ProjectApiKey"},
		"gathered for another view": {"GetKeyInventory", edit(func(f *fanOut) {
			f.Gather = &optionsv1.FanOutGather{Rpc: admin + "AuditLogService/ListAuditLogs", When: "include_archived"}
		}), inventory.Shape, "no view"},
		"gathered inside of something":     {"FindStaleKeys", edit(func(f *fanOut) { f.Gather.Rpc, f.Gather.With = admin+"ProjectApiKeyService/ListProjectApiKeys", "" }), inventory.Unbound, "project_id"},
		"no rpc to gather":                 {"FindStaleKeys", edit(func(f *fanOut) { f.Gather.Rpc = admin + "NoService/No" }), inventory.UnknownRPC, "NoService"},
		"a write to gather":                {"FindStaleKeys", edit(func(f *fanOut) { f.Gather.Rpc = admin + "ProjectService/CreateProject" }), inventory.NoRead, "CreateProject"},
		"one thing to gather":              {"FindStaleKeys", edit(func(f *fanOut) { f.Gather.Rpc, f.Gather.With = admin+"SpendLimitService/GetSpendLimit", "" }), inventory.NoList, "GetSpendLimit"},
		"other things to gather":           {"FindStaleKeys", edit(func(f *fanOut) { f.Gather.Rpc, f.Gather.With = admin+"UserService/ListUsers", "" }), inventory.WrongType, "User"},
		"gathered with no such field":      {"FindStaleKeys", edit(func(f *fanOut) { f.Gather.With = "colour: 1" }), inventory.NoField, "colour"},
		"gathered when nothing is set":     {"FindStaleKeys", edit(func(f *fanOut) { f.Gather.When = "" }), inventory.NoField, "FindStaleKeysRequest."},
		"gathered when a number is":        {"FindStaleKeys", edit(func(f *fanOut) { f.Gather.When = "unused_days" }), inventory.WrongType, "unused_days"},
		"not gathered, though it is asked": {"FindStaleKeys", edit(func(f *fanOut) { f.Gather = nil }), inventory.Untaken, "unrestricted"},
		"gathered without a view": {"ListApiKeys", edit(func(f *fanOut) {
			f.Gather = &optionsv1.FanOutGather{Rpc: admin + "AuditLogService/ListAuditLogs", When: "include_archived"}
		}), inventory.Shape, "no view"},
		"no stream": {"ListApiKeys", func(m *descriptorpb.MethodDescriptorProto, _ *fanOut) { m.ServerStreaming = new(false) }, inventory.Shape, "streams"},
		"another response": {"ListApiKeys", func(m *descriptorpb.MethodDescriptorProto, _ *fanOut) {
			*m.OutputType = ".admingateway.inventory.v1.Complete"
		}, inventory.Shape, "oneof"},
		"a request without resuming": {"ListApiKeys", func(m *descriptorpb.MethodDescriptorProto, _ *fanOut) {
			*m.InputType = ".admingateway.inventory.v1.Complete"
		}, inventory.Shape, "resume_token"},
		"a kind twice":           {"ListUsage", edit(func(f *fanOut) { f.Buckets.Lists[1].Kind = f.Buckets.Lists[0].Kind }), inventory.NoField, "twice"},
		"a kind less":            {"ListUsage", edit(func(f *fanOut) { f.Buckets.Lists = f.Buckets.Lists[1:] }), inventory.Shape, "COMPLETIONS"},
		"no days":                {"ListUsage", edit(func(f *fanOut) { f.Buckets.Lists[0].Days = 0 }), inventory.Shape, "no limit for the buckets"},
		"buckets of no time":     {"ListUsage", edit(func(f *fanOut) { f.Buckets.Lists[0].Rpc = admin + "UserService/ListUsers" }), inventory.NoField, "start_time"},
		"hours of what has none": {"ListUsage", edit(func(f *fanOut) { f.Buckets.Lists[len(f.Buckets.Lists)-1].Hours = 24 }), inventory.WrongType, "bucket_width"},
		"buckets of a setting":   {"ListUsage", edit(func(f *fanOut) { f.Buckets.Lists[0].Rpc = admin + "SpendLimitService/GetSpendLimit" }), inventory.NoList, "GetSpendLimit"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := mutateInventory(t, test.rpc, test.mutate)
			fault, ok := errors.AsType[*inventory.DeclarationError](err)
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
	err := mutateInventory(t, "ListApiKeys", func(m *descriptorpb.MethodDescriptorProto, _ *optionsv1.FanOut) {
		proto.ClearExtension(m.GetOptions(), optionsv1.E_FanOut)
	})
	if err == nil || !strings.Contains(err.Error(), "each_call") {
		t.Errorf("each_call without a fan_out: %v", err)
	}
	err = mutateInventory(t, "ListApiKeys", func(m *descriptorpb.MethodDescriptorProto, _ *optionsv1.FanOut) {
		catalogtest.EditPolicy(t, m, func(p *optionsv1.Policy) { p.Scope = &optionsv1.Policy_Organization{Organization: true} })
	})
	if err == nil || !strings.Contains(err.Error(), "each_call") {
		t.Errorf("a fan_out without each_call: %v", err)
	}
	files := catalog.Files()
	for i, file := range files {
		if file.Path() != "admingateway/admin/v1/project.proto" {
			continue
		}
		d := catalogtest.CopyOf(file)
		catalogtest.EditPolicy(t, d.Method(t, "GetProject"), func(p *optionsv1.Policy) { p.Scope = &optionsv1.Policy_EachCall{EachCall: true} })
		files[i] = d.Build(t)
	}
	if _, err := catalog.New(files, nil); err == nil || !strings.Contains(err.Error(), "rpc admingateway.admin.v1.ProjectService.GetProject") {
		t.Errorf("each_call in a mirror: %v", err)
	}
}
