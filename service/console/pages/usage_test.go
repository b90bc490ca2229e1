package pages_test

import (
	"context"
	"encoding/csv"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/admin-gateway/admin-gateway/internal/consoletest"
	"github.com/admin-gateway/admin-gateway/internal/gatewaytest"
	"github.com/admin-gateway/admin-gateway/upstream"
)

// TestUsage: the page and its file have the sums of the answers, day by day, over pages,
// and nothing from outside the range; a level, such as bytes that are stored, is not summed.
func TestUsage(t *testing.T) {
	t.Parallel()
	g := gatewaytest.New(t, gatewaytest.WithUpstream(fixedUsage{}), gatewaytest.WithPolicy(fmt.Sprintf(policyFor, "proj_x")))
	b := consoletest.Open(t, g).As(t, "all")
	const days = "range=days&from=2026-01-10&to=2026-01-19"
	for _, test := range []struct {
		query     string
		sums      map[string]int64 // in the file
		onThePage []string
	}{
		// Two models, of 10 and 1 tokens a day, on ten days.
		{"kind=completions&by=model&measure=output_tokens&", map[string]int64{"a": 100, "b": 10}, []string{`title="100"`, `title="10"`, `title="110"`, "<svg"}},
		{"kind=completions&by=none&", map[string]int64{"": 110}, []string{"(none)", `title="110"`}},
		{"kind=vector_stores&by=project_id&", map[string]int64{"p": 1000}, []string{`title="100"`, "mean of the days"}},
		{"kind=nonsense&by=nonsense&measure=nonsense&", map[string]int64{"p": 110}, []string{"Completions"}},
	} {
		a := b.Get("/usage.csv?" + test.query + days)
		rows, err := csv.NewReader(strings.NewReader(a.Text)).ReadAll()
		if a.Status != http.StatusOK || err != nil || len(rows) != 1+10*len(test.sums) {
			t.Fatalf("%s: %d, %v: %s", test.query, a.Status, err, a.Text)
		}
		column := 3
		for i, head := range rows[0] {
			if head == "output_tokens" {
				column = i
			}
		}
		for _, row := range rows[1:] {
			n, err := strconv.ParseInt(row[column], 10, 64)
			if err != nil || row[0] < "2026-01-10" || row[0] > "2026-01-19" {
				t.Errorf("%s: row %q", test.query, row)
			}
			test.sums[row[1]] -= n
		}
		for key, left := range test.sums {
			if left != 0 {
				t.Errorf("%s: %q lacks %d:\n%s", test.query, key, left, a.Text)
			}
		}
		part := b.Get("/usage?" + test.query + days)
		for _, want := range test.onThePage {
			if !strings.Contains(part.Text, want) {
				t.Errorf("%s: the page has no %s:\n%s", test.query, want, part.Text)
			}
		}
	}
}

// fixedUsage answers with the same usage on each day, in pages of ten days.
type fixedUsage struct{}

// Do implements [upstream.Attempter].
func (fixedUsage) Do(_ context.Context, endpoint *upstream.Endpoint, request *upstream.Request) (*upstream.Reply, error) {
	const perPage = 10
	at := func(parameter string) (n int64) {
		for pair := range strings.SplitSeq(request.Query, "&") {
			if value, ok := strings.CutPrefix(pair, parameter+"="); ok {
				n, _ = strconv.ParseInt(value, 10, 64)
			}
		}
		return n
	}
	start, end := at("start_time"), at("end_time")
	if page := at("page"); page > 0 {
		start = page
	}
	results := `{"object":"x","project_id":"p","input_tokens":7,"output_tokens":11}`
	switch {
	case strings.Contains(endpoint.Template(), "vector_stores"):
		results = `{"object":"x","project_id":"p","usage_bytes":100}`
	case !strings.Contains(endpoint.Template(), "completions"):
		return &upstream.Reply{Status: http.StatusOK, Body: []byte(`{"object":"list","data":[],"has_more":false}`)}, nil
	case strings.Contains(request.Query, "=model"):
		results = `{"object":"x","model":"a","output_tokens":10},{"object":"x","model":"b","output_tokens":1}`
	}
	const day = int64(24 * time.Hour / time.Second)
	var buckets []string
	for ; start < end && len(buckets) < perPage; start += day {
		buckets = append(buckets, fmt.Sprintf(`{"object":"bucket","start_time":%d,"end_time":%d,"results":[%s]}`, start, start+day, results))
	}
	body := fmt.Sprintf(`{"object":"page","data":[%s],"has_more":%t,"next_page":%q}`, strings.Join(buckets, ","), start < end, strconv.FormatInt(start, 10))
	return &upstream.Reply{Status: http.StatusOK, Body: []byte(body)}, nil
}
