package nearest_test

import (
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/admin-gateway/admin-gateway/internal/nearest"
)

func TestNames(t *testing.T) {
	t.Parallel()
	known := []string{"serve", "sandbox", "catalog", "cache", "can", "call", "check", "projects.read", "projects.delete", "ProjectService/GetProject"}
	for name, want := range map[string][]string{
		"sevre":                      {"serve"}, // a swap is one edit
		"SERVE":                      {"serve"},
		"cal":                        {"can", "call"},
		"catalgo":                    {"catalog"},
		"project.raed":               {"projects.read"},
		"ProjectService/GetProejcts": {"ProjectService/GetProject"},
		"xyz":                        nil,
		"nope.read":                  nil,
		"":                           nil,
		"zzzzz":                      nil,
		strings.Repeat("serve", 100): nil,
	} {
		if got := nearest.Names(name, known); !slices.Equal(got, want) {
			t.Errorf("%q: %q, want %q", name, got, want)
		}
	}
	if got := nearest.Hint("cal", known); got != `; did you mean "can" or "call"?` {
		t.Errorf("%q", got)
	}
	if got := nearest.Hint("zzzzz", known); got != "" {
		t.Errorf("%q", got)
	}
}

// TestEditsAreFound: a name that is mistyped once or twice is found, and nothing that is
// farther away.
func TestEditsAreFound(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		name := rapid.StringMatching(`[a-z]{12,20}`).Draw(t, "name")
		written := []rune(name)
		for i := range rapid.IntRange(0, 2).Draw(t, "edits") {
			at := []int{len(written) - 2, 0}[i] - rapid.IntRange(-2*i, 2*(1-i)).Draw(t, "at") // in parts of their own
			switch rapid.IntRange(0, 3).Draw(t, "edit") {
			case 0:
				written = slices.Delete(written, at, at+1)
			case 1:
				written = slices.Insert(written, at, 'z')
			case 2:
				written[at] = 'q'
			default:
				written[at], written[at+1] = written[at+1], written[at]
			}
		}
		if got := nearest.Names(string(written), []string{"0123456789", name, name + "00"}); !slices.Equal(got, []string{name}) {
			t.Fatalf("%q for %q: %q", string(written), name, got)
		}
	})
}
