package pages

import (
	"context"
	"fmt"
	"iter"
	"reflect"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// DefaultMaxPages is the length of a walk, in pages, unless [MaxPages] says
// otherwise.
const DefaultMaxPages = 10_000

// Option changes how [Walk] walks.
type Option func(*walker)

// MaxPages bounds a walk to n pages: when the n-th says that there are more,
// the walk ends with an [*EndlessError]. It ends a walk through cursors
// that are always new. A value below 1 means 1.
func MaxPages(n int) Option {
	return func(w *walker) { w.maxPages = max(n, 1) }
}

// Walk calls a list method page by page and yields every item, in the order in
// which the server sends them. It starts where req says (from the beginning
// when its cursor is empty) and passes on everything else that req holds, such
// as the filter and the size of a page.
//
// Only the item's type has to be written; a stub's method is the call:
//
//	for project, err := range pages.Walk[*adminv1.Project](ctx, client.ListProjects, req) {
//
// An error is yielded once, with a zero item, and ends the walk. It is
//   - the call's own error, as it is;
//   - the context's, when it ends between two pages;
//   - an [*EndlessError], when the server's pages lead nowhere;
//   - an [*UnsupportedError], when the call is not a list, its items are not of type T, or req
//     has `before` set (backwards there is no end to walk to: the pages before
//     an item and those after the last of them are not one list).
//
// The items that arrived before an error are yielded before it. Leaving the
// loop makes no further call. Ranging again walks again from the start.
//
// Memory is bounded by one page and 32 bytes for each page walked. req is
// copied at once and never changed; call gets a copy of its own for each page.
func Walk[T, Req, Res proto.Message](
	ctx context.Context,
	call func(context.Context, Req) (Res, error),
	req Req,
	opts ...Option,
) iter.Seq2[T, error] {
	w := walker{maxPages: DefaultMaxPages}
	for _, opt := range opts {
		opt(&w)
	}
	err := w.start(req)
	if err == nil {
		req = proto.CloneOf(req)
	}
	return func(yield func(T, error) bool) {
		err := err
		if err == nil {
			err = walk(ctx, w, call, req, func(item T) bool { return yield(item, nil) })
		}
		if err != nil {
			var none T
			yield(none, err)
		}
	}
}

// Collect walks to the end and returns all items. When the walk ends with an
// error it returns that error and no items, so that a part is never taken for
// the whole.
func Collect[T any](seq iter.Seq2[T, error]) ([]T, error) {
	var all []T
	for item, err := range seq {
		if err != nil {
			return nil, err
		}
		all = append(all, item)
	}
	return all, nil
}

// walker is the state of a walk before its first call.
type walker struct {
	maxPages int
	forward  forward
}

func (w *walker) start(req proto.Message) error {
	if isNil(req) {
		return &UnsupportedError{Problem: "the request is nil"}
	}
	m := req.ProtoReflect()
	f, err := forwardOf(m.Descriptor())
	if err != nil {
		return err
	}
	if before := stringField(m.Descriptor(), "before"); before != nil && m.Get(before).String() != "" {
		return &UnsupportedError{m.Descriptor().FullName(), "has `before` set; a walk goes forward"}
	}
	w.forward = f
	return nil
}

// walk yields the items of all pages. It returns nil at the end of the list and
// when yield asks for no more.
func walk[T, Req, Res proto.Message](
	ctx context.Context,
	w walker,
	call func(context.Context, Req) (Res, error),
	req Req,
	yield func(T) bool,
) error {
	cursor := req.ProtoReflect().Get(w.forward.cursor).String()
	seen := trail{max: w.maxPages}
	seen.add(cursor)
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		ask := proto.CloneOf(req)
		if cursor != "" {
			ask.ProtoReflect().Set(w.forward.cursor, protoreflect.ValueOfString(cursor))
		}
		res, err := call(ctx, ask)
		if err != nil {
			return err
		}
		if isNil(res) {
			return &UnsupportedError{Problem: "the call returned neither a response nor an error"}
		}
		m := res.ProtoReflect()
		p, err := pageOf(m.Descriptor(), w.forward)
		if err != nil {
			return err
		}
		items := m.Get(p.data).List()
		for i := range items.Len() {
			item, ok := items.Get(i).Message().Interface().(T)
			if !ok {
				return &UnsupportedError{m.Descriptor().FullName(), fmt.Sprintf("has items of type %s, not %T", p.data.Message().FullName(), item)}
			}
			if !yield(item) {
				return nil
			}
		}
		next, reason := seen.follow(p, m, cursor)
		switch {
		case reason != "":
			return &EndlessError{m.Descriptor().FullName(), reason, seen.pages}
		case next == "":
			return nil
		}
		cursor = next
	}
}

// isNil exists because a nil *dynamicpb.Message cannot be asked for its validity.
func isNil(m proto.Message) bool {
	v := reflect.ValueOf(m)
	return !v.IsValid() || v.Kind() == reflect.Pointer && v.IsNil()
}
