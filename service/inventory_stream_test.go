package service_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"testing"

	"connectrpc.com/connect/v2"
	"connectrpc.com/connect/v2/connecthttp"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/known/timestamppb"

	adminv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/admin/v1"
	inventoryv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/inventory/v1"
	optionsv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/options/v1"
	"github.com/admin-gateway/admin-gateway/internal/gatewaytest"
	"github.com/admin-gateway/admin-gateway/pages"
	"github.com/admin-gateway/admin-gateway/service/catalog"
)

// The doors that streams are tested with: HTTP/2 and HTTP/1.1's framing.
var streamDoors = []gatewaytest.Door{doors[0], doors[2], doors[3]}

// inventories are the RPCs that are made of many reads.
func inventories(methods *catalog.Catalog) []*catalog.Method {
	return slices.DeleteFunc(methods.Methods(), func(m *catalog.Method) bool { return m.Source != catalog.FanOut })
}

func inventoryOf(t *testing.T, methods *catalog.Catalog, name string) *catalog.Method {
	t.Helper()
	for _, m := range inventories(methods) {
		if m.ShortName() == "InventoryService/"+name {
			return m
		}
	}
	t.Fatalf("no InventoryService/%s", name)
	return nil
}

func declarationOf(m *catalog.Method) *optionsv1.FanOut {
	declared, _ := proto.GetExtension(m.Descriptor.Options(), optionsv1.E_FanOut).(*optionsv1.FanOut)
	return declared
}

// rangeOf is the time that a test asks about.
var rangeStart, rangeEnd = tourNow.AddDate(0, 0, -40), tourNow

// anyRequest has what a request has to have, and asks for what is read ahead.
func anyRequest(m *catalog.Method) protoreflect.Message {
	request := m.Request.New()
	switch request := request.Interface().(type) {
	case *inventoryv1.ListAuditLogsRequest:
		request.EffectiveAt = &adminv1.AuditLogTimeRange{Gte: timestamppb.New(tourNow.AddDate(-2, 0, 0))}
	case *inventoryv1.ListUsageRequest:
		request.StartTime, request.EndTime = timestamppb.New(rangeStart), timestamppb.New(rangeEnd)
		for number := range inventoryv1.UsageKind_name {
			if number != 0 {
				request.Kinds = append(request.Kinds, inventoryv1.UsageKind(number))
			}
		}
		slices.Sort(request.Kinds)
	case *inventoryv1.FindStaleKeysRequest:
		request.NeverExpires, request.Unrestricted = true, true
	}
	return request
}

// with sets a field of a request.
func with[T any](request protoreflect.Message, name protoreflect.Name, values ...T) protoreflect.Message {
	field := request.Descriptor().Fields().ByName(name)
	if !field.IsList() {
		request.Set(field, protoreflect.ValueOf(values[0]))
		return request
	}
	for _, value := range values {
		request.Mutable(field).List().Append(protoreflect.ValueOf(value))
	}
	return request
}

// streamed is what a stream said.
type streamed struct {
	items    map[string]int // by "project_id/user_id/…item", how often
	names    map[string]int // by "project_id/…": pages
	failures []*inventoryv1.Failure
	progress []*inventoryv1.Progress
	end      *inventoryv1.End
	header   *connect.Header

	onItem func(proto.Message) // gets each item of a list; nil: nothing does
}

func (s streamed) incomplete() *inventoryv1.Incomplete { return s.end.GetIncomplete() }

// add puts what another stream said to it.
func (s *streamed) add(other streamed) {
	for item, n := range other.items {
		s.items[item] += n
	}
	for name, n := range other.names {
		s.names[name] += n
	}
	s.end = other.end
}

// failed are the projects of failures, sorted.
func (s streamed) failed() []string {
	var ids []string
	for _, failure := range s.failures {
		ids = append(ids, failure.GetProjectId())
	}
	slices.Sort(ids)
	return ids
}

// open calls an inventory.
func (gw *tourGateway) open(ctx context.Context, d gatewaytest.Door, caller string, method *catalog.Method, request protoreflect.Message) (connect.ClientStream, error) {
	spec := connect.Spec{StreamType: connect.StreamTypeServer, Procedure: method.Procedure, Schema: method.Descriptor, IdempotencyLevel: connect.IdempotencyNoSideEffects}
	return gatewaytest.As(caller, connecthttp.NewTransport(gw.HTTPS().Client, gw.HTTPS().URL, d.Options...)).CallServerStream(ctx, spec, request.Interface())
}

// stream calls an inventory and reads it to its end.
func (gw *tourGateway) stream(ctx context.Context, d gatewaytest.Door, caller string, method *catalog.Method, request protoreflect.Message) (streamed, error) {
	var s streamed
	err := gw.streamInto(ctx, &s, d, caller, method, request)
	return s, err
}

// streamInto does the same, for what wants to see the items too.
func (gw *tourGateway) streamInto(ctx context.Context, s *streamed, d gatewaytest.Door, caller string, method *catalog.Method, request protoreflect.Message) error {
	s.items, s.names = make(map[string]int), make(map[string]int)
	ctx, info := connect.NewClientContext(ctx)
	stream, err := gw.open(ctx, d, caller, method, request)
	if err != nil {
		return err
	}
	kind, err := protoregistry.GlobalTypes.FindMessageByName(method.Descriptor.Output().FullName())
	if err != nil {
		return err
	}
	for {
		message := kind.New()
		if err := stream.Receive(message.Interface()); errors.Is(err, io.EOF) {
			s.header = info.ResponseHeader()
			return nil
		} else if err != nil {
			return err
		}
		if s.end != nil {
			return errors.New("a message after the end")
		}
		s.take(message)
	}
}

func (s *streamed) take(message protoreflect.Message) {
	member := message.WhichOneof(message.Descriptor().Oneofs().Get(0))
	switch said := message.Get(member).Message().Interface().(type) {
	case *inventoryv1.Progress:
		s.progress = append(s.progress, said)
	case *inventoryv1.Failure:
		s.failures = append(s.failures, said)
	case *inventoryv1.End:
		s.end = said
	default:
		s.takeItems(said.ProtoReflect())
	}
}

func (s *streamed) takeItems(page protoreflect.Message) {
	name := ""
	for _, field := range []protoreflect.Name{"project_id", "user_id", "group_id", "workload_identity_provider_id"} {
		if fd := page.Descriptor().Fields().ByName(field); fd != nil {
			name += page.Get(fd).String() + "/"
		}
	}
	s.names[name]++
	page.Range(func(field protoreflect.FieldDescriptor, value protoreflect.Value) bool {
		switch {
		case field.Message() == nil:
		case field.IsList():
			for i := range value.List().Len() {
				item := value.List().Get(i).Message()
				s.items[name+textOf(item)]++
				if s.onItem != nil {
					s.onItem(item.Interface())
				}
			}
		default:
			s.items[name+textOf(value.Message())]++
		}
		return true
	})
}

// textOf is a message in a form that can be compared.
func textOf(m protoreflect.Message) string {
	wire, err := proto.MarshalOptions{Deterministic: true}.Marshal(m.Interface())
	if err != nil {
		panic(err)
	}
	return string(m.Descriptor().Name()) + " " + string(wire)
}

// expected are the items that an inventory has to have, by the reads of its
// declaration, each made by itself.
func (gw *tourGateway) expected(t *testing.T, method *catalog.Method, request protoreflect.Message) map[string]int {
	t.Helper()
	items := make(map[string]int)
	gw.expectBelow(t, declarationOf(method).GetCalls(), request, map[string]string{}, "", items)
	return items
}

func (gw *tourGateway) expectBelow(t *testing.T, calls []*optionsv1.FanOutCall, over protoreflect.Message, names map[string]string, prefix string, items map[string]int) {
	t.Helper()
	read, ok := gw.Catalog.Lookup("/" + calls[0].GetRpc())
	if !ok {
		t.Fatalf("no %s", calls[0].GetRpc())
	}
	request := read.Request.New()
	for name, value := range names {
		if field := request.Descriptor().Fields().ByName(protoreflect.Name(name)); field != nil {
			request.Set(field, protoreflect.ValueOfString(value))
		}
	}
	if access := request.Descriptor().Fields().ByName("owner_project_access"); access != nil {
		request.Set(access, protoreflect.ValueOfEnum(adminv1.OwnerProjectAccessFilter_OWNER_PROJECT_ACCESS_FILTER_ANY.Number()))
	}
	if span := request.Descriptor().Fields().ByName("effective_at"); span != nil {
		request.Set(span, over.Get(over.Descriptor().Fields().ByName("effective_at")))
	}
	if read.Response.Descriptor().Fields().ByName("has_more") == nil {
		response := read.Response.New()
		if err := gw.call(t.Context(), doors[0], read, request.Interface(), response.Interface()); err == nil {
			items[prefix+textOf(response.Get(response.Descriptor().Fields().Get(0)).Message())]++
		} else if connect.CodeOf(err) != connect.CodeNotFound {
			t.Fatal(err)
		}
		return
	}
	all, err := pages.Collect(pages.Walk[proto.Message](t.Context(), func(ctx context.Context, request proto.Message) (proto.Message, error) {
		response := read.Response.New().Interface()
		return response, gw.call(ctx, doors[0], read, request, response)
	}, request.Interface()))
	if err != nil {
		t.Fatal(err)
	}
	for _, item := range all {
		if len(calls) == 1 {
			items[prefix+textOf(item.ProtoReflect())]++
			continue
		}
		key := item.ProtoReflect().Get(item.ProtoReflect().Descriptor().Fields().ByName(protoreflect.Name(calls[0].GetKey()))).String()
		below := maps.Clone(names)
		below[calls[0].GetAs()] = key
		gw.expectBelow(t, calls[1:], over, below, prefix+key+"/", items)
	}
}

// same wants every item once, and no other.
func same(t *testing.T, what string, want, got map[string]int) {
	t.Helper()
	for item := range want {
		if got[item] != want[item] {
			t.Errorf("%s: %d times %.60q, want %d", what, got[item], item, want[item])
		}
	}
	for item := range got {
		if want[item] == 0 {
			t.Errorf("%s: %.60q is too many", what, item)
		}
	}
}

// projects are the ids of the sandbox's projects.
func (gw *tourGateway) projects(t *testing.T) []string {
	t.Helper()
	read, _ := gw.Catalog.Lookup("/admingateway.admin.v1.ProjectService/ListProjects")
	var ids []string
	all, err := walk(t, gw, read, &adminv1.ListProjectsRequest{Limit: proto.Int32(100)})
	if err != nil {
		t.Fatal(err)
	}
	for _, item := range all {
		project, ok := item.(*adminv1.Project)
		if !ok {
			t.Fatalf("%T", item)
		}
		ids = append(ids, project.GetId())
	}
	slices.Sort(ids)
	return ids
}

// projectOf is what an item's or a page's name begins with.
func projectOf(name string) string {
	project, _, _ := strings.Cut(name, "/")
	return project
}

// projectsOf are the projects that pages came of, sorted.
func (s streamed) projectsOf() []string {
	ids := make(map[string]bool)
	for name := range s.names {
		ids[projectOf(name)] = true
	}
	return slices.Sorted(maps.Keys(ids))
}

func (s streamed) String() string {
	return fmt.Sprintf("%d items, %d failures, end %v", len(s.items), len(s.failures), s.end)
}
