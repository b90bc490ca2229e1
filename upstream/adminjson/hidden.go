package adminjson

import (
	"cmp"
	"slices"
	"strings"
)

const (
	// redactedPrefix begins the name of a member that shows another one in part.
	redactedPrefix = "redacted_"
	// mask stands in the place of a value that is not shown.
	mask = `"[redacted]"`
)

// hides returns the name of the member that a message has in redacted form alone: an
// object with it would show what its schema hides.
func (p *plan) hides() string {
	for i := range p.fields {
		name, redacted := strings.CutPrefix(p.fields[i].name, redactedPrefix)
		if _, shown := p.byName[name]; redacted && !shown {
			return name
		}
	}
	return ""
}

// span is a part of the JSON.
type span struct{ from, to int }

// hide passes over a value that must not be shown, and takes note of its place.
func (d *decoder) hide(p *plan) {
	from := d.pos
	d.skip()
	// Null shows nothing, and what was masked before it was stored is no news.
	if value := string(d.src[from:d.pos]); value == mask || value == "null" {
		return
	}
	d.hidden = append(d.hidden, span{from, d.pos})
	d.drift.add(p.desc.FullName(), p.hidden, Unredacted)
}

// json returns the JSON that was read, without what must not be shown.
func (d *decoder) json() []byte {
	if len(d.hidden) == 0 {
		return d.src
	}
	// An object of a union is read more than once.
	slices.SortFunc(d.hidden, func(a, b span) int { return cmp.Compare(a.from, b.from) })
	var out []byte
	at := 0
	for _, hidden := range slices.Compact(d.hidden) {
		out = append(append(out, d.src[at:hidden.from]...), mask...)
		at = hidden.to
	}
	return append(out, d.src[at:]...)
}
