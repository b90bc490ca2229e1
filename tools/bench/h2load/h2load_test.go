package h2load_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/admin-gateway/admin-gateway/tools/bench/h2load"
)

// output is that of h2load nghttp2/1.52.0.
const output = `starting benchmark...
spawning thread #0: 8 total client(s). 150000 total requests
Application protocol: h2c
progress: 10% done
progress: 100% done

finished in 1.48s, 101562.99 req/s, 42.55MB/s
requests: 150000 total, 150000 started, 150000 done, 150000 succeeded, 0 failed, 0 errored, 0 timeout
status codes: 150000 2xx, 0 3xx, 0 4xx, 0 5xx
traffic: 62.84MB (65890195) total, 12.77MB (13389803) headers (space savings 38.86%), 47.49MB (49800000) data
                     min         max         mean         sd        +/- sd
time for request:      127us      8.89ms      2.10ms       594us    79.33%
`

func TestParse(t *testing.T) {
	r, err := h2load.Parse(output, 150_000)
	if err != nil {
		t.Fatal(err)
	}
	if r != (h2load.Report{Calls: 150_000, Took: 1480 * time.Millisecond, Rate: 101562.99}) {
		t.Errorf("%+v", r)
	}
}

func TestParseTimes(t *testing.T) {
	for text, want := range map[string]time.Duration{"972us": 972 * time.Microsecond, "12.50ms": 12500 * time.Microsecond, "1.5m": 90 * time.Second} {
		r, err := h2load.Parse(strings.Replace(output, "1.48s", text, 1), 150_000)
		if err != nil || r.Took != want {
			t.Errorf("%s is %s, %v", text, r.Took, err)
		}
	}
}

func TestARunWithAFailureIsAnError(t *testing.T) {
	for name, changed := range map[string]string{
		"a status of an error": strings.Replace(output, "150000 2xx, 0 3xx, 0 4xx", "149999 2xx, 0 3xx, 1 4xx", 1),
		"a call that failed":   strings.Replace(output, "150000 succeeded, 0 failed", "149999 succeeded, 1 failed", 1),
	} {
		if _, err := h2load.Parse(changed, 150_000); !errors.Is(err, h2load.ErrFailed) {
			t.Errorf("%s: the error is %v", name, err)
		}
	}
	if _, err := h2load.Parse(output, 150_001); !errors.Is(err, h2load.ErrFailed) {
		t.Errorf("fewer calls than wanted: the error is %v", err)
	}
	for _, garbage := range []string{"", "finished in 1s, 1 req/s", "h2load: unknown option"} {
		if r, err := h2load.Parse(garbage, 1); err == nil {
			t.Errorf("%q is %+v", garbage, r)
		}
	}
}
