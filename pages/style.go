package pages

import (
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	optionsv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/options/v1"
)

// forward is the request's half of a pagination style: the field that takes
// the cursor.
type forward struct {
	cursor protoreflect.FieldDescriptor
}

// forwardOf finds the cursor field of a request type.
func forwardOf(md protoreflect.MessageDescriptor) (forward, error) {
	after, page := stringField(md, "after"), stringField(md, "page")
	switch {
	case after != nil && page != nil:
		return forward{}, &UnsupportedError{md.FullName(), "has both `after` and `page`"}
	case after != nil:
		return forward{after}, nil
	case page != nil:
		return forward{page}, nil
	}
	return forward{}, &UnsupportedError{md.FullName(), "has no string field `after` or `page`"}
}

// page is the response's half: the field with the items, and those that say how to go
// on.
type page struct {
	data, more protoreflect.FieldDescriptor
	// next is the field of the page with the cursor; nil where pages have none.
	next protoreflect.FieldDescriptor
	// id is the field of the last item that stands for next where that is not set;
	// nil where nothing does.
	id protoreflect.FieldDescriptor

	// onlyMore is whether next is set only while there are more pages.
	onlyMore bool
}

// cursor is how a page names the next one, "" where it does not.
func (p page) cursor(m protoreflect.Message) string {
	if p.next != nil {
		if next := m.Get(p.next).String(); next != "" || p.id == nil {
			return next
		}
	}
	items := m.Get(p.data).List()
	if items.Len() == 0 {
		return ""
	}
	return items.Get(items.Len() - 1).Message().Get(p.id).String()
}

// pageOf finds the fields of a response type that answers requests of style f.
func pageOf(md protoreflect.MessageDescriptor, f forward) (page, error) {
	data := md.Fields().ByName("data")
	if data == nil || !data.IsList() || data.Message() == nil {
		return page{}, &UnsupportedError{md.FullName(), "has no repeated message field `data`"}
	}
	more := md.Fields().ByName("has_more")
	if more == nil || more.IsList() || more.Kind() != protoreflect.BoolKind {
		return page{}, &UnsupportedError{md.FullName(), "has no bool field `has_more`"}
	}
	if f.cursor.Name() == "page" {
		if next := stringField(md, "next_page"); next != nil {
			return page{data: data, more: more, next: next, onlyMore: true}, nil
		}
		return page{}, &UnsupportedError{md.FullName(), "has no string field `next_page`"}
	}
	next, last := stringField(md, "next"), stringField(md, "last_id")
	switch {
	case next != nil && last != nil:
		return page{}, &UnsupportedError{md.FullName(), "has both `next` and `last_id`"}
	case next != nil:
		return page{data: data, more: more, next: next, onlyMore: true}, nil
	case last != nil && !orLastItem(last):
		return page{data: data, more: more, next: last}, nil
	}
	if id := stringField(data.Message(), "id"); id != nil {
		return page{data: data, more: more, next: last, id: id}, nil
	}
	return page{}, &UnsupportedError{md.FullName(), "has no string field `next` or `last_id`, and its items have no `id`"}
}

// orLastItem says whether the upstream does not promise a cursor.
func orLastItem(cursor protoreflect.FieldDescriptor) bool {
	mapping, _ := proto.GetExtension(cursor.Options(), optionsv1.E_Field).(*optionsv1.FieldMapping)
	return mapping.GetOrLastItem()
}

func stringField(md protoreflect.MessageDescriptor, name protoreflect.Name) protoreflect.FieldDescriptor {
	fd := md.Fields().ByName(name)
	if fd == nil || fd.IsList() || fd.Kind() != protoreflect.StringKind {
		return nil
	}
	return fd
}
