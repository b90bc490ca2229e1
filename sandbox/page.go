package sandbox

import "slices"

// limitParam declares the page size. An absent one and 0 mean the default.
func limitParam(fallback, maximum int64) field {
	f := num("limit").between(0, maximum)
	f.fallback, f.zeroFallback = fallback, true
	return f
}

func afterParam() field  { return str("after") }
func beforeParam() field { return str("before") }
func orderParam() field  { return str("order").oneOf("asc", "desc") }

// listing is a list from which a page is cut. The items are in the order of their
// creation. A nil keep selects all of them.
type listing[T any] struct {
	items []T
	id    func(T) string
	view  func(T) any
	keep  func(T) bool

	// newestFirst reverses the order if the request does not name one.
	newestFirst bool
}

// cut returns the requested page and whether more items follow it. With `before`
// alone the walk goes backwards, and more means that items precede the page.
//
// A cursor may be any item, also one that the filter leaves out: a walk can go on
// after its last item has stopped matching.
func (l listing[T]) cut(query values) (page []T, more bool, err error) {
	items := l.items
	order := query.str("order")
	if order == "desc" || order == "" && l.newestFirst {
		items = slices.Clone(items)
		slices.Reverse(items)
	}
	after, before := query.str("after"), query.str("before")
	if after != "" {
		at, err := l.locate(items, "after", after)
		if err != nil {
			return nil, false, err
		}
		items = items[at+1:]
	}
	if before != "" {
		at, err := l.locate(items, "before", before)
		if err != nil {
			return nil, false, err
		}
		items = items[:at]
	}
	if l.keep != nil {
		matching := make([]T, 0, len(items))
		for _, item := range items {
			if l.keep(item) {
				matching = append(matching, item)
			}
		}
		items = matching
	}
	limit := int(query.num("limit"))
	if len(items) <= limit {
		return items, false, nil
	}
	if before != "" && after == "" {
		return items[len(items)-limit:], true, nil
	}
	return items[:limit], true, nil
}

func (l listing[T]) locate(items []T, param, cursor string) (int, error) {
	at := slices.IndexFunc(items, func(item T) bool { return l.id(item) == cursor })
	if at < 0 {
		return 0, badRequest(param, "invalid_cursor", "Invalid cursor: no item with id '%s' in this list.", cursor)
	}
	return at, nil
}

func (l listing[T]) views(page []T) []any {
	out := make([]any, len(page))
	for i, item := range page {
		out[i] = l.view(item)
	}
	return out
}

// byID returns a page whose `last_id` is the next value of `after`.
func (l listing[T]) byID(query values) (any, error) {
	page, more, err := l.cut(query)
	if err != nil {
		return nil, err
	}
	var first, last *string
	if len(page) > 0 {
		first, last = new(l.id(page[0])), new(l.id(page[len(page)-1]))
	}
	return struct {
		Object  string  `json:"object"`
		Data    []any   `json:"data"`
		FirstID *string `json:"first_id"`
		LastID  *string `json:"last_id"`
		HasMore bool    `json:"has_more"`
	}{"list", l.views(page), first, last, more}, nil
}

// bare returns a page that names no cursor: the next value of `after` is
// the id of its last item.
func (l listing[T]) bare(query values) (any, error) {
	page, more, err := l.cut(query)
	if err != nil {
		return nil, err
	}
	return struct {
		Object  string `json:"object"`
		Data    []any  `json:"data"`
		HasMore bool   `json:"has_more"`
	}{"list", l.views(page), more}, nil
}

// byNext returns a page whose `next` is the next value of `after`.
func (l listing[T]) byNext(query values) (any, error) {
	page, more, err := l.cut(query)
	if err != nil {
		return nil, err
	}
	var next *string
	if more {
		next = new(l.id(page[len(page)-1]))
	}
	return struct {
		Object  string  `json:"object"`
		Data    []any   `json:"data"`
		HasMore bool    `json:"has_more"`
		Next    *string `json:"next"`
	}{"list", l.views(page), more, next}, nil
}

// deleted is the answer of most deletes.
type deleted struct {
	Object  string `json:"object"`
	ID      string `json:"id,omitempty"`
	Deleted bool   `json:"deleted"`
}
