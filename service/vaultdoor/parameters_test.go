package vaultdoor

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestDurations: the forms in which Vault's clients write one.
func TestDurations(t *testing.T) {
	t.Parallel()
	const bad = -1
	for text, want := range map[string]time.Duration{
		`60`: time.Minute, `"60"`: time.Minute, `"60s"`: time.Minute, `"1h30m"`: 90 * time.Minute, `"2d"`: 48 * time.Hour, `0`: 0, `""`: bad, `null`: 0, `"0s"`: 0,
		`-1`: bad, `"-1h"`: bad, `1.5`: bad, `true`: bad, `{}`: bad, `"h"`: bad, `"d"`: bad, `1e3`: bad, `99999999999`: bad, `"9999999999d"`: bad,
	} {
		p, err := fromBody([]byte(`{"ttl": ` + text + `}`))
		if err != nil {
			t.Fatal(err)
		}
		d, err := p.duration("ttl")
		switch {
		case want == bad && err == nil:
			t.Errorf("%s is read as %s", text, d.AsDuration())
		case want != bad && (err != nil || d.AsDuration() != want || want == 0 && d != nil):
			t.Errorf("%s: %s, %v, want %s", text, d.AsDuration(), err, want)
		}
	}
}

// TestSync: true and false, as such or as a text.
func TestSync(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{`true`: "true", `"true"`: "true", `false`: "false", `null`: "false", `"no"`: "", `{}`: "", `[1]`: ""} {
		p, err := fromBody([]byte(`{"sync": ` + text + `}`))
		if err != nil {
			t.Fatal(err)
		}
		set, err := p.sync()
		if got := fmt.Sprint(set); want == "" && err == nil || want != "" && (err != nil || got != want) {
			t.Errorf("%s: %s, %v", text, got, err)
		}
	}
}

// TestWarningsAreBounded: a request names as many unknown parameters as it likes, and the
// answer a few of them.
func TestWarningsAreBounded(t *testing.T) {
	t.Parallel()
	var query []string
	for i := range 100 {
		query = append(query, fmt.Sprintf("%s%02d=1", strings.Repeat("x", 300), i))
	}
	p, err := fromQuery(strings.Join(query, "&"))
	if err != nil {
		t.Fatal(err)
	}
	if warnings := p.warnings(); len(warnings) != 1 || len(warnings[0]) > maxIgnored*300 {
		t.Errorf("%d warnings, the first of %d bytes", len(warnings), len(warnings[0]))
	}
	p, err = fromQuery("ttl=1h&b=2&a=1")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.duration("ttl"); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"Endpoint ignored these unrecognized parameters: [a b]"}, p.warnings()); diff != "" { //nolint:misspell // Vault's words.
		t.Error(diff)
	}
}

// FuzzParameters: no body and no query makes a request that is not what it says.
func FuzzParameters(f *testing.F) {
	for _, seed := range []string{`{"ttl": "1h", "lease_id": "openai/creds/a/b"}`, `{"ttl": 1e99}`, "ttl=1h&sync=true", `{"a": "\ud800"}`, "[", "%zz=1"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		for _, read := range []func() (*parameters, error){
			func() (*parameters, error) { return fromBody([]byte(text)) }, func() (*parameters, error) { return fromQuery(text) },
		} {
			p, err := read()
			if err != nil {
				continue
			}
			if d, err := p.duration("ttl"); err == nil && d != nil && (d.AsDuration() <= 0 || d.AsDuration() > maxSeconds*time.Second) {
				t.Errorf("%q has a duration of %s", text, d.AsDuration())
			}
			if id, err := p.text("lease_id"); err == nil && id != "" && !strings.Contains(text, "lease_id") && !strings.ContainsAny(text, `\%`) {
				t.Errorf("%q has the lease %q", text, id)
			}
			_, _ = p.sync()
			_ = p.warnings()
		}
	})
}
