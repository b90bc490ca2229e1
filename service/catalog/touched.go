package catalog

import (
	"fmt"
	"slices"

	"google.golang.org/protobuf/reflect/protoreflect"
)

// Thing is a kind of thing upstream that leases are made of.
type Thing uint8

// The things.
const (
	// APIKey is a key of a project.
	APIKey Thing = iota + 1
	// ServiceAccount is a service account of a project.
	ServiceAccount
)

// String is a short stable word.
func (t Thing) String() string {
	return [...]string{"", "api_key", "service_account"}[t]
}

// Touched is something that a write changes, or to which it gives or takes access.
type Touched struct {
	// Thing is what it may be: a request that names a user may name a service account,
	// which the upstream takes for one.
	Thing Thing
	// ProjectID is the project that the request names, "" where it names none. It does not
	// say that the thing is in that project.
	ProjectID string
	// ID is the upstream's id of it.
	ID string
}

// touchingFields are the fields of requests that name a thing, wherever they are.
func touchingFields(field protoreflect.FieldDescriptor) (Thing, bool) {
	switch field.Name() {
	case "api_key_id", "api_key_ids":
		return APIKey, true
	case "service_account_id", "service_account_ids", "user_id", "user_ids":
		return ServiceAccount, true
	}
	return 0, false
}

// thingCollections are the segments of paths below which things are.
func thingCollections(segment string) (Thing, bool) {
	switch segment {
	case "api_keys":
		return APIKey, true
	case "service_accounts", "users":
		return ServiceAccount, true
	}
	return 0, false
}

// touching is a field that names a thing, and the way to it.
type touching struct {
	thing Thing
	path  []protoreflect.FieldDescriptor
}

// compileTouched finds the fields of a write that name a thing. The path of the call has
// to agree: one that leads to a thing by a field of another name would be overlooked.
func (m *Method) compileTouched() error {
	if m.Read {
		return nil
	}
	m.touching = touchingIn(m.Descriptor.Input(), nil, nil)
	for i, segment := range m.path {
		if !segment.IsVariable || i == 0 || m.path[i-1].IsVariable {
			continue
		}
		thing, ok := thingCollections(m.path[i-1].Literal)
		if ok && !slices.ContainsFunc(m.touching, func(t touching) bool {
			return t.thing == thing && len(t.path) == 1 && string(t.path[0].Name()) == segment.Variable
		}) {
			return fmt.Errorf("path variable {%s} names a %s, and is none of the fields by which leases are protected", segment.Variable, thing)
		}
	}
	return nil
}

// touchingIn are the fields of a message that name a thing, at any depth.
func touchingIn(message protoreflect.MessageDescriptor, before []protoreflect.FieldDescriptor, above []protoreflect.FullName) (all []touching) {
	if slices.Contains(above, message.FullName()) {
		return nil
	}
	above = append(slices.Clone(above), message.FullName())
	for i := range message.Fields().Len() {
		field := message.Fields().Get(i)
		path := append(slices.Clone(before), field)
		thing, names := touchingFields(field)
		switch {
		case names && field.Kind() == protoreflect.StringKind:
			all = append(all, touching{thing, path})
		case field.Message() != nil && !field.IsMap():
			all = append(all, touchingIn(field.Message(), path, above)...)
		}
	}
	return all
}

// Touches says whether a request of the method can name a thing that leases are made of.
// Reads, and methods that do not mirror the upstream, cannot.
func (m *Method) Touches() bool { return len(m.touching) > 0 }

// Touched are the things that a request names and that the write changes.
func (m *Method) Touched(request protoreflect.Message) (all []Touched) {
	var project string
	if ids := m.access.Projects(request); len(ids) > 0 {
		project = ids[0]
	}
	for _, t := range m.touching {
		each(request, t.path, func(id string) {
			all = append(all, Touched{Thing: t.thing, ProjectID: project, ID: id})
		})
	}
	return all
}

// each calls found with the values at the end of a path.
func each(message protoreflect.Message, path []protoreflect.FieldDescriptor, found func(string)) {
	field := path[0]
	if !message.Has(field) {
		return
	}
	value := message.Get(field)
	switch {
	case field.IsList():
		for i := range value.List().Len() {
			if len(path) == 1 {
				found(value.List().Get(i).String())
			} else {
				each(value.List().Get(i).Message(), path[1:], found)
			}
		}
	case len(path) == 1:
		found(value.String())
	default:
		each(value.Message(), path[1:], found)
	}
}
