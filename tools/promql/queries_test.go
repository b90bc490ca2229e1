package promql

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/common/model"
	"go.yaml.in/yaml/v3"
)

func read(t *testing.T, path ...string) []byte {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(append([]string{"..", ".."}, path...)...))
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func documented(t *testing.T) map[string]Metric {
	t.Helper()
	all := metrics(string(read(t, "docs", "operations.md")))
	if len(all) < 30 {
		t.Fatalf("the table has only %d metrics", len(all))
	}
	return all
}

var legendLabel = regexp.MustCompile(`\{\{\s*(\w+)\s*\}\}`)

// Every panel of the dashboard has valid queries, and names its lines by labels that
// the answer has.
func TestDashboard(t *testing.T) {
	t.Parallel()
	all := documented(t)
	var dashboard struct {
		Panels []struct {
			ID                       int
			Type, Title, Description string
			GridPos                  struct{ X, Y, W, H int }
			Targets                  []struct{ RefID, Expr, LegendFormat string }
		}
		Templating struct {
			List []struct{ Name, Type, Definition string }
		}
	}
	if err := json.Unmarshal(read(t, "deploy", "grafana", "admin-gateway.json"), &dashboard); err != nil {
		t.Fatal(err)
	}
	ids := map[int]string{}
	for _, p := range dashboard.Panels {
		if other, twice := ids[p.ID]; twice || p.Title == "" || p.GridPos.X+p.GridPos.W > 24 {
			t.Errorf("panel %d %q: id of %q, or no title, or too wide", p.ID, p.Title, other)
		}
		ids[p.ID] = p.Title
		if p.Type != "row" && (len(p.Targets) == 0 || p.Description == "") {
			t.Errorf("panel %q shows nothing, or has no description", p.Title)
		}
		for _, target := range p.Targets {
			// Grafana puts in a duration, and instances between the quotes.
			has, err := query(all, strings.ReplaceAll(target.Expr, "$__rate_interval", "5m"))
			if err != nil {
				t.Errorf("panel %q: %s: %v", p.Title, target.Expr, err)
			}
			for _, label := range legendLabel.FindAllStringSubmatch(target.LegendFormat, -1) {
				if !slices.Contains(has, label[1]) {
					t.Errorf("panel %q: %s has no label %q for %q", p.Title, target.Expr, label[1], target.LegendFormat)
				}
			}
			if !strings.Contains(target.Expr, `instance=~"$instance"`) {
				t.Errorf("panel %q is not about the chosen instances: %s", p.Title, target.Expr)
			}
		}
	}
	asked := regexp.MustCompile(`^label_values\((\w+), (\w+)\)$`)
	for _, v := range dashboard.Templating.List {
		if v.Type != "query" {
			continue
		}
		m := asked.FindStringSubmatch(v.Definition)
		if m == nil {
			t.Errorf("variable %s asks %s", v.Name, v.Definition)
			continue
		}
		if has, err := query(all, m[1]); err != nil || !slices.Contains(has, m[2]) {
			t.Errorf("variable %s: %v", v.Name, err)
		}
	}
}

var annotationLabel = regexp.MustCompile(`\$labels\.(\w+)`)

// Every alert has a valid query, and names its subject.
func TestAlerts(t *testing.T) {
	t.Parallel()
	all := documented(t)
	var rules struct {
		Groups []struct {
			Name  string `yaml:"name"`
			Rules []struct {
				Alert       string            `yaml:"alert"`
				Expr        string            `yaml:"expr"`
				For         string            `yaml:"for"`
				Labels      map[string]string `yaml:"labels"`
				Annotations map[string]string `yaml:"annotations"`
			} `yaml:"rules"`
		} `yaml:"groups"`
	}
	decoder := yaml.NewDecoder(bytes.NewReader(read(t, "deploy", "prometheus", "rules.yaml")))
	decoder.KnownFields(true)
	if err := decoder.Decode(&rules); err != nil {
		t.Fatal(err)
	}
	names := map[string]bool{}
	for _, group := range rules.Groups {
		for _, rule := range group.Rules {
			if names[rule.Alert] || !strings.HasPrefix(rule.Alert, "Gateway") {
				t.Errorf("%s is there twice, or has another's name", rule.Alert)
			}
			names[rule.Alert] = true
			has, err := query(all, rule.Expr)
			if err != nil {
				t.Errorf("%s: %v", rule.Alert, err)
			}
			if severity := rule.Labels["severity"]; severity != "page" && severity != "ticket" {
				t.Errorf("%s has the severity %q", rule.Alert, severity)
			}
			if _, err := model.ParseDuration(rule.For); rule.For != "" && err != nil {
				t.Errorf("%s: %v", rule.Alert, err)
			}
			summary := rule.Annotations["summary"]
			if summary == "" {
				t.Errorf("%s says nothing", rule.Alert)
			}
			for _, label := range annotationLabel.FindAllStringSubmatch(summary, -1) {
				if !slices.Contains(has, label[1]) {
					t.Errorf("%s has no label %q for its summary", rule.Alert, label[1])
				}
			}
		}
	}
	if len(names) < 15 {
		t.Errorf("only %d alerts", len(names))
	}
}

// Faults are found.
func TestQueryFaults(t *testing.T) {
	t.Parallel()
	all := map[string]Metric{
		"some_total": {"counter", []string{"kind"}}, "level": {"gauge", nil}, "took_seconds": {"histogram", []string{"rpc"}},
	}
	for text, want := range map[string]string{
		`sum by (kind) (rate(some_total[5m]))`:                                      "",
		`histogram_quantile(0.9, sum by (le, rpc) (rate(took_seconds_bucket[5m])))`: "",
		`level{instance="a"} > 1 or changes(level[5m]) > 3`:                         "",
		`sum(rate(some_total[5m])`:                                                  "unclosed",
		`rate(other_total[5m])`:                                                     "no metric",
		`rate(level[5m])`:                                                           "is a gauge",
		`some_total > 1`:                                                            "is a counter",
		`count by (kind) (some_total) > 1`:                                          "",
		`rate(took_seconds[5m])`:                                                    "no metric",
		`rate(some_total{sort="a"}[5m])`:                                            "no label",
		`sum by (sort) (rate(some_total[5m]))`:                                      "to group by",
		`histogram_quantile(0.9, sum by (rpc) (rate(took_seconds_bucket[5m])))`:     "no buckets",
		`sum by (le) (rate(took_seconds_count[5m]))`:                                "to group by",
	} {
		_, err := query(all, text)
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want %q", text, err, want)
		}
	}
}
