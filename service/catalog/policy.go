package catalog

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"unicode"

	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"

	optionsv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/options/v1"
	"github.com/admin-gateway/admin-gateway/internal/fieldpath"
	"github.com/admin-gateway/admin-gateway/internal/pathtemplate"
	"github.com/admin-gateway/admin-gateway/internal/permission"
)

// Invalidation is a path template whose stored answers a write makes stale.
type Invalidation struct {
	// Template has literal segments, variables in braces that are fields of
	// the write's request, and `*`. A variable whose field is empty, and `*`,
	// stand for every value.
	Template string
	// Exact limits it to the path itself, without the paths below it.
	Exact bool
}

// String is the template, with "$" behind it where it is exact.
func (i Invalidation) String() string {
	if i.Exact {
		return i.Template + "$"
	}
	return i.Template
}

// applyPolicy checks the declaration and copies it. Nothing in it is a
// default by absence.
func (m *Method) applyPolicy(policy *optionsv1.Policy, options *descriptorpb.MethodOptions) error {
	if !permission.Valid(m.Permission) {
		return fmt.Errorf("permission %q is not a dotted resource and verb, such as projects.users.update", m.Permission)
	}
	var err error
	if m.Project, err = scopeOf(policy, m.Descriptor.Input()); err != nil {
		return err
	}
	sideEffectFree := options.GetIdempotencyLevel() == descriptorpb.MethodOptions_NO_SIDE_EFFECTS
	if m.Read {
		if !sideEffectFree {
			return errors.New("is a read, so its idempotency_level must be NO_SIDE_EFFECTS")
		}
		return m.applyReadPolicy(policy)
	}
	if sideEffectFree {
		return errors.New("is a write, so its idempotency_level cannot be NO_SIDE_EFFECTS")
	}
	return m.applyWritePolicy(policy)
}

// applyBudget sets the budget and the urgency of the call.
func (m *Method) applyBudget(policy *optionsv1.Policy) error {
	m.Budget = policy.GetBudget()
	if m.Budget == "" {
		m.Budget = operation(m.Descriptor.Name())
	}
	if !permission.IsDotted(m.Budget) {
		return fmt.Errorf("budget %q is not a dotted name, such as usage.completions", m.Budget)
	}
	m.Revokes = policy.GetRevokes() || m.Endpoint.Verb() == http.MethodDelete
	if policy.GetRevokes() && m.Read {
		return errors.New("is a read and revokes")
	}
	return nil
}

// operation is the name of an RPC's own budget: list_project_users for
// ListProjectUsers. The upstream's budgets are those of endpoints, so each has one.
func operation(rpc protoreflect.Name) string {
	var name strings.Builder
	for i, r := range string(rpc) {
		if unicode.IsUpper(r) && i > 0 {
			name.WriteByte('_')
		}
		name.WriteRune(unicode.ToLower(r))
	}
	return name.String()
}

// projectFields are the names of the upstream's fields that name projects. One
// that a declaration overlooks would open the method to callers of any project,
// or close it to all of them.
var projectFields = []protoreflect.Name{"project_id", "project_ids", "projects"}

// scopeOf is the path of the request's field that names projects, "" for the
// organization as a whole.
func scopeOf(policy *optionsv1.Policy, request protoreflect.MessageDescriptor) (project string, err error) {
	switch scope := policy.GetScope().(type) {
	case *optionsv1.Policy_Project:
		if _, err := fieldpath.Compile(request, scope.Project); err != nil {
			return "", fmt.Errorf("project %q: %w", scope.Project, err)
		}
		project = scope.Project
	case *optionsv1.Policy_Organization:
		if !scope.Organization {
			return "", errors.New("organization is false; say which field names the project instead")
		}
	default:
		return "", errors.New("says neither project nor organization")
	}
	first, _, _ := strings.Cut(project, ".")
	for _, name := range projectFields {
		if request.Fields().ByName(name) != nil && first != string(name) {
			return "", fmt.Errorf("has the request field %s, and its scope is another", name)
		}
	}
	return project, nil
}

func (m *Method) applyReadPolicy(policy *optionsv1.Policy) error {
	if len(policy.GetInvalidates())+len(policy.GetInvalidatesExactly()) > 0 || policy.GetInvalidatesNothing() {
		return errors.New("is a read and declares what it invalidates")
	}
	switch life := policy.GetCacheLife().(type) {
	case *optionsv1.Policy_Cache:
		return m.applyLife(policy)
	case *optionsv1.Policy_CacheNothing:
		if !life.CacheNothing {
			return errors.New("cache_nothing is false; say for how long to cache instead")
		}
		if policy.GetStaleness() != nil || policy.GetSettled() != nil {
			return errors.New("has cache_nothing and says how long an answer may be used")
		}
		return nil
	default:
		return errors.New("is a read and says neither cache nor cache_nothing")
	}
}

func (m *Method) applyWritePolicy(policy *optionsv1.Policy) error {
	if policy.GetCacheLife() != nil || policy.GetStaleness() != nil || policy.GetSettled() != nil {
		return errors.New("is a write and has a cache life")
	}
	for _, template := range policy.GetInvalidates() {
		m.Invalidates = append(m.Invalidates, Invalidation{Template: template})
	}
	for _, template := range policy.GetInvalidatesExactly() {
		m.Invalidates = append(m.Invalidates, Invalidation{Template: template, Exact: true})
	}
	if (len(m.Invalidates) == 0) != policy.GetInvalidatesNothing() {
		return errors.New("is a write and must say what it invalidates, or invalidates_nothing, and not both")
	}
	for _, invalidation := range m.Invalidates {
		if err := checkTemplate(invalidation.Template, m.Descriptor.Input()); err != nil {
			return fmt.Errorf("invalidates %q: %w", invalidation.Template, err)
		}
	}
	return nil
}

// checkTemplate wants a path template whose variables are string fields of the
// request.
func checkTemplate(template string, request protoreflect.MessageDescriptor) error {
	segments, err := pathtemplate.Parse(template)
	if err != nil {
		return err
	}
	for _, segment := range segments {
		if !segment.IsVariable {
			continue
		}
		field := request.Fields().ByName(protoreflect.Name(segment.Variable))
		if field == nil || field.Kind() != protoreflect.StringKind || field.IsList() {
			return fmt.Errorf("variable {%s} is not a string field of %s", segment.Variable, request.Name())
		}
	}
	return nil
}
