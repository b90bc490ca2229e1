package main

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/admin-gateway/admin-gateway/internal/audittest"
	"github.com/admin-gateway/admin-gateway/sandbox"
	"github.com/admin-gateway/admin-gateway/service/authn"
)

// served is a gateway in front of a sandbox, with the callers of the demo.
type served struct {
	command
	fake     *sandbox.Sandbox
	upstream string
	url, ops string
	who      *demoCallers
}

// startServed starts one whose config ends with more.
func startServed(t *testing.T, more string) served {
	t.Helper()
	return startServedOf(t, sandbox.Options{Seed: 1}, more)
}

// startServedOf starts one in front of the given organization.
func startServedOf(t *testing.T, organization sandbox.Options, more string) served {
	t.Helper()
	s := served{fake: sandbox.New(organization), who: new(demoCallers)}
	fake := httptest.NewServer(s.fake)
	t.Cleanup(fake.Close)
	s.upstream = fake.URL
	keys, err := s.fake.ProjectKeys("")
	if err != nil {
		t.Fatal(err)
	}
	var hashes [2]string
	for i, token := range []*string{&s.who.operator, &s.who.auditor} {
		var err error
		if *token, hashes[i], err = authn.NewToken(); err != nil {
			t.Fatal(err)
		}
	}
	s.command = start(t, "serve", "--config", writeFile(t, "gateway.yaml", `
listen: 127.0.0.1:0
ops_listen: 127.0.0.1:0
shutdown: {delay: 0s}
policy: `+writeFile(t, "policy.yaml", fmt.Sprintf(demoPolicy, keys[0].ProjectID, hashes[0], hashes[1]))+`
upstream:
  base_url: `+fake.URL+`/v1
  admin_key: {file: `+writeFile(t, "key", sandbox.DefaultAdminKey)+`}
  budget: {organization: {calls_per_minute: 60000, burst: 1000}, default: {calls_per_minute: 60000, burst: 1000}}
`+more))
	var at struct {
		Listen    string `json:"listen"`
		OpsListen string `json:"ops_listen"`
	}
	if err := json.Unmarshal([]byte(s.err.line(t, s.ended, `"ops_listen"`)), &at); err != nil {
		t.Fatal(err)
	}
	s.url, s.ops = "http://"+at.Listen, "http://"+at.OpsListen
	out := s.out
	t.Cleanup(func() { audittest.Lines(t, []byte(out.String())) })
	return s
}

// ask makes a request with a body, and leaves no connection behind.
func ask(t *testing.T, method, url, body string, headers ...string) (int, string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		request.Header.Set(headers[i], headers[i+1])
	}
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	reply, err := (&http.Client{Transport: transport, Timeout: patience}).Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer reply.Body.Close()
	text, err := io.ReadAll(reply.Body)
	if err != nil {
		t.Fatal(err)
	}
	return reply.StatusCode, string(text)
}

// family is a metric as /metrics or the documentation has it.
type family struct {
	kind   string
	labels string // sorted, and apart by commas
}

var (
	typeLine    = regexp.MustCompile(`^# TYPE (\w+) (\w+)$`)
	sampleName  = regexp.MustCompile(`^(\w+)`)
	sampleLabel = regexp.MustCompile(`(\w+)="(?:[^"\\]|\\.)*"`)
	tableRow    = regexp.MustCompile("(?m)^\\| `(gateway_\\w+)` \\| (\\w+) \\| ?([^|]*) \\| [^|]+ \\|$")
	codeWord    = regexp.MustCompile("`(\\w+)`")
)

// liveMetrics are those of a gateway that runs.
func liveMetrics(t *testing.T, ops string) map[string]family {
	t.Helper()
	status, text := fetch(t, ops+"/metrics")
	if status != http.StatusOK {
		t.Fatalf("/metrics: %d", status)
	}
	all, last := map[string]family{}, ""
	for line := range strings.Lines(text) {
		if m := typeLine.FindStringSubmatch(strings.TrimSpace(line)); m != nil {
			last = m[1]
			all[last] = family{kind: m[2]}
		} else if name := sampleName.FindString(line); name != "" && strings.HasPrefix(name, last) {
			var labels []string
			for _, l := range sampleLabel.FindAllStringSubmatch(line, -1) {
				if l[1] != "le" && l[1] != "quantile" {
					labels = append(labels, l[1])
				}
			}
			slices.Sort(labels)
			all[last] = family{all[last].kind, strings.Join(labels, ",")}
		}
	}
	return all
}

// document reads a file of the repository.
func document(t *testing.T, path ...string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(append([]string{"..", ".."}, path...)...))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// documentedMetrics are those of the table in docs/operations.md.
func documentedMetrics(t *testing.T) map[string]family {
	t.Helper()
	all := map[string]family{}
	for _, row := range tableRow.FindAllStringSubmatch(document(t, "docs", "operations.md"), -1) {
		var labels []string
		for _, l := range codeWord.FindAllStringSubmatch(row[3], -1) {
			labels = append(labels, l[1])
		}
		slices.Sort(labels)
		all[row[1]] = family{row[2], strings.Join(labels, ",")}
	}
	return all
}

// TestMetricsExist makes the calls of the demo, and compares the metrics with the
// documentation, the dashboard and the alerts.
func TestMetricsExist(t *testing.T) {
	t.Parallel()
	s := startServed(t, "telemetry: {stages: true}\nleases: {path: "+filepath.Join(t.TempDir(), "leases.db")+"}\n")
	// Members that this build does not know are counted by a metric.
	defer s.fake.Inject(sandbox.Fault{Kind: sandbox.Drift, Op: "*", Variant: "fields"})()
	var out strings.Builder
	if err := runSamples(t.Context(), &out, s.url, s.upstream, s.who, nil); err != nil {
		t.Fatalf("%v: %s", err, out.String())
	}
	if status, _ := ask(t, http.MethodPost, s.url+"/admingateway.admin.v1.UserService/ListUsers", "{}", "Content-Type", "application/json"); status != http.StatusUnauthorized {
		t.Errorf("without a token: %d", status)
	}
	live, documented := liveMetrics(t, s.ops), documentedMetrics(t)
	for name, is := range live {
		if said, ok := documented[name]; strings.HasPrefix(name, "gateway_") && (!ok || said != is) {
			t.Errorf("%s is %+v, and docs/operations.md says %+v", name, is, said)
		}
	}
	for name := range documented {
		if _, ok := live[name]; !ok {
			t.Errorf("docs/operations.md has %s, and the gateway has not", name)
		}
	}
	asked := map[string]int{}
	for _, expr := range append(dashboardQueries(t), slices.Collect(maps.Values(alerts(t)))...) {
		for _, name := range metricsIn(t, expr) {
			if _, ok := live[name]; !ok && name != "up" {
				t.Errorf("%s asks for %s, which there is not", expr, name)
			}
			asked[name]++
		}
	}
	for name := range documented {
		if asked[name] == 0 {
			t.Errorf("neither the dashboard nor an alert asks for %s", name)
		}
	}
	s.stop(t)
}

var (
	quotedCode = regexp.MustCompile(`"(?:[^"\\]|\\.)*"`)
	metricName = regexp.MustCompile(`\b(?:gateway|go|process|promhttp)_\w+|\bup\b`)
	histogram  = regexp.MustCompile(`_(bucket|count|sum)$`)
)

// metricsIn are the names of metrics in a query. tools/promql parses them for
// all else.
func metricsIn(t *testing.T, expr string) []string {
	t.Helper()
	found := metricName.FindAllString(quotedCode.ReplaceAllString(expr, `""`), -1)
	if len(found) == 0 {
		t.Errorf("%s asks for nothing", expr)
	}
	for i, name := range found {
		if strings.HasPrefix(name, "gateway_") {
			found[i] = histogram.ReplaceAllString(name, "")
		}
	}
	return found
}

// dashboardQueries are all that the dashboard asks.
func dashboardQueries(t *testing.T) (all []string) {
	t.Helper()
	var dashboard struct {
		Panels []struct {
			Title   string
			Targets []struct{ Expr string }
		}
		Templating struct{ List []struct{ Definition string } }
	}
	if err := json.Unmarshal([]byte(document(t, "deploy", "grafana", "admin-gateway.json")), &dashboard); err != nil {
		t.Fatal(err)
	}
	for _, p := range dashboard.Panels {
		for _, target := range p.Targets {
			all = append(all, target.Expr)
		}
	}
	for _, v := range dashboard.Templating.List {
		if v.Definition != "" {
			all = append(all, v.Definition)
		}
	}
	if len(all) < 40 {
		t.Errorf("the dashboard has only %d queries", len(all))
	}
	return all
}

// alerts are the queries of all alerts, by name.
func alerts(t *testing.T) map[string]string {
	t.Helper()
	var rules struct {
		Groups []struct {
			Rules []struct {
				Alert, Expr string
				Labels      struct{ Severity string }
			}
		}
	}
	if err := yaml.Unmarshal([]byte(document(t, "deploy", "prometheus", "rules.yaml")), &rules); err != nil {
		t.Fatal(err)
	}
	all, page := map[string]string{}, document(t, "docs", "operations.md")
	for _, group := range rules.Groups {
		for _, rule := range group.Rules {
			all[rule.Alert] = rule.Expr
			if !strings.Contains(page, "\n### "+rule.Alert+"\n\nSeverity `"+rule.Labels.Severity+"`. ") {
				t.Errorf("docs/operations.md does not explain %s", rule.Alert)
			}
		}
	}
	if rows := regexp.MustCompile(`(?m)^### Gateway\w+$`).FindAllString(page, -1); len(rows) != len(all) {
		t.Errorf("docs/operations.md explains %d alerts, and there are %d", len(rows), len(all))
	}
	return all
}

// TestLogLevel: the level can be changed at run time, from the machine itself.
func TestLogLevel(t *testing.T) {
	t.Parallel()
	s := startServed(t, "log: {level: debug, calls: all}\n")
	lines := func() {
		status, body := ask(t, http.MethodPost, s.url+"/admingateway.admin.v1.UserService/ListUsers", "{}", "Content-Type", "application/json", "Authorization", "Bearer "+s.who.auditor)
		if status != http.StatusOK {
			t.Fatalf("%d %s", status, body)
		}
	}
	lines()
	s.err.line(t, s.ended, `"msg":"call"`)
	for _, test := range []struct {
		method, body string
		status       int
		want         string
	}{
		{http.MethodGet, "", http.StatusOK, "debug\n"},
		{http.MethodPut, "loud", http.StatusBadRequest, "a level is debug, info, warn or error\n"},
		{http.MethodPut, strings.Repeat("debug", 1000), http.StatusBadRequest, "a level is debug, info, warn or error\n"},
		{http.MethodPost, "debug", http.StatusMethodNotAllowed, "Method Not Allowed\n"},
		{http.MethodGet, "", http.StatusOK, "debug\n"},
		{http.MethodPut, "WARN\n", http.StatusOK, "warn\n"},
		{http.MethodGet, "", http.StatusOK, "warn\n"},
	} {
		if status, body := ask(t, test.method, s.ops+"/loglevel", test.body); status != test.status || body != test.want {
			t.Errorf("%s %.10q: %d %q, want %d %q", test.method, test.body, status, body, test.status, test.want)
		}
	}
	lines() // It has no line.
	s.stop(t)
	if n := strings.Count(s.err.String(), `"msg":"call"`); n != 1 || !strings.Contains(s.err.String(), "the log level is changed") {
		t.Errorf("at warn there are %d lines for two calls: %s", n, s.err)
	}
}

// TestDebugStaysHere: profiles and the log level are not on the callers' port.
func TestDebugStaysHere(t *testing.T) {
	t.Parallel()
	s := startServed(t, "")
	paths := []string{"/debug/pprof/", "/debug/pprof/heap", "/debug/pprof/cmdline", "/debug/pprof/symbol", "/debug/pprof/trace?seconds=0", "/loglevel"}
	for _, path := range paths {
		if status, _ := fetch(t, s.ops+path); status != http.StatusOK {
			t.Errorf("%s: %d", path, status)
		}
		// The REST door refuses a path that ends with a slash.
		if status, body := fetch(t, s.url+path); status != http.StatusNotFound && status != http.StatusUnauthorized || strings.Contains(body, "goroutine") {
			t.Errorf("%s is on the callers' port: %d %s", path, status, body)
		}
	}
	s.stop(t)
}
