package pages

import (
	"cmp"
	"context"
	"strings"
	"time"

	adminv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/admin/v1"
	"github.com/admin-gateway/admin-gateway/gen/admingateway/admin/v1/adminv1connect"
	inventoryv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/inventory/v1"
	"github.com/admin-gateway/admin-gateway/gen/admingateway/inventory/v1/inventoryv1connect"
	"github.com/admin-gateway/admin-gateway/service/console"
)

const (
	permissionProjects = "projects.read"
	// namesTimeout bounds the wait for names: ids do without.
	namesTimeout = 2 * time.Second
	// maxProjectPages bounds the pages of projects that names are looked for in.
	maxProjectPages = 5
	// maxUserPages bounds those of people.
	maxUserPages = 10
	// maxKeyNames bounds the names of keys.
	maxKeyNames = 20_000
	// maxNamed bounds the projects that are asked for one by one.
	maxNamed = 5
)

// namesOf are the names of what something is split by, as far as they can be had quickly.
func namesOf(ctx context.Context, v *console.Visit, by string) map[string]string {
	switch strings.TrimSuffix(by, "_id") {
	case "project":
		return projectNames(ctx, v)
	case "user":
		return userNames(ctx, v)
	case "key", "api_key":
		return keyNames(ctx, v.Stored())
	}
	return nil
}

// userNames are the names of people, by id, as projectNames has those of projects.
func userNames(ctx context.Context, v *console.Visit) map[string]string {
	names := make(map[string]string)
	if _, limited := v.Access.Projects(permissionUsers); limited || !v.Access.May(permissionUsers) {
		return names
	}
	ctx, cancel := context.WithTimeout(ctx, namesTimeout)
	defer cancel()
	client := adminv1connect.NewUserServiceClient(v.Client())
	limit := int32(100)
	request := &adminv1.ListUsersRequest{Limit: &limit}
	for range maxUserPages {
		answer, err := client.ListUsers(ctx, request)
		if err != nil {
			return names
		}
		for _, u := range answer.GetData() {
			names[u.GetId()] = cmp.Or(u.GetName(), u.GetEmail())
		}
		if !answer.GetHasMore() || answer.GetLastId() == "" {
			return names
		}
		after := answer.GetLastId()
		request.After = &after
	}
	return names
}

// keyNames are the names of keys, by id, as far as they are stored, such as by the page of
// keys: to list them is a read for each project.
func keyNames(ctx context.Context, v *console.Visit) map[string]string {
	names := make(map[string]string)
	if !v.Access.May(permissionKeys) {
		return names
	}
	ctx, cancel := context.WithTimeout(ctx, namesTimeout)
	defer cancel()
	stream, err := inventoryv1connect.NewInventoryServiceClient(v.Client()).GetKeyInventory(ctx, &inventoryv1.GetKeyInventoryRequest{})
	if err != nil {
		return names
	}
	defer func() { _ = stream.Close() }() // It was read to its end, or failed.
	// What is missing has no name.
	_, _ = follow(v, stream.Receive, func(e *inventoryv1.GetKeyInventoryResponse) {
		for _, k := range e.GetKeys().GetItems() {
			if len(names) < maxKeyNames {
				names[k.GetKeyId()] = k.GetName()
			}
		}
	})
	return names
}

// projectNames are the names of projects that can be had quickly, by id. It is an
// ornament: what it cannot have is missing.
func projectNames(ctx context.Context, v *console.Visit) map[string]string {
	names := make(map[string]string)
	if !v.Access.May(permissionProjects) {
		return names
	}
	ctx, cancel := context.WithTimeout(ctx, namesTimeout)
	defer cancel()
	client := adminv1connect.NewProjectServiceClient(v.Client())
	if ids, limited := v.Access.Projects(permissionProjects); limited {
		for _, id := range ids[:min(len(ids), maxNamed)] {
			answer, err := client.GetProject(ctx, &adminv1.GetProjectRequest{ProjectId: id})
			if err != nil {
				return names
			}
			names[id] = answer.GetProject().GetName()
		}
		return names
	}
	limit, archived := int32(100), true
	request := &adminv1.ListProjectsRequest{Limit: &limit, IncludeArchived: &archived}
	for range maxProjectPages {
		answer, err := client.ListProjects(ctx, request)
		if err != nil {
			return names
		}
		for _, p := range answer.GetData() {
			names[p.GetId()] = p.GetName()
		}
		if !answer.GetHasMore() || answer.GetLastId() == "" {
			return names
		}
		after := answer.GetLastId()
		request.After = &after
	}
	return names
}
