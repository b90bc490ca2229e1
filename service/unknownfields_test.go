package service_test

import (
	"strings"
	"testing"

	"connectrpc.com/connect/v2"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/admin-gateway/admin-gateway/internal/gatewaytest"
	"github.com/admin-gateway/admin-gateway/service/rpcerror"
)

// TestUnknownFieldsAreRefused: a field of a newer schema, such as an expiry, must not
// be dropped on the way: not from the request of any RPC, not at any depth, not in
// any binary encoding. The upstream must not hear of the call.
func TestUnknownFieldsAreRefused(t *testing.T) {
	t.Parallel()
	gw := gatewaytest.New(t, gatewaytest.WithUpstream(gatewaytest.UpstreamFunc(gatewaytest.AnswerProject)))
	client := gw.Client("root")
	const number = 19_000_000
	nested := 0
	for _, s := range readTour(t, gw.Catalog) {
		whole := s.message(t, validTourValues(t))
		for _, path := range messagesIn(whole.ProtoReflect(), "") {
			request := proto.Clone(whole)
			m := path.in(request.ProtoReflect())
			m.SetUnknown(protowire.AppendVarint(protowire.AppendTag(nil, number, protowire.VarintType), 1))
			err := client.CallUnary(t.Context(), s.method.Spec(), request, s.method.Response.New().Interface())
			if connect.CodeOf(err) != connect.CodeInvalidArgument || reason(t, err) != rpcerror.ReasonInvalidRequest || !strings.Contains(err.Error(), path.name+"19000000") {
				t.Errorf("%s with an unknown field in %q: %v", s.method.Name(), path.name, err)
			}
			if path.name != "" {
				nested++
			}
		}
	}
	if gw.Asked.Load() != 0 || nested == 0 {
		t.Errorf("the upstream was asked %d times; %d requests had a message inside", gw.Asked.Load(), nested)
	}
}

// messagePath leads to a message within another.
type messagePath struct {
	name string
	in   func(protoreflect.Message) protoreflect.Message
}

// messagesIn are the paths of a message and of all that are set in it.
func messagesIn(m protoreflect.Message, name string) []messagePath {
	paths := []messagePath{{name, func(m protoreflect.Message) protoreflect.Message { return m }}}
	m.Range(func(field protoreflect.FieldDescriptor, value protoreflect.Value) bool {
		if field.Message() == nil || field.IsMap() || strings.HasPrefix(string(field.Message().FullName()), "google.") {
			return true
		}
		step, inner := string(field.Name())+".", func(m protoreflect.Message) protoreflect.Message { return m.Mutable(field).Message() }
		below := value
		if field.IsList() {
			step, inner = string(field.Name())+"[0].", func(m protoreflect.Message) protoreflect.Message { return m.Mutable(field).List().Get(0).Message() }
			below = value.List().Get(0)
		}
		for _, path := range messagesIn(below.Message(), name+step) {
			paths = append(paths, messagePath{path.name, func(m protoreflect.Message) protoreflect.Message { return path.in(inner(m)) }})
		}
		return true
	})
	return paths
}
