package strictyaml

import (
	"errors"
	"iter"
	"reflect"
	"sync"
	"sync/atomic"

	"go.yaml.in/yaml/v3"
)

// List is a list at the top level of a file that may be long. [Unmarshal] does not read
// its elements; a walk over [List.All] does, some at a time, so that neither they nor
// their trees are all there at once. Where the elements each begin a line with "- ", the
// file may be larger than [MaxBytes]. A List is walked once.
type List[T any] struct {
	doc     *Document
	outline outline    // that of the document when it was read
	node    *yaml.Node // the list, or its first elements; nil: the file has none
	faults  []error
}

// stream is what a [List] is to the decoder.
type stream interface {
	begin(doc *Document, node *yaml.Node)
	element() reflect.Type
}

func (l *List[T]) begin(doc *Document, node *yaml.Node) {
	l.doc, l.outline, l.node = doc, doc.outline, node
}

func (*List[T]) element() reflect.Type { return reflect.TypeFor[T]() }

// stream begins a list.
func (d *decoding) stream(node *yaml.Node, into reflect.Value) {
	if node.Kind != yaml.SequenceNode {
		d.fail(node, "must be a list")
		return
	}
	into.Addr().Interface().(stream).begin(d.doc, node) //nolint:forcetypeassert // Its shape says so.
}

// All are the elements, in the order of the file, with their numbers from 0. An element
// with a fault is walked too, as far as it could be read. The goroutines that read ahead
// have ended when the walk has. See [List.Err] for the faults.
func (l *List[T]) All() iter.Seq2[int, *T] {
	return func(yield func(int, *T) bool) {
		if l.node == nil {
			return
		}
		walk := walk[T]{list: l, yield: yield}
		d := l.decoding(l.outline.lineOf, maxNodes)
		if !walk.chunk(l.read(d, l.node.Content), d.faults) {
			return
		}
		list := l.outline.list(l.node)
		if list == nil {
			return
		}
		if err := walk.parts(list.parts); err != nil {
			walk.rest(list.key, err)
		}
	}
}

// Err joins the faults of the elements that were walked, each an [*Error]: the first
// twenty of them.
func (l *List[T]) Err() error { return errors.Join(l.faults...) }

func (l *List[T]) decoding(lines func(int) int, nodes int) *decoding {
	return &decoding{doc: l.doc, lines: lines, nodes: nodes}
}

func (l *List[T]) read(d *decoding, nodes []*yaml.Node) []T {
	elements := make([]T, len(nodes))
	for i, node := range nodes {
		d.value(node, reflect.ValueOf(&elements[i]).Elem(), 2)
	}
	return elements
}

// chunk is what was read of a part.
type chunk[T any] struct {
	elements []T
	faults   []error
	err      error // it cannot be read by itself
}

// readPart reads a part. A value takes a byte at the least, so what has more values than four
// for each byte repeats them by aliases.
func (l *List[T]) readPart(p *part, plain *plainReader) chunk[T] {
	nodes, plainly, err := p.parse(l.doc.file, plain)
	if err != nil {
		return chunk[T]{err: err}
	}
	d := l.decoding(p.lineOf, 4*len(p.text))
	d.borrowed = plainly
	elements := l.read(d, nodes)
	return chunk[T]{elements, d.faults, nil}
}

// walk is one walk over a list.
type walk[T any] struct {
	list  *List[T]
	yield func(int, *T) bool
	next  int // the number of the next element
	ended bool
}

// chunk walks elements, and is false where the walk is to end.
func (w *walk[T]) chunk(elements []T, faults []error) bool {
	l := w.list
	l.faults = append(l.faults, faults[:min(len(faults), maxErrors-len(l.faults))]...)
	for i := range elements {
		w.next++
		if !w.yield(w.next-1, &elements[i]) {
			w.ended = true
			return false
		}
	}
	return true
}

// parts walks the parts. It fails at one that cannot be read by itself.
func (w *walk[T]) parts(parts []part) error {
	plain := new(plainReader)
	read := func(p *part) chunk[T] { return w.list.readPart(p, plain) }
	if workers := w.list.doc.pace.Workers; workers > 1 {
		ahead := newReader(parts, workers, w.list.readPart)
		defer ahead.stop()
		read = func(*part) chunk[T] { return ahead.next() }
	}
	for i := range parts {
		w.list.doc.pace.rest()
		parts[i].first, parts[i].known = w.next, true
		one := read(&parts[i])
		if one.err != nil {
			return one.err
		}
		if !w.chunk(one.elements, one.faults) {
			return nil
		}
	}
	return nil
}

// rest walks what is left of a list, of which a part cannot be read by itself: that says
// err, or where the file is small enough, a look at it as a whole.
func (w *walk[T]) rest(key string, err error) {
	l := w.list
	if len(l.doc.text) <= l.doc.most.tree {
		err = l.doc.parseWhole()
	}
	if err != nil {
		l.faults = []error{err} // A file that is not YAML has this fault alone.
		return
	}
	d := l.decoding(l.doc.outline.lineOf, maxNodes)
	w.chunk(l.read(d, elements(l.doc.root, key)[w.next:]), d.faults)
}

// elements are those of the list with a key.
func elements(root *yaml.Node, key string) []*yaml.Node {
	if root == nil {
		return nil
	}
	if list := child(root, key); list != nil {
		return resolve(list).Content
	}
	return nil
}

// reader reads parts ahead of a walk. It has a bounded number of them in memory.
type reader[T any] struct {
	parts   []part
	read    func(*part, *plainReader) chunk[T]
	room    chan struct{}   // one for each chunk that may be in memory
	done    []chan chunk[T] // by the number of the part, modulo their number
	taken   atomic.Int64    // parts that goroutines have begun with
	walked  int
	ended   chan struct{}
	running sync.WaitGroup
}

func newReader[T any](parts []part, workers int, read func(*part, *plainReader) chunk[T]) *reader[T] {
	r := &reader[T]{
		parts: parts, read: read, room: make(chan struct{}, 2*workers), done: make([]chan chunk[T], 2*workers), ended: make(chan struct{}),
	}
	for i := range r.done {
		r.done[i] = make(chan chunk[T], 1)
	}
	for range workers {
		r.running.Go(r.work)
	}
	return r
}

func (r *reader[T]) work() {
	plain := new(plainReader)
	for {
		select {
		case <-r.ended:
			return
		case r.room <- struct{}{}:
		}
		i := int(r.taken.Add(1)) - 1
		if i >= len(r.parts) {
			return
		}
		// Less than len(done) parts are ahead of the walk, so the place is free.
		r.done[i%len(r.done)] <- r.read(&r.parts[i], plain)
	}
}

// next is the next part.
func (r *reader[T]) next() chunk[T] {
	one := <-r.done[r.walked%len(r.done)]
	r.walked++
	<-r.room
	return one
}

// stop ends the goroutines, and waits for that.
func (r *reader[T]) stop() {
	close(r.ended)
	r.running.Wait()
}
