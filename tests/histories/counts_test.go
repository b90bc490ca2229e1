package histories

import (
	"testing"
	"time"
)

// TestBusiest counts calls in a window that begins anywhere.
func TestBusiest(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		calls []float64 // in seconds
		most  int
	}{
		"none":                {nil, 0},
		"a minute apart":      {[]float64{0, 60, 120}, 1},
		"just within":         {[]float64{0, 59.9, 120}, 2},
		"across full minutes": {[]float64{0, 50, 55, 65, 70, 109}, 5},
	} {
		calls := make([]time.Duration, 0, len(c.calls))
		for _, call := range c.calls {
			calls = append(calls, time.Duration(call*float64(time.Second)))
		}
		if most := busiest(calls); most != c.most {
			t.Errorf("%s: %d calls, not %d", name, most, c.most)
		}
	}
}

// TestBucketOf finds the endpoint of a call.
func TestBucketOf(t *testing.T) {
	t.Parallel()
	for path, want := range map[string]string{
		"/organization/admin_api_keys":                     "GET /organization/admin_api_keys",
		"/organization/projects/proj-0/api_keys/key-2":     "GET /organization/projects/*/api_keys/*",
		"/organization/projects/proj-1":                    "GET /organization/projects/*",
		"/organization/workload_identity_providers/wip-12": "GET /organization/workload_identity_providers/*",
	} {
		if got := bucketOf(Call{Method: "GET", Path: path}); got != want {
			t.Errorf("%s: %q", path, got)
		}
	}
}
