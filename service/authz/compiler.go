package authz

import (
	"errors"
	"fmt"
	"strings"

	"github.com/admin-gateway/admin-gateway/internal/many"
)

// maxFaults bounds how many faults of a policy are collected, and how many warnings.
const maxFaults = 100

// Compiler makes a [Policy] of callers that come one after the other. What callers have
// in common is compiled once and shared: their conditions, their permissions, grants
// without projects as a whole, and labels. It is not safe for concurrent use.
type Compiler struct {
	policy *Policy
	shared *shared
	texts  many.Texts // of callers
	at     Fault      // where it is
	labels map[string]string

	faults   []error
	warnings []*Fault
}

// NewCompiler begins a policy over methods and the roles of leases, whose names differ.
func NewCompiler(methods *Methods, roles ...Role) (*Compiler, error) {
	if methods == nil {
		return nil, errors.New("authz: no methods")
	}
	return &Compiler{
		policy: &Policy{methods: methods, numbers: make(map[string]uint32), roles: rolesByName(roles)},
		shared: newShared(methods),
	}, nil
}

// Add compiles the rules of a caller. It keeps no reference to the lists, maps and texts
// of source.
func (c *Compiler) Add(source Caller) {
	number, compiled := c.policy.callers.Add()
	c.at = Fault{Caller: source.Name, Index: number, Grant: -1, Field: fieldName, Item: -1}
	other, again := c.policy.numbers[source.Name]
	switch {
	case source.Name == "":
		c.fault("is empty")
	case again:
		c.fault("callers[%d] has the same name", other)
	}
	c.labels = source.Labels
	grants, denies := c.table(listGrants, source.Grants), c.table(listDenies, source.Denies)
	*compiled = caller{
		name: c.texts.Keep(source.Name), labels: c.shared.labelsOf(source.Labels), grants: grants, denies: denies,
		scoped: grants.scoped || denies.scoped,
	}
	if !again {
		c.policy.numbers[compiled.name] = uint32(number)
	}
}

// Policy ends the policy. The error holds the faults, the first hundred of them, each a
// [*Fault], in the order of callers. Patterns that match no method's permission and
// conditions that do not compile against the request of every RPC that they would apply
// to are faults.
func (c *Compiler) Policy() (*Policy, error) {
	if err := errors.Join(c.faults...); err != nil {
		return nil, err
	}
	c.policy.warnings = c.warnings
	return c.policy, nil
}

func (c *Compiler) fault(format string, args ...any) {
	if len(c.faults) == maxFaults {
		return
	}
	fault := c.at
	fault.Reason = printable(fmt.Sprintf(format, args...))
	c.faults = append(c.faults, &fault)
}

// warning is at the place of the compiler.
func (c *Compiler) warning(format string, args ...any) {
	if len(c.warnings) == maxFaults {
		return
	}
	fault := c.at
	fault.Reason = printable(fmt.Sprintf(format, args...))
	c.warnings = append(c.warnings, &fault)
}

// table compiles the grants or the denies of a caller.
func (c *Compiler) table(list string, grants []Grant) *ruleTable {
	if len(grants) == 0 {
		return &noRules
	}
	faults, scoped := len(c.faults), false
	sets := make([]*permissionSet, len(grants))
	rules := make([]rule, len(grants))
	for i, grant := range grants {
		c.at.List, c.at.Grant = list, i
		sets[i] = c.permissions(grant.Permissions)
		c.projects(grant.Projects)
		rules[i] = rule{
			label:       c.shared.label(list, i),
			permissions: sets[i].texts,
			projects:    newProjectSet(grant.Projects, &c.texts),
			roles:       c.roleSet(grant, sets[i]),
			conditions:  c.when(grant.When, sets[i]),
		}
		scoped = scoped || grant.Projects != nil
	}
	if len(c.faults) > faults || len(c.faults) == maxFaults {
		return &noRules // There will be no policy.
	}
	return c.shared.table(rules, sets, scoped)
}

// permissions compiles patterns.
func (c *Compiler) permissions(patterns []string) *permissionSet {
	c.at.Field, c.at.Item = fieldPermissions, -1
	if len(patterns) == 0 {
		c.fault("is empty")
	}
	set := c.shared.permissions(patterns)
	for _, bad := range set.faults {
		c.at.Item = bad.item
		c.fault("%s", bad.reason)
	}
	return set
}

func (c *Compiler) projects(ids []string) {
	c.at.Field, c.at.Item = fieldProjects, -1
	if ids != nil && len(ids) == 0 {
		c.fault("is empty; without the list all projects are meant")
	}
	if len(ids) == 1 && ids[0] != "" {
		return
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
func (c *Compiler) when(source string, set *permissionSet) *conditionSet {
	if source == "" {
		return nil
	}
	c.at.Field, c.at.Item = fieldWhen, -1
	compiled := c.shared.condition(source, set)
	if compiled.fault != "" {
		c.fault("%s", compiled.fault)
	}
	c.warn(compiled.reads)
	return compiled
}

// warn reports the reads of the condition that the compiler is at, but for labels that
// the caller has.
func (c *Compiler) warn(reads readings) {
	for _, read := range reads {
		if label, ok := strings.CutPrefix(read.path, labelsVariable+"."); ok {
			if _, has := c.labels[label]; has {
				continue
			}
		}
		then := "is not granted"
		if c.at.List == listDenies {
			then = "is denied"
		}
		methods := read.method
		if read.others > 0 {
			methods = fmt.Sprintf("%s and %d more RPCs", read.method, read.others)
		}
		c.warning("line %d, column %d: %s need not be there for %s: a call without it %s; ask has() first where that is not meant",
			read.line, read.column, read.path, methods, then)
	}
}
