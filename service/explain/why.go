package explain

import (
	"fmt"
	"strings"

	"github.com/admin-gateway/admin-gateway/service/authz"
)

// Why says why a rule decided against a call: `the project "proj_b" is not one of its
// projects`. It quotes the question.
func Why(n authz.Near, needed string) string {
	switch n.Reason {
	case authz.NoPermission:
		return "it does not have " + needed
	case authz.RoleOutOfScope:
		if len(n.Roles) == 0 {
			return "it names no role of leases"
		}
		return "the role is not one of its roles, or is of another project"
	case authz.OrganizationWide:
		return "it is limited to projects, and the call concerns the whole organization"
	case authz.ProjectMissing:
		return "it is limited to projects, and the request names none"
	case authz.ProjectOutOfScope:
		return fmt.Sprintf("the project %q is not one of its projects", n.Project)
	case authz.ConditionFailed:
		return "its condition cannot be evaluated for this request: " + condition(n)
	case authz.ConditionFalse:
		return "its condition is not met: " + condition(n)
	case authz.Denied:
		return "it forbids the call, whatever the grants allow"
	default:
		return strings.ReplaceAll(n.Reason.String(), "_", " ")
	}
}

func condition(n authz.Near) string { return strings.Join(strings.Fields(n.When), " ") }
