// Package longestqueue holds items in queues by a key, and says which one is to go
// when there is no room: the oldest of the longest queue. So a key with many items
// takes no room from one with few. It imports nothing of the project.
package longestqueue

import (
	"container/heap"
	"container/list"
)

// Queues holds items of type V in queues by a key of type K. Each change takes the
// logarithm of the number of keys. The zero value is empty. It is not safe for
// concurrent use.
type Queues[K comparable, V any] struct {
	byKey   map[K]*queue[K, V]
	longest order[K, V]
	size    int
	added   uint64
}

// queue has the items of one key, oldest first. It is never empty.
type queue[K comparable, V any] struct {
	key   K
	items list.List
	at    int // its index in the heap
}

// Item is an item in its queue.
type Item[K comparable, V any] struct {
	// Value is the item itself.
	Value V

	of     *queue[K, V] // nil once it is removed
	place  *list.Element
	number uint64 // in the order of arrival
}

// Add appends an item to the queue of the key.
func (q *Queues[K, V]) Add(key K, value V) *Item[K, V] {
	if q.byKey == nil {
		q.byKey = make(map[K]*queue[K, V])
	}
	q.added++
	item := &Item[K, V]{Value: value, number: q.added}
	of := q.byKey[key]
	if of == nil {
		of = &queue[K, V]{key: key}
		q.byKey[key] = of
		item.of, item.place = of, of.items.PushBack(item)
		heap.Push(&q.longest, of)
	} else {
		item.of, item.place = of, of.items.PushBack(item)
		heap.Fix(&q.longest, of.at)
	}
	q.size++
	return item
}

// Remove takes an item out. It does nothing where that was done before.
func (q *Queues[K, V]) Remove(item *Item[K, V]) {
	of := item.of
	if of == nil {
		return
	}
	of.items.Remove(item.place)
	item.of, item.place = nil, nil
	q.size--
	if of.items.Len() > 0 {
		heap.Fix(&q.longest, of.at)
		return
	}
	heap.Remove(&q.longest, of.at)
	delete(q.byKey, of.key)
}

// Longest is the oldest item of the longest queue, nil where there is none. Of
// queues of one length it is the one whose oldest item is older.
func (q *Queues[K, V]) Longest() *Item[K, V] {
	if len(q.longest) == 0 {
		return nil
	}
	return q.longest[0].oldest()
}

// Len is the number of items.
func (q *Queues[K, V]) Len() int { return q.size }

// Of is the number of items of a key.
func (q *Queues[K, V]) Of(key K) int {
	if of := q.byKey[key]; of != nil {
		return of.items.Len()
	}
	return 0
}

func (o *queue[K, V]) oldest() *Item[K, V] {
	item, _ := o.items.Front().Value.(*Item[K, V])
	return item
}

// order is a heap of queues, the longest first.
type order[K comparable, V any] []*queue[K, V]

// Len implements [heap.Interface].
func (o order[K, V]) Len() int { return len(o) }

// Less implements [heap.Interface].
func (o order[K, V]) Less(i, j int) bool {
	if mine, theirs := o[i].items.Len(), o[j].items.Len(); mine != theirs {
		return mine > theirs
	}
	return o[i].oldest().number < o[j].oldest().number
}

// Swap implements [heap.Interface].
func (o order[K, V]) Swap(i, j int) {
	o[i], o[j] = o[j], o[i]
	o[i].at, o[j].at = i, j
}

// Push implements [heap.Interface].
func (o *order[K, V]) Push(x any) {
	if of, ok := x.(*queue[K, V]); ok {
		of.at = len(*o)
		*o = append(*o, of)
	}
}

// Pop implements [heap.Interface].
func (o *order[K, V]) Pop() any {
	old := *o
	last := old[len(old)-1]
	old[len(old)-1] = nil
	*o = old[:len(old)-1]
	return last
}
