package pages

import (
	"context"
	"maps"
	"slices"

	"connectrpc.com/connect/v2"

	adminv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/admin/v1"
	"github.com/admin-gateway/admin-gateway/gen/admingateway/admin/v1/adminv1connect"
	"github.com/admin-gateway/admin-gateway/pages"
	"github.com/admin-gateway/admin-gateway/service/console"
)

const (
	permissionUsers   = "users.read"
	permissionGroups  = "groups.read"
	permissionInvites = "invites.read"
	// oneByOne bounds the projects that are asked for one by one, for a caller that may not
	// list them.
	oneByOne = 20
)

// people is the page of people and projects: lists of both, one project (?project=ID) or
// one person (?user=ID).
func people() *console.Page {
	of := func(field string, p console.Part) console.Part {
		p.Wide = true
		p.Shown = has(field)
		return p
	}
	lists := func(p console.Part) console.Part {
		p.Shown = func(v *console.Visit) bool { return v.Query.Get("project") == "" && v.Query.Get("user") == "" }
		p.Wide = true
		return p
	}
	return &console.Page{
		Path: "/people", Title: "People and projects", Needs: []string{permissionProjects, permissionUsers, permissionGroups, permissionInvites},
		Controls: "people-controls", Prepare: func(*console.Visit) any { return nil },
		Parts: []console.Part{
			lists(console.Part{ID: "projects", Title: "Projects", Needs: permissionProjects, Gather: gatherProjects, Template: "projects"}),
			lists(console.Part{ID: "users", Title: "People", Needs: permissionUsers, Gather: gatherUsers, Template: "users"}),
			lists(console.Part{ID: "groups", Title: "Groups", Needs: permissionGroups, Gather: gatherGroups, Template: "groups"}),
			lists(console.Part{ID: "invites", Title: "Invites", Needs: permissionInvites, Gather: gatherInvites, Template: "invites"}),

			of("project", console.Part{ID: "project", Title: "Project", Needs: permissionProjects, Gather: gatherProject, Template: "project"}),
			of("project", console.Part{ID: "limit", Title: "Spend limit", Needs: "projects.spend_limit.read", Gather: gatherProjectLimit, Template: "project-limit"}),
			of("project", console.Part{ID: "members", Title: "Members", Needs: "projects.users.read", Gather: gatherMembers, Template: "members"}),
			of("project", console.Part{ID: "member-groups", Title: "Groups with access", Needs: "projects.groups.read", Gather: gatherMemberGroups, Template: "member-groups"}),
			of("project", console.Part{ID: "accounts", Title: "Service accounts", Needs: "projects.service_accounts.read", Gather: gatherAccounts, Template: "accounts"}),
			of("project", console.Part{ID: "rates", Title: "Rate limits", Needs: "projects.rate_limits.read", Gather: gatherRates, Template: "rates"}),

			of("user", console.Part{ID: "person", Title: "Person", Needs: permissionUsers, Gather: gatherPerson, Template: "person"}),
			of("user", console.Part{ID: "roles", Title: "Roles in the organization, and through what", Needs: "users.roles.read", Gather: gatherRoles, Template: "roles"}),
			of("user", console.Part{ID: "through-groups", Title: "Groups", Needs: "inventory.group_members.read", Gather: gatherThroughGroups, Template: "through-groups", Long: true, Deadline: longest}),
			of("user", console.Part{ID: "in-projects", Title: "Projects", Needs: "inventory.project_users.read", Gather: gatherInProjects, Template: "in-projects", Long: true, Deadline: longest}),
		},
	}
}

// gatherProjects lists the projects. A caller that is limited to some has no list: it asks
// for each.
func gatherProjects(ctx context.Context, v *console.Visit) (any, error) {
	client := adminv1connect.NewProjectServiceClient(v.Client())
	if ids, limited := v.Access.Projects(permissionProjects); limited {
		l := list[*adminv1.Project]{More: len(ids) > oneByOne}
		for _, id := range ids[:min(len(ids), oneByOne)] {
			answer, err := client.GetProject(ctx, &adminv1.GetProjectRequest{ProjectId: id})
			if err != nil {
				return nil, err
			}
			l.Rows = append(l.Rows, answer.GetProject())
		}
		return l, nil
	}
	return listed(pages.Walk[*adminv1.Project](ctx, client.ListProjects, &adminv1.ListProjectsRequest{Limit: new(int32(100))}))
}

func gatherUsers(ctx context.Context, v *console.Visit) (any, error) {
	return listed(pages.Walk[*adminv1.User](ctx, adminv1connect.NewUserServiceClient(v.Client()).ListUsers, &adminv1.ListUsersRequest{Limit: new(int32(100))}))
}

func gatherGroups(ctx context.Context, v *console.Visit) (any, error) {
	return listed(pages.Walk[*adminv1.Group](ctx, adminv1connect.NewGroupServiceClient(v.Client()).ListGroups, &adminv1.ListGroupsRequest{Limit: new(int32(100))}))
}

func gatherInvites(ctx context.Context, v *console.Visit) (any, error) {
	return listed(pages.Walk[*adminv1.Invite](ctx, adminv1connect.NewInviteServiceClient(v.Client()).ListInvites, &adminv1.ListInvitesRequest{Limit: new(int32(100))}))
}

func gatherProject(ctx context.Context, v *console.Visit) (any, error) {
	return adminv1connect.NewProjectServiceClient(v.Client()).GetProject(ctx, &adminv1.GetProjectRequest{ProjectId: v.Query.Get("project")})
}

// gatherProjectLimit is nil where there is no limit, which the upstream says by NOT_FOUND.
func gatherProjectLimit(ctx context.Context, v *console.Visit) (any, error) {
	answer, err := adminv1connect.NewProjectSpendLimitServiceClient(v.Client()).GetProjectSpendLimit(ctx, &adminv1.GetProjectSpendLimitRequest{ProjectId: v.Query.Get("project")})
	if connect.CodeOf(err) == connect.CodeNotFound {
		return (*adminv1.SpendLimit)(nil), nil
	}
	return answer.GetSpendLimit(), err
}

func gatherMembers(ctx context.Context, v *console.Visit) (any, error) {
	return listed(pages.Walk[*adminv1.ProjectUser](
		ctx, adminv1connect.NewProjectUserServiceClient(v.Client()).ListProjectUsers, &adminv1.ListProjectUsersRequest{ProjectId: v.Query.Get("project")},
	))
}

func gatherMemberGroups(ctx context.Context, v *console.Visit) (any, error) {
	return listed(pages.Walk[*adminv1.ProjectGroup](
		ctx, adminv1connect.NewProjectGroupServiceClient(v.Client()).ListProjectGroups, &adminv1.ListProjectGroupsRequest{ProjectId: v.Query.Get("project")},
	))
}

func gatherAccounts(ctx context.Context, v *console.Visit) (any, error) {
	return listed(pages.Walk[*adminv1.ProjectServiceAccount](
		ctx, adminv1connect.NewProjectServiceAccountServiceClient(v.Client()).ListProjectServiceAccounts, &adminv1.ListProjectServiceAccountsRequest{ProjectId: v.Query.Get("project")},
	))
}

func gatherRates(ctx context.Context, v *console.Visit) (any, error) {
	return listed(pages.Walk[*adminv1.ProjectRateLimit](
		ctx, adminv1connect.NewProjectRateLimitServiceClient(v.Client()).ListProjectRateLimits, &adminv1.ListProjectRateLimitsRequest{ProjectId: v.Query.Get("project")},
	))
}

// sorted are the keys of a map in order.
func sorted[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
