package data

// Group is a set of users that can be given access as one.
type Group struct {
	ID        string
	Name      string
	CreatedAt int64
	SCIM      bool   // managed by an identity provider
	Type      string // group or tenant_group
	Members   *Collection[*User]
}

// NewGroup adds a group without members.
func (o *Organization) NewGroup(name string, createdAt int64) *Group {
	g := &Group{ID: o.NewID("group_"), Name: name, CreatedAt: createdAt, Type: "group", Members: newCollection[*User]()}
	o.Groups.Add(g.ID, g)
	return g
}
