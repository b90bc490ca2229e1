package deploy

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

// alertTests is the part of a file of promtool's tests that we read.
type alertTests struct {
	Tests []struct {
		Name           string `json:"name"`
		AlertRuleTests []struct {
			Alert    string           `json:"alertname"`
			Expected []map[string]any `json:"exp_alerts"`
		} `json:"alert_rule_test"`
	} `json:"tests"`
}

// ruleFile is rules.yaml as far as it is read here.
type ruleFile struct {
	Groups []struct {
		Rules []struct {
			Alert       string            `json:"alert"`
			Annotations map[string]string `json:"annotations"`
		} `json:"rules"`
	} `json:"groups"`
}

func alertNames(t *testing.T) map[string]map[string]string {
	t.Helper()
	var rules ruleFile
	if err := yaml.Unmarshal([]byte(read(t, folder+"/prometheus/rules.yaml")), &rules); err != nil {
		t.Fatal(err)
	}
	all := make(map[string]map[string]string)
	for _, group := range rules.Groups {
		for _, rule := range group.Rules {
			all[rule.Alert] = rule.Annotations
		}
	}
	if len(all) < 20 {
		t.Fatalf("there are only %d alerts", len(all))
	}
	return all
}

func alertFiles(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob("testdata/alerts/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("there are no tests of alerts: %v", err)
	}
	return files
}

// program is the path of a program of Debian's package prometheus.
func program(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Skipf("%s is not installed (Debian: apt-get install prometheus)", name)
	}
	return path
}

// TestEachAlertIsTested: every alert has a case in which it fires and one in which it is
// silent.
func TestEachAlertIsTested(t *testing.T) {
	t.Parallel()
	fires, silent := make(map[string]bool), make(map[string]bool)
	for _, file := range alertFiles(t) {
		var tests alertTests
		if err := yaml.Unmarshal([]byte(read(t, file)), &tests); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		for _, test := range tests.Tests {
			for _, a := range test.AlertRuleTests {
				fires[a.Alert] = fires[a.Alert] || len(a.Expected) > 0
				silent[a.Alert] = silent[a.Alert] || len(a.Expected) == 0
			}
		}
	}
	names := alertNames(t)
	for name := range names {
		if !fires[name] || !silent[name] {
			t.Errorf("testdata/alerts has no case in which %s fires, or none in which it is silent", name)
		}
	}
	for name := range fires {
		if names[name] == nil {
			t.Errorf("testdata/alerts is about %s, which there is not", name)
		}
	}
}

// TestAlerts plays the cases to promtool, with the labels that the targets of the
// manifests have.
func TestAlerts(t *testing.T) {
	t.Parallel()
	promtool := program(t, "promtool")
	rules, err := filepath.Abs(folder + "/prometheus/rules.yaml")
	if err != nil {
		t.Fatal(err)
	}
	in := strings.NewReplacer("$rules", rules, "$pod1", podTarget(t, 1).series(), "$pod2", podTarget(t, 2).series(), "$compose", composeTarget(t).series())
	at := t.TempDir()
	for _, file := range alertFiles(t) {
		test := write(t, at, filepath.Base(file), in.Replace(read(t, file)))
		if out, err := exec.CommandContext(t.Context(), promtool, "test", "rules", test).CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s", file, err, out)
		}
	}
	// The whole configuration, too, as Prometheus reads it.
	config := strings.ReplaceAll(read(t, folder+"/prometheus/prometheus.yml"), "/etc/prometheus/", filepath.Dir(rules)+"/")
	if out, err := exec.CommandContext(t.Context(), promtool, "check", "config", write(t, at, "prometheus.yml", config)).CombinedOutput(); err != nil {
		t.Errorf("prometheus.yml: %v\n%s", err, out)
	}
}

// TestRunbooks: every alert leads to the section of docs/operations.md about it.
func TestRunbooks(t *testing.T) {
	t.Parallel()
	page := read(t, "../../docs/operations.md")
	for name, annotations := range alertNames(t) {
		file, anchor, _ := strings.Cut(annotations["runbook_url"], "#")
		if !strings.HasSuffix(file, "/docs/operations.md") || anchor != strings.ToLower(name) {
			t.Errorf("%s leads to %q", name, annotations["runbook_url"])
		}
		if !strings.Contains(page, "\n### "+name+"\n") {
			t.Errorf("docs/operations.md has no section %s", name)
		}
	}
}

// TestRulesAreTheOperators: the PrometheusRule has the alerts of rules.yaml, and the
// ConfigMap the dashboard, byte for byte.
func TestRulesAreTheOperators(t *testing.T) {
	t.Parallel()
	i := build(t)
	want, err := yaml.YAMLToJSON([]byte(read(t, folder+"/prometheus/rules.yaml")))
	if err != nil {
		t.Fatal(err)
	}
	spec, err := yaml.Marshal(i.alerts.Spec)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := yaml.YAMLToJSON(spec); err != nil || string(got) != string(want) {
		t.Errorf("the PrometheusRule is\n%s\nand rules.yaml\n%s (%v)", got, want, err)
	}
	if i.dashboard.Data["admin-gateway.json"] != read(t, folder+"/grafana/admin-gateway.json") {
		t.Error("the ConfigMap has another dashboard")
	}
	if i.dashboard.Labels["grafana_dashboard"] != "1" {
		t.Error("Grafana's sidecar does not find the dashboard")
	}
	if size := len(i.dashboard.Data["admin-gateway.json"]); size > 1<<20-1<<16 {
		t.Errorf("the dashboard has %d bytes, and a ConfigMap takes 1 MiB", size)
	}
}
