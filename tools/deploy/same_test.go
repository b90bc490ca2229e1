package deploy

import (
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"helm.sh/helm/v4/pkg/chart/v2/loader"
)

// way is an installation in both ways.
type way struct {
	// values are files of values, and inline further ones.
	values []string
	inline string
	// resources and components are folders of kustomize, from deploy/.
	resources, components []string
}

// ways are the installations that can be had with Helm and with kustomize.
func ways(t *testing.T) map[string]way {
	t.Helper()
	const base = "kubernetes/base"
	all := map[string]way{
		"base":                {values: []string{baseValues}, resources: []string{base}},
		"single":              {values: []string{ci + "single-values.yaml"}, resources: []string{"kubernetes/single"}},
		"prometheus-operator": {values: []string{ci + "prometheus-operator-values.yaml"}, resources: []string{base}, components: []string{"kubernetes/components/prometheus-operator"}},
		"vault":               {values: []string{baseValues}, inline: "vault: {enabled: true}", resources: []string{base}, components: []string{"kubernetes/components/vault"}},
		"console":             {values: []string{baseValues}, inline: "console: {enabled: true, url: \"https://console.example\"}", resources: []string{base}, components: []string{"kubernetes/components/console"}},
	}
	for _, at := range examples(t) {
		name := filepath.Base(at)
		all[name] = way{values: []string{baseValues, at + "/values.yaml"}, resources: []string{base}, components: []string{"examples/" + name}}
	}
	return all
}

// all are the values of the chart.
func (w way) all(t *testing.T) map[string]any {
	t.Helper()
	return loader.MergeMaps(values(t, w.values...), inline(t, w.inline))
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
