package service

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"

	"connectrpc.com/grpcreflect/v2"
	"google.golang.org/protobuf/types/known/emptypb"

	optionsv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/options/v1"
	"github.com/admin-gateway/admin-gateway/service/authz"
	"github.com/admin-gateway/admin-gateway/upstream"
	"github.com/admin-gateway/admin-gateway/upstream/adminjson"
)

// Method is one RPC that mirrors an upstream endpoint, compiled from its
// declaration. It never changes once the catalog is built.
type Method struct {
	// Procedure is the RPC's path, such as
	// "/admingateway.admin.v1.ProjectService/GetProject".
	Procedure string
	// Descriptor is the RPC in the schema.
	Descriptor protoreflect.MethodDescriptor
	// Request and Response are the types of its messages.
	Request, Response protoreflect.MessageType

	// Endpoint is where the call goes.
	Endpoint *upstream.Endpoint
	// Permission is what a caller must have been granted.
	Permission string
	// Project is the path of the request's field that names the projects that
	// the call concerns, such as "project_id" or "projects.values.id"; "" is the
	// organization as a whole.
	Project string
	// Life is how long an answer may be used, as it is declared.
	Life Life
	// Sensitive says that the answer tells who may do what, and is never served
	// stale.
	Sensitive bool
	// Invalidates are the path templates that a write makes stale.
	Invalidates []Invalidation
	// Secret says that the answer holds a credential.
	Secret bool
	// Read says that the call changes nothing upstream.
	Read bool
	// Budget names the upstream's budget that the call spends, such as
	// "projects.users:read".
	Budget string
	// Revokes says that the call takes access away, and waits before all others.
	Revokes bool

	tags     []tagPattern
	staleBy  []*Method
	settling *settling
	access   *authz.Handle
	// refresh is the permission to have a read answered by the upstream although
	// an answer is kept; nil where none ever is.
	refresh *authz.Handle
}

// Name is the RPC without its package, such as "ProjectService/GetProject".
func (m *Method) Name() string {
	return string(m.Descriptor.Parent().Name()) + "/" + string(m.Descriptor.Name())
}

// Catalog holds every method that the gateway serves. It is immutable and safe
// for concurrent use.
type Catalog struct {
	methods     []*Method
	own         []*OwnMethod
	byProcedure map[string]*Method
	access      *authz.Methods
	byEndpoint  map[*upstream.Endpoint]*Method
	router      *upstream.Router
	idle        []error // invalidations that match no read
}

// MirrorPackage is the protobuf package whose services mirror the upstream.
// OwnPackage and InventoryPackage are those whose services the gateway answers
// itself; the latter is one of its own, because it is made of the mirror's
// messages, which in turn need the options of OwnPackage.
const (
	MirrorPackage    = protoreflect.FullName("admingateway.admin.v1")
	OwnPackage       = protoreflect.FullName("admingateway.control.v1")
	InventoryPackage = protoreflect.FullName("admingateway.inventory.v1")
)

// Files lists the files of these packages that are linked into the program, in
// the order of their paths. Who calls it imports their Go packages.
func Files() []protoreflect.FileDescriptor {
	var files []protoreflect.FileDescriptor
	for _, name := range []protoreflect.FullName{MirrorPackage, OwnPackage, InventoryPackage} {
		protoregistry.GlobalFiles.RangeFilesByPackage(name, func(fd protoreflect.FileDescriptor) bool {
			files = append(files, fd)
			return true
		})
	}
	slices.SortFunc(files, func(a, b protoreflect.FileDescriptor) int { return strings.Compare(a.Path(), b.Path()) })
	return files
}

// NewCatalog compiles the RPCs of files: those of [OwnPackage] and
// [InventoryPackage] as the gateway's own, all others as mirrors of an upstream endpoint. It fails when the
// declaration of any of them is missing, incomplete or contradicts itself, or
// when two share verb and path; the error holds every fault, and each names its
// RPC. What answers have that the schema lacks is counted in drift.
func NewCatalog(files []protoreflect.FileDescriptor, drift *adminjson.Drift) (*Catalog, error) {
	c := &Catalog{byProcedure: make(map[string]*Method)}
	routes := make(map[string]*Method)
	var faults []error
	for _, file := range files {
		if file.Package() == OwnPackage || file.Package() == InventoryPackage {
			faults = append(faults, c.addOwn(file)...)
			continue
		}
		for i := range file.Services().Len() {
			methods := file.Services().Get(i).Methods()
			for j := range methods.Len() {
				m, err := compileMethod(methods.Get(j), drift)
				if err != nil {
					faults = append(faults, fmt.Errorf("rpc %s: %w", methods.Get(j).FullName(), err))
					continue
				}
				route := m.Endpoint.Verb() + " " + anonymous(m.Endpoint.Template())
				if other := routes[route]; other != nil {
					faults = append(faults, fmt.Errorf("rpc %s: %s %s is already %s",
						m.Descriptor.FullName(), m.Endpoint.Verb(), m.Endpoint.Template(), other.Descriptor.FullName()))
					continue
				}
				routes[route] = m
				c.methods = append(c.methods, m)
				c.byProcedure[m.Procedure] = m
			}
		}
	}
	faults = append(faults, c.compileFanOuts()...)
	if err := errors.Join(faults...); err != nil {
		return nil, err
	}
	c.connectReadsAndWrites()
	if len(c.methods) == 0 {
		return nil, errors.New("catalog: no rpc in the given files")
	}
	var err error
	if c.access, err = authz.NewMethods(c.grantable()); err != nil {
		return nil, fmt.Errorf("catalog: %w", err)
	}
	for _, m := range c.methods {
		m.access, _ = c.access.Lookup(m.Procedure)
		m.refresh, _ = c.access.Lookup(m.Procedure + refreshSuffix)
	}
	if err := c.route(); err != nil {
		return nil, fmt.Errorf("catalog: %w", err)
	}
	return c, nil
}

// route compiles the paths, for the door that has the upstream's own.
func (c *Catalog) route() (err error) {
	c.byEndpoint = make(map[*upstream.Endpoint]*Method, len(c.methods))
	endpoints := make([]*upstream.Endpoint, len(c.methods))
	for i, m := range c.methods {
		c.byEndpoint[m.Endpoint], endpoints[i] = m, m.Endpoint
	}
	c.router, err = upstream.NewRouter(endpoints)
	return err
}

// Access are the methods as a policy knows them: those of the catalog,
// reflection, and for each read that is kept the right to have it fetched anew.
func (c *Catalog) Access() *authz.Methods { return c.access }

// reflectionPermission is what a caller needs to ask for the schema, where the
// gateway serves it.
const reflectionPermission = "reflection.read"

// A read that is kept may be had from the upstream all the same, by whoever has
// this permission for the read's own request: each such call spends of a budget
// that all share. To the policy it is a method of its own.
const (
	spendPermission = "budget.spend"
	refreshSuffix   = "#refresh"
)

func (c *Catalog) grantable() []authz.Method {
	var all []authz.Method
	for _, m := range c.methods {
		method := authz.Method{Procedure: m.Procedure, Permission: m.Permission, Request: m.Descriptor.Input()}
		if m.Project != "" {
			method.Projects = []string{m.Project}
		}
		all = append(all, method)
		if m.Life.Fresh > 0 {
			method.Procedure, method.Permission = m.Procedure+refreshSuffix, spendPermission
			all = append(all, method)
		}
	}
	for _, m := range c.own {
		all = append(all, m.grantable())
	}
	for _, service := range []string{grpcreflect.ReflectV1ServiceName, grpcreflect.ReflectV1AlphaServiceName} {
		all = append(all, authz.Method{
			Procedure: "/" + service + "/ServerReflectionInfo", Permission: reflectionPermission,
			Request: (&emptypb.Empty{}).ProtoReflect().Descriptor(),
		})
	}
	return all
}

// Methods lists the methods by file, then in the order of their declaration.
func (c *Catalog) Methods() []*Method { return slices.Clone(c.methods) }

// Lookup finds a method by its procedure; false when the gateway has no such
// method.
func (c *Catalog) Lookup(procedure string) (*Method, bool) {
	m, ok := c.byProcedure[procedure]
	return m, ok
}

func compileMethod(md protoreflect.MethodDescriptor, drift *adminjson.Drift) (*Method, error) {
	if md.IsStreamingClient() || md.IsStreamingServer() {
		return nil, errors.New("streams; a mirror of one upstream call is unary")
	}
	options, _ := md.Options().(*descriptorpb.MethodOptions)
	if !proto.HasExtension(options, optionsv1.E_Policy) {
		return nil, errors.New("has no (admingateway.options.v1.policy)")
	}
	policy, _ := proto.GetExtension(options, optionsv1.E_Policy).(*optionsv1.Policy)
	endpoint, err := upstream.Compile(md, drift)
	if err != nil {
		return nil, err
	}
	request, err := protoregistry.GlobalTypes.FindMessageByName(md.Input().FullName())
	if err != nil {
		return nil, fmt.Errorf("request type %s is not linked in: %w", md.Input().FullName(), err)
	}
	response, err := protoregistry.GlobalTypes.FindMessageByName(md.Output().FullName())
	if err != nil {
		return nil, fmt.Errorf("response type %s is not linked in: %w", md.Output().FullName(), err)
	}
	m := &Method{
		Procedure:  "/" + string(md.Parent().FullName()) + "/" + string(md.Name()),
		Descriptor: md,
		Request:    request,
		Response:   response,
		Endpoint:   endpoint,
		Permission: policy.GetPermission(),
		Secret:     policy.GetSecret(),
		Read:       endpoint.Verb() == "GET",
	}
	if err := m.applyPolicy(policy, options); err != nil {
		return nil, err
	}
	if err := m.applyBudget(policy); err != nil {
		return nil, err
	}
	for _, variable := range endpoint.Variables() {
		if !hasPathID(variable) {
			return nil, fmt.Errorf("path variable {%s} lacks the rule (admingateway.options.v1.path_id)", variable.Name())
		}
	}
	return m, nil
}
