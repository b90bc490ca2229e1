package complete_test

import (
	"slices"
	"testing"

	"github.com/admin-gateway/admin-gateway/cmd/gateway/internal/complete"
)

func TestSplit(t *testing.T) {
	t.Parallel()
	for line, want := range map[string][]string{
		"":                     {""},
		"gateway":              {"gateway"},
		"gateway ":             {"gateway", ""},
		"gateway  call x=y":    {"gateway", "call", "x=y"},
		`gateway 'a b' "c d" `: {"gateway", "a b", "c d", ""},
		`gateway a\ b '' x`:    {"gateway", "a b", "", "x"},
		`gateway '{"a": "b`:    {"gateway", `{"a": "b`},
		`gateway "a\"b" '\'`:   {"gateway", `a"b`, `\`},
	} {
		if got := complete.Split(line); !slices.Equal(got, want) {
			t.Errorf("%q: %q, want %q", line, got, want)
		}
	}
}

// TestLinesAreHarmless: names of a policy are offered as they are, or not at all: a shell
// would run what is in them.
func TestLinesAreHarmless(t *testing.T) {
	t.Parallel()
	reply := complete.Reply{Candidates: []complete.Candidate{
		{Word: "team-a", Help: "a\tb\x1b[31m"}, {Word: "$(reboot)"}, {Word: "`reboot`"}, {Word: "a b"}, {Word: "a\nb"}, {Word: "a;b"}, {Word: "\x1b[31m"}, {Word: "spiffe://example/a_b.c@d"},
	}, Files: true}
	if got, want := reply.Lines(), ":files\nteam-a\tab[31m\nspiffe://example/a_b.c@d\n"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}
