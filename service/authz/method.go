package authz

import (
	"errors"
	"fmt"
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/admin-gateway/admin-gateway/internal/permission"
)

// Method describes an RPC for decisions.
type Method struct {
	// Procedure is the RPC's path, such as
	// "/admingateway.admin.v1.ProjectService/GetProject".
	Procedure string
	// Permission is the permission that a caller needs: a dotted resource, then a
	// verb, such as "projects.read".
	Permission string
	// Request is the type of the request message.
	Request protoreflect.MessageDescriptor
	// Projects are the paths of the string fields of Request that name
	// projects, such as "project_id", "project_ids" or "projects.values.id".
	// None: the RPC concerns the organization.
	Projects []string
	// EachCall says that the RPC gives no access itself: it makes calls, each of
	// which is decided on its own. The projects of grants and denies then do not
	// count for the RPC, and decide on those calls. It has no Projects. The same holds for
	// an RPC that is about its caller alone, and makes no calls.
	EachCall bool
	// Reaches are the fields of Request whose values may reach beyond its projects,
	// by path, such as "role" or "projects.values.role", each with the values that do
	// not. A grant that is limited to projects allows no other value.
	Reaches map[string][]string
	// Leases says how the RPC concerns leases; nil for one that does not. It has no
	// Projects: those of the roles count.
	Leases *LeaseScope
	// Needs are permissions that a caller needs beside Permission.
	Needs []Need
}

// Methods is a compiled set of RPCs. It is immutable and safe for concurrent
// use; policies are compiled against it, and handles come from it.
type Methods struct {
	handles     []*Handle
	byProcedure map[string]*Handle
}

// Handle is one RPC of a [Methods] set, compiled.
type Handle struct {
	methods    *Methods
	number     int // its place in methods.handles
	procedure  string
	permission string
	request    protoreflect.MessageDescriptor
	projects   []projectPath
	eachCall   bool
	reaches    []reach
	leases     *leaseScope // nil: the RPC does not concern leases
	needs      []need
}

// NewMethods compiles the RPCs. It fails when there are none, when two have the
// same procedure, when a permission is malformed, or when a path of Projects
// does not lead to a string field; the error holds every fault, and each names
// its procedure.
func NewMethods(methods []Method) (*Methods, error) {
	if len(methods) == 0 {
		return nil, errors.New("authz: no methods")
	}
	m := &Methods{byProcedure: make(map[string]*Handle, len(methods))}
	var faults []error
	for _, method := range methods {
		handle, err := newHandle(method)
		switch {
		case err != nil:
		case m.byProcedure[method.Procedure] != nil:
			err = errors.New("is there twice")
		default:
			m.add(handle)
			for _, beside := range handle.beside() {
				m.add(beside)
			}
		}
		if err != nil {
			faults = append(faults, fmt.Errorf("authz: method %q: %w", method.Procedure, err))
		}
	}
	if err := errors.Join(faults...); err != nil {
		return nil, err
	}
	return m, nil
}

func (m *Methods) add(handle *Handle) {
	handle.methods, handle.number = m, len(m.handles)
	m.handles = append(m.handles, handle)
	m.byProcedure[handle.procedure] = handle
}

func newHandle(method Method) (*Handle, error) {
	h := &Handle{procedure: method.Procedure, permission: method.Permission, request: method.Request, eachCall: method.EachCall}
	switch {
	case method.Procedure == "":
		return nil, errors.New("has no name")
	case !permission.Valid(method.Permission):
		return nil, fmt.Errorf("permission %q is not a dotted resource and verb, such as projects.users.update", method.Permission)
	case method.Request == nil:
		return nil, errors.New("has no request type")
	case method.EachCall && len(method.Projects) > 0:
		return nil, errors.New("is decided by each of its calls, and names projects")
	case method.Leases != nil && (method.EachCall || len(method.Projects) > 0):
		return nil, errors.New("is about leases, and names projects or is decided by each of its calls")
	}
	for _, path := range method.Projects {
		compiled, err := compileProjectPath(method.Request, path)
		if err != nil {
			return nil, fmt.Errorf("projects %q: %w", path, err)
		}
		h.projects = append(h.projects, compiled)
	}
	var err error
	if h.reaches, err = compileReaches(method); err != nil {
		return nil, err
	}
	return h, h.compileLeases(method)
}

// Lookup finds the handle of a procedure; false when the set has no such RPC.
func (m *Methods) Lookup(procedure string) (*Handle, bool) {
	h, ok := m.byProcedure[procedure]
	return h, ok
}

// Procedure is the RPC's path.
func (h *Handle) Procedure() string { return h.procedure }

// Permission is the permission that a caller needs.
func (h *Handle) Permission() string { return h.permission }

// OrganizationWide says that no field of the request names a project, so that a
// grant limited to projects never holds.
func (h *Handle) OrganizationWide() bool {
	return len(h.projects) == 0 && !h.eachCall && h.leases == nil
}

// name is the RPC without its package, such as "ProjectService/GetProject".
func (h *Handle) name() string {
	service, method, _ := strings.Cut(strings.TrimPrefix(h.procedure, "/"), "/")
	return service[strings.LastIndexByte(service, '.')+1:] + "/" + method
}
