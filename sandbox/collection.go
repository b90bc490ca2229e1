package sandbox

import "slices"

// collection keeps things by id in the order in which they were added, which
// is the order of their creation. It is not safe for concurrent use; the
// organization's lock guards it.
type collection[T any] struct {
	byID map[string]T
	ids  []string
}

func newCollection[T any]() *collection[T] {
	return &collection[T]{byID: make(map[string]T)}
}

// add reports false, and changes nothing, when the id is taken.
func (c *collection[T]) add(id string, item T) bool {
	if _, taken := c.byID[id]; taken {
		return false
	}
	c.byID[id] = item
	c.ids = append(c.ids, id)
	return true
}

func (c *collection[T]) has(id string) bool { _, ok := c.byID[id]; return ok }
func (c *collection[T]) len() int           { return len(c.ids) }

// find returns the upstream's 404 for an unknown id.
func (c *collection[T]) find(what, id string) (T, error) {
	item, ok := c.byID[id]
	if !ok {
		return item, notFound(what, id)
	}
	return item, nil
}

func (c *collection[T]) remove(id string) bool {
	if !c.has(id) {
		return false
	}
	delete(c.byID, id)
	c.ids = slices.DeleteFunc(c.ids, func(other string) bool { return other == id })
	return true
}

func (c *collection[T]) clear() {
	clear(c.byID)
	c.ids = nil
}

// all returns the items in order of creation.
func (c *collection[T]) all() []T {
	out := make([]T, len(c.ids))
	for i, id := range c.ids {
		out[i] = c.byID[id]
	}
	return out
}

func (c *collection[T]) any(match func(T) bool) bool {
	for _, item := range c.byID {
		if match(item) {
			return true
		}
	}
	return false
}
