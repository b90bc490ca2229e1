package recent

import (
	"bytes"
	"slices"
	"sync"
	"time"

	"github.com/admin-gateway/admin-gateway/internal/longestqueue"
	"github.com/admin-gateway/admin-gateway/service/audit"
)

// blockBytes is the size of a block. Every line fits into one.
const blockBytes = audit.MaxLine

// pool keeps lines in blocks, of which each caller has a chain. Where there are as many
// blocks as may be, the oldest block of the longest chain is the next one, so that a caller
// of many calls takes no room from one of few.
type pool struct {
	// most is how many blocks there are at the most. It does not change.
	most int

	mu     sync.Mutex
	chains map[string]*chain
	blocks longestqueue.Queues[string, *block]
	// lost is the time of the newest record that was forgotten with the whole chain of its
	// caller.
	lost time.Time
}

// chain has the blocks of a caller, oldest first. It is never empty.
type chain struct {
	blocks []*block
	// lost is the time of the newest record that was forgotten.
	lost time.Time
}

// block has whole records, oldest first.
type block struct {
	key    string
	text   []byte
	newest time.Time
	// uses counts how often the block was begun anew.
	uses uint64
}

// keep keeps the lines of a record, or of one that is larger than a block the first. It
// allocates where a block begins, and nowhere else.
func (p *pool) keep(key string, at time.Time, lines []byte) {
	if len(lines) > blockBytes {
		lines = lines[:bytes.IndexByte(lines, '\n')+1]
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	b := p.room(key, len(lines))
	b.text = append(b.text, lines...)
	if at.After(b.newest) {
		b.newest = at
	}
}

// room is the block of a key that has room for n bytes.
func (p *pool) room(key string, n int) *block {
	c := p.chains[key]
	if c != nil {
		if last := c.blocks[len(c.blocks)-1]; len(last.text)+n <= blockBytes {
			return last
		}
	}
	b := p.block()
	b.key = key
	// Another chain may have ended for it, or this one.
	if c = p.chains[key]; c == nil {
		c = &chain{lost: p.lost}
		if p.chains == nil {
			p.chains = make(map[string]*chain)
		}
		p.chains[key] = c
	}
	c.blocks = append(c.blocks, b)
	p.blocks.Add(key, b)
	return b
}

// block is an empty block: a new one, or the one that is to go.
func (p *pool) block() *block {
	if p.blocks.Len() < p.most {
		return &block{text: make([]byte, 0, blockBytes)}
	}
	oldest := p.blocks.Longest()
	p.blocks.Remove(oldest)
	b := oldest.Value
	c := p.chains[b.key]
	c.lost = later(c.lost, b.newest)
	if c.blocks = slices.Delete(c.blocks, 0, 1); len(c.blocks) == 0 {
		delete(p.chains, b.key)
		p.lost = later(p.lost, c.lost)
	}
	b.text, b.newest = b.text[:0], time.Time{}
	b.uses++
	return b
}

// read gives each block of a caller, or of all callers for "", to see, as a copy that is
// valid until see returns. The pool is locked for the copy of one block at a time; a
// block that is forgotten meanwhile is left out. It returns the time up to which records
// were forgotten, zero where none was.
func (p *pool) read(key string, see func(text []byte)) (lost time.Time) {
	type place struct {
		block *block
		uses  uint64
	}
	var places []place
	p.mu.Lock()
	for of, c := range p.chains {
		if key != "" && of != key {
			continue
		}
		for _, b := range c.blocks {
			places = append(places, place{b, b.uses})
		}
	}
	p.mu.Unlock()
	copied := make([]byte, 0, blockBytes)
	for _, at := range places {
		p.mu.Lock()
		if copied = copied[:0]; at.block.uses == at.uses {
			copied = append(copied, at.block.text...)
		}
		p.mu.Unlock()
		see(copied)
	}
	return p.lostOf(key)
}

// lostOf is asked after a reading, so that what was forgotten meanwhile counts.
func (p *pool) lostOf(key string) time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	lost := p.lost
	for of, c := range p.chains {
		if key == "" || of == key {
			lost = later(lost, c.lost)
		}
	}
	return lost
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}
