package accounting_test

import (
	"testing"
	"time"

	"connectrpc.com/connect/v2"

	"github.com/admin-gateway/admin-gateway/service/accounting"
)

// TestCacheHeaders: Age and Cache-Status of every kind of answer.
func TestCacheHeaders(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		cache       accounting.Cache
		age, status string
	}{
		"not a read":        {accounting.Cache{}, "", ""},
		"hit":               {accounting.Cache{Status: "hit", Stored: true, Age: 61500 * time.Millisecond, TTL: 239 * time.Second}, "61", "admin-gateway; hit; ttl=239"},
		"stale":             {accounting.Cache{Status: "hit", Stored: true, Age: 5 * time.Minute, TTL: -3 * time.Second}, "300", "admin-gateway; hit; ttl=-3"},
		"stale, refused":    {accounting.Cache{Status: "hit", Stored: true, Age: time.Minute, TTL: -time.Second, ForwardStatus: 503}, "60", "admin-gateway; hit; fwd-status=503; ttl=-1"},
		"miss":              {accounting.Cache{Status: "fwd=miss", Stored: true, TTL: 5 * time.Minute}, "0", "admin-gateway; fwd=miss; ttl=300"},
		"miss, refused":     {accounting.Cache{Status: "fwd=miss", ForwardStatus: 404}, "", "admin-gateway; fwd=miss; fwd-status=404"},
		"bypass":            {accounting.Cache{Status: "fwd=bypass"}, "", "admin-gateway; fwd=bypass"},
		"ignored":           {accounting.Cache{Status: "hit", Stored: true, TTL: time.Second, Ignored: true}, "0", "admin-gateway; hit; ttl=1; detail=cache-control-ignored"},
		"isolated":          {accounting.Cache{Status: "fwd=stale", Stored: true, Age: time.Minute, TTL: time.Second, Isolated: true}, "60", "admin-gateway; fwd=stale; ttl=1; detail=isolated"},
		"isolated, ignored": {accounting.Cache{Status: "fwd=stale", Stored: true, TTL: time.Second, Isolated: true, Ignored: true}, "0", `admin-gateway; fwd=stale; ttl=1; detail="isolated, cache-control-ignored"`},
		"ignored, unstored": {accounting.Cache{Status: "fwd=bypass", Ignored: true}, "", "admin-gateway; fwd=bypass"},
	} {
		header := new(connect.Header)
		test.cache.SetHeaders(header)
		if age, status := header.Get("Age"), header.Get("Cache-Status"); age != test.age || status != test.status {
			t.Errorf("%s: Age %q, Cache-Status %q; want %q, %q", name, age, status, test.age, test.status)
		}
		if header.Has("Age") != (test.age != "") || header.Has("Cache-Status") != (test.status != "") {
			t.Errorf("%s: an empty header was set", name)
		}
	}
}

// TestCacheOutcomes: every outcome has a word of its own.
func TestCacheOutcomes(t *testing.T) {
	t.Parallel()
	seen := make(map[string]bool)
	for outcome := range accounting.CacheOutcomes {
		word := outcome.String()
		if seen[word] || (word == "") != (outcome == 0) {
			t.Errorf("outcome %d is %q", outcome, word)
		}
		seen[word] = true
	}
}
