package authz

import "github.com/admin-gateway/admin-gateway/internal/many"

// Grant allows requests to a caller or, in a list of denies, forbids them.
type Grant struct {
	// Permissions are patterns: exact ("projects.users.update"), a resource
	// with all below it ("projects.users.*"), a verb ("*.read"), or "*".
	Permissions []string
	// Projects limit the grant to requests about these projects, by id. Nil:
	// not limited. Empty is an error.
	Projects []string
	// Roles are the roles of leases that the grant opens, by name, or "*" alone for all
	// of them. Nil: none, and in a deny all. Empty is an error.
	Roles []string
	// When is a condition over the request, the caller, the moment and the role, in CEL.
	// "": none.
	When string
}

// Caller holds the rules of a policy for one caller.
type Caller struct {
	// Name is the name of the caller once it is authenticated.
	Name string
	// Labels are what conditions know of the caller beside its name.
	Labels map[string]string
	// Grants allow; Denies forbid, whatever the grants allow.
	Grants, Denies []Grant
}

// Policy decides for every caller. It is immutable and safe for concurrent
// use. A nil Policy refuses everything.
type Policy struct {
	methods  *Methods
	callers  many.List[caller]
	numbers  map[string]uint32 // of callers, by name
	roles    map[string]*Role
	warnings []*Fault
}

// Compile compiles the rules of callers against methods and the roles of leases, whose
// names differ: see [Compiler].
func Compile(callers []Caller, methods *Methods, roles ...Role) (*Policy, error) {
	c, err := NewCompiler(methods, roles...)
	if err != nil {
		return nil, err
	}
	for _, caller := range callers {
		c.Add(caller)
	}
	return c.Policy()
}

// Warnings are the places of the policy that its author may have meant otherwise, in the
// order of callers, the first hundred of them: conditions that read a field or a label that need not be there, and
// do not ask, and grants of leases that name no role. The slice is the policy's own: it is not changed.
func (p *Policy) Warnings() []*Fault { return p.warnings }
