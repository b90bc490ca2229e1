// Package many holds many small things in few blocks of memory, so that a collector
// visits the blocks and not each thing, and so that whoever keeps one thing keeps its
// block, and not all of them. It imports the standard library alone.
package many

import (
	"strings"
	"unsafe"
)

// blockBytes is about how large a block is.
const blockBytes = 4 << 10

// Texts keep texts. The zero Texts have none. They are not safe for concurrent use.
type Texts struct{ block *strings.Builder }

// Keep is a copy of a text.
func (t *Texts) Keep(text string) string {
	if t.block == nil || t.block.Cap()-t.block.Len() < len(text) {
		t.block = new(strings.Builder)
		t.block.Grow(max(blockBytes, len(text)))
	}
	from := t.block.Len()
	t.block.WriteString(text) // There is room: what was kept before stays where it is.
	return t.block.String()[from:]
}

// List is a list that grows and never moves its elements. The zero List is empty. It is
// safe for concurrent reads.
type List[T any] struct {
	blocks [][]T
	length int
}

// Add adds a zero element, and returns it with its number, from 0.
func (l *List[T]) Add() (int, *T) {
	per := perBlock[T]()
	if l.length == len(l.blocks)*per {
		l.blocks = append(l.blocks, make([]T, per))
	}
	l.length++
	return l.length - 1, l.At(l.length - 1)
}

// At is the element with a number, which is less than [List.Len].
func (l *List[T]) At(number int) *T {
	per := perBlock[T]()
	return &l.blocks[number/per][number%per]
}

// Len is how many elements there are.
func (l *List[T]) Len() int { return l.length }

func perBlock[T any]() int {
	var one T
	return max(1, blockBytes/max(1, int(unsafe.Sizeof(one))))
}
