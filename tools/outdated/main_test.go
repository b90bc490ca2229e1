package main

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// proxy serves modules, as files of a module proxy; module writes one that needs some of
// them.
func proxy(t *testing.T, versions map[string][]string) string {
	t.Helper()
	root := t.TempDir()
	for path, all := range versions {
		folder := filepath.Join(root, path, "@v")
		write(t, filepath.Join(folder, "list"), strings.Join(all, "\n")+"\n")
		for _, version := range all {
			write(t, filepath.Join(folder, version+".info"), `{"Version":"`+version+`","Time":"2026-01-01T00:00:00Z"}`)
			write(t, filepath.Join(folder, version+".mod"), "module "+path+"\n\ngo 1.26.0\n")
		}
	}
	return "file://" + root
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// module is a module in a folder, asked through a proxy.
func module(t *testing.T, from, requires string) string {
	t.Helper()
	for name, value := range map[string]string{
		"GOPROXY": from, "GONOSUMDB": "*", "GOFLAGS": "-mod=mod", "GOMODCACHE": t.TempDir(), "GOTOOLCHAIN": "local", "GONOPROXY": "none", "GOPRIVATE": "",
	} {
		t.Setenv(name, value)
	}
	t.Setenv("GOFLAGS", "-mod=mod -modcacherw")
	folder := t.TempDir()
	write(t, filepath.Join(folder, "go.mod"), "module example.org/m\n\ngo 1.26.0\n\nrequire (\n"+requires+")\n")
	return folder
}

func TestOutdated(t *testing.T) {
	folder := module(t, proxy(t, map[string][]string{
		"golang.org/x/net":    {"v0.1.0", "v0.3.0"},
		"golang.org/x/nettle": {"v0.1.0", "v0.1.1"},
		"example.org/newest":  {"v1.0.0"},
		"example.org/old":     {"v1.0.0", "v1.0.7"},
		"example.org/a":       {"v1.0.0", "v1.1.0"},
	}), "golang.org/x/net v0.1.0 // indirect\ngolang.org/x/nettle v0.1.0\nexample.org/newest v1.0.0\nexample.org/old v1.0.0\nexample.org/a v1.0.0 // indirect\n")
	var out strings.Builder
	if err := run(t.Context(), []string{folder, filepath.Join(folder, "nowhere")}, &out); err != nil {
		t.Fatal(err)
	}
	var lines []string
	for line := range strings.Lines(out.String()) {
		lines = append(lines, strings.Join(strings.Fields(strings.ReplaceAll(line, folder, "m")), " "))
	}
	want := []string{
		"outdated, security-relevant: 1",
		"golang.org/x/net v0.1.0 v0.3.0 feature indirect m HTTP/2, HTML",
		"outdated, others: 3",
		"example.org/old v1.0.0 v1.0.7 patch direct m",
		"golang.org/x/nettle v0.1.0 v0.1.1 patch direct m",
		"example.org/a v1.0.0 v1.1.0 feature indirect m",
	}
	if len(lines) == 0 || !strings.HasPrefix(lines[0], "m/nowhere: not known: ") {
		t.Errorf("a folder that is not there: %q", lines)
	}
	if got := strings.Join(lines[1:], "\n"); got != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", got, strings.Join(want, "\n"))
	}
}

// TestWithoutAProxy: a proxy that cannot be reached, or does not answer, is told, and
// fails nothing.
func TestWithoutAProxy(t *testing.T) {
	silent := make(chan struct{})
	hangs := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-silent }))
	t.Cleanup(hangs.Close)
	t.Cleanup(func() { close(silent) })
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	for name, test := range map[string]struct{ from, limit, want string }{
		"gone":   {gone.URL, "1m", ": not known: 1 modules, such as example.org/a"},
		"silent": {hangs.URL, "1s", ": not known: the time is over"},
	} {
		t.Run(name, func(t *testing.T) {
			folder := module(t, test.from, "example.org/a v1.0.0\n")
			var out strings.Builder
			if err := run(t.Context(), []string{"-limit", test.limit, folder}, &out); err != nil || !strings.Contains(out.String(), folder+test.want) {
				t.Errorf("got %q, %v", out.String(), err)
			}
		})
	}
}

// TestEveryRuleHasAReason also holds the table to its form.
func TestEveryRuleHasAReason(t *testing.T) {
	t.Parallel()
	rules, err := parseRules(securityTable)
	if err != nil || len(rules) < 10 {
		t.Errorf("%d rules, %v", len(rules), err)
	}
	if _, err := parseRules("golang.org/x/net\n"); err == nil {
		t.Error("a rule needs no reason")
	}
}
