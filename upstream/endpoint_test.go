package upstream_test

import (
	"errors"
	"io/fs"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"google.golang.org/genproto/googleapis/api/annotations"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/dynamicpb"
	"google.golang.org/protobuf/types/known/fieldmaskpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	adminv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/admin/v1"
	"github.com/admin-gateway/admin-gateway/upstream"
)

// methods calls f for every method of the Admin API.
func methods(f func(protoreflect.MethodDescriptor)) {
	protoregistry.GlobalFiles.RangeFilesByPackage("admingateway.admin.v1", func(file protoreflect.FileDescriptor) bool {
		for i := range file.Services().Len() {
			service := file.Services().Get(i)
			for j := range service.Methods().Len() {
				f(service.Methods().Get(j))
			}
		}
		return true
	})
}

func TestEveryMethodCompiles(t *testing.T) {
	t.Parallel()
	seen := map[string]protoreflect.FullName{}
	methods(func(md protoreflect.MethodDescriptor) {
		e, err := upstream.Compile(md, nil)
		if err != nil {
			t.Error(err)
			return
		}
		if other, ok := seen[e.String()]; ok {
			t.Errorf("%s and %s are both %s", md.FullName(), other, e)
		}
		seen[e.String()] = md.FullName()

		// A message whose path is filled in can be sent, unless it needs more.
		m := dynamicpb.NewMessage(md.Input())
		for _, field := range e.Variables() {
			m.Set(field, protoreflect.ValueOfString("id_1"))
		}
		r, err := e.Request(m)
		if _, ok := errors.AsType[*upstream.RequestError](err); ok {
			return
		}
		if err != nil {
			t.Errorf("%s: %v", md.FullName(), err)
			return
		}
		if r.Verb != "POST" && r.Body != nil {
			t.Errorf("%s: a %s with a body", md.FullName(), r.Verb)
		}
		if strings.ContainsAny(r.Path, "{}?") {
			t.Errorf("%s: path %q", md.FullName(), r.Path)
		}
	})
	if len(seen) < 143 {
		t.Errorf("%d operations, want 143 or more", len(seen))
	}
}

// TestEndpointsAreTheVendors compares every method with the list of the vendor's
// operations, where that list exists: it is not part of the project.
func TestEndpointsAreTheVendors(t *testing.T) {
	t.Parallel()
	list, err := os.ReadFile("../../shared/upstream/endpoints-2026-11.tsv")
	if errors.Is(err, fs.ErrNotExist) {
		t.Skip("the list of the vendor's operations is not part of the project, and not here: ", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{}
	for line := range strings.Lines(string(list)) {
		if columns := strings.Split(line, "\t"); columns[0] != "service" && len(columns) > 3 {
			want[columns[0]+"."+columns[1]] = columns[2] + " " + columns[3]
		}
	}
	got := map[string]string{}
	methods(func(md protoreflect.MethodDescriptor) {
		e, err := upstream.Compile(md, nil)
		if err != nil {
			t.Error(err)
			return
		}
		got[string(md.Parent().Name())+"."+string(md.Name())] = e.String()
	})
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("endpoints (-vendor +here):\n%s", diff)
	}
}

func TestRequest(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		method protoreflect.FullName
		m      proto.Message
		want   upstream.Request
	}{
		{
			name: "nothing set", method: "ProjectService.ListProjects",
			m:    &adminv1.ListProjectsRequest{},
			want: upstream.Request{Verb: "GET", Path: "/organization/projects"},
		},
		{
			name: "zeros that are set go out, sorted by name", method: "ProjectService.ListProjects",
			m:    &adminv1.ListProjectsRequest{Limit: proto.Int32(0), After: proto.String(""), IncludeArchived: proto.Bool(false)},
			want: upstream.Request{Verb: "GET", Path: "/organization/projects", Query: "after=&include_archived=false&limit=0"},
		},
		{
			name: "values are escaped", method: "ProjectService.ListProjects",
			m:    &adminv1.ListProjectsRequest{After: proto.String("a b&limit=1#+é%")},
			want: upstream.Request{Verb: "GET", Path: "/organization/projects", Query: "after=a%20b%26limit%3D1%23%2B%C3%A9%25"},
		},
		{
			name: "arrays keep their order, enums have the upstream's spelling", method: "CostService.ListCosts",
			m: &adminv1.ListCostsRequest{
				StartTime:  timestamppb.New(timestamppb.New(unix(1700000000)).AsTime()),
				ProjectIds: []string{"proj_b", "proj_a", "proj_b"},
				GroupBy:    []adminv1.CostsGroupBy{adminv1.CostsGroupBy_COSTS_GROUP_BY_PROJECT_ID},
			},
			want: upstream.Request{
				Verb: "GET", Path: "/organization/costs",
				Query: "group_by%5B%5D=project_id&project_ids%5B%5D=proj_b&project_ids%5B%5D=proj_a&project_ids%5B%5D=proj_b&start_time=1700000000",
			},
		},
		{
			name: "a nested message", method: "AuditLogService.ListAuditLogs",
			m: &adminv1.ListAuditLogsRequest{
				EffectiveAt: &adminv1.AuditLogTimeRange{Gt: timestamppb.New(unix(5)), Lte: timestamppb.New(unix(-1))},
			},
			want: upstream.Request{Verb: "GET", Path: "/organization/audit_logs", Query: "effective_at%5Bgt%5D=5&effective_at%5Blte%5D=-1"},
		},
		{
			name: "an empty nested message is nothing", method: "AuditLogService.ListAuditLogs",
			m:    &adminv1.ListAuditLogsRequest{EffectiveAt: &adminv1.AuditLogTimeRange{}},
			want: upstream.Request{Verb: "GET", Path: "/organization/audit_logs"},
		},
		{
			name: "a path value is escaped, and not in the query", method: "GroupUserService.ListGroupUsers",
			m:    &adminv1.ListGroupUsersRequest{GroupId: "gr oup@é;+", Order: adminv1.SortOrder_SORT_ORDER_DESC.Enum()},
			want: upstream.Request{Verb: "GET", Path: "/organization/groups/gr%20oup@%C3%A9%3B+/users", Query: "order=desc"},
		},
		{
			name: "a body without path variables", method: "ProjectService.UpdateProject",
			m:    &adminv1.UpdateProjectRequest{ProjectId: "proj_1", Name: proto.String("n")},
			want: upstream.Request{Verb: "POST", Path: "/organization/projects/proj_1", Body: []byte(`{"name":"n"}`)},
		},
		{
			name: "a null that the mask names", method: "ProjectService.UpdateProject",
			m:    &adminv1.UpdateProjectRequest{ProjectId: "proj_1", UpdateMask: &fieldmaskpb.FieldMask{Paths: []string{"name"}}},
			want: upstream.Request{Verb: "POST", Path: "/organization/projects/proj_1", Body: []byte(`{"name":null}`)},
		},
		{
			name: "a post without a body", method: "ProjectService.ArchiveProject",
			m:    &adminv1.ArchiveProjectRequest{ProjectId: "proj_1"},
			want: upstream.Request{Verb: "POST", Path: "/organization/projects/proj_1/archive"},
		},
		{
			name: "a delete", method: "UserService.DeleteUser",
			m:    &adminv1.DeleteUserRequest{UserId: "user_1"},
			want: upstream.Request{Verb: "DELETE", Path: "/organization/users/user_1"},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			got := request(t, endpoint(t, test.method), test.m)
			if diff := cmp.Diff(&test.want, got, cmpopts.IgnoreUnexported(upstream.Request{})); diff != "" {
				t.Errorf("request (-want +got):\n%s", diff)
			}
		})
	}
}

func TestRequestRefuses(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		method protoreflect.FullName
		m      proto.Message
		field  string
	}{
		{"an empty id", "ProjectService.GetProject", &adminv1.GetProjectRequest{}, "project_id"},
		{"part of a second", "CostService.ListCosts", &adminv1.ListCostsRequest{StartTime: &timestamppb.Timestamp{Seconds: 1, Nanos: 1}}, "start_time"},
		{"no such year", "CostService.ListCosts", &adminv1.ListCostsRequest{StartTime: &timestamppb.Timestamp{Seconds: 1 << 60}}, "start_time"},
		{"nested", "AuditLogService.ListAuditLogs", &adminv1.ListAuditLogsRequest{EffectiveAt: &adminv1.AuditLogTimeRange{Lt: &timestamppb.Timestamp{Nanos: 5}}}, "effective_at.lt"},
		{"an unspecified enum", "GroupUserService.ListGroupUsers", &adminv1.ListGroupUsersRequest{GroupId: "g", Order: adminv1.SortOrder_SORT_ORDER_UNSPECIFIED.Enum()}, "order"},
		{"an unknown enum, repeated", "CostService.ListCosts", &adminv1.ListCostsRequest{GroupBy: []adminv1.CostsGroupBy{adminv1.CostsGroupBy_COSTS_GROUP_BY_PROJECT_ID, 99}}, "group_by[1]"},
		{"a mask of nothing", "ProjectService.UpdateProject", &adminv1.UpdateProjectRequest{ProjectId: "p", UpdateMask: &fieldmaskpb.FieldMask{Paths: []string{"nothing"}}}, "update_mask"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			_, err := endpoint(t, test.method).Request(test.m.ProtoReflect())
			bad, ok := errors.AsType[*upstream.RequestError](err)
			if !ok {
				t.Fatalf("got %v", err)
			}
			if !strings.HasPrefix(bad.Field, test.field) || bad.Reason == "" {
				t.Errorf("got field %q, reason %q; want field %q", bad.Field, bad.Reason, test.field)
			}
			if want := "field " + bad.Field + ": " + bad.Reason; err.Error() != want {
				t.Errorf("got %s, want %s", err, want)
			}
		})
	}
	t.Run("another message", func(t *testing.T) {
		t.Parallel()
		_, err := endpoint(t, "ProjectService.GetProject").Request((&adminv1.ListProjectsRequest{}).ProtoReflect())
		if err == nil {
			t.Error("no error")
		}
	})
}

func TestDecode(t *testing.T) {
	t.Parallel()
	answer, err := endpoint(t, "ProjectService.GetProject").Decode([]byte(`{"id":"proj_1","object":"organization.project","created_at":1700000000,"name":null,"new":[{}]}`))
	if err != nil {
		t.Fatal(err)
	}
	var got adminv1.GetProjectResponse
	if err := proto.Unmarshal(answer.Wire, &got); err != nil {
		t.Fatal(err)
	}
	if p := got.GetProject(); p.GetId() != "proj_1" || p.GetCreatedAt().GetSeconds() != 1700000000 || p.Name != nil {
		t.Errorf("got %v", p)
	}

	for _, body := range []string{``, `[]`, `null`, `"x"`, `{"id":7}`, `{"id":"proj_1"`, `{"id":"proj_1"} more`, `<html>`} {
		_, err := endpoint(t, "ProjectService.GetProject").Decode([]byte(body))
		if err == nil {
			t.Errorf("%s: no error", body)
			continue
		}
		wantKind(t, err, upstream.Unavailable, upstream.ReasonBadResponse)
		_, err = endpoint(t, "ProjectService.CreateProject").Decode([]byte(body))
		wantKind(t, err, upstream.OutcomeUnknown, upstream.ReasonOutcomeUnknown)
	}
}

// method makes a method by descriptor: its input has the string "id", the
// optional string "maybe", the repeated string "many", the int64 "number", the
// double "ratio" (when asked for), and the output has "item" and "items".
func method(t *testing.T, rule *annotations.HttpRule, change func(*descriptorpb.FileDescriptorProto)) protoreflect.MethodDescriptor {
	t.Helper()
	field := func(name string, number int32, kind descriptorpb.FieldDescriptorProto_Type, label descriptorpb.FieldDescriptorProto_Label) *descriptorpb.FieldDescriptorProto {
		return &descriptorpb.FieldDescriptorProto{Name: &name, Number: &number, Type: &kind, Label: &label}
	}
	const (
		one    = descriptorpb.FieldDescriptorProto_LABEL_OPTIONAL
		many   = descriptorpb.FieldDescriptorProto_LABEL_REPEATED
		str    = descriptorpb.FieldDescriptorProto_TYPE_STRING
		number = descriptorpb.FieldDescriptorProto_TYPE_INT64
		msg    = descriptorpb.FieldDescriptorProto_TYPE_MESSAGE
	)
	maybe := field("maybe", 2, str, one)
	maybe.Proto3Optional, maybe.OneofIndex = proto.Bool(true), proto.Int32(0)
	item, items := field("item", 1, msg, one), field("items", 2, msg, many)
	item.TypeName, items.TypeName = proto.String(".test.Item"), proto.String(".test.Item")
	options := &descriptorpb.MethodOptions{}
	if rule != nil {
		proto.SetExtension(options, annotations.E_Http, rule)
	}
	file := &descriptorpb.FileDescriptorProto{
		Name: proto.String("test.proto"), Package: proto.String("test"), Syntax: proto.String("proto3"),
		MessageType: []*descriptorpb.DescriptorProto{
			{
				Name:      proto.String("In"),
				Field:     []*descriptorpb.FieldDescriptorProto{field("id", 1, str, one), maybe, field("many", 3, str, many), field("number", 4, number, one)},
				OneofDecl: []*descriptorpb.OneofDescriptorProto{{Name: proto.String("_maybe")}},
			},
			{Name: proto.String("Out"), Field: []*descriptorpb.FieldDescriptorProto{item, items, field("name", 3, str, one)}},
			{Name: proto.String("Item"), Field: []*descriptorpb.FieldDescriptorProto{field("id", 1, str, one)}},
		},
		Service: []*descriptorpb.ServiceDescriptorProto{{
			Name:   proto.String("S"),
			Method: []*descriptorpb.MethodDescriptorProto{{Name: proto.String("M"), InputType: proto.String(".test.In"), OutputType: proto.String(".test.Out"), Options: options}},
		}},
	}
	if change != nil {
		change(file)
	}
	fd, err := protodesc.NewFile(file, nil)
	if err != nil {
		t.Fatal(err)
	}
	return fd.Services().Get(0).Methods().Get(0)
}

func get(path string) *annotations.HttpRule {
	return &annotations.HttpRule{Pattern: &annotations.HttpRule_Get{Get: path}}
}

func post(body string) *annotations.HttpRule {
	return &annotations.HttpRule{Pattern: &annotations.HttpRule_Post{Post: "/x/{id}"}, Body: body}
}

func TestCompileRefuses(t *testing.T) {
	t.Parallel()
	withBody := get("/x/{id}")
	withBody.Body = "*"
	deleteBody := &annotations.HttpRule{Pattern: &annotations.HttpRule_Delete{Delete: "/x/{id}"}, Body: "*"}
	two := get("/x/{id}")
	two.AdditionalBindings = []*annotations.HttpRule{get("/y/{id}")}
	respond := func(field string) *annotations.HttpRule {
		r := get("/x/{id}")
		r.ResponseBody = field
		return r
	}
	kind := func(k descriptorpb.FieldDescriptorProto_Type) func(*descriptorpb.FileDescriptorProto) {
		return func(file *descriptorpb.FileDescriptorProto) { file.MessageType[0].Field[3].Type = &k }
	}
	message := func(name string) func(*descriptorpb.FileDescriptorProto) {
		return func(file *descriptorpb.FileDescriptorProto) {
			f := file.MessageType[0].Field[3]
			f.Type, f.TypeName = descriptorpb.FieldDescriptorProto_TYPE_MESSAGE.Enum(), proto.String(".test."+name)
		}
	}
	for _, test := range []struct {
		name   string
		rule   *annotations.HttpRule
		change func(*descriptorpb.FileDescriptorProto)
		want   string
	}{
		{"no rule", nil, nil, "no google.api.http rule"},
		{"an empty rule", &annotations.HttpRule{}, nil, "no google.api.http rule"},
		{"put", &annotations.HttpRule{Pattern: &annotations.HttpRule_Put{Put: "/x"}}, nil, "none of get, post and delete"},
		{"custom", &annotations.HttpRule{Pattern: &annotations.HttpRule_Custom{Custom: &annotations.CustomHttpPattern{Kind: "HEAD", Path: "/x"}}}, nil, "none of get, post and delete"},
		{"two rules", two, nil, "additional_bindings"},
		{"no slash", get("x"), nil, "slash"},
		{"an empty segment", get("/x//y"), nil, "empty segment"},
		{"a trailing slash", get("/x/"), nil, "empty segment"},
		{"a dotted segment", get("/x/../y"), nil, "neither"},
		{"a wildcard", get("/x/*"), nil, "neither"},
		{"a verb", get("/x/{id}:cancel"), nil, "does not fill its segment"},
		{"a pattern", get("/x/{id=**}"), nil, "no field"},
		{"no such field", get("/x/{what}"), nil, "no field"},
		{"not a string", get("/x/{number}"), nil, "not a string"},
		{"a repeated variable", get("/x/{many}"), nil, "repeated"},
		{"an optional variable", get("/x/{maybe}"), nil, "optional"},
		{"a variable twice", get("/x/{id}/{id}"), nil, "twice"},
		{"a get with a body", withBody, nil, "has no body"},
		{"a delete with a body", deleteBody, nil, "has no body"},
		{"a body that is a field", post("maybe"), nil, "only"},
		{"a post without a body that has fields", post(""), nil, "outside the path"},
		{"response_body of nothing", respond("nothing"), nil, "response_body"},
		{"response_body of a string", respond("name"), nil, "response_body"},
		{"response_body of a list", respond("items"), nil, "response_body"},
		{"a float in the query", get("/x/{id}"), kind(descriptorpb.FieldDescriptorProto_TYPE_DOUBLE), "cannot be a query parameter"},
		{"bytes in the query", get("/x/{id}"), kind(descriptorpb.FieldDescriptorProto_TYPE_BYTES), "cannot be a query parameter"},
		{"a recursive message in the query", get("/x/{id}"), message("In"), "nested deeper"},
		{"bytes in the body", post("*"), kind(descriptorpb.FieldDescriptorProto_TYPE_BYTES), "number"},
		{"a stream", get("/x/{id}"), func(file *descriptorpb.FileDescriptorProto) {
			file.Service[0].Method[0].ServerStreaming = proto.Bool(true)
		}, "streams"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			_, err := upstream.Compile(method(t, test.rule, test.change), nil)
			if err == nil || !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), "test.S.M") {
				t.Errorf("got %v, want the method and %q", err, test.want)
			}
		})
	}
	t.Run("the same without a fault", func(t *testing.T) {
		t.Parallel()
		for _, rule := range []*annotations.HttpRule{get("/x/{id}"), post("*"), respond("item")} {
			if _, err := upstream.Compile(method(t, rule, nil), nil); err != nil {
				t.Error(err)
			}
		}
	})
}
