package bodies

import (
	"fmt"
	"math/big"
	"strconv"
)

// What a difference can be.
const (
	lost     = "lost"     // a value was sent and did not arrive
	invented = "invented" // a value arrived that was not sent
	changed  = "changed"  // another value arrived
	unsaid   = "unsaid"   // a zero arrived where there was no value
	refused  = "refused"  // nothing arrived
)

// difference is one between what was sent and what arrived.
type difference struct {
	path, what, detail string
}

func (d difference) String() string { return d.path + ": " + d.what + d.detail }

// compare returns the differences between two trees; either may be nil: no value.
// Strict, a null is not the same as no value. It is not in a request, and in an object
// of any members; the fields of an answer's message have one word for both.
func compare(sent, got *node, strict bool) []difference {
	var c comparison
	c.compare("", sent, got, strict)
	return c.found
}

type comparison struct{ found []difference }

func (c *comparison) add(path, what string, detail ...any) {
	c.found = append(c.found, difference{path, what, fmt.Sprint(detail...)})
}

func (c *comparison) compare(path string, sent, got *node, strict bool) {
	none := func(n *node) bool { return n == nil || n.kind == null && !strict }
	switch {
	case none(sent) && none(got):
	case none(got):
		c.add(path, lost)
	case none(sent) && got.zero:
		c.add(path, unsaid)
	case none(sent):
		c.add(path, invented)
	case sent.kind == structure && got.kind == structure:
		c.members(path, sent, got, strict || sent.open)
	case sent.kind == array && got.kind == array:
		c.items(path, sent.items, got.items, strict)
	case !equal(sent, got):
		c.add(path, changed, fmt.Sprintf(": %.80q arrived and not %.80q", got.text, sent.text))
	}
}

// items compares elements. A null among them has its place.
func (c *comparison) items(path string, sent, got []*node, strict bool) {
	if len(sent) != len(got) {
		c.add(path, changed, ": ", len(got), " elements and not ", len(sent))
		return
	}
	for i := range sent {
		at := path + "[" + strconv.Itoa(i) + "]"
		if got[i] == nil || (sent[i].kind == null) != (got[i].kind == null) {
			c.add(at, changed)
			continue
		}
		c.compare(at, sent[i], got[i], strict)
	}
}

func (c *comparison) members(path string, sent, got *node, strict bool) {
	for _, m := range sent.members {
		if !m.extra {
			c.compare(below(path, m.name), m.value, got.member(m.name), strict)
		}
	}
	for i, m := range got.members {
		if !sent.describes(m.name) {
			c.compare(below(path, m.name), nil, m.value, strict)
		}
		for _, other := range got.members[:i] {
			if other.name == m.name {
				c.add(below(path, m.name), invented, ": twice")
			}
		}
	}
}

// below is the path of a member. Its name may be anything, and is one line here.
func below(path, name string) string {
	if quoted := strconv.Quote(name); quoted != `"`+name+`"` || len(name) > 80 {
		name = fmt.Sprintf("%.80s", quoted)
	}
	return path + "." + name
}

// equal compares leaves.
func equal(sent, got *node) bool {
	switch {
	case got.kind == decimal && sent.kind == text:
		return sent.text == got.text
	case sent.kind == number && (got.kind == number || got.kind == decimal):
		a, ok := new(big.Rat).SetString(sent.text)
		b, good := new(big.Rat).SetString(got.text)
		return ok && good && a.Cmp(b) == 0
	default:
		return sent.kind == got.kind && sent.text == got.text
	}
}
