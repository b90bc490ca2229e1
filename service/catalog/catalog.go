package catalog

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"connectrpc.com/grpcreflect/v2"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/known/emptypb"

	"github.com/admin-gateway/admin-gateway/internal/nearest"
	"github.com/admin-gateway/admin-gateway/internal/pathtemplate"
	"github.com/admin-gateway/admin-gateway/internal/textkind"
	"github.com/admin-gateway/admin-gateway/service/authz"
	"github.com/admin-gateway/admin-gateway/upstream"
	"github.com/admin-gateway/admin-gateway/upstream/adminjson"
)

// The protobuf packages of the gateway. The services of MirrorPackage mirror the
// upstream; those of the others are answered by the gateway.
const (
	MirrorPackage    = protoreflect.FullName("admingateway.admin.v1")
	ControlPackage   = protoreflect.FullName("admingateway.control.v1")
	InventoryPackage = protoreflect.FullName("admingateway.inventory.v1")
	LeasePackage     = protoreflect.FullName("admingateway.lease.v1")
)

// Files lists the files of these packages that are linked into the program, in
// the order of their paths. The caller imports their Go packages: a program serves
// what it links, and so links the package that answers it.
func Files() []protoreflect.FileDescriptor {
	var files []protoreflect.FileDescriptor
	for _, name := range []protoreflect.FullName{MirrorPackage, ControlPackage, InventoryPackage, LeasePackage} {
		protoregistry.GlobalFiles.RangeFilesByPackage(name, func(fd protoreflect.FileDescriptor) bool {
			files = append(files, fd)
			return true
		})
	}
	slices.SortFunc(files, func(a, b protoreflect.FileDescriptor) int { return strings.Compare(a.Path(), b.Path()) })
	return files
}

// Catalog holds every method that the gateway serves. It is immutable and safe
// for concurrent use.
type Catalog struct {
	methods     []*Method
	streams     []*Method // methods of libraries, which have no declaration
	byProcedure map[string]*Method
	byShortName map[string][]*Method
	access      *authz.Methods
	byEndpoint  map[*upstream.Endpoint]*Method
	router      *upstream.Router
	unmatched   []error // invalidations that match no read
}

// New compiles the RPCs of files: those of [ControlPackage], [InventoryPackage] and
// [LeasePackage] as Local or FanOut, all others as mirrors of an operation of
// the upstream. It fails when the declaration of any of them is missing,
// incomplete or contradicts itself, or when two share verb and path; the error
// holds every fault, and each names its RPC. Members of answers that the schema
// lacks are counted in drift, which may be nil.
func New(files []protoreflect.FileDescriptor, drift *adminjson.Drift, options ...Option) (*Catalog, error) {
	c := &Catalog{byProcedure: make(map[string]*Method), byShortName: make(map[string][]*Method)}
	routes := make(map[string]*Method)
	var faults []error
	for _, file := range files {
		for i := range file.Services().Len() {
			methods := file.Services().Get(i).Methods()
			for j := range methods.Len() {
				m, err := compile(file.Package(), methods.Get(j), drift)
				if err == nil && m.Source == Upstream {
					err = claimRoute(routes, m)
				}
				if err != nil {
					faults = append(faults, fmt.Errorf("rpc %s: %w", methods.Get(j).FullName(), err))
					continue
				}
				c.add(m)
			}
		}
	}
	if err := errors.Join(faults...); err != nil {
		return nil, err
	}
	if !slices.ContainsFunc(c.methods, func(m *Method) bool { return m.Source == Upstream }) {
		return nil, errors.New("catalog: no rpc in the given files")
	}
	for _, option := range append([]Option{WithIDCharacters(textkind.DefaultIDCharacters)}, options...) {
		if err := option(c); err != nil {
			return nil, err
		}
	}
	c.connectReadsAndWrites()
	return c, c.finish()
}

// claimRoute refuses a verb and path that another RPC has.
func claimRoute(routes map[string]*Method, m *Method) error {
	route := m.Endpoint.Verb() + " " + pathtemplate.Shape(m.path)
	if other := routes[route]; other != nil {
		return fmt.Errorf("%s %s is already %s", m.Endpoint.Verb(), m.Endpoint.Template(), other.Descriptor.FullName())
	}
	routes[route] = m
	return nil
}

func (c *Catalog) add(m *Method) {
	c.methods = append(c.methods, m)
	c.byProcedure[m.Procedure] = m
	c.byShortName[m.ShortName()] = append(c.byShortName[m.ShortName()], m)
}

// finish compiles the parts that concern all methods together: permissions
// and paths.
func (c *Catalog) finish() (err error) {
	for _, service := range []string{grpcreflect.ReflectV1ServiceName, grpcreflect.ReflectV1AlphaServiceName} {
		m := reflection(service)
		c.streams = append(c.streams, m)
		c.byProcedure[m.Procedure] = m
	}
	if c.access, err = authz.NewMethods(c.grantable()); err != nil {
		return fmt.Errorf("catalog: %w", err)
	}
	for _, m := range c.byProcedure {
		m.access, _ = c.access.Lookup(m.Procedure)
		m.refresh, _ = c.access.Lookup(m.Procedure + refreshSuffix)
		for _, consent := range m.consents {
			consent.access, _ = c.access.Lookup(consent.procedure(m))
		}
	}
	c.byEndpoint = make(map[*upstream.Endpoint]*Method)
	var endpoints []*upstream.Endpoint
	for _, m := range c.Mirrored() {
		c.byEndpoint[m.Endpoint] = m
		endpoints = append(endpoints, m.Endpoint)
	}
	if c.router, err = upstream.NewRouter(endpoints); err != nil {
		return fmt.Errorf("catalog: %w", err)
	}
	return nil
}

// ReflectionPermission is the permission for server reflection, where the
// gateway serves it.
const ReflectionPermission = "reflection.read"

// reflection is gRPC server reflection as a method, for the policy.
func reflection(service string) *Method {
	return &Method{
		Procedure: "/" + service + "/ServerReflectionInfo", Source: Local, Permission: ReflectionPermission,
		Request: (&emptypb.Empty{}).ProtoReflect().Type(), Response: (&emptypb.Empty{}).ProtoReflect().Type(),
		Read: true, ClientStream: true,
	}
}

// A caller with this permission for a read's request may have a stored read
// answered by the upstream. Each such call spends a budget that all share. In
// the policy it is a separate method.
const (
	spendPermission = "budget.spend"
	refreshSuffix   = "#refresh"
)

func (c *Catalog) grantable() []authz.Method {
	var all []authz.Method
	for _, m := range c.methods {
		method := m.grantable()
		all = append(all, method)
		for _, consent := range m.consents {
			given := method
			given.Procedure, given.Permission = consent.procedure(m), consent.permission
			all = append(all, given)
		}
		if m.Stored() {
			method.Procedure, method.Permission = m.Procedure+refreshSuffix, spendPermission
			all = append(all, method)
		}
	}
	for _, m := range c.streams {
		all = append(all, m.grantable())
	}
	return all
}

// Access are the methods for the compiler of policies: those of the catalog,
// reflection, for each stored read the right to have it fetched anew, and the
// consents of writes.
func (c *Catalog) Access() *authz.Methods { return c.access }

// Methods lists all methods by file, then in the order of their declaration.
func (c *Catalog) Methods() []*Method { return slices.Clone(c.methods) }

// Mirrored lists the methods whose Source is Upstream, in the same order.
func (c *Catalog) Mirrored() []*Method {
	return slices.DeleteFunc(c.Methods(), func(m *Method) bool { return m.Source != Upstream })
}

// Lookup finds a method by its procedure, reflection included; false when the
// gateway has no such method.
func (c *Catalog) Lookup(procedure string) (*Method, bool) {
	m, ok := c.byProcedure[procedure]
	return m, ok
}

// NameError is the error of [Catalog.Find].
type NameError struct {
	// Name is the name that was not found.
	Name string
	// Candidates are the names of which the short form is one; empty when there
	// is no such method.
	Candidates []string
	// Near are the short names that may have been meant, best first; at most three, and
	// none where there are candidates.
	Near []string
}

// Error lists the candidates, if any.
func (e *NameError) Error() string {
	if len(e.Candidates) > 0 {
		return fmt.Sprintf("the RPC %q is ambiguous: %s", e.Name, strings.Join(e.Candidates, ", "))
	}
	return fmt.Sprintf("there is no RPC %q%s", e.Name, nearest.Question(e.Near))
}

// Find finds a method by a name that a person wrote: the full name
// ([Method.Name]), with or without a slash in front, or the short one
// ([Method.ShortName]) where only one method has it. It fails with a *NameError.
func (c *Catalog) Find(name string) (*Method, error) {
	trimmed := strings.TrimPrefix(name, "/")
	if m, ok := c.byProcedure["/"+trimmed]; ok {
		return m, nil
	}
	found := c.byShortName[trimmed]
	if len(found) == 1 {
		return found[0], nil
	}
	e := &NameError{Name: name}
	for _, m := range found {
		e.Candidates = append(e.Candidates, m.Name())
	}
	if len(found) == 0 {
		e.Near = c.near(trimmed)
	}
	return nil, e
}

// near are the short names that are nearest to a name, which may be that of a method
// without its service, or have a package.
func (c *Catalog) near(name string) []string {
	wanted := name[strings.LastIndexByte(name, '.')+1:]
	var known, same []string
	for _, m := range c.methods {
		short := m.ShortName()
		known = append(known, short)
		if _, method, _ := strings.Cut(short, "/"); strings.EqualFold(method, wanted) {
			same = append(same, short)
		}
	}
	if len(same) > 0 {
		return same[:min(len(same), mostNear)]
	}
	return nearest.Names(wanted, known)
}

// mostNear bounds the names that may have been meant.
const mostNear = 3

// Match finds the operation of the upstream that has verb and path, and the
// values of the path's variables; the method is nil where there is none.
func (c *Catalog) Match(verb, path string) (*Method, upstream.Match) {
	match, ok := c.router.Match(verb, path)
	if !ok {
		return nil, match
	}
	return c.byEndpoint[match.Endpoint], match
}

// Budgets lists the names of all budgets that methods spend, sorted.
func (c *Catalog) Budgets() []string {
	var names []string
	for _, m := range c.Mirrored() {
		names = append(names, m.Budget)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// BudgetOf names the budget that a call to an endpoint of the catalog spends, ""
// for one that is not of the catalog.
func (c *Catalog) BudgetOf(e *upstream.Endpoint) string {
	if m := c.byEndpoint[e]; m != nil {
		return m.Budget
	}
	return ""
}
