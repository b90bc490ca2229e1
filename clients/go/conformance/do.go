package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"connectrpc.com/connect/v2"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"

	"github.com/admin-gateway/admin-gateway/client"
	"github.com/admin-gateway/admin-gateway/client/inventories"
	"github.com/admin-gateway/admin-gateway/client/leases"
	_ "github.com/admin-gateway/admin-gateway/gen/admingateway/admin/v1" // its methods are found by name
	inventoryv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/inventory/v1"
	"github.com/admin-gateway/admin-gateway/gen/admingateway/inventory/v1/inventoryv1connect"
	"github.com/admin-gateway/admin-gateway/gen/admingateway/lease/v1/leasev1connect"
	"github.com/admin-gateway/admin-gateway/pages"
)

// do makes the call of a command.
func (c *command) do(ctx context.Context, gateway *client.Gateway, r *result) error {
	switch c.Do {
	case "call", "list":
		m, err := find(c.Method)
		if err != nil {
			return err
		}
		request := m.request()
		if err := parse(c.Request, request); err != nil {
			return err
		}
		if c.Do == "list" {
			return list(ctx, m.over(gateway.Client()), request, r)
		}
		response, err := m.over(gateway.Client())(ctx, request)
		if err != nil {
			return err
		}
		r.Response, err = protojson.Marshal(response)
		return err
	case "inventory":
		return c.inventory(ctx, inventoryv1connect.NewInventoryServiceClient(gateway.Client()), r)
	case "lease":
		return c.lease(ctx, leasev1connect.NewLeaseServiceClient(gateway.Client()), r)
	default:
		return fmt.Errorf("no command %q", c.Do)
	}
}

func parse(text []byte, m proto.Message) error {
	if len(text) == 0 {
		return nil
	}
	return protojson.Unmarshal(text, m)
}

// method is a unary method, by reflection.
type method struct{ protoreflect.MethodDescriptor }

// find finds a method by the path of its RPC.
func find(path string) (method, error) {
	found, err := protoregistry.GlobalFiles.FindDescriptorByName(protoreflect.FullName(strings.ReplaceAll(path, "/", ".")))
	if err != nil {
		return method{}, fmt.Errorf("%s: %w", path, err)
	}
	descriptor, ok := found.(protoreflect.MethodDescriptor)
	if !ok {
		return method{}, fmt.Errorf("%s is not a method", path)
	}
	return method{descriptor}, nil
}

func (m method) request() proto.Message { return newOf(m.Input()) }

func newOf(d protoreflect.MessageDescriptor) proto.Message {
	found, err := protoregistry.GlobalTypes.FindMessageByName(d.FullName())
	if err != nil {
		panic(err) // The package of the method has its messages.
	}
	return found.New().Interface()
}

// over is the function that a stub has for the method.
func (m method) over(c *connect.Client) func(context.Context, proto.Message) (proto.Message, error) {
	spec := connect.Spec{Schema: m.MethodDescriptor, Procedure: fmt.Sprintf("/%s/%s", m.Parent().FullName(), m.Name())}
	if options, ok := m.Options().(*descriptorpb.MethodOptions); ok && options.GetIdempotencyLevel() == descriptorpb.MethodOptions_NO_SIDE_EFFECTS {
		spec.IdempotencyLevel = connect.IdempotencyNoSideEffects
	}
	return func(ctx context.Context, request proto.Message) (proto.Message, error) {
		response := newOf(m.Output())
		return response, c.CallUnary(ctx, spec, request, response)
	}
}

func list(ctx context.Context, call func(context.Context, proto.Message) (proto.Message, error), request proto.Message, r *result) error {
	for item, err := range pages.Walk[proto.Message](ctx, call, request) {
		if err != nil {
			return err
		}
		r.add(item.ProtoReflect())
	}
	return nil
}

// inventory walks one of three inventories.
func (c *command) inventory(ctx context.Context, stock inventoryv1connect.InventoryServiceClient, r *result) error {
	switch name := c.Method[strings.LastIndexByte(c.Method, '/')+1:]; name {
	case "ListApiKeys":
		return walk(ctx, stock.ListApiKeys, c.Request, new(inventoryv1.ListApiKeysRequest), r)
	case "ListProjectUsers":
		return walk(ctx, stock.ListProjectUsers, c.Request, new(inventoryv1.ListProjectUsersRequest), r)
	case "ListUsers":
		return walk(ctx, stock.ListUsers, c.Request, new(inventoryv1.ListUsersRequest), r)
	default:
		return fmt.Errorf("no inventory %q", name)
	}
}

func walk[Req proto.Message, M inventories.Message, S inventories.Stream[M]](
	ctx context.Context, call func(context.Context, Req) (S, error), text []byte, request Req, r *result,
) error {
	if err := parse(text, request); err != nil {
		return err
	}
	options := []inventories.Option{
		inventories.OnProgress(func(*inventoryv1.Progress) { r.Progress++ }),
		inventories.OnFailure(func(*inventoryv1.Failure) { r.Failures++ }),
	}
	for page, err := range inventories.Walk(ctx, call, request, options...) {
		if err != nil {
			return err
		}
		r.Pages++
		page.ProtoReflect().Range(func(_ protoreflect.FieldDescriptor, event protoreflect.Value) bool {
			items := event.Message().Get(event.Message().Descriptor().Fields().ByName("items")).List()
			for i := range items.Len() {
				r.add(items.Get(i).Message())
			}
			return true
		})
	}
	return nil
}

// lease takes a lease, has each change made to it, and gives it back.
func (c *command) lease(ctx context.Context, client leases.Client, r *result) (err error) {
	var request struct{ Role, TTL string }
	if err := unmarshal(c.Request, &request); err != nil {
		return err
	}
	ttl, err := time.ParseDuration(request.TTL)
	if err != nil {
		return err
	}
	held, err := leases.Acquire(ctx, client, leases.Request{Role: request.Role, TTL: ttl})
	if err != nil {
		return err
	}
	first := held.Key()
	keeping, stop := context.WithCancel(ctx)
	kept := make(chan error, 1)
	go func() { kept <- held.Keep(keeping) }()
	defer func() { // Also where something went wrong.
		stop()
		if ended := <-kept; !errors.Is(ended, context.Canceled) {
			err = errors.Join(err, ended)
		}
		released := held.Release(ctx)
		if err = errors.Join(err, released); err == nil {
			r.Response = fmt.Appendf(nil, `{"key_given":%t,"renewed":true,"rotated":true,"released":true,"lease_id":%q}`, first.Secret() != "", first.Lease().GetId())
		}
	}()
	if err := held.Renew(ctx); err != nil {
		return err
	}
	second, err := held.Rotate(ctx, 0)
	if err == nil && second.Secret() == first.Secret() {
		err = errors.New("the key is the same")
	}
	return err
}
