package catalog

import (
	"slices"
	"strings"

	"connectrpc.com/connect/v2"
	"google.golang.org/protobuf/reflect/protoreflect"

	optionsv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/options/v1"
	"github.com/admin-gateway/admin-gateway/internal/pathtemplate"
	"github.com/admin-gateway/admin-gateway/internal/textkind"
	"github.com/admin-gateway/admin-gateway/service/authz"
	"github.com/admin-gateway/admin-gateway/upstream"
)

// Source says where the answers of a method come from.
type Source uint8

const (
	// Upstream methods mirror one operation of the Admin API each.
	Upstream Source = iota + 1
	// Local methods are answered by code of the gateway.
	Local
	// FanOut methods make many reads of the mirror, each of which is authorized
	// on its own.
	FanOut
)

// Method is one RPC, compiled from its declaration. It never changes once the
// catalog is built.
type Method struct {
	// Procedure is the RPC's path, such as
	// "/admingateway.admin.v1.ProjectService/GetProject".
	Procedure string
	// Descriptor is the RPC in the schema; nil for a procedure that is not
	// declared here, such as server reflection.
	Descriptor protoreflect.MethodDescriptor
	// Request and Response are the types of its messages.
	Request, Response protoreflect.MessageType
	// Source is where its answers come from.
	Source Source

	// Permission is the permission that a caller needs.
	Permission string
	// Project is the path of the request's field that names the projects that
	// the call concerns, such as "project_id" or "projects.values.id"; "" is the
	// organization as a whole, or, for a FanOut, each of its reads.
	Project string
	// Secret says that the answer holds a credential.
	Secret bool
	// Read says that the call changes nothing.
	Read bool
	// ClientStream says that the caller streams requests. There is no one request
	// for a decision, so only a grant without limits opens the method.
	ClientStream bool

	// Endpoint is where the call goes; nil for all but Upstream, as are the fields
	// below.
	Endpoint *upstream.Endpoint
	// Life is how long an answer may be used, as it is declared.
	Life Life
	// Sensitive says that the answer shows access rights, and is never served
	// stale.
	Sensitive bool
	// Invalidates are the path templates that a write makes stale.
	Invalidates []Invalidation
	// Budget names the upstream's budget that the call spends: the operation's own,
	// such as "list_project_users", unless the declaration or [WithBudgets] puts
	// several into one.
	Budget string
	// Revokes says that the call takes access away, and waits before all others.
	Revokes bool

	// Reads declares the reads of a FanOut; nil for all others.
	Reads *optionsv1.FanOut

	// path is the endpoint's template.
	path []pathtemplate.Segment
	// projects are the request's fields that name the projects of a FanOut.
	projects []protoreflect.FieldDescriptor
	// variables are the request's fields that are in the path.
	variables []protoreflect.FieldDescriptor
	consents  []*Consent
	recorded  recorded
	// leases is how the call concerns leases, nil for one that does not; leaseField is
	// the field that says which.
	leases     *authz.LeaseScope
	leaseField string
	// aboutCaller says that the answer is about the caller alone.
	aboutCaller bool
	needs       []authz.Need
	// reaches are the fields that may reach beyond the projects of a write, with the
	// values that do not.
	reaches map[string][]string
	// touching are the fields of a write that name something that leases are made of.
	touching []touching
	restarts protoreflect.FieldDescriptor // nil: a repetition has the same effect
	// mask is the request's, nil without one; maskable are the fields that it decides on.
	mask     protoreflect.FieldDescriptor
	maskable []protoreflect.FieldDescriptor
	// texts plans the check of a request's texts.
	texts     *textkind.Plan
	alphabets *textkind.Alphabets
	tags      []TagPattern
	staleBy   []*Method
	settling  *settling
	access    *authz.Handle
	refresh   *authz.Handle
}

// Name is the one spelling of an RPC for people and records: package, service and
// method, such as "admingateway.admin.v1.ProjectService/GetProject".
func (m *Method) Name() string { return strings.TrimPrefix(m.Procedure, "/") }

// ShortName is the name without the package, such as "ProjectService/GetProject".
// It is accepted wherever a name is, as long as it is unambiguous.
func (m *Method) ShortName() string { return shortName(m.Name()) }

func shortName(name string) string {
	service, _, _ := strings.Cut(name, "/")
	return name[strings.LastIndexByte(service, '.')+1:]
}

// Access is the method for decisions of the policy.
func (m *Method) Access() *authz.Handle { return m.access }

// Refresh is the permission to have a read answered by the upstream although an
// answer is stored; nil where answers are never stored.
func (m *Method) Refresh() *authz.Handle { return m.refresh }

// Stored says whether answers of the method are ever stored, as it is declared.
func (m *Method) Stored() bool { return m.Life.Fresh > 0 }

// StaleBy are the writes that can make the answer of a read stale, in the order
// of the catalog.
func (m *Method) StaleBy() []*Method { return slices.Clone(m.staleBy) }

// ProjectsIn are the projects that a request of the method names, for the record
// of the call.
func (m *Method) ProjectsIn(request protoreflect.Message) []string {
	ids := m.access.Projects(request)
	for _, field := range m.projects {
		list := request.Get(field).List()
		for i := range list.Len() {
			ids = append(ids, list.Get(i).String())
		}
	}
	return ids
}

// Variables are the request's fields that are in the path, in its order; none for
// all but Upstream. The slice is the method's own: it is not changed.
func (m *Method) Variables() []protoreflect.FieldDescriptor { return m.variables }

// Spec describes the method to doors.
func (m *Method) Spec() connect.Spec {
	spec := connect.Spec{StreamType: connect.StreamTypeUnary, Schema: m.Descriptor, Procedure: m.Procedure}
	if m.Descriptor.IsStreamingServer() {
		spec.StreamType = connect.StreamTypeServer
	}
	if m.Read {
		spec.IdempotencyLevel = connect.IdempotencyNoSideEffects
	}
	return spec
}

// grantable is the method for the compiler of policies.
func (m *Method) grantable() authz.Method {
	method := authz.Method{Procedure: m.Procedure, Permission: m.Permission, Request: m.Request.Descriptor(), EachCall: m.Source == FanOut || m.aboutCaller, Reaches: m.reaches, Leases: m.leases, Needs: m.needs}
	if m.Project != "" {
		method.Projects = []string{m.Project}
	}
	return method
}
