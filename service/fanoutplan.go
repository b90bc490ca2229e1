package service

import (
	"slices"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/admin-gateway/admin-gateway/pages"
)

// fanOut is an RPC that is made of reads of the mirror, compiled from its
// declaration. It never changes once the catalog is built.
type fanOut struct {
	own      *OwnMethod
	response protoreflect.MessageType
	// What a response can be, beside a page of items.
	progress, failure, end protoreflect.FieldDescriptor

	// token is the request's field with a resume token, and given the one that
	// names the outermost items in place of the list; nil where none does.
	token, given protoreflect.FieldDescriptor
	// projects is the request's field that names projects; nil where none does.
	projects protoreflect.FieldDescriptor
	// calls are one below the other, or, with buckets, one for each kind.
	calls   []*fanCall
	buckets *bucketFields
	view    *itemView
}

// fanCall is one of the reads of a [fanOut].
type fanCall struct {
	method *Method
	base   proto.Message // what every request has set
	takes  []taking
	binds  []binding
	// list says how it is walked; nil for a read of one thing.
	list *pages.List
	// items is the response's field that holds them: a list, or the one thing.
	items protoreflect.FieldDescriptor
	// key names an item, and as is what that name is called from there on.
	key protoreflect.FieldDescriptor
	as  protoreflect.Name
	// scope is the request's field that says which projects to count; where it
	// is empty, a caller that is limited to some means these.
	scope       protoreflect.FieldDescriptor
	place       *place
	mayBeAbsent bool
	bucketed    *bucketCall
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

// inside is the position of what lies below an item.
func (p position) inside(key string) position {
	return position{keys: append(slices.Clip(p.keys), key), page: p.page}
}

// at is the read that a position is in.
func (f *fanOut) at(p position) int {
	if f.buckets == nil {
		return len(p.keys)
	}
	return bucketKeyCall(p.keys[0])
}

// projectsOf are the projects that a request names.
func (f *fanOut) projectsOf(request protoreflect.Message) (ids []string) {
	if f.projects == nil {
		return nil
	}
	list := request.Get(f.projects).List()
	for i := range list.Len() {
		ids = append(ids, list.Get(i).String())
	}
	return ids
}

// listed tells whether the outermost items come from the upstream's list.
func (f *fanOut) listed() bool { return f.buckets == nil && len(f.calls) > 1 }

// itemType is what a page of the read holds.
func (c *fanCall) itemType() protoreflect.MessageDescriptor { return c.items.Message() }

// request is what to ask for at a position. Base is the read's own, with what
// the caller's request says.
func (c *fanCall) request(base proto.Message, p position) protoreflect.Message {
	m := proto.Clone(base).ProtoReflect()
	for _, bind := range c.binds {
		m.Set(bind.to, protoreflect.ValueOfString(p.keys[bind.level]))
	}
	if p.cursor != "" {
		m.Set(c.list.Cursor(), protoreflect.ValueOfString(p.cursor))
	}
	return m
}

// keysOf are the names of a page's items.
func (c *fanCall) keysOf(page protoreflect.Message) []string {
	if c.key == nil {
		return nil
	}
	items := page.Get(c.items).List()
	keys := make([]string, items.Len())
	for i := range keys {
		keys[i] = items.Get(i).Message().Get(c.key).String()
	}
	return keys
}

// message is the response with a page's items, and how many they are; nil where
// they are not streamed. Without a page it is that of what is absent.
func (f *fanOut) message(c *fanCall, p position, page protoreflect.Message, through func(proto.Message) (proto.Message, bool)) (message proto.Message, n int64) {
	if c.place == nil {
		return nil, 0
	}
	response := f.response.New()
	wrapper := response.Mutable(c.place.member).Message()
	for _, name := range c.place.names {
		wrapper.Set(name.to, protoreflect.ValueOfString(p.keys[name.level]))
	}
	if c.place.kind != nil {
		wrapper.Set(c.place.kind, protoreflect.ValueOfEnum(c.bucketed.kind.Number()))
	}
	switch {
	case page == nil:
	case c.list == nil:
		wrapper.Set(c.place.items, page.Get(c.items))
		n = 1
	default:
		from := page.Get(c.items).List()
		to := wrapper.Mutable(c.place.items).List()
		for i := range from.Len() {
			item := from.Get(i)
			if through != nil && c.key == nil {
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
