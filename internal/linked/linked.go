// Package linked has lists whose members hold their own links. To be on a list for the
// time of a call costs no memory then.
package linked

// List is a list of members of one type, in no order that is told. The zero value is
// empty. It is not safe for concurrent use, and not copied.
type List[T any] struct {
	first *Link[T]
	size  int
}

// Link is the place of a member on a list, and part of the member. The zero value is on
// no list. It is not copied.
type Link[T any] struct {
	member         *T
	previous, next *Link[T]
}

// Len is the number of members.
func (l *List[T]) Len() int { return l.size }

// Add puts a member on the list, with a link of its own that is on none.
func (l *List[T]) Add(member *T, link *Link[T]) {
	*link = Link[T]{member: member, next: l.first}
	if l.first != nil {
		l.first.previous = link
	}
	l.first = link
	l.size++
}

// Remove takes the member of a link off the list. It does nothing to one that is on none;
// a link of another list must not be given.
func (l *List[T]) Remove(link *Link[T]) {
	if link.member == nil {
		return
	}
	if link.next != nil {
		link.next.previous = link.previous
	}
	if link.previous != nil {
		link.previous.next = link.next
	} else {
		l.first = link.next
	}
	*link = Link[T]{}
	l.size--
}

// All yields the members. The list must not change meanwhile.
func (l *List[T]) All(yield func(*T) bool) {
	for link := l.first; link != nil; link = link.next {
		if !yield(link.member) {
			return
		}
	}
}
