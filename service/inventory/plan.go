package inventory

import (
	"slices"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/admin-gateway/admin-gateway/pages"
	"github.com/admin-gateway/admin-gateway/service/catalog"
)

// plan is a fan-out, compiled from its declaration. It never changes once the
// catalog is built.
type plan struct {
	rpc      *catalog.Method
	response protoreflect.MessageType
	// The members of the response beside pages of items.
	progress, failure, end protoreflect.FieldDescriptor

	// token is the request's field with a resume token, and given the one that
	// names the outermost items in place of the list; nil where none does.
	token, given protoreflect.FieldDescriptor
	// reads are nested, outermost first, or, with buckets, one for each kind.
	reads   []*read
	buckets *bucketFields
	view    *itemView
	gather  *gathering // nil: nothing is read ahead
}

// read is one of the reads of a [plan].
type read struct {
	method *catalog.Method
	base   proto.Message // the fields that every request has set
	takes  []taking
	binds  []binding
	// list says how it is walked; nil for a read of one thing.
	list *pages.List
	// items is the response's field that holds them: a list, or the one thing.
	items protoreflect.FieldDescriptor
	// key is the field with the name of an item, and as the name of that field in
	// nested requests.
	key protoreflect.FieldDescriptor
	as  protoreflect.Name
	// scope is the request's field that says which projects to count; where it is
	// empty, a caller that is limited to some projects gets those.
	scope       protoreflect.FieldDescriptor
	place       *place
	mayBeAbsent bool
	// passes says that the items go to the caller as the bytes that they are: nothing here
	// looks into them.
	passes   bool
	bucketed *bucketCall
}

// binding puts the name of an outer item into a request.
type binding struct {
	to    protoreflect.FieldDescriptor
	level int
}

// place is where the items of a read go: a member of the response's oneof, and a
// field of that.
type place struct {
	member protoreflect.FieldDescriptor
	items  protoreflect.FieldDescriptor
	names  []binding
	kind   protoreflect.FieldDescriptor // of the usage; nil
}

// name says which outer items the items are of.
func (p *place) name(wrapper protoreflect.Message, at position) {
	for _, name := range p.names {
		wrapper.Set(name.to, protoreflect.ValueOfString(at.keys[name.level]))
	}
}

// position is where a walk is, or has to go on.
type position struct {
	// keys name the outer items, outermost first; none is the outermost list.
	keys []string
	// cursor is that of the page to ask for, "" for the first.
	cursor string
	// page counts those of the outermost list: the one that keys[0] was on.
	// Negative: a resume token named it.
	page int
}

// inside is the position of the list within an item.
func (p position) inside(key string) position {
	return position{keys: append(slices.Clip(p.keys), key), page: p.page}
}

// at is the read that a position is in.
func (p *plan) at(at position) int {
	if p.buckets == nil {
		return len(at.keys)
	}
	read, _, _ := parsePieceKey(at.keys[0])
	return read
}

// depth is how many names a position can have.
func (p *plan) depth() int {
	if p.buckets != nil {
		return 1
	}
	return len(p.reads) - 1
}

// listed tells whether the outermost items come from the upstream's list.
func (p *plan) listed() bool { return p.buckets == nil && len(p.reads) > 1 }

// itemType is the type of the items on a page.
func (r *read) itemType() protoreflect.MessageDescriptor { return r.items.Message() }

// request is the request for a position. Base is the read's, with the fields
// of the caller's request.
func (r *read) request(base proto.Message, p position) protoreflect.Message {
	m := proto.Clone(base).ProtoReflect()
	for _, bind := range r.binds {
		m.Set(bind.to, protoreflect.ValueOfString(p.keys[bind.level]))
	}
	if p.cursor != "" {
		m.Set(r.list.Cursor(), protoreflect.ValueOfString(p.cursor))
	}
	return m
}

// keysOf are the names of a page's items.
func (r *read) keysOf(page protoreflect.Message) []string {
	if r.key == nil {
		return nil
	}
	items := page.Get(r.items).List()
	keys := make([]string, items.Len())
	for i := range keys {
		keys[i] = items.Get(i).Message().Get(r.key).String()
	}
	return keys
}

// message is the response with a page's items, and how many they are; nil where
// they are not streamed. Without a page it is the message of an absent item.
func (p *plan) message(r *read, at position, page protoreflect.Message, through func(proto.Message) (proto.Message, bool)) (message proto.Message, n int64) {
	if r.place == nil {
		return nil, 0
	}
	response := p.response.New()
	wrapper := response.Mutable(r.place.member).Message()
	r.place.name(wrapper, at)
	if r.place.kind != nil {
		wrapper.Set(r.place.kind, protoreflect.ValueOfEnum(r.bucketed.kind.Number()))
	}
	switch {
	case page == nil:
	case r.list == nil:
		wrapper.Set(r.place.items, page.Get(r.items))
		n = 1
	default:
		from := page.Get(r.items).List()
		to := wrapper.Mutable(r.place.items).List()
		for i := range from.Len() {
			item := from.Get(i)
			if through != nil && r.key == nil {
				seen, ok := through(item.Message().Interface())
				if !ok {
					continue
				}
				item = protoreflect.ValueOfMessage(seen.ProtoReflect())
			}
			to.Append(item)
		}
		n = int64(to.Len())
	}
	return response.Interface(), n
}
