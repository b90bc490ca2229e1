package inventory

import (
	"math"
	"slices"
)

const (
	// nowhere is a page behind all others, and everywhere one before them.
	nowhere, everywhere = math.MaxInt, math.MinInt
	// maxNamed bounds the positions within items that a token names, in bytes: beside
	// them it has room for the position of the list. Four characters are three bytes.
	maxNamed = maxToken/4*3 - tokenHead - maxCursor
)

// leftovers are the positions that a stream did not read. They are no more than a resume
// token can name: where there are more, it begins earlier. First a whole item stands in
// place of its rest, then the list from the page of the first item for which there is no
// room.
type leftovers struct {
	named []position // within items
	size  int        // of named, in a token
	// list is the position of the outermost list, where that was not read to its end.
	list *position
	// from is the page of the outermost list from which on everything is left; nowhere
	// for none.
	from int
	// repeats says that some of what is left was sent.
	repeats bool
}

// add adds what a walk left.
func (l *leftovers) add(left ...position) {
	for _, p := range left {
		switch {
		case len(p.keys) == 0:
			l.list = &p
		case p.page < l.from:
			l.named = append(l.named, p)
			l.size += p.size()
		}
	}
	if l.size > maxNamed {
		l.shrink()
	}
}

// addBranch adds what is left of a walk.
func (l *leftovers) addBranch(b *branch) {
	left, repeats := b.rest()
	l.repeats = l.repeats || repeats
	l.add(left...)
}

// shrink makes room for at least a quarter more, so that it is not made for every one.
func (l *leftovers) shrink() {
	const enough = maxNamed / 4 * 3
	l.repeats = true
	seen := make(map[string]bool, len(l.named))
	l.keep(func(p *position) bool {
		again := seen[p.keys[0]]
		seen[p.keys[0]] = true
		*p = position{keys: p.keys[:1], page: p.page}
		return !again
	})
	if l.size <= enough {
		return
	}
	slices.SortStableFunc(l.named, func(a, b position) int { return a.page - b.page })
	size := 0
	for _, p := range l.named {
		// Those of a negative page come from another token, and are behind no page.
		if size += p.size(); size > enough && p.page >= 0 {
			l.from = p.page
			break
		}
	}
	l.keep(func(p *position) bool { return p.page < l.from })
	if l.size > maxNamed {
		*l = leftovers{from: everywhere, repeats: true}
	}
}

// keep drops what a function does not keep. It may change what it keeps.
func (l *leftovers) keep(kept func(*position) bool) {
	l.size = 0
	some := l.named[:0]
	for _, p := range l.named {
		if kept(&p) {
			some = append(some, p)
			l.size += p.size()
		}
	}
	clear(l.named[len(some):])
	l.named = some
}

// positions are all, in the order of the outermost list. At returns the position of a
// page of it.
func (l *leftovers) positions(at func(page int) position) []position {
	all := slices.Clone(l.named)
	slices.SortStableFunc(all, func(a, b position) int { return a.page - b.page })
	if l.from < nowhere {
		return append(all, at(l.from))
	}
	if l.list != nil {
		return append(all, *l.list)
	}
	return all
}
