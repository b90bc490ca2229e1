package data

import "slices"

// Collection holds items by id in the order in which they were added, which is
// the order of their creation. It is not safe for concurrent use.
type Collection[T any] struct {
	byID map[string]T
	ids  []string
}

func newCollection[T any]() *Collection[T] {
	return &Collection[T]{byID: make(map[string]T)}
}

// Add returns false, and changes nothing, if the id is taken.
func (c *Collection[T]) Add(id string, item T) bool {
	if c.Has(id) {
		return false
	}
	c.byID[id] = item
	c.ids = append(c.ids, id)
	return true
}

// Has says whether there is an item with the id.
func (c *Collection[T]) Has(id string) bool { _, ok := c.byID[id]; return ok }

// Get returns the item with the id, the zero value if there is none.
func (c *Collection[T]) Get(id string) T { return c.byID[id] }

// Len returns the number of items.
func (c *Collection[T]) Len() int { return len(c.ids) }

// Remove returns false if there is no item with the id.
func (c *Collection[T]) Remove(id string) bool {
	if !c.Has(id) {
		return false
	}
	delete(c.byID, id)
	c.ids = slices.DeleteFunc(c.ids, func(other string) bool { return other == id })
	return true
}

// Clear removes all items.
func (c *Collection[T]) Clear() {
	clear(c.byID)
	c.ids = nil
}

// All returns the items in the order of their creation.
func (c *Collection[T]) All() []T {
	out := make([]T, len(c.ids))
	for i, id := range c.ids {
		out[i] = c.byID[id]
	}
	return out
}

// Any says whether an item matches.
func (c *Collection[T]) Any(match func(T) bool) bool {
	for _, item := range c.byID {
		if match(item) {
			return true
		}
	}
	return false
}
