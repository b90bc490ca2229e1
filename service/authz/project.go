package authz

import (
	"cmp"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	"github.com/admin-gateway/admin-gateway/internal/fieldpath"
	"github.com/admin-gateway/admin-gateway/internal/many"
)

// projectPath leads from a request to a string field, through messages; fields
// on the way and the last one may be repeated.
type projectPath struct {
	fields []protoreflect.FieldDescriptor
	// list is the path's only field where that is a []string of a generated
	// type; the zero value otherwise.
	list goField
}

// goField is a field of a generated Go struct.
type goField struct {
	message reflect.Type // a pointer to the struct
	index   int
}

func compileProjectPath(request protoreflect.MessageDescriptor, path string) (projectPath, error) {
	fields, err := fieldpath.Compile(request, path)
	if err != nil {
		return projectPath{}, err
	}
	p := projectPath{fields: fields}
	if len(fields) == 1 && fields[0].IsList() {
		p.list = findList(fields[0])
	}
	return p, nil
}

// findList finds the Go field of a repeated string. Reflection over protobuf
// gives a list by way of the heap, which a decision has no need of.
func findList(field protoreflect.FieldDescriptor) goField {
	message, err := protoregistry.GlobalTypes.FindMessageByName(field.ContainingMessage().FullName())
	if err != nil || message.Descriptor() != field.ContainingMessage() {
		return goField{}
	}
	pointer := reflect.TypeOf(message.Zero().Interface())
	if pointer.Kind() != reflect.Pointer || pointer.Elem().Kind() != reflect.Struct {
		return goField{}
	}
	for i := range pointer.Elem().NumField() {
		f := pointer.Elem().Field(i)
		// The tag is "bytes,4,rep,name=project_ids,…".
		tag := strings.Split(f.Tag.Get("protobuf"), ",")
		if f.IsExported() && f.Type == reflect.TypeFor[[]string]() && len(tag) > 1 && tag[1] == strconv.Itoa(int(field.Number())) {
			return goField{pointer, i}
		}
	}
	return goField{}
}

// appendTo appends what the request names at the end of the path. A field that
// is not set names nothing. In a list every element names something: one that is
// empty, or has the field not set, is appended as "".
func (p projectPath) appendTo(ids []string, request protoreflect.Message) []string {
	if p.list.message != nil {
		if v := reflect.ValueOf(request.Interface()); v.Type() == p.list.message {
			if list, ok := v.Elem().Field(p.list.index).Addr().Interface().(*[]string); ok {
				return append(ids, *list...)
			}
		}
	}
	return appendStrings(ids, request, p.fields, false)
}

func appendStrings(ids []string, message protoreflect.Message, path []protoreflect.FieldDescriptor, inList bool) []string {
	field, rest := path[0], path[1:]
	switch {
	case field.IsList():
		list := message.Get(field).List()
		for i := range list.Len() {
			if len(rest) == 0 {
				ids = append(ids, list.Get(i).String())
			} else {
				ids = appendStrings(ids, list.Get(i).Message(), rest, true)
			}
		}
		return ids
	case len(rest) > 0:
		// One that is not set reads as empty.
		return appendStrings(ids, message.Get(field).Message(), rest, inList)
	}
	id := message.Get(field).String()
	if id == "" && !inList && !message.Has(field) {
		return ids
	}
	return append(ids, id)
}

// projectSet is a grant's or deny's list of projects, sorted by [foldedOrder]. Nil: not
// limited.
type projectSet []string

func newProjectSet(ids []string, texts *many.Texts) projectSet {
	if ids == nil {
		return nil
	}
	set := make(projectSet, len(ids))
	for i, id := range ids {
		set[i] = texts.Keep(id)
	}
	slices.SortFunc(set, func(a, b string) int { return cmp.Or(foldedOrder(a, b), strings.Compare(a, b)) })
	return set
}

// has says whether an id is in the set, as it is spelled there.
func (s projectSet) has(id string) bool {
	i, ok := slices.BinarySearchFunc(s, id, foldedOrder)
	for ; ok && i < len(s) && foldedOrder(s[i], id) == 0; i++ {
		if s[i] == id {
			return true
		}
	}
	return false
}

// hasFolded says whether an id is in the set, in any case. The upstream compares ids
// exactly as far as is known; where it did not, a deny would have been closed for
// nothing.
func (s projectSet) hasFolded(id string) bool {
	_, ok := slices.BinarySearchFunc(s, id, foldedOrder)
	return ok
}

// foldedOrder compares ids without regard to the case of ASCII letters, and allocates
// nothing.
func foldedOrder(a, b string) int {
	for i := range min(len(a), len(b)) {
		if c := cmp.Compare(folded(a[i]), folded(b[i])); c != 0 {
			return c
		}
	}
	return cmp.Compare(len(a), len(b))
}

func folded(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}

// admits says whether a grant limited to s holds for a request that names ids:
// Granted, ProjectMissing, or ProjectOutOfScope with the first project that is
// not in s.
func (s projectSet) admits(ids []string) (reason Reason, project string) {
	if len(ids) == 0 {
		return ProjectMissing, ""
	}
	for _, id := range ids {
		if id == "" {
			return ProjectMissing, ""
		}
		if !s.has(id) {
			return ProjectOutOfScope, id
		}
	}
	return Granted, ""
}

// touches says whether a deny limited to s holds for a request that names ids.
// One that names none, or an empty one, asks about all projects. The case of an id does
// not count: a deny is wide rather than narrow.
func (s projectSet) touches(ids []string) bool {
	return len(ids) == 0 || slices.ContainsFunc(ids, func(id string) bool { return id == "" || s.hasFolded(id) })
}
