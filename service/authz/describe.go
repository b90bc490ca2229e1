package authz

import (
	"maps"
	"slices"
	"strings"
)

// texts are patterns of permissions as the policy spells them. Rules with the same ones
// share them.
type texts struct{ list []string }

// newTexts copies patterns, which are parts of a file that is not kept.
func newTexts(patterns []string) *texts {
	list := make([]string, len(patterns))
	for i, text := range patterns {
		list[i] = strings.Clone(text)
	}
	return &texts{list}
}

// Rule is a grant or a deny as it is in force.
type Rule struct {
	// Name is its place, such as "grants[0]", as [Decision.Grant] names it.
	Name string
	// Deny says that it is a deny.
	Deny bool
	// Grant are its parts. Projects and roles are sorted.
	Grant
}

// Index is the place of a caller in the policy, from 0; false for one that it does not
// have.
func (p *Policy) Index(caller string) (int, bool) {
	if p == nil {
		return 0, false
	}
	number, known := p.numbers[caller]
	return int(number), known
}

// Labels are those of a caller. The map is the caller's own.
func (p *Policy) Labels(caller string) map[string]string {
	c := p.caller(caller)
	if c == nil {
		return nil
	}
	return maps.Clone(c.labels)
}

// Rules are the grants and the denies of a caller, in the order of the policy, the first
// most of each, and how many there are; most < 0 is all. It is for people: to decide on a
// call takes [Policy.Decide].
func (p *Policy) Rules(caller string, most int) (grants, denies []Rule, granted, denied int) {
	c := p.caller(caller)
	if c == nil {
		return nil, nil, 0, 0
	}
	return c.grants.describe(most, false), c.denies.describe(most, true), len(c.grants.rules), len(c.denies.rules)
}

func (t *ruleTable) describe(most int, deny bool) []Rule {
	rules := t.rules
	if most >= 0 {
		rules = rules[:min(len(rules), most)]
	}
	list := make([]Rule, len(rules))
	for i := range rules {
		list[i] = rules[i].describe(deny)
	}
	return list
}

func (r *rule) describe(deny bool) Rule {
	d := Rule{Name: r.label, Deny: deny, Grant: Grant{Permissions: slices.Clone(r.permissions.list), Projects: slices.Clone(r.projects)}}
	if r.roles != nil {
		d.Roles = slices.Sorted(maps.Keys(r.roles.names))
	}
	if r.conditions != nil {
		d.When = r.conditions.source
	}
	return d
}
