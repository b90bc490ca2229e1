package authz

import (
	"slices"

	"github.com/admin-gateway/admin-gateway/internal/nearest"
	"github.com/admin-gateway/admin-gateway/internal/permission"
)

// maxHints bounds the patterns of a policy that are compared with all permissions.
const maxHints = 100

// hint asks whether another pattern was meant by one that matches nothing.
func (s *shared) hint(pattern string) string {
	if s.hints++; s.hints > maxHints {
		return ""
	}
	var known []string
	for _, handle := range s.methods.handles {
		needed := handle.permission
		known = append(known, needed, permission.Resource(needed)+".*", "*."+permission.Verb(needed))
	}
	slices.Sort(known)
	return nearest.Hint(pattern, slices.Compact(known))
}
