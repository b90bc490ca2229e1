package rpcerror

import (
	"errors"
	"strings"
	"testing"

	"connectrpc.com/connect/v2"
)

// TestOfHold: each reason has a row, and the caller hears its code, its message, and
// nothing of the cause.
func TestOfHold(t *testing.T) {
	t.Parallel()
	for reason, row := range holdOutcomes {
		e := OfHold(reason, errors.New(canary))
		if e.Code != row.code || e.Reason != reason || e.Message != row.message || strings.Contains(e.Error(), canary) {
			t.Errorf("%s: %v", reason, e)
		}
	}
	if e := OfHold("OTHER", errors.New(canary)); e.Code != connect.CodeInternal || e.Reason != ReasonInternal {
		t.Errorf("a reason that is none of them: %v", e)
	}
}
