package service

import (
	"context"
	"errors"
	"fmt"
	"maps"

	"connectrpc.com/connect/v2"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"

	optionsv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/options/v1"
	"github.com/admin-gateway/admin-gateway/service/audit"
	"github.com/admin-gateway/admin-gateway/service/authz"
)

// OwnMethod is an RPC that the gateway answers itself, compiled from its
// declaration. It never changes once the catalog is built.
type OwnMethod struct {
	// Procedure is the RPC's path, such as "/admingateway.control.v1.CacheService/Purge".
	Procedure string
	// Descriptor is the RPC in the schema.
	Descriptor protoreflect.MethodDescriptor
	// Request is the type of its request.
	Request protoreflect.MessageType
	// Permission is what a caller must have been granted.
	Permission string
	// Project is the path of the request's field that names projects, "" for the
	// organization as a whole.
	Project string
	// EachCall says that the call opens nothing itself: it is made of reads of the
	// mirror, each of which is decided on its own.
	EachCall bool
	// Read says that the call changes nothing.
	Read bool

	fanOut *fanOut // nil for what is answered by code of its own
}

// Own lists the RPCs that the gateway answers itself, in the order of their
// declaration.
func (c *Catalog) Own() []*OwnMethod { return append([]*OwnMethod(nil), c.own...) }

// lookupOwn finds an RPC of our own; nil when there is none.
func (c *Catalog) lookupOwn(procedure string) *OwnMethod {
	for _, m := range c.own {
		if m.Procedure == procedure {
			return m
		}
	}
	return nil
}

func (c *Catalog) addOwn(file protoreflect.FileDescriptor) (faults []error) {
	for i := range file.Services().Len() {
		methods := file.Services().Get(i).Methods()
		for j := range methods.Len() {
			m, err := compileOwn(methods.Get(j))
			if err != nil {
				faults = append(faults, fmt.Errorf("rpc %s: %w", methods.Get(j).FullName(), err))
				continue
			}
			c.own = append(c.own, m)
		}
	}
	return faults
}

// compileOwn wants the same of a declaration as of a mirror's, as far as it
// makes sense: what the gateway says itself is never kept, and what it changes
// is no answer that is kept.
func compileOwn(md protoreflect.MethodDescriptor) (*OwnMethod, error) {
	options, _ := md.Options().(*descriptorpb.MethodOptions)
	policy, _ := proto.GetExtension(options, optionsv1.E_Policy).(*optionsv1.Policy)
	if policy == nil {
		return nil, errors.New("has no (admingateway.options.v1.policy)")
	}
	if md.IsStreamingClient() {
		return nil, errors.New("takes a stream; a decision is about one request")
	}
	request, err := protoregistry.GlobalTypes.FindMessageByName(md.Input().FullName())
	if err != nil {
		return nil, fmt.Errorf("request type %s is not linked in: %w", md.Input().FullName(), err)
	}
	m := &OwnMethod{
		Procedure:  "/" + string(md.Parent().FullName()) + "/" + string(md.Name()),
		Descriptor: md,
		Request:    request,
		Permission: policy.GetPermission(),
		Read:       options.GetIdempotencyLevel() == descriptorpb.MethodOptions_NO_SIDE_EFFECTS,
	}
	if !permissionForm.MatchString(m.Permission) {
		return nil, fmt.Errorf("permission %q is not a dotted resource and verb, such as cache.purge", m.Permission)
	}
	if m.Read && !policy.GetCacheNothing() || !m.Read && !policy.GetInvalidatesNothing() {
		return nil, errors.New("is answered here: a read says cache_nothing, a write invalidates_nothing")
	}
	if m.EachCall = policy.GetEachCall(); m.EachCall != proto.HasExtension(options, optionsv1.E_FanOut) {
		return nil, errors.New("has (admingateway.options.v1.fan_out) without the scope each_call, or the other way round")
	}
	if !m.EachCall {
		m.Project, err = scopeOf(policy, md.Input())
	}
	return m, err
}

// compileFanOuts compiles the RPCs that are made of reads of the mirror, when all
// of these are known.
func (c *Catalog) compileFanOuts() (faults []error) {
	for _, m := range c.own {
		if !m.EachCall {
			continue
		}
		declared, _ := proto.GetExtension(m.Descriptor.Options(), optionsv1.E_FanOut).(*optionsv1.FanOut)
		var err error
		if m.fanOut, err = c.compileFanOut(m, declared); err != nil {
			faults = append(faults, fmt.Errorf("rpc %s: %w", m.Descriptor.FullName(), err))
		}
	}
	return faults
}

// Name is the RPC without its package, such as "CacheService/Purge".
func (m *OwnMethod) Name() string {
	return string(m.Descriptor.Parent().Name()) + "/" + string(m.Descriptor.Name())
}

func (m *OwnMethod) grantable() authz.Method {
	method := authz.Method{Procedure: m.Procedure, Permission: m.Permission, Request: m.Descriptor.Input(), EachCall: m.EachCall}
	if m.Project != "" {
		method.Projects = []string{m.Project}
	}
	return method
}

func (m *OwnMethod) spec() connect.Spec {
	spec := connect.Spec{StreamType: connect.StreamTypeUnary, Schema: m.Descriptor, Procedure: m.Procedure}
	if m.Descriptor.IsStreamingServer() {
		spec.StreamType = connect.StreamTypeServer
	}
	if m.Read {
		spec.IdempotencyLevel = connect.IdempotencyNoSideEffects
	}
	return spec
}

// ownHandler answers a request that was allowed; one that is no stream sends
// once.
type ownHandler func(ctx context.Context, p permit, send func(proto.Message) error) error

// answers makes a handler of a function that answers once.
func answers[Q, A proto.Message](f func(ctx context.Context, p permit, request Q) (A, error)) ownHandler {
	return func(ctx context.Context, p permit, send func(proto.Message) error) error {
		request, ok := p.request.Interface().(Q)
		if !ok {
			return fmt.Errorf("a request of type %s", p.request.Descriptor().FullName())
		}
		answer, err := f(ctx, p, request)
		if err != nil {
			return err
		}
		return send(answer)
	}
}

// registerOwn serves every RPC of our own with its handler, and fails when one
// has none.
func (r *road) registerOwn(server *connect.Server, services ...map[string]ownHandler) error {
	handlers := make(map[string]ownHandler)
	for _, service := range services {
		maps.Copy(handlers, service)
	}
	for _, m := range r.catalog.own {
		handler := handlers[m.Procedure]
		if m.fanOut != nil {
			handler = r.fanOut
		}
		if handler == nil {
			return fmt.Errorf("service: nothing answers %s", m.Procedure)
		}
		server.Register(connect.Method{Spec: m.spec(), Handler: r.own(m, handler)})
	}
	return nil
}

// own is the innermost step of the road for an RPC of our own. It is the same as
// that of a mirror, but for where the answer comes from.
func (r *road) own(m *OwnMethod, handler ownHandler) connect.ServerFunc {
	return func(ctx context.Context, _ connect.Spec, stream connect.ServerStream) error {
		c := callOf(ctx)
		c.outcome = audit.DecisionInvalid
		request := m.Request.New()
		if err := stream.Receive(request.Interface()); err != nil {
			return err
		}
		if err := r.validator.Validate(request.Interface()); err != nil {
			return err
		}
		permitted, err := r.authorize(ctx, c, request)
		if err != nil {
			return err
		}
		c.outcome = audit.DecisionAllowed
		if !m.Read {
			if err := r.announce(ctx, c); err != nil {
				return err
			}
			// Whatever it did, a record of it is due.
			c.done = true
		}
		return handler(ctx, permitted, func(answer proto.Message) error { return stream.Send(answer) })
	}
}
