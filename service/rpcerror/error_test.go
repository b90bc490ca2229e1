package rpcerror_test

import (
	"strings"
	"testing"

	"github.com/admin-gateway/admin-gateway/service/rpcerror"
)

// TestClip: what a caller chose is repeated up to a bound, and never a part of a letter.
func TestClip(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"":                             "",
		strings.Repeat("a", 256):       strings.Repeat("a", 256),
		strings.Repeat("a", 257):       strings.Repeat("a", 256) + "…",
		strings.Repeat("a", 255) + "é": strings.Repeat("a", 255) + "…",
	} {
		if got := rpcerror.Clip(text); got != want {
			t.Errorf("%d bytes became %q", len(text), got)
		}
	}
}
