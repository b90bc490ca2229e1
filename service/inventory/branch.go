package inventory

import (
	"slices"

	"github.com/admin-gateway/admin-gateway/pages"
)

// branch is a walk: of a list to its end, and of all lists within it, depth first. It
// knows what was not read, at each moment, because the scheduler tells the caller so
// while the walk goes on.
//
// The walker has one. With each page it hands over a copy, which is what is left once
// that page has been sent, and never changes: slices are shared, and only appended to.
type branch struct {
	root   position
	frames []frame // of the lists that were begun, outermost first
	// failed are the positions of the reads that failed.
	failed []position
	// whole stands for so many failures that the outermost item as a whole is left.
	whole bool
}

// frame is a list that was begun.
type frame struct {
	// at is its page to ask for, if there is one more.
	at   position
	more bool
	// inner are the items of the page before whose lists were not begun.
	inner []string
	// list is what the walker remembers of the list; nil until the first read of it.
	list *listing
}

// listing is what a walker remembers of the pages of a list.
type listing struct {
	trail *pages.Trail // nil: it is no list
	edge  int64        // where the buckets of the pages before ended
}

// maxBranchRest bounds what one outermost item leaves for a resume token.
const maxBranchRest = 1000

func newBranch(p position) branch {
	return branch{root: p, frames: []frame{{at: p, more: true}}}
}

// next is the list of the next read; nil at the end. It is good until read or fail.
func (b *branch) next() *frame {
	for len(b.frames) > 0 {
		innermost := len(b.frames) - 1
		f := &b.frames[innermost]
		switch {
		case len(f.inner) > 0:
			inside := f.at.inside(f.inner[0])
			f.inner = f.inner[1:]
			b.frames = append(b.frames, frame{at: inside, more: true})
		case f.more:
			return f
		default:
			b.frames = b.frames[:innermost]
		}
	}
	return nil
}

// read takes note of the page of a list: the items on it whose lists are part of the
// walk, and the cursor of the page behind it, "" for none.
func (b *branch) read(f *frame, inner []string, next string) {
	f.inner, f.at.cursor, f.more = inner, next, next != ""
}

// fail takes note of a failure: the rest of that list is left.
func (b *branch) fail(f *frame) {
	f.more = false
	if b.whole {
		return
	}
	b.failed = append(b.failed, f.at)
	b.whole = len(b.failed) > maxBranchRest
}

// clone is a copy that does not change.
func (b *branch) clone() branch {
	return branch{root: b.root, frames: slices.Clone(b.frames), failed: slices.Clip(b.failed), whole: b.whole}
}

// rest are the positions that were not read. Where they are too many, the outermost item
// stands for all of them, and something of it was read already: it repeats.
func (b *branch) rest() (left []position, repeats bool) {
	left = slices.Clone(b.failed)
	for _, f := range slices.Backward(b.frames) {
		for _, key := range f.inner {
			left = append(left, f.at.inside(key))
		}
		if f.more {
			left = append(left, f.at)
		}
	}
	if b.whole || len(left) > maxBranchRest {
		return []position{{keys: b.root.keys[:1], page: b.root.page}}, true
	}
	return left, false
}
