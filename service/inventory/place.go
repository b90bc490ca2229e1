package inventory

import "google.golang.org/protobuf/reflect/protoreflect"

// place finds where in the response the items of a read go. Those of the last
// have to go somewhere.
func (f *compiler) place(c *read, last bool) error {
	wanted := c.itemType().FullName()
	if last && f.plan.view != nil {
		if f.plan.view.from != wanted || c.list == nil {
			return &DeclarationError{WrongType, string(wanted) + " is not the type that the view converts"}
		}
		wanted = f.plan.view.to
	}
	for _, member := range f.members {
		fields := member.Message().Fields()
		for i := range fields.Len() {
			field := fields.Get(i)
			if field.Message() == nil || field.Message().FullName() != wanted || field.IsList() != (c.list != nil) || f.filled[field.FullName()] {
				continue
			}
			c.place = &place{member: member, items: field}
			f.filled[field.FullName()] = true
			f.names(c.place)
			return nil
		}
	}
	if last {
		return &DeclarationError{NoPlace, string(wanted)}
	}
	return nil
}

// names finds the fields for the names of the outer items.
func (f *compiler) names(p *place) {
	fields := p.member.Message().Fields()
	for level, outer := range f.plan.reads {
		if field := fields.ByName(outer.as); outer.as != "" && field != nil && field.Kind() == protoreflect.StringKind && !field.IsList() {
			p.names = append(p.names, binding{field, level})
			f.filled[field.FullName()] = true
		}
	}
}
