package authz

import (
	"slices"
	"time"

	"cel.dev/cel-go/cel"
)

// Role is what decisions know of a role of leases.
type Role struct {
	// Name is the role's, which grants name.
	Name string
	// Project is the project that its credentials are in.
	Project string
	// Kind is "key" or "account", ServiceAccount the account that keys are made on.
	Kind, ServiceAccount string
	// Scopes restrict its keys. None: nothing does.
	Scopes []string
	// TTL is the life of a lease that asks for none, MaxTTL the longest.
	TTL, MaxTTL time.Duration

	// unknown: the policy has no such role, and no more is known of it.
	unknown bool
}

// AllRoles stands for every role in [Grant.Roles].
const AllRoles = "*"

// The role in conditions.
const (
	roleName           = "role.name"
	roleProject        = "role.project"
	roleKind           = "role.kind"
	roleServiceAccount = "role.service_account"
	roleScopes         = "role.scopes"
	roleTTL            = "role.ttl"
	roleMaxTTL         = "role.max_ttl"
)

// roleVariables declares them.
func roleVariables() []cel.EnvOption {
	return []cel.EnvOption{
		cel.Variable(roleName, cel.StringType),
		cel.Variable(roleProject, cel.StringType),
		cel.Variable(roleKind, cel.StringType),
		cel.Variable(roleServiceAccount, cel.StringType),
		cel.Variable(roleScopes, cel.ListType(cel.StringType)),
		cel.Variable(roleTTL, cel.DurationType),
		cel.Variable(roleMaxTTL, cel.DurationType),
	}
}

// variable finds one of them. Of a role that the policy has no more, the name and, of a
// lease, the project are known: to read the rest of it is a failure.
func (r *Role) variable(name string) (any, bool) {
	switch {
	case r == nil:
		return nil, false
	case name == roleName:
		return r.Name, true
	case name == roleProject && r.Project != "":
		return r.Project, true
	case r.unknown:
		return nil, false
	}
	switch name {
	case roleKind:
		return r.Kind, true
	case roleServiceAccount:
		return r.ServiceAccount, true
	case roleScopes:
		return r.Scopes, true
	case roleTTL:
		return r.TTL, true
	case roleMaxTTL:
		return r.MaxTTL, true
	default:
		return nil, false
	}
}

func rolesByName(roles []Role) map[string]*Role {
	byName := make(map[string]*Role, len(roles))
	for _, role := range roles {
		role.Scopes = slices.Clone(role.Scopes)
		byName[role.Name] = &role
	}
	return byName
}

// role is the role of a name, as far as the policy knows it. With a project it is the
// role as it was when a lease of it was made in that project.
func (p *Policy) role(name, project string) *Role {
	role := p.roles[name]
	switch {
	case role == nil:
		return &Role{Name: name, Project: project, unknown: true}
	case project == "" || project == role.Project:
		return role
	default:
		then := *role
		then.Project = project
		return &then
	}
}

// roleSet is a grant's or deny's list of roles. Nil has none.
type roleSet struct {
	all   bool
	names map[string]struct{}
}

func (s *roleSet) has(name string) bool {
	if s == nil {
		return false
	}
	_, named := s.names[name]
	return s.all || named
}

// roleSet compiles the roles of the grant that the compiler is at, whose permissions
// are a set.
func (c *Compiler) roleSet(grant Grant, permissions *permissionSet) *roleSet {
	if grant.Roles == nil {
		c.warnOfNoRole(grant, permissions)
		return nil
	}
	c.at.Field, c.at.Item = fieldRoles, -1
	if len(grant.Roles) == 0 {
		if c.at.List == listDenies {
			c.fault("is empty; without the list all roles are meant")
		} else {
			c.fault("is empty; without the list no role is meant")
		}
	}
	if !permissions.leases {
		c.fault("no RPC that the permissions open is about roles of leases")
	}
	set := &roleSet{names: make(map[string]struct{}, len(grant.Roles))}
	first := make(map[string]int, len(grant.Roles))
	for i, name := range grant.Roles {
		c.at.Item = i
		role := c.policy.roles[name]
		other, again := first[name]
		switch {
		case name == "":
			c.fault("is empty")
		case again:
			c.fault("%s is already roles[%d]", quote(name), other)
		case name == AllRoles:
			set.all = true
			if len(grant.Roles) > 1 {
				c.fault("%s is all roles; no other is named beside it", quote(name))
			}
		case role == nil:
			c.fault("%s: no role has this name", quote(name))
		case grant.Projects != nil && role.Project != "" && !slices.Contains(grant.Projects, role.Project):
			c.fault("%s is in the project %s, which is not in projects", quote(name), quote(role.Project))
		}
		if !again {
			first[name] = i
		}
		set.names[c.texts.Keep(name)] = struct{}{}
	}
	return set
}
