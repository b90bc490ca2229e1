package sandbox

import (
	"encoding/base64"
	"encoding/binary"
	"slices"
	"strconv"

	"github.com/admin-gateway/admin-gateway/sandbox/data"
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
	for _, k := range data.UsageKinds() {
		query := []field{
			num("start_time").between(0, maxTime).must(), num("end_time").between(0, maxTime),
			str("bucket_width").oneOf("1m", "1h", "1d"),
			num("limit").between(0, widths["1m"].maximum), str("page"),
		}
		var groups []string
		for _, d := range k.Dimensions {
			groups = append(groups, d.Name())
			if f, ok := dimensionField(d); ok {
				query = append(query, f)
			}
		}
		query = append(query, listOf("group_by", str("").oneOf(groups...)))
		operations = append(operations, get("/organization/usage/"+k.Name, usage(k), query...))
	}
	return operations
}

// dimensionField returns the query parameter that filters by the dimension; some
// dimensions have none.
func dimensionField(d data.Dimension) (field, bool) {
	switch d {
	case data.ByProject:
		return strList("project_ids"), true
	case data.ByUser:
		return strList("user_ids"), true
	case data.ByKey:
		return strList("api_key_ids"), true
	case data.ByModel:
		return strList("models"), true
	case data.ByBatch:
		return flag("batch"), true
	case data.BySize:
		return listOf("sizes", str("").oneOf(d.Values()...)), true
	case data.BySource:
		return listOf("sources", str("").oneOf(d.Values()...)), true
	case data.ByContext:
		return listOf("context_levels", str("").oneOf(d.Values()...)), true
	case data.ByStore:
		return strList("vector_store_ids"), true
	default:
		return field{}, false
	}
}

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

// newBucketPage returns a page of buckets without results.
func newBucketPage(spans []data.Span, next *string) bucketPage {
	page := bucketPage{"page", make([]bucketView, len(spans)), next != nil, next}
	for i, span := range spans {
		page.Data[i] = bucketView{"bucket", span.Start, span.End, []any{}}
	}
	return page
}

// buckets cuts the range at multiples of the width, in UTC, and returns the
// requested page. The first and the last bucket are as short as the range makes
// them. No bucket begins after now. Without end_time the range ends with the
// bucket of now.
func buckets(query values, seconds, limit, now int64) (page []data.Span, next *string, err error) {
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
		span := data.Span{Start: at, End: min(end, (at/seconds+1)*seconds)}
		page = append(page, span)
		at = span.End
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
	binary.BigEndian.PutUint64(b[8:], data.Mix(uint64(at)))
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
	return int64(n), binary.BigEndian.Uint64(b[8:]) == data.Mix(n)
}

// usageFilter returns the filter on the kind's dimensions that the query states.
func usageFilter(k *data.UsageKind, query values) data.Filter {
	filter := make(data.Filter)
	for _, d := range k.Dimensions {
		f, ok := dimensionField(d)
		switch {
		case !ok || !query.has(f.name):
		case f.kind == boolean:
			filter[d] = []string{strconv.FormatBool(query.flag(f.name))}
		default:
			filter[d] = query.strs(f.name)
		}
	}
	return filter
}

// usage serves the endpoint of the kind.
func usage(k *data.UsageKind) func(*call) (any, error) {
	return func(c *call) (any, error) {
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
		spans, next, err := buckets(c.query, width.seconds, limit, c.now)
		if err != nil {
			return nil, err
		}
		var by []data.Dimension
		for _, d := range k.Dimensions {
			if slices.Contains(c.query.strs("group_by"), d.Name()) {
				by = append(by, d)
			}
		}
		answer := newBucketPage(spans, next)
		for i, groups := range c.org.Ledger.Usage(k, usageFilter(k, c.query), by, spans, c.now) {
			for _, group := range groups {
				answer.Data[i].Results = append(answer.Data[i].Results, viewUsage(k, group, by))
			}
		}
		return answer, nil
	}
}

// viewUsage shows a group; the dimensions that it is not grouped by are null.
func viewUsage(k *data.UsageKind, group data.GroupUsage, by []data.Dimension) map[string]any {
	out := map[string]any{"object": k.Object}
	for name, n := range group.Metrics {
		out[name] = n
	}
	for _, d := range k.Dimensions {
		switch value := group.Key[d]; {
		case !slices.Contains(by, d) || value == "":
			out[d.Name()] = nil
		case d == data.ByBatch:
			out[d.Name()] = value == "true"
		default:
			out[d.Name()] = value
		}
	}
	return out
}
