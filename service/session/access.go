package session

import (
	"context"
	"slices"
	"strings"

	controlv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/control/v1"
	"github.com/admin-gateway/admin-gateway/service/admission"
	"github.com/admin-gateway/admin-gateway/service/catalog"
)

// maxProjects bounds the projects of one item of an answer.
const maxProjects = 1000

// access says what a caller may do.
type access struct {
	admission *admission.Controller
	catalog   *catalog.Catalog
}

// of lists the permissions of the caller of ctx, those that reach equally far in one
// item: a policy has few grants, and many permissions.
func (a access) of(ctx context.Context) ([]*controlv1.Access, error) {
	var items []*controlv1.Access
	index := make(map[string]*controlv1.Access) // by reach
	seen := make(map[string]bool)               // permissions
	for _, m := range a.catalog.Methods() {
		may, projects, limited, err := a.admission.Access(ctx, m)
		if err != nil {
			return nil, err
		}
		if !may || seen[m.Permission] { // All methods of a permission have the same grants.
			continue
		}
		seen[m.Permission] = true
		reach := "*"
		if limited {
			reach = strings.Join(projects, "\n")
		}
		item := index[reach]
		if item == nil {
			item = &controlv1.Access{Organization: !limited}
			if limited {
				item.Projects = projects[:min(len(projects), maxProjects)]
			}
			index[reach] = item
			items = append(items, item)
		}
		item.Permissions = append(item.Permissions, m.Permission)
	}
	for _, item := range items {
		slices.Sort(item.Permissions)
	}
	return items, nil
}
