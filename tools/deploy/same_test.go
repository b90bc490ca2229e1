package deploy

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"helm.sh/helm/v4/pkg/chart/v2/loader"
)

// way is an installation in both ways.
type way struct {
	// values are files of values, from deploy/, or the values themselves.
	values []string
	inline string
	// resources and components are folders of kustomize, from deploy/.
	resources, components []string
}

// ways are the installations that can be had with Helm and with kustomize.
func ways(t *testing.T) map[string]way {
	t.Helper()
	const base, ci = "kubernetes/base", "helm/admin-gateway/ci/"
	all := map[string]way{
		"base":                {values: []string{ci + "base-values.yaml"}, resources: []string{base}},
		"single":              {values: []string{ci + "single-values.yaml"}, resources: []string{"kubernetes/single"}},
		"prometheus-operator": {values: []string{ci + "prometheus-operator-values.yaml"}, resources: []string{base}, components: []string{"kubernetes/components/prometheus-operator"}},
		"vault":               {values: []string{ci + "base-values.yaml"}, inline: "vault: {enabled: true}", resources: []string{base}, components: []string{"kubernetes/components/vault"}},
	}
	examples, err := os.ReadDir(folder + "/examples")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range examples {
		if e.IsDir() {
			at := "examples/" + e.Name()
			all[e.Name()] = way{values: []string{ci + "base-values.yaml", at + "/values.yaml"}, resources: []string{base}, components: []string{at}}
		}
	}
	return all
}

func (w way) all(t *testing.T) map[string]any {
	t.Helper()
	files := make([]string, 0, len(w.values))
	for _, file := range w.values {
		files = append(files, filepath.Join(folder, file))
	}
	return loader.MergeMaps(values(t, files...), inline(t, w.inline))
}

// TestChartIsKustomize: Helm installs the same objects as kustomize, in every way that
// there is to install them, the examples included.
func TestChartIsKustomize(t *testing.T) {
	t.Parallel()
	for name, w := range ways(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			chart, manifests := helmObjects(t, w.all(t)), kustomizeObjects(t, w.resources, w.components)
			for name, object := range chart {
				if difference := cmp.Diff(manifests[name], object); difference != "" {
					t.Errorf("%s (- kustomize, + helm):\n%s", name, difference)
				}
			}
			for name := range manifests {
				if chart[name] == nil {
					t.Errorf("only kustomize has %s", name)
				}
			}
		})
	}
}
