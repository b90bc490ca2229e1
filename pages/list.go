package pages

import "google.golang.org/protobuf/reflect/protoreflect"

// List describes the pagination of a list, as its messages declare it. It is for
// programs that ask for each page themselves, and cannot leave that to [Walk].
type List struct {
	forward forward
	page    page
}

// ListOf returns the pagination of the list with these messages. It fails with an
// [*UnsupportedError] when they are not those of a list.
func ListOf(request, response protoreflect.MessageDescriptor) (List, error) {
	f, err := forwardOf(request)
	if err != nil {
		return List{}, err
	}
	p, err := pageOf(response, f)
	return List{f, p}, err
}

// Cursor is the request's field that selects the page.
func (l List) Cursor() protoreflect.FieldDescriptor { return l.forward.cursor }

// Items is the response's field with the items.
func (l List) Items() protoreflect.FieldDescriptor { return l.page.data }

// Trail begins a walk at a cursor, "" for the first page, of at most maxPages
// pages; a value below 1 means 1.
func (l List) Trail(cursor string, maxPages int) *Trail {
	t := &Trail{list: l, asked: cursor, trail: trail{max: max(maxPages, 1)}}
	t.trail.add(cursor)
	return t
}

// Trail is the history of a walk. It holds 32 bytes for each page, and belongs to one
// goroutine.
type Trail struct {
	list  List
	asked string
	trail trail
}

// Next takes note of the page that was asked for last, a response of the list's
// type, and returns the cursor of the one to ask for now: "" at the end of the
// list. It fails with an [*EndlessError] when the pages lead nowhere.
func (t *Trail) Next(page protoreflect.Message) (string, error) {
	next, reason := t.trail.follow(t.list.page, page, t.asked)
	if reason != "" {
		return "", &EndlessError{page.Descriptor().FullName(), reason, t.trail.pages}
	}
	t.asked = next
	return next, nil
}
