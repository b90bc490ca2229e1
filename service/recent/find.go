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
	found := Found{Since: m.began}
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
	// What a line of a wanted record has in it, whatever else: most lines need not be parsed.
	needle := []byte(filter.RequestID)
	for _, p := range pools {
		lost := p.read(filter.Caller, func(text []byte) {
			if len(needle) > 0 && !bytes.Contains(text, needle) {
				return
			}
			// A reader of memory does not fail.
			_ = audit.Read(bytes.NewReader(text), func(r *audit.Record) bool {
				if filter.Matches(r) {
					found.Records = append(found.Records, r)
				}
				return true
			})
			found.cut(limit, 4*limit)
		})
		found.Since = later(found.Since, lost)
	}
	found.cut(limit, limit)
	return found
}

// cut keeps the newest records, where there are more than most.
func (f *Found) cut(limit, most int) {
	if len(f.Records) <= most && most > limit {
		return
	}
	newestFirst(f.Records)
	if len(f.Records) > limit {
		clear(f.Records[limit:])
		f.Records, f.More = f.Records[:limit], true
	}
}

func newestFirst(records []*audit.Record) {
	slices.SortStableFunc(records, func(a, b *audit.Record) int { return b.Time.Compare(a.Time) })
}
