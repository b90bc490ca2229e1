package authz

import "slices"

// Projects are the projects that the caller's grants of a method are limited to:
// their ids, each once and sorted. It is false where some grant is not limited,
// so that no list is complete. Conditions and denies are ignored: a call about
// one of the projects is still to be decided. A caller without a grant of the
// method, and an unknown one, is limited to none.
func (p *Policy) Projects(caller string, m *Handle) (ids []string, limited bool) {
	c, _ := p.find(caller, m)
	if c == nil {
		return nil, true
	}
	for _, i := range c.grants.of(m) {
		projects := c.grants.rules[i].projects
		if projects == nil {
			return nil, false
		}
		ids = append(ids, projects...)
	}
	slices.Sort(ids)
	return slices.Compact(ids), true
}
