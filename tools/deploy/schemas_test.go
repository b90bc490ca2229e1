package deploy

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	_ "github.com/cert-manager/cert-manager/pkg/apis/certmanager" // Its module has the resource definitions.
	_ "github.com/external-secrets/external-secrets/apis/meta/v1" // Likewise.
	monitoringv1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	"github.com/santhosh-tekuri/jsonschema/v6"
	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	_ "sigs.k8s.io/gateway-api/pkg/consts" // Likewise.
	"sigs.k8s.io/yaml"
)

// kinds are the Go types of objects. Those of others have a definition in crds.
var kinds = map[string]func() any{
	"v1/ConfigMap":                                    func() any { return new(corev1.ConfigMap) },
	"v1/Pod":                                          func() any { return new(corev1.Pod) },
	"v1/Namespace":                                    func() any { return new(corev1.Namespace) },
	"v1/PersistentVolumeClaim":                        func() any { return new(corev1.PersistentVolumeClaim) },
	"v1/Service":                                      func() any { return new(corev1.Service) },
	"v1/ServiceAccount":                               func() any { return new(corev1.ServiceAccount) },
	"apps/v1/Deployment":                              func() any { return new(appsv1.Deployment) },
	"autoscaling/v2/HorizontalPodAutoscaler":          func() any { return new(autoscalingv2.HorizontalPodAutoscaler) },
	"networking.k8s.io/v1/Ingress":                    func() any { return new(networkingv1.Ingress) },
	"networking.k8s.io/v1/NetworkPolicy":              func() any { return new(networkingv1.NetworkPolicy) },
	"policy/v1/PodDisruptionBudget":                   func() any { return new(policyv1.PodDisruptionBudget) },
	"rbac.authorization.k8s.io/v1/ClusterRoleBinding": func() any { return new(rbacv1.ClusterRoleBinding) },
	"monitoring.coreos.com/v1/PodMonitor":             func() any { return new(monitoringv1.PodMonitor) },
	"monitoring.coreos.com/v1/PrometheusRule":         func() any { return new(monitoringv1.PrometheusRule) },
}

// crds are the modules with definitions of further resources, and where these are.
var crds = map[string]string{
	"sigs.k8s.io/gateway-api":                      "config/crd/standard/*.yaml",
	"github.com/cert-manager/cert-manager":         "deploy/crds/*.yaml",
	"github.com/external-secrets/external-secrets": "config/crds/bases/external-secrets.io_*.yaml",
}

// definition is the part of a CustomResourceDefinition that we use.
type definition struct {
	Spec struct {
		Group string `json:"group"`
		Names struct {
			Kind string `json:"kind"`
		} `json:"names"`
		Versions []struct {
			Name   string `json:"name"`
			Schema struct {
				OpenAPIV3Schema map[string]any `json:"openAPIV3Schema"`
			} `json:"schema"`
		} `json:"versions"`
	} `json:"spec"`
}

// customKinds are the schemas of the resources in crds, by version and kind.
var customKinds = sync.OnceValues(func() (map[string]*jsonschema.Schema, error) {
	all := make(map[string]*jsonschema.Schema)
	for module, pattern := range crds {
		at, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", module).Output()
		if err != nil {
			return nil, fmt.Errorf("%s: %w", module, err)
		}
		files, err := filepath.Glob(filepath.Join(strings.TrimSpace(string(at)), pattern))
		if err != nil || len(files) == 0 {
			return nil, fmt.Errorf("%s: there is no %s (%w)", module, pattern, err)
		}
		for _, file := range files {
			if err := addDefinition(all, file); err != nil {
				return nil, fmt.Errorf("%s: %w", file, err)
			}
		}
	}
	return all, nil
})

func addDefinition(all map[string]*jsonschema.Schema, file string) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	var d definition
	if err := yaml.Unmarshal(text, &d); err != nil {
		return err
	}
	for _, version := range d.Spec.Versions {
		kind := d.Spec.Group + "/" + version.Name + "/" + d.Spec.Names.Kind
		closeSchema(version.Schema.OpenAPIV3Schema)
		compiler := jsonschema.NewCompiler()
		if err := compiler.AddResource(kind, version.Schema.OpenAPIV3Schema); err != nil {
			return err
		}
		if all[kind], err = compiler.Compile(kind); err != nil {
			return err
		}
	}
	return nil
}

// closeSchema makes an unknown member an error, as kubectl does for a strict apply, and
// takes out what JSON Schema calls otherwise: Kubernetes' nullable and numeric formats.
func closeSchema(node any) {
	switch node := node.(type) {
	case []any:
		for _, n := range node {
			closeSchema(n)
		}
	case map[string]any:
		delete(node, "format")
		properties, ok := node["properties"].(map[string]any)
		if ok && node["additionalProperties"] == nil && node["x-kubernetes-preserve-unknown-fields"] == nil && node["type"] == "object" && properties["apiVersion"] == nil {
			node["additionalProperties"] = false
		}
		if node["x-kubernetes-int-or-string"] == true {
			node["type"] = []any{"integer", "string"}
		}
		for name, n := range node {
			if name != "default" && name != "enum" && name != "example" {
				closeSchema(n)
			}
		}
		if metadata, ok := properties["metadata"].(map[string]any); ok {
			delete(metadata, "additionalProperties") // It is Kubernetes' own.
		}
	}
}

// validate compares an object with its schema: a member that it does not have, or that
// has another type, is an error.
func validate(object map[string]any) error {
	kind := fmt.Sprintf("%v/%v", object["apiVersion"], object["kind"])
	if empty, ok := kinds[kind]; ok {
		text, err := yaml.Marshal(object)
		if err != nil {
			return err
		}
		return decode(text, empty())
	}
	custom, err := customKinds()
	if err != nil {
		return err
	}
	schema, ok := custom[kind]
	if !ok {
		return fmt.Errorf("%s is unknown to this test", kind)
	}
	return schema.Validate(object)
}

// TestSchemas: every object of every way to install it is what Kubernetes and the
// operators take, whichever tool makes it.
func TestSchemas(t *testing.T) {
	t.Parallel()
	for name, w := range ways(t) {
		for _, all := range []objects{helmObjects(t, w.all(t)), kustomizeObjects(t, w.resources, w.components)} {
			for object, content := range all {
				if err := validate(content); err != nil {
					t.Errorf("%s: %s: %v", name, object, err)
				}
			}
		}
	}
	callers, err := filepath.Glob(folder + "/examples/*/caller.yaml")
	if err != nil || len(callers) == 0 {
		t.Errorf("there is no example of a caller: %v", err)
	}
	for _, file := range callers {
		all := make(objects)
		if err := all.add(read(t, file)); err != nil {
			t.Fatal(err)
		}
		for object, content := range all {
			if err := validate(content); err != nil {
				t.Errorf("%s: %s: %v", file, object, err)
			}
		}
	}
}

// TestSchemasFindFaults: a member that a resource of others does not have is found, and
// so are a value of another type and one that is missing.
func TestSchemasFindFaults(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"unknown member": "{apiVersion: cert-manager.io/v1, kind: Certificate, metadata: {name: a}, spec: {secretName: a, issuerRef: {name: a}, secret: b}}",
		"unknown below":  "{apiVersion: gateway.networking.k8s.io/v1, kind: GRPCRoute, metadata: {name: a}, spec: {parentRefs: [{name: a, section: b}]}}",
		"wrong type":     "{apiVersion: gateway.networking.k8s.io/v1, kind: HTTPRoute, metadata: {name: a}, spec: {hostnames: a.example}}",
		"missing":        "{apiVersion: cert-manager.io/v1, kind: Certificate, metadata: {name: a}, spec: {secretName: a}}",
		"no such value":  "{apiVersion: external-secrets.io/v1, kind: ExternalSecret, metadata: {name: a}, spec: {target: {creationPolicy: Always}}}",
		"unknown kind":   "{apiVersion: example.org/v1, kind: Thing, metadata: {name: a}}",
		"Go type":        "{apiVersion: monitoring.coreos.com/v1, kind: PodMonitor, metadata: {name: a}, spec: {selector: {}, endpoints: []}}",
	} {
		all := make(objects)
		if err := all.add(text); err != nil {
			t.Fatal(err)
		}
		for _, object := range all {
			if validate(object) == nil {
				t.Errorf("%s: no error", name)
			}
		}
	}
}
