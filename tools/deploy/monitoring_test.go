package deploy

import (
	"encoding/json"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

// prometheus is the part of its configuration that we use.
type prometheus struct {
	Global struct {
		ScrapeInterval     string `json:"scrape_interval"`
		EvaluationInterval string `json:"evaluation_interval"`
	} `json:"global"`
	RuleFiles     []string `json:"rule_files"`
	ScrapeConfigs []struct {
		JobName       string `json:"job_name"`
		MetricsPath   string `json:"metrics_path"`
		StaticConfigs []struct {
			Targets []string `json:"targets"`
		} `json:"static_configs"`
	} `json:"scrape_configs"`
}

// TestPrometheus: it scrapes the port of operators, and loads the rules beside it.
func TestPrometheus(t *testing.T) {
	t.Parallel()
	var p prometheus
	strict(t, folder+"/prometheus/prometheus.yml", &p)
	config := parseConfig(t, read(t, folder+"/compose/gateway.yaml"))
	if s := p.ScrapeConfigs; len(s) != 1 || s[0].MetricsPath != "/metrics" || !slices.Equal(s[0].StaticConfigs[0].Targets, []string{"gateway" + config.OpsListen}) {
		t.Errorf("it scrapes %+v", s)
	}
	project := compose(t)
	within := ""
	for _, v := range project.Services["prometheus"].Volumes {
		if filepath.Base(v.Source) == "prometheus" && v.Type == "bind" {
			within = v.Target
		}
	}
	for _, file := range p.RuleFiles {
		if within == "" || filepath.Dir(file) != within {
			t.Errorf("rules are looked for in %s, and mounted in %q", file, within)
		}
	}
	for _, name := range []string{"gateway", "prometheus"} {
		if _, joined := project.Services[name].Networks["ops"]; !joined {
			t.Errorf("%s is not in the operators' network", name)
		}
	}
}

// TestGrafana: the data source is the Prometheus of the Compose file, dashboards are
// where they are mounted, and a dashboard that names a data source names this one.
func TestGrafana(t *testing.T) {
	t.Parallel()
	var sources struct {
		APIVersion  int `json:"apiVersion"`
		Datasources []struct {
			Name      string `json:"name"`
			UID       string `json:"uid"`
			Type      string `json:"type"`
			Access    string `json:"access"`
			URL       string `json:"url"`
			IsDefault bool   `json:"isDefault"`
			Editable  bool   `json:"editable"`
		} `json:"datasources"`
	}
	strict(t, folder+"/grafana/provisioning/datasources/prometheus.yaml", &sources)
	if d := sources.Datasources; len(d) != 1 || d[0].URL != "http://prometheus:9090" || !d[0].IsDefault {
		t.Fatalf("data sources %+v", d)
	}
	var providers struct {
		APIVersion int `json:"apiVersion"`
		Providers  []struct {
			Name           string `json:"name"`
			Type           string `json:"type"`
			AllowUIUpdates bool   `json:"allowUiUpdates"`
			Options        struct {
				Path string `json:"path"`
			} `json:"options"`
		} `json:"providers"`
	}
	strict(t, folder+"/grafana/provisioning/dashboards/admin-gateway.yaml", &providers)
	mounted := make(map[string]string)
	for _, v := range compose(t).Services["grafana"].Volumes {
		mounted[v.Target] = v.Source
	}
	if p := providers.Providers; len(p) != 1 || filepath.Base(mounted[p[0].Options.Path]) != "grafana" {
		t.Errorf("dashboards %+v in %v", p, mounted)
	}
	dashboards, err := filepath.Glob(folder + "/grafana/*.json")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range dashboards {
		var dashboard any
		if err := json.Unmarshal([]byte(read(t, file)), &dashboard); err != nil {
			t.Errorf("%s: %v", file, err)
		}
		for _, uid := range datasources(dashboard) {
			if !strings.HasPrefix(uid, "$") && uid != "-- Grafana --" && uid != sources.Datasources[0].UID {
				t.Errorf("%s: there is no data source %q", file, uid)
			}
		}
	}
}

// datasources are the uids that a dashboard names.
func datasources(value any) []string {
	var found []string
	switch value := value.(type) {
	case []any:
		for _, v := range value {
			found = append(found, datasources(v)...)
		}
	case map[string]any:
		if source, ok := value["datasource"].(map[string]any); ok {
			if uid, ok := source["uid"].(string); ok {
				found = append(found, uid)
			}
		}
		for _, v := range value {
			found = append(found, datasources(v)...)
		}
	}
	return found
}

func strict(t *testing.T, file string, out any) {
	t.Helper()
	if err := yaml.UnmarshalStrict([]byte(read(t, file)), out); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
}
