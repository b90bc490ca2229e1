package sandbox

import (
	"encoding/base64"
	"encoding/binary"
	"slices"
)

// widths are the bucket widths with their page sizes.
var widths = map[string]struct{ seconds, fallback, maximum int64 }{
	"1m": {60, 60, 1440},
	"1h": {3600, 24, 168},
	"1d": {86400, 7, 31},
}

// maxTime bounds timestamps in queries to the year 9999.
const maxTime = 253402300799

func usageOperations() []operation {
	var operations []operation
	for _, k := range usageKinds() {
		query := []field{
			num("start_time").between(0, maxTime).must(), num("end_time").between(0, maxTime),
			str("bucket_width").oneOf("1m", "1h", "1d"),
			num("limit").between(0, widths["1m"].maximum), str("page"),
		}
		var groups []string
		for _, d := range k.dimensions {
			groups = append(groups, d.groupName())
			if f, ok := d.filter(); ok {
				query = append(query, f)
			}
		}
		query = append(query, listOf("group_by", str("").oneOf(groups...)))
		operations = append(operations, get("/organization/usage/"+k.name, k.serve, query...))
	}
	return operations
}

// bucket is a span of seconds.
type bucket struct{ start, end int64 }

type bucketView struct {
	Object  string `json:"object"`
	Start   int64  `json:"start_time"`
	End     int64  `json:"end_time"`
	Results []any  `json:"results"`
}

// bucketPage is one page of buckets.
type bucketPage struct {
	Object   string       `json:"object"`
	Data     []bucketView `json:"data"`
	HasMore  bool         `json:"has_more"`
	NextPage *string      `json:"next_page"`
}

// buckets cuts the asked range at multiples of the width, in UTC, and returns
// the page that the query asks for. The first and the last bucket are as short
// as the range makes them. No bucket begins after now; without end_time the
// range ends there.
func buckets(query values, seconds, limit, now int64) (page []bucket, next *string, err error) {
	start, end := query.num("start_time"), (now/seconds+1)*seconds
	if query.has("end_time") {
		if query.num("end_time") <= start {
			return nil, nil, badRequest("end_time", "invalid_value", "'end_time' must be after 'start_time'.")
		}
		end = min(end, query.num("end_time"))
	}
	at := start
	if cursor := query.str("page"); cursor != "" {
		var ok bool
		if at, ok = parseCursor(cursor); !ok || at%seconds != 0 || at <= start || at >= end {
			return nil, nil, badRequest("page", "invalid_cursor", "Invalid cursor: '%s' is not a page of this query.", cursor)
		}
	}
	for at < end && int64(len(page)) < limit {
		b := bucket{at, min(end, (at/seconds+1)*seconds)}
		page = append(page, b)
		at = b.end
	}
	if at < end {
		next = new(newCursor(at))
	}
	return page, next, nil
}

const cursorPrefix = "page_"

func newCursor(at int64) string {
	var b [16]byte
	binary.BigEndian.PutUint64(b[:8], uint64(at))
	binary.BigEndian.PutUint64(b[8:], mix(uint64(at)))
	return cursorPrefix + base64.URLEncoding.EncodeToString(b[:])
}

func parseCursor(s string) (at int64, ok bool) {
	if len(s) < len(cursorPrefix) || s[:len(cursorPrefix)] != cursorPrefix {
		return 0, false
	}
	b, err := base64.URLEncoding.DecodeString(s[len(cursorPrefix):])
	if err != nil || len(b) != 16 {
		return 0, false
	}
	n := binary.BigEndian.Uint64(b)
	return int64(n), binary.BigEndian.Uint64(b[8:]) == mix(n)
}

// grouping assigns workloads to groups by the dimensions that are asked for.
type grouping struct {
	by     []dimension
	keys   [][dimensions]string
	groups map[[dimensions]string]int
}

func newGrouping(by []dimension) *grouping {
	return &grouping{by: by, groups: make(map[[dimensions]string]int)}
}

func (g *grouping) of(w *workload) int {
	var key [dimensions]string
	for _, d := range g.by {
		key[d] = w.dims[d]
	}
	at, known := g.groups[key]
	if !known {
		at = len(g.keys)
		g.keys = append(g.keys, key)
		g.groups[key] = at
	}
	return at
}

func (k *usageKind) query(query values) usageQuery {
	q := usageQuery{kind: k.name}
	for _, d := range k.dimensions {
		f, ok := d.filter()
		switch {
		case !ok || !query.has(f.name):
		case f.kind == boolean && query.flag(f.name):
			q.filters[d] = []string{"true"}
		case f.kind == boolean:
			q.filters[d] = []string{"false"}
		default:
			q.filters[d] = query.strs(f.name)
		}
	}
	return q
}

func (k *usageKind) serve(c *call) (any, error) {
	name := c.query.str("bucket_width")
	if name == "" {
		name = "1d"
	}
	width, limit := widths[name], c.query.num("limit")
	if limit > width.maximum {
		return nil, badRequest("limit", "above_maximum",
			"Invalid 'limit': its value is %d, expected at most %d for bucket_width %s.", limit, width.maximum, name)
	}
	if limit == 0 {
		limit = width.fallback
	}
	page, next, err := buckets(c.query, width.seconds, limit, c.now)
	if err != nil {
		return nil, err
	}
	var by []dimension
	for _, d := range k.dimensions {
		if slices.Contains(c.query.strs("group_by"), d.groupName()) {
			by = append(by, d)
		}
	}
	q := k.query(c.query)
	groups := newGrouping(by)
	var selected []*workload
	var groupOf []int
	for i := range c.org.ledger.workloads {
		if w := &c.org.ledger.workloads[i]; q.matches(w) {
			selected = append(selected, w)
			groupOf = append(groupOf, groups.of(w))
		}
	}
	answer := bucketPage{"page", make([]bucketView, 0, len(page)), next != nil, next}
	sums := make([]parts, len(groups.keys))
	for _, b := range page {
		clear(sums)
		from, to := minutes(b.start, b.end, c.now)
		for i, w := range selected {
			sum := &sums[groupOf[i]]
			for p, n := range w.between(from, to) {
				sum[p] += n
			}
		}
		view := bucketView{"bucket", b.start, b.end, []any{}}
		for i, sum := range sums {
			if sum != (parts{}) {
				view.Results = append(view.Results, k.result(sum, by, groups.keys[i]))
			}
		}
		answer.Data = append(answer.Data, view)
	}
	return answer, nil
}

// result shows a sum; the dimensions that it is not grouped by are null.
func (k *usageKind) result(sum parts, by []dimension, key [dimensions]string) map[string]any {
	out := map[string]any{"object": k.object}
	for name, n := range k.totals(sum) {
		out[name] = n
	}
	for _, d := range k.dimensions {
		switch {
		case !slices.Contains(by, d) || key[d] == "":
			out[d.groupName()] = nil
		case d == byBatch:
			out[d.groupName()] = key[d] == "true"
		default:
			out[d.groupName()] = key[d]
		}
	}
	return out
}

func (k *usageKind) totals(sum parts) map[string]int64 {
	out := make(map[string]int64, len(k.metrics))
	for _, m := range k.metrics {
		for _, p := range m.parts {
			out[m.name] += sum[p]
		}
	}
	return out
}
