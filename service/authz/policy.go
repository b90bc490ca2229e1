package authz

import (
	"errors"
	"fmt"
	"strconv"

	"github.com/admin-gateway/admin-gateway/internal/permission"
)

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
	callers  map[string]*caller
	roles    map[string]*Role
	warnings []*Fault
}

// Compile compiles the rules of callers against methods and the roles of leases, whose
// names differ. The error holds every
// fault, each a [*Fault], in the order of callers: see [Faults]. Patterns that
// match no method's permission and conditions that do not compile against the
// request of every RPC that they would apply to are faults.
func Compile(callers []Caller, methods *Methods, roles ...Role) (*Policy, error) {
	if methods == nil {
		return nil, errors.New("authz: no methods")
	}
	p := &Policy{methods: methods, callers: make(map[string]*caller, len(callers)), roles: rolesByName(roles)}
	c := &compiler{methods: methods, roles: p.roles, conditions: newConditionCompiler(methods)}
	first := make(map[string]int, len(callers))
	for i, source := range callers {
		c.at = Fault{Caller: source.Name, Index: i, Grant: -1, Field: fieldName, Item: -1}
		if source.Name == "" {
			c.fault("is empty")
		} else if other, ok := first[source.Name]; ok {
			c.fault("callers[%d] has the same name", other)
		} else {
			first[source.Name] = i
		}
		c.labels = source.Labels
		p.callers[source.Name] = newCaller(source, c.table(listGrants, source.Grants), c.table(listDenies, source.Denies))
	}
	if err := errors.Join(c.faults...); err != nil {
		return nil, err
	}
	p.warnings = c.warnings
	return p, nil
}

// Warnings are the places of the policy that its author may have meant otherwise, in the
// order of callers: conditions that read a field or a label that need not be there, and
// do not ask, and grants of leases that name no role. The slice is the policy's own: it is not changed.
func (p *Policy) Warnings() []*Fault { return p.warnings }

// compiler compiles one policy and collects its faults.
type compiler struct {
	methods    *Methods
	roles      map[string]*Role
	conditions *conditionCompiler
	at         Fault // where it is
	labels     map[string]string
	faults     []error
	warnings   []*Fault
}

func (c *compiler) fault(format string, args ...any) {
	fault := c.at
	fault.Reason = printable(fmt.Sprintf(format, args...))
	c.faults = append(c.faults, &fault)
}

func (c *compiler) table(list string, grants []Grant) ruleTable {
	if len(grants) == 0 {
		return ruleTable{}
	}
	t := ruleTable{rules: make([]rule, len(grants)), starts: make([]uint32, len(c.methods.handles)+1)}
	matches := make([][]bool, len(grants)) // by rule, then by method
	total := 0
	for i, grant := range grants {
		c.at.List, c.at.Grant = list, i
		matches[i] = c.permissions(grant.Permissions)
		c.projects(grant.Projects)
		t.rules[i] = rule{
			label:      list + "[" + strconv.Itoa(i) + "]",
			projects:   newProjectSet(grant.Projects),
			roles:      c.roleSet(grant, matches[i]),
			conditions: c.when(grant.When, matches[i]),
		}
		for _, match := range matches[i] {
			if match {
				total++
			}
		}
	}
	t.order = make([]uint32, 0, total)
	for method := range c.methods.handles {
		for i := range matches {
			if matches[i][method] {
				t.order = append(t.order, uint32(i))
			}
		}
		t.starts[method+1] = uint32(len(t.order))
	}
	return t
}

// permissions says of each method whether one of the patterns matches it.
func (c *compiler) permissions(patterns []string) []bool {
	matches := make([]bool, len(c.methods.handles))
	c.at.Field, c.at.Item = fieldPermissions, -1
	if len(patterns) == 0 {
		c.fault("is empty")
	}
	for i, text := range patterns {
		c.at.Item = i
		p, ok := permission.ParsePattern(text)
		if !ok {
			c.fault("%s: %s", quote(text), permission.PatternForm)
			continue
		}
		known := false
		for number, handle := range c.methods.handles {
			if p.Matches(handle.permission) {
				matches[number], known = true, true
			}
		}
		if !known {
			c.fault("%s: no RPC needs such a permission", quote(text))
		}
	}
	return matches
}

func (c *compiler) projects(ids []string) {
	c.at.Field, c.at.Item = fieldProjects, -1
	if ids != nil && len(ids) == 0 {
		c.fault("is empty; without the list all projects are meant")
	}
	first := make(map[string]int, len(ids))
	for i, id := range ids {
		c.at.Item = i
		if id == "" {
			c.fault("is empty")
		} else if other, ok := first[id]; ok {
			c.fault("%s is already projects[%d]", quote(id), other)
		} else {
			first[id] = i
		}
	}
}

// when compiles a condition for every method that matches; nil for none.
func (c *compiler) when(source string, matches []bool) []*condition {
	if source == "" {
		return nil
	}
	c.at.Field, c.at.Item = fieldWhen, -1
	conditions := make([]*condition, len(matches))
	var firstErr error
	var firstMethod string
	total, bad := 0, 0
	var reads readings
	for number, match := range matches {
		if !match {
			continue
		}
		total++
		compiled := c.conditions.compile(source, c.methods.handles[number])
		if compiled.err != nil {
			if bad++; bad == 1 {
				firstErr, firstMethod = compiled.err, c.methods.handles[number].name()
			}
		}
		reads.add(compiled.unguarded, c.methods.handles[number].name())
		conditions[number] = compiled.condition
	}
	switch {
	case bad == 1:
		c.fault("does not compile for %s: %v", firstMethod, firstErr)
	case bad > 1:
		c.fault("does not compile for %s (nor for %d more of the %d RPCs): %v", firstMethod, bad-1, total, firstErr)
	}
	c.warn(reads)
	return conditions
}
