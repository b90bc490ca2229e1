package upstream_test

import (
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/admin-gateway/admin-gateway/upstream"
)

func TestRetryAfter(t *testing.T) {
	t.Parallel()
	const again = "Rate limit reached for requests. Please try again "
	for _, test := range []struct {
		header, message string
		want            time.Duration
	}{
		{"1", "", time.Second},
		{" 20 ", "", 20 * time.Second},
		{"007", "", 7 * time.Second},
		{"7", again + "after 3 seconds", 7 * time.Second},
		{"0", again + "after 3 seconds", 0},
		{"3599", "", time.Hour - time.Second},
		{"3600", "", time.Hour},
		{"3601", "", time.Hour},
		{"9223372037", "", time.Hour}, // nanoseconds of which overflow
		{strings.Repeat("9", 400), "", time.Hour},

		// Dates are held against the clock, which stands still in here.
		{"in 30 minutes", "", 30 * time.Minute},
		{"in 1 second", "", time.Second},
		{"now", again + "after 3 seconds", 0},
		{"an hour ago", "", 0},
		{"in a year", "", time.Hour},
		{"Friday, 31-Dec-99 23:59:59 GMT", "", 0},
		{"Fri, 31 Dec 1999 25:61:61 GMT", "", 0},

		// Any other header is ignored, and the message decides.
		{"-1", "", 0},
		{"+1", "", 0},
		{"1.5", "", 0},
		{"1s", "", 0},
		{"1e3", "", 0},
		{"0x10", "", 0},
		{"NaN", "", 0},
		{"soon", "", 0},
		{"1, 2", "", 0},
		{"٣", "", 0},
		{"soon", again + "after 3 seconds", 3 * time.Second},
		{"-1", again + "after 3 seconds", 3 * time.Second},

		{"", again + "after 6.937 seconds.", 6937 * time.Millisecond},
		{"", again + "in 120ms.", 120 * time.Millisecond},
		{"", again + "in 20s. Visit https://example.com to learn more.", 20 * time.Second},
		{"", again + "in 1m3.5s", 63*time.Second + 500*time.Millisecond},
		{"", again + "in 1 h 2 min 3 sec", time.Hour},
		{"", again + "in 2 days", time.Hour},
		{"", again + "IN 1 MINUTE", time.Minute},
		{"", again + "later, in 5s", 5 * time.Second},
		{"", "too many requests in 60s, retry in 2s", 2 * time.Second},
		{"", "retry after 2 secs", 2 * time.Second},
		{"", again + "in 0.0000000001 s", time.Nanosecond}, // never shorter than asked for
		{"", again + "in " + strings.Repeat("9", 308) + " days", time.Hour},
		{"", again + "in " + strings.Repeat("9", 400) + " days", 0},
		{"", again + "in 0s", 0},
		{"", again + "in -5s", 0},
		{"", again + "in 5", 0},
		{"", again + "in 5 apples", 0},
		{"", again + "in 1.2.3s", 0},
		{"", again + "in .s", 0},
		{"", again + "in", 0},
		{"", again, 0},
		{"", "the limit is 3 requests in 60s", 0},
		{"", again + strings.Repeat("in ", 20000) + "5s", 0},
		{"", strings.Repeat("x", 20000) + again + "in 5s", 5 * time.Second},
	} {
		synctest.Test(t, func(t *testing.T) {
			header := test.header
			for name, from := range map[string]time.Duration{
				"in 30 minutes": 30 * time.Minute, "in 1 second": time.Second, "now": 0, "an hour ago": -time.Hour, "in a year": 366 * 24 * time.Hour,
			} {
				if header == name {
					header = time.Now().Add(from).UTC().Format(http.TimeFormat)
				}
			}
			fake := answer{status: http.StatusTooManyRequests, body: `{"error":{"message":` + asJSON(t, test.message) + `}}`}
			if header != "" {
				fake.header = http.Header{"Retry-After": {header}}
			}
			_, err := getProject(t).do(t.Context(), fake.client(t))
			if got := failure(t, err).RetryAfter; got != test.want {
				t.Errorf("%q, %.100q: got %v, want %v", test.header, test.message, got, test.want)
			}
		})
	}
}

func FuzzRetryAfter(f *testing.F) {
	for _, header := range []string{"", "0", "1", "-1", "3600", "99999999999999999999", "1e9", "Fri, 31 Dec 1999 23:59:59 GMT", "Fri, 31 Dec 9999 23:59:59 GMT", "NaN", "Inf"} {
		f.Add(header, "")
	}
	for _, message := range []string{"try again after 6.937 seconds", "try again in 1h1m1s1ms", "retry in 99999999999999999999d", "retry in .5s after 5", "try again in -1s", "retry in, in after, after 1s"} {
		f.Add("", message)
	}
	c := getProject(f)
	f.Fuzz(func(t *testing.T, header, message string) {
		fake := answer{
			status: http.StatusTooManyRequests, header: http.Header{"Retry-After": {header}},
			body: `{"error":{"message":` + asJSON(t, message) + `}}`,
		}
		_, err := c.do(t.Context(), fake.client(t))
		wantKind(t, err, upstream.RateLimited, upstream.ReasonRateLimited)
		if e := failure(t, err); e.RetryAfter < 0 || e.RetryAfter > time.Hour {
			t.Errorf("%q, %q: %v", header, message, e.RetryAfter)
		}
	})
}
