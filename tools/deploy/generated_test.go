package deploy

import (
	"flag"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write what is generated anew (make manifests)")

// generatedBy begins each file.
const generatedBy = "# Rendered from deploy/helm/admin-gateway by make manifests: change it there.\n"

// copies are files that the chart and others have both. Helm takes no files from outside
// of a chart, and Flux none through a link.
var copies = map[string]string{
	folder + "/prometheus/rules.yaml":      chartFolder + "/files/rules.yaml",
	folder + "/grafana/admin-gateway.json": chartFolder + "/files/dashboard.json",
}

const (
	ci         = chartFolder + "/ci/"
	baseValues = ci + "base-values.yaml"
)

// rendering is a folder of kustomize that is the chart with certain values.
type rendering struct {
	folder string
	values []string
	// component: the folder has what these values add to the base.
	component bool
}

func renderings(t *testing.T) []rendering {
	t.Helper()
	all := []rendering{
		{folder: folder + "/kubernetes/base", values: []string{baseValues}},
		{folder: folder + "/kubernetes/single", values: []string{ci + "single-values.yaml"}},
		{folder: folder + "/kubernetes/components/prometheus-operator", values: []string{ci + "prometheus-operator-values.yaml"}, component: true},
	}
	for _, name := range examples(t) {
		all = append(all, rendering{folder: name, values: []string{baseValues, name + "/values.yaml"}, component: true})
	}
	return all
}

// examples are the folders with examples.
func examples(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob(folder + "/examples/*/values.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("there are no examples: %v", err)
	}
	for n, file := range files {
		files[n] = filepath.Dir(file)
	}
	return files
}

// written are the files beside the rendered ones.
var written = []string{"kustomization.yaml", "values.yaml", "caller.yaml"}

// TestGenerated: the chart is the one source of the manifests, and has the alerts and the
// dashboard that all others have.
func TestGenerated(t *testing.T) {
	for from, to := range copies {
		same(t, to, read(t, from))
	}
	base := mustTemplate(t, values(t, baseValues))
	for _, r := range renderings(t) {
		texts := mustTemplate(t, values(t, r.values...))
		delete(texts, "NOTES.txt")
		if r.component {
			maps.DeleteFunc(texts, func(name, _ string) bool { return base[name] != "" })
		}
		files := make(map[string]bool)
		for name, text := range texts {
			if name == "configmap.yaml" {
				// Kustomize makes the ConfigMap, with a hash in its name.
				name, text = "gateway.yaml", configIn(t, text)
			} else {
				text = generatedBy + text
			}
			files[name] = true
			same(t, filepath.Join(r.folder, name), text)
		}
		there, err := os.ReadDir(r.folder)
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range there {
			if !files[file.Name()] && !slices.Contains(written, file.Name()) {
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
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if is, err := os.ReadFile(file); err != nil || string(is) != text {
		t.Errorf("%s is not what it is made from (%v): run make manifests", file, err)
	}
}
