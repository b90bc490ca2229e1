package sandbox

import (
	"encoding/json"
	"fmt"
	"math/big"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/admin-gateway/admin-gateway/sandbox/data"
)

// metricSums adds up the results of a walk.
func (c *client) metricSums(kind string, query url.Values) map[string]int64 {
	c.t.Helper()
	sums, err := c.sandbox.UsageTotals(kind, UsageQuery{}) // Zero for each metric.
	if err != nil {
		c.t.Fatal(err)
	}
	path := "/organization/usage/" + kind + "?" + query.Encode()
	at := path
	var end json.Number
	for range 2000 {
		page := c.get(at)
		for _, b := range items(page) {
			if end != "" && b["start_time"] != end {
				c.t.Fatalf("bucket starts at %v, the one before ended at %v", b["start_time"], end)
			}
			end, _ = b["end_time"].(json.Number)
			for _, r := range results(b) {
				for name := range sums {
					sums[name] += number(c.t, r, name)
				}
			}
		}
		if page["has_more"] != true {
			return sums
		}
		at = path + "&page=" + url.QueryEscape(textAt(page, "next_page"))
	}
	c.t.Fatalf("%s does not end", path)
	return nil
}

// Minutes, hours and days add up to the same exact totals, with and without groups
// and pages.
func TestUsageAddsUp(t *testing.T) {
	t.Parallel()
	c := dial(t, small())
	// Neither end is at an hour.
	start, end := testNow.Add(-53*time.Hour-1234*time.Second), testNow.Add(-20*time.Minute)
	spans := url.Values{"start_time": {fmt.Sprint(start.Unix())}, "end_time": {fmt.Sprint(end.Unix())}}
	for _, k := range data.UsageKinds() {
		t.Run(k.Name, func(t *testing.T) {
			t.Parallel()
			sub := *c
			sub.t = t
			want, err := c.sandbox.UsageTotals(k.Name, UsageQuery{Start: start, End: end})
			if err != nil {
				t.Fatal(err)
			}
			zero := true
			for _, n := range want {
				zero = zero && n == 0
			}
			if zero {
				t.Fatal("no usage to add up")
			}
			for _, width := range []string{"1m", "1h", "1d"} {
				query := url.Values{"bucket_width": {width}}
				for name, v := range spans {
					query[name] = v
				}
				got := sub.metricSums(k.Name, query)
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("%s (-want +got):\n%s", width, diff)
				}
			}
			for _, d := range k.Dimensions {
				query := url.Values{"bucket_width": {"1h"}, "limit": {"7"}, "group_by[]": {d.Name(), "project_id"}}
				for name, v := range spans {
					query[name] = v
				}
				got := sub.metricSums(k.Name, query)
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("by %s (-want +got):\n%s", d.Name(), diff)
				}
			}
		})
	}
}

func TestUsageFilters(t *testing.T) {
	t.Parallel()
	c := dial(t, small())
	start := testNow.Add(-48 * time.Hour)
	base := fmt.Sprintf("start_time=%d&end_time=%d", start.Unix(), testNow.Unix())
	grouped := c.get("/organization/usage/completions?" + base + "&group_by=project_id&group_by=user_id&group_by=api_key_id&group_by=model&group_by=batch")
	result := results(items(grouped)[1])[0]
	for _, tt := range []struct{ param, member string }{
		{"project_ids[]", "project_id"}, {"user_ids", "user_id"}, {"api_key_ids[]", "api_key_id"}, {"models", "model"}, {"batch", "batch"},
	} {
		value := fmt.Sprint(result[tt.member])
		if result[tt.member] == nil {
			continue
		}
		page := c.get("/organization/usage/completions?" + base + "&group_by=" + tt.member + "&" + tt.param + "=" + url.QueryEscape(value))
		found := 0
		for _, b := range items(page) {
			for _, r := range results(b) {
				found++
				if got := fmt.Sprint(r[tt.member]); got != value {
					t.Errorf("%s=%s: result for %s", tt.param, value, got)
				}
			}
		}
		if found == 0 {
			t.Errorf("%s=%s: nothing found", tt.param, value)
		}
	}
	yes, no := true, false
	all, err := c.sandbox.UsageTotals("completions", UsageQuery{Start: start, End: testNow})
	if err != nil {
		t.Fatal(err)
	}
	batch, err := c.sandbox.UsageTotals("completions", UsageQuery{Start: start, End: testNow, Batch: &yes})
	if err != nil {
		t.Fatal(err)
	}
	rest, err := c.sandbox.UsageTotals("completions", UsageQuery{Start: start, End: testNow, Batch: &no})
	if err != nil {
		t.Fatal(err)
	}
	if batch["input_tokens"] == 0 || batch["input_tokens"]+rest["input_tokens"] != all["input_tokens"] {
		t.Errorf("batch %d + others %d, all %d", batch["input_tokens"], rest["input_tokens"], all["input_tokens"])
	}
	if _, err := c.sandbox.UsageTotals("nothing", UsageQuery{}); err == nil {
		t.Error("an unknown kind has totals")
	}
}

func TestUsageBuckets(t *testing.T) {
	t.Parallel()
	c := dial(t, small())
	start := time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC).Unix()
	for _, tt := range []struct {
		query   string
		buckets int
		more    bool
	}{
		{"", 7, true},
		{"&bucket_width=1h", 24, true},
		{"&bucket_width=1m", 60, true},
		{"&bucket_width=1d&limit=31", 17, false}, // today's is the last
		{"&bucket_width=1h&limit=168", 168, true},
		{"&bucket_width=1m&limit=1440", 1440, true},
		{"&limit=0", 7, true},
		{fmt.Sprintf("&end_time=%d", start+3600), 1, false},
	} {
		page := c.get(fmt.Sprintf("/organization/usage/completions?start_time=%d%s", start, tt.query))
		if len(items(page)) != tt.buckets || page["has_more"] != tt.more || (page["next_page"] != nil) != tt.more {
			t.Errorf("%q: %d buckets, has_more %v, next_page %v", tt.query, len(items(page)), page["has_more"], page["next_page"])
		}
	}
	for _, query := range []string{"&limit=32", "&bucket_width=1h&limit=169", "&bucket_width=1m&limit=1441"} {
		c.refuses(400, "above_maximum", "limit", "GET", fmt.Sprintf("/organization/usage/completions?start_time=%d%s", start, query), "")
	}
	c.refuses(400, "invalid_value", "end_time", "GET", fmt.Sprintf("/organization/costs?start_time=%d&end_time=%d", start, start), "")
	c.refuses(400, "invalid_value", "group_by[0]", "GET", fmt.Sprintf("/organization/usage/vector_stores?start_time=%d&group_by=model", start), "")

	// There is no usage before the organization was founded.
	for _, b := range items(c.get("/organization/usage/completions?start_time=1600000000")) {
		if len(results(b)) != 0 {
			t.Errorf("usage in 2020: %v", b)
		}
	}
}

// There is more usage in office hours, on weekdays, and in later months.
func TestUsageHasAShape(t *testing.T) {
	t.Parallel()
	c := dial(t, Options{})
	total := func(from time.Time, length time.Duration) int64 {
		t.Helper()
		sums, err := c.sandbox.UsageTotals("completions", UsageQuery{Start: from, End: from.Add(length)})
		if err != nil {
			t.Fatal(err)
		}
		return sums["num_model_requests"]
	}
	tuesday := time.Date(2026, 3, 10, 0, 0, 0, 0, time.UTC)
	const full = 24 * time.Hour
	if weekday, sunday := total(tuesday, full), total(tuesday.Add(-2*full), full); weekday <= sunday {
		t.Errorf("Tuesday %d, Sunday %d", weekday, sunday)
	}
	if noon, night := total(tuesday.Add(14*time.Hour), time.Hour), total(tuesday.Add(3*time.Hour), time.Hour); noon <= night {
		t.Errorf("14:00 %d, 03:00 %d", noon, night)
	}
	if now, then := total(tuesday.Add(-7*full), 7*full), total(tuesday.AddDate(0, -6, 0), 7*full); now <= then {
		t.Errorf("a week now %d, half a year ago %d", now, then)
	}
}

// Costs are exact products of usage and prices.
func TestCostsFollowUsage(t *testing.T) {
	t.Parallel()
	for _, asNumbers := range []bool{false, true} {
		options := small()
		options.CostsAsNumbers = asNumbers
		c := dial(t, options)
		start := testNow.Add(-75 * time.Hour)
		path := fmt.Sprintf("/organization/costs?start_time=%d&end_time=%d&limit=2", start.Unix(), testNow.Unix())
		want := c.sandbox.CostTotal(UsageQuery{Start: start, End: testNow})
		if want.Sign() <= 0 {
			t.Fatal("nothing cost anything")
		}
		for _, group := range []string{"", "&group_by[]=user_id&group_by[]=api_source", "&group_by=line_item", "&group_by[]=project_id&group_by[]=api_key_id&group_by[]=line_item"} {
			got, cached := new(big.Rat), int64(0)
			at := path + group
			for at != "" {
				page := c.get(at)
				for _, b := range items(page) {
					for _, r := range results(b) {
						amount := objectAt(t, r, "amount")
						digits, isText := amount["value"].(string)
						if n, isNumber := amount["value"].(json.Number); isNumber {
							digits = n.String()
						}
						if isText == asNumbers || amount["currency"] != "usd" {
							t.Fatalf("amount %v", amount)
						}
						value, ok := new(big.Rat).SetString(digits)
						if !ok {
							t.Fatalf("amount %q is no decimal", digits)
						}
						got.Add(got, value)
						if (r["line_item"] != nil) != strings.Contains(group, "line_item") || (r["quantity"] != nil) != (r["line_item"] != nil) {
							t.Fatalf("result %v of group %q", r, group)
						}
						if strings.HasSuffix(textAt(r, "line_item"), ", cached input") {
							cached += number(t, r, "quantity")
						}
					}
				}
				at = ""
				if page["has_more"] == true {
					at = path + group + "&page=" + url.QueryEscape(textAt(page, "next_page"))
				}
			}
			if got.Cmp(want) != 0 {
				t.Errorf("group %q: costs add up to %s, want %s", group, got.FloatString(18), want.FloatString(18))
			}
			if !strings.Contains(group, "line_item") {
				continue
			}
			used := int64(0)
			for _, kind := range []string{"completions", "decisions"} {
				usage, err := c.sandbox.UsageTotals(kind, UsageQuery{Start: start, End: testNow})
				if err != nil {
					t.Fatal(err)
				}
				used += usage["input_cached_tokens"]
			}
			if cached != used {
				t.Errorf("group %q: paid for %d cached tokens of %d", group, cached, used)
			}
		}
	}
}

// Costs can be limited to line items; all line items together are the whole.
func TestCostsOfLineItems(t *testing.T) {
	t.Parallel()
	c := dial(t, small())
	path := fmt.Sprintf("/organization/costs?start_time=%d&limit=1", testNow.Add(-24*time.Hour).Unix())
	sum := func(query string) *big.Rat {
		t.Helper()
		total := new(big.Rat)
		for _, r := range results(items(c.get(path + query))[0]) {
			value, ok := new(big.Rat).SetString(textAt(r, "amount", "value"))
			if !ok {
				t.Fatalf("amount %v", r["amount"])
			}
			total.Add(total, value)
		}
		return total
	}
	rest, parts := sum(""), 0
	for _, r := range results(items(c.get(path + "&group_by=line_item"))[0]) {
		line := url.QueryEscape(textAt(r, "line_item"))
		part := sum("&line_items[]=" + line)
		if part.Sign() <= 0 || part.Cmp(sum("&group_by=line_item&line_items="+line)) != 0 {
			t.Errorf("%s costs %s", line, part.FloatString(18))
		}
		rest.Sub(rest, part)
		parts++
	}
	if rest.Sign() != 0 || parts < 2 {
		t.Errorf("%d line items leave %s", parts, rest.FloatString(18))
	}
	if none := results(items(c.get(path + "&line_items[]=nothing"))[0]); len(none) != 0 {
		t.Errorf("no such line item, and %v", none)
	}
}

// Usage has its source where the API has one, and the two lives of what the cache
// keeps add up.
func TestUsageBySourceAndCacheLife(t *testing.T) {
	t.Parallel()
	c := dial(t, Options{})
	start := testNow.Add(-24 * time.Hour).Unix()
	sources := make(map[string]bool)
	var short, long int64
	for _, kind := range []string{"completions", "decisions", "web_search_calls"} {
		for _, r := range results(items(c.get(fmt.Sprintf("/organization/usage/%s?start_time=%d&group_by[]=api_source&limit=1", kind, start)))[0]) {
			sources[textAt(r, "api_source")] = true
			if kind == "web_search_calls" {
				continue
			}
			short += number(t, r, "input_cache_write_30m_tokens")
			long += number(t, r, "input_cache_write_12h_tokens")
			if all := number(t, r, "input_cache_write_tokens"); all != number(t, r, "input_cache_write_30m_tokens")+number(t, r, "input_cache_write_12h_tokens") {
				t.Errorf("%v does not add up", r)
			}
		}
	}
	if len(sources) != 2 || !sources["agents_api"] || !sources["unlabeled"] || short == 0 || long == 0 {
		t.Errorf("sources %v, %d and %d tokens written", sources, short, long)
	}
	c.refuses(400, "invalid_value", "group_by[0]", "GET", fmt.Sprintf("/organization/usage/images?start_time=%d&group_by=api_source", start), "")
}
