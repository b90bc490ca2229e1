package deploy

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write what is generated anew (make manifests)")

const generatedBy = "# Rendered from deploy/helm/admin-gateway by make manifests: change it there.\n"

// copies are files that the chart and others have both. Helm takes no files from outside
// of a chart, and Flux none through a link.
var copies = map[string]string{
	folder + "/prometheus/rules.yaml":      chartFolder + "/files/rules.yaml",
	folder + "/grafana/admin-gateway.json": chartFolder + "/files/dashboard.json",
}

// rendered are the folders of kustomize that are the chart with certain values.
var rendered = []struct {
	folder, values string
	// beyond has the values of what the folder is added to.
	beyond string
}{
	{folder: "kubernetes/base", values: "base-values.yaml"},
	{folder: "kubernetes/single", values: "single-values.yaml"},
	{folder: "kubernetes/components/prometheus-operator", values: "prometheus-operator-values.yaml", beyond: "base-values.yaml"},
}

// TestGenerated: the chart is the one source of the manifests, and has the alerts and the
// dashboard that all others have.
func TestGenerated(t *testing.T) {
	for from, to := range copies {
		same(t, to, read(t, from))
	}
	for _, r := range rendered {
		at := filepath.Join(folder, r.folder)
		texts := mustTemplate(t, values(t, chartFolder+"/ci/"+r.values))
		delete(texts, "NOTES.txt")
		if r.beyond != "" {
			for name := range mustTemplate(t, values(t, chartFolder+"/ci/"+r.beyond)) {
				delete(texts, name)
			}
		}
		files := map[string]bool{"kustomization.yaml": true}
		for name, text := range texts {
			if name == "configmap.yaml" {
				// Kustomize makes the ConfigMap, with a hash in its name.
				name, text = "gateway.yaml", configIn(t, text)
			} else {
				text = generatedBy + text
			}
			files[name] = true
			same(t, filepath.Join(at, name), text)
		}
		there, err := os.ReadDir(at)
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range there {
			if !files[file.Name()] {
				t.Errorf("%s/%s is not rendered any more", r.folder, file.Name())
			}
		}
	}
}

// configIn is the gateway.yaml of a ConfigMap, as its text is.
func configIn(t *testing.T, text string) string {
	t.Helper()
	_, block, ok := strings.Cut(text, "  gateway.yaml: |\n")
	if !ok {
		t.Fatalf("there is no gateway.yaml in %s", text)
	}
	var config strings.Builder
	for line := range strings.Lines(block) {
		config.WriteString(strings.TrimPrefix(line, "    "))
	}
	return config.String()
}

// same compares a file with its text, or writes it.
func same(t *testing.T, file, text string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil { //nolint:gosec // A file of the repository.
			t.Fatal(err)
		}
		return
	}
	if is, err := os.ReadFile(file); err != nil || string(is) != text {
		t.Errorf("%s is not what it is made from (%v): run make manifests", file, err)
	}
}
