package pages

import (
	"context"
	"strings"

	adminv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/admin/v1"
	"github.com/admin-gateway/admin-gateway/gen/admingateway/admin/v1/adminv1connect"
	inventoryv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/inventory/v1"
	"github.com/admin-gateway/admin-gateway/gen/admingateway/inventory/v1/inventoryv1connect"
	"github.com/admin-gateway/admin-gateway/pages"
	"github.com/admin-gateway/admin-gateway/service/console"
)

func gatherPerson(ctx context.Context, v *console.Visit) (any, error) {
	return adminv1connect.NewUserServiceClient(v.Client()).GetUser(ctx, &adminv1.GetUserRequest{UserId: v.Query.Get("user")})
}

// held is a role that somebody holds.
type held struct{ *adminv1.AssignedRole }

// Through says through what it is held.
func (h held) Through() string {
	var sources []string
	for _, s := range h.GetAssignmentSources().GetValues() {
		sources = append(sources, strings.TrimSpace(s.GetPrincipalType()+" "+s.GetPrincipalId()))
	}
	if len(sources) == 0 {
		return "directly"
	}
	return strings.Join(sources, ", ")
}

func rolesOf(roles []*adminv1.AssignedRole) []held {
	list := make([]held, len(roles))
	for i, r := range roles {
		list[i] = held{r}
	}
	return list
}

func gatherRoles(ctx context.Context, v *console.Visit) (any, error) {
	l, err := listed(pages.Walk[*adminv1.AssignedRole](
		ctx, adminv1connect.NewUserRoleServiceClient(v.Client()).ListUserRoles, &adminv1.ListUserRolesRequest{UserId: v.Query.Get("user")},
	))
	return list[held]{rolesOf(l.Rows), l.More}, err
}

// throughGroups are the groups of a person.
type throughGroups struct {
	Groups []*adminv1.Group
	Whole  whole
}

// gatherThroughGroups looks for a person in the members of all groups, because the upstream
// has no list of the groups of a person.
func gatherThroughGroups(ctx context.Context, v *console.Visit) (any, error) {
	stream, err := inventoryv1connect.NewInventoryServiceClient(v.Client()).ListGroupMembers(ctx, &inventoryv1.ListGroupMembersRequest{})
	if err != nil {
		return nil, err
	}
	defer func() { _ = stream.Close() }() // It was read to its end, or failed.
	user, names, in := v.Query.Get("user"), make(map[string]*adminv1.Group), make(map[string]bool)
	var view throughGroups
	view.Whole, err = follow(v, stream.Receive, func(e *inventoryv1.ListGroupMembersResponse) {
		for _, g := range e.GetGroups().GetItems() {
			names[g.GetId()] = g
		}
		for _, member := range e.GetMembers().GetItems() {
			if member.GetId() == user {
				in[e.GetMembers().GetGroupId()] = true
			}
		}
	})
	for _, id := range sorted(in) {
		g := names[id]
		if g == nil {
			g = &adminv1.Group{Id: id}
		}
		view.Groups = append(view.Groups, g)
	}
	return view, err
}

// inProjects are the projects of a person.
type inProjects struct {
	Rows  []inProject
	More  int // projects whose roles are not asked for
	Lacks bool
	Whole whole
}

// inProject is a project of a person, and what it may do there.
type inProject struct {
	Project, Role string
	Called        string // the project by name; "" where that is not known
	Roles         []held
}

// maxInProjects bounds the projects that are asked for the roles of a person.
const maxInProjects = 50

// gatherInProjects looks for a person in the members of all projects, and then asks each of
// its projects for its roles: those of groups are among them, with their sources.
func gatherInProjects(ctx context.Context, v *console.Visit) (any, error) {
	stream, err := inventoryv1connect.NewInventoryServiceClient(v.Client()).ListProjectUsers(ctx, &inventoryv1.ListProjectUsersRequest{})
	if err != nil {
		return nil, err
	}
	defer func() { _ = stream.Close() }() // It was read to its end, or failed.
	user, in := v.Query.Get("user"), make(map[string]string)
	view := inProjects{Lacks: !v.Access.May("projects.users.roles.read")}
	view.Whole, err = follow(v, stream.Receive, func(e *inventoryv1.ListProjectUsersResponse) {
		for _, member := range e.GetUsers().GetItems() {
			if member.GetId() == user {
				in[e.GetUsers().GetProjectId()] = member.GetRole()
			}
		}
	})
	if err != nil {
		return nil, err
	}
	roles := adminv1connect.NewProjectUserRoleServiceClient(v.Client())
	names := projectNames(ctx, v)
	for i, id := range sorted(in) {
		row := inProject{Project: id, Role: in[id], Called: names[id]}
		switch {
		case view.Lacks:
		case i >= maxInProjects:
			view.More++
		default:
			l, err := listed(pages.Walk[*adminv1.AssignedRole](ctx, roles.ListProjectUserRoles, &adminv1.ListProjectUserRolesRequest{ProjectId: id, UserId: user}))
			if err != nil {
				return nil, err
			}
			row.Roles = rolesOf(l.Rows)
		}
		view.Rows = append(view.Rows, row)
	}
	return view, nil
}
