package rpcerror

import (
	"errors"
	"strings"
	"testing"

	"connectrpc.com/connect/v2"
)

// TestOfAdminKey: each reason has a row, and the caller hears its code, its message with the
// words, and nothing of the cause.
func TestOfAdminKey(t *testing.T) {
	t.Parallel()
	for reason, row := range adminKeyOutcomes {
		e := OfAdminKey(reason, "its folder is read-only", errors.New(canary))
		if e.Code != row.code || e.Reason != reason || e.Message != row.message+": its folder is read-only" || strings.Contains(e.Error(), canary) {
			t.Errorf("%s: %v", reason, e)
		}
	}
	if e := OfAdminKey("OTHER", "words", errors.New(canary)); e.Code != connect.CodeInternal || e.Reason != ReasonInternal || strings.Contains(e.Message, "words") {
		t.Errorf("a reason that is none of them: %v", e)
	}
}
