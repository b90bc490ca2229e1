package pace

// list is a doubly linked list. Each node knows its list, so that a node is removed
// without a search.
type list[T any] struct {
	first, last *node[T]
	size        int
}

type node[T any] struct {
	value      T
	in         *list[T] // nil: in none
	prev, next *node[T]
}

func (l *list[T]) push(n *node[T]) {
	n.in, n.prev, n.next = l, l.last, nil
	if l.last == nil {
		l.first = n
	} else {
		l.last.next = n
	}
	l.last = n
	l.size++
}

// insert puts n before another node of the list; nil: at the end.
func (l *list[T]) insert(n, before *node[T]) {
	if before == nil {
		l.push(n)
		return
	}
	n.in, n.prev, n.next = l, before.prev, before
	if before.prev == nil {
		l.first = n
	} else {
		before.prev.next = n
	}
	before.prev = n
	l.size++
}

// remove takes n out of the list that it is in.
func (n *node[T]) remove() {
	l := n.in
	if n.prev == nil {
		l.first = n.next
	} else {
		n.prev.next = n.next
	}
	if n.next == nil {
		l.last = n.prev
	} else {
		n.next.prev = n.prev
	}
	l.size--
	n.in, n.prev, n.next = nil, nil, nil
}
