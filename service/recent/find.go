package recent

import (
	"bytes"
	"slices"
	"time"

	"github.com/admin-gateway/admin-gateway/service/audit"
)

// Found are the records that a memory has.
type Found struct {
	// Records are the newest that meet the filter, newest first.
	Records []*audit.Record
	// More says that there are more than were asked for.
	More bool
	// Since is the time from which on no record that could meet the filter was forgotten.
	Since time.Time
}

// Find returns the newest records that meet a filter, at most as many as limit says.
func (m *Memory) Find(filter *audit.Filter, limit int) Found {
	found, newest := Found{Since: m.began}, NewNewest(limit)
	// A caller's records are in two pools; strangers have none of a caller's.
	pools := []*pool{&m.notable, &m.ordinary, &m.ofStranger}
	switch {
	case filter.Caller != "" && (filter.Refused || filter.Failed):
		pools = pools[:1]
	case filter.Caller != "":
		pools = pools[:2]
	case filter.Refused || filter.Failed:
		pools = []*pool{&m.notable, &m.ofStranger}
	}
	// Every wanted record has it in a line: most blocks need not be parsed.
	needle := []byte(filter.RequestID)
	for _, p := range pools {
		lost := p.read(filter.Caller, func(text []byte) {
			if len(needle) > 0 && !bytes.Contains(text, needle) {
				return
			}
			// A reader of memory does not fail.
			_ = audit.Read(bytes.NewReader(text), func(r *audit.Record) bool {
				if filter.Matches(r) {
					newest.Add(r)
				}
				return true
			})
		})
		found.Since = later(found.Since, lost)
	}
	found.Records, found.More = newest.Records()
	return found
}

// Newest keeps the newest of many records.
type Newest struct {
	limit int
	all   []*audit.Record
	more  bool
}

// NewNewest makes one that keeps as many as limit says.
func NewNewest(limit int) *Newest { return &Newest{limit: limit} }

// Add adds a record, in any order.
func (n *Newest) Add(r *audit.Record) {
	if n.all = append(n.all, r); len(n.all) >= 4*n.limit+64 {
		n.cut()
	}
}

// cut sorts, and forgets all but the newest.
func (n *Newest) cut() {
	slices.SortStableFunc(n.all, func(a, b *audit.Record) int { return b.Time.Compare(a.Time) })
	if len(n.all) > n.limit {
		clear(n.all[n.limit:])
		n.all, n.more = n.all[:n.limit], true
	}
}

// Records are the newest, newest first; more says that there were others.
func (n *Newest) Records() (records []*audit.Record, more bool) {
	n.cut()
	return n.all, n.more
}
