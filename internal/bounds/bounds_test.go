package bounds_test

import (
	"testing"
	"time"

	"github.com/admin-gateway/admin-gateway/internal/bounds"
)

func TestSettle(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ value, want time.Duration }{
		{-time.Second, time.Minute}, {0, time.Minute}, {1, 1}, {time.Hour, time.Hour}, {bounds.Day, bounds.Day}, {bounds.Day + 1, bounds.Day},
	} {
		got := test.value
		if bounds.Settle(&got, time.Minute, bounds.Day); got != test.want {
			t.Errorf("%v is settled to %v, want %v", test.value, got, test.want)
		}
	}
}
