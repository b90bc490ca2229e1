package deploy

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"helm.sh/helm/v4/pkg/chart/common"
	"helm.sh/helm/v4/pkg/chart/common/util"
	"helm.sh/helm/v4/pkg/chart/v2/loader"
	"helm.sh/helm/v4/pkg/engine"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
	"sigs.k8s.io/yaml"
)

const (
	chartFolder = folder + "/helm/admin-gateway"
	// release is the name that the manifests in kubernetes/ have, and their namespace.
	release = "admin-gateway"
)

// values reads files of values, of which a later one wins.
func values(t *testing.T, files ...string) map[string]any {
	t.Helper()
	all := make(map[string]any)
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		more, err := loader.LoadValues(bytes.NewReader(text))
		if err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		all = loader.MergeMaps(all, more)
	}
	return all
}

// inline are values as --values would have them.
func inline(t *testing.T, text string) map[string]any {
	t.Helper()
	v, err := loader.LoadValues(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// template does what helm template does, and returns the text of each template that is
// not empty, by the name of its file. A value that no file of values has is an error.
func template(ctx context.Context, v map[string]any) (map[string]string, error) {
	chart, err := loader.LoadDir(chartFolder)
	if err != nil {
		return nil, err
	}
	all, err := util.ToRenderValues(chart, v, common.ReleaseOptions{Name: release, Namespace: release, Revision: 1, IsInstall: true}, common.DefaultCapabilities)
	if err != nil {
		return nil, err
	}
	rendered, err := engine.Engine{Strict: true}.RenderWithContext(ctx, chart, all)
	if err != nil {
		return nil, err
	}
	texts := make(map[string]string)
	for name, text := range rendered {
		if text = strings.TrimSpace(text); text != "" {
			texts[filepath.Base(name)] = text + "\n"
		}
	}
	return texts, nil
}

func mustTemplate(t *testing.T, v map[string]any) map[string]string {
	t.Helper()
	texts, err := template(t.Context(), v)
	if err != nil {
		t.Fatal(err)
	}
	return texts
}

// objects are those of manifests, by version, kind and name.
type objects map[string]map[string]any

// add adds the objects of a text, of which there may be several.
func (o objects) add(text string) error {
	for _, part := range regexp.MustCompile(`(?m)^---$`).Split(text, -1) {
		var object map[string]any
		if err := yaml.Unmarshal([]byte(part), &object); err != nil {
			return err
		}
		if object == nil {
			continue
		}
		metadata, _ := object["metadata"].(map[string]any)
		name := fmt.Sprintf("%v/%v %v", object["apiVersion"], object["kind"], metadata["name"])
		if o[name] != nil {
			return fmt.Errorf("%s is there twice", name)
		}
		o[name] = object
	}
	return nil
}

// helmObjects are the objects that helm would install.
func helmObjects(t *testing.T, v map[string]any) objects {
	t.Helper()
	all := make(objects)
	texts := maps.Clone(mustTemplate(t, v))
	delete(texts, "NOTES.txt")
	for name, text := range texts {
		if err := all.add(text); err != nil {
			t.Fatalf("%s: %v\n%s", name, err, text)
		}
	}
	return all
}

// hashed is the name of a generated ConfigMap, whose hash has the work of the chart's
// annotation checksum/config: a change of the config rolls the replicas.
var hashed = regexp.MustCompile(`\badmin-gateway-config-[a-z0-9]{10}\b`)

// kustomizeObjects are the objects of a kustomization that is made of others, named from
// deploy/.
func kustomizeObjects(t *testing.T, resources, components []string) objects {
	t.Helper()
	at := t.TempDir()
	whole, err := filepath.Abs(folder)
	if err != nil {
		t.Fatal(err)
	}
	there, err := filepath.Rel(at, whole) // Kustomize takes no absolute paths.
	if err != nil {
		t.Fatal(err)
	}
	within := func(names []string) []string {
		paths := make([]string, 0, len(names))
		for _, name := range names {
			paths = append(paths, filepath.Join(there, name))
		}
		return paths
	}
	text, err := yaml.Marshal(map[string]any{
		"apiVersion": "kustomize.config.k8s.io/v1beta1", "kind": "Kustomization", "resources": within(resources), "components": within(components),
	})
	if err != nil {
		t.Fatal(err)
	}
	write(t, at, "kustomization.yaml", string(text))
	built, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), at)
	if err != nil {
		t.Fatal(err)
	}
	manifests, err := built.AsYaml()
	if err != nil {
		t.Fatal(err)
	}
	all := make(objects)
	if err := all.add(hashed.ReplaceAllString(string(manifests), "admin-gateway-config")); err != nil {
		t.Fatal(err)
	}
	return all
}
