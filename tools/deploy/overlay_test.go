package deploy

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	monitoringv1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
	"sigs.k8s.io/yaml"
)

const (
	folder  = "../../deploy"
	example = folder + "/kubernetes/overlays/example"
)

// installation is an overlay as it would be applied: one object of each kind, and
// three config maps.
type installation struct {
	namespace  corev1.Namespace
	account    corev1.ServiceAccount
	config     corev1.ConfigMap
	policy     corev1.ConfigMap
	deployment appsv1.Deployment
	service    corev1.Service
	disruption policyv1.PodDisruptionBudget
	scaler     autoscalingv2.HorizontalPodAutoscaler
	network    networkingv1.NetworkPolicy
	monitor    monitoringv1.PodMonitor
	alerts     monitoringv1.PrometheusRule
	dashboard  corev1.ConfigMap
}

// pod is the spec of its pods, and gateway their one container.
func (i *installation) pod() *corev1.PodSpec       { return &i.deployment.Spec.Template.Spec }
func (i *installation) gateway() *corev1.Container { return &i.pod().Containers[0] }

// build builds the overlay, as it would be applied.
func build(t *testing.T) *installation {
	t.Helper()
	objects, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), example)
	if err != nil {
		t.Fatal(err)
	}
	i := new(installation)
	into := map[string]any{
		"v1/Namespace": &i.namespace, "v1/ServiceAccount": &i.account, "apps/v1/Deployment": &i.deployment, "v1/Service": &i.service,
		"policy/v1/PodDisruptionBudget": &i.disruption, "autoscaling/v2/HorizontalPodAutoscaler": &i.scaler,
		"networking.k8s.io/v1/NetworkPolicy": &i.network, "monitoring.coreos.com/v1/PodMonitor": &i.monitor,
		"monitoring.coreos.com/v1/PrometheusRule": &i.alerts,
	}
	for _, object := range objects.Resources() {
		text, err := object.AsYAML()
		if err != nil {
			t.Fatal(err)
		}
		kind := object.GetApiVersion() + "/" + object.GetKind()
		out, ok := into[kind]
		switch name := object.GetName(); {
		case kind != "v1/ConfigMap":
		case strings.HasPrefix(name, "admin-gateway-config"): // And a hash.
			out, ok = &i.config, true
		case strings.HasPrefix(name, "admin-gateway-policy"):
			out, ok = &i.policy, true
		case name == "admin-gateway-dashboard":
			out, ok = &i.dashboard, true
		}
		if !ok {
			t.Fatalf("there is a %s %s that this test does not know, or one too many", kind, object.GetName())
		}
		if err := decode(text, out); err != nil {
			t.Fatalf("%s %s: %v", kind, object.GetName(), err)
		}
		delete(into, kind)
	}
	for kind := range into {
		t.Errorf("there is no %s", kind)
	}
	if len(i.pod().Containers) != 1 {
		t.Fatalf("a pod has %d containers", len(i.pod().Containers))
	}
	return i
}

var errTwice = errors.New("is there twice")

// decode reads one object into an empty out. A member that the type does not have
// is an error.
func decode(text []byte, out any) error {
	if named, ok := out.(metav1.Object); ok && named.GetName() != "" {
		return errTwice
	}
	if err := yaml.UnmarshalStrict(text, out); err != nil {
		return fmt.Errorf("does not have the Kubernetes type: %w", err)
	}
	return nil
}

// TestStrict: a member that Kubernetes does not have is found.
func TestStrict(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"unknown member": "metadata: {name: a}\nspec: {replica: 3}",
		"member twice":   "metadata: {name: a}\nspec: {replicas: 3, replicas: 4}",
		"wrong type":     "metadata: {name: a}\nspec: {replicas: many}",
		"unknown below":  "metadata: {name: a}\nspec: {template: {spec: {containers: [{name: b, securityContext: {readOnlyRootFS: true}}]}}}",
	} {
		if err := decode([]byte(text), new(appsv1.Deployment)); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// TestBaseBuilds: other overlays can use the base.
func TestBaseBuilds(t *testing.T) {
	t.Parallel()
	if _, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), folder+"/kubernetes/base"); err != nil {
		t.Error(err)
	}
}
