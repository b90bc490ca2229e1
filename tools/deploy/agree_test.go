package deploy

import (
	"path"
	"slices"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
)

// TestSelectors: everything that selects pods selects those of the Deployment.
func TestSelectors(t *testing.T) {
	t.Parallel()
	i := build(t)
	pods := labels.Set(i.deployment.Spec.Template.Labels)
	selectors := map[string]*metav1.LabelSelector{
		"Deployment": i.deployment.Spec.Selector, "PodDisruptionBudget": i.disruption.Spec.Selector,
		"NetworkPolicy": &i.network.Spec.PodSelector, "PodMonitor": &i.monitor.Spec.Selector,
		"Service": {MatchLabels: i.service.Spec.Selector},
	}
	if len(i.pod().TopologySpreadConstraints) < 2 {
		t.Error("replicas are not spread over nodes and zones")
	}
	for _, c := range i.pod().TopologySpreadConstraints {
		selectors["spread over "+c.TopologyKey] = c.LabelSelector
	}
	for name, s := range selectors {
		selector, err := metav1.LabelSelectorAsSelector(s)
		if err != nil || selector.Empty() || !selector.Matches(pods) {
			t.Errorf("%s selects %v and not %v; error %v", name, selector, pods, err)
		}
	}
	if to := i.scaler.Spec.ScaleTargetRef; to.Kind != "Deployment" || to.Name != i.deployment.Name || to.APIVersion != "apps/v1" {
		t.Errorf("the autoscaler scales %+v", to)
	}
	for _, o := range []metav1.Object{&i.account, &i.config, &i.policy, &i.deployment, &i.service, &i.disruption, &i.scaler, &i.network, &i.monitor, &i.alerts, &i.dashboard} {
		if o.GetNamespace() != i.namespace.Name {
			t.Errorf("%s is in namespace %q", o.GetName(), o.GetNamespace())
		}
	}
}

// TestPorts: callers reach the doors and nothing else, by the names of the container's
// ports.
func TestPorts(t *testing.T) {
	t.Parallel()
	i := build(t)
	ports := make(map[string]int32)
	for _, p := range i.gateway().Ports {
		ports[p.Name] = p.ContainerPort
	}
	if len(ports) != 3 || ports["callers"] == 0 || ports["grpc"] == 0 || ports["ops"] == 0 {
		t.Fatalf("ports %v", ports)
	}
	exposed := make(map[string]int32)
	for _, p := range i.service.Spec.Ports {
		exposed[p.TargetPort.StrVal] = p.Port
	}
	if len(exposed) != 2 || exposed["callers"] != ports["callers"] || exposed["grpc"] != ports["grpc"] {
		t.Errorf("the Service exposes %v of %v", exposed, ports)
	}
	if in := i.network.Spec.Ingress; len(in) != 2 {
		t.Errorf("%d ingress rules", len(in))
	}
	for n, in := range i.network.Spec.Ingress {
		if len(in.From) != 1 || in.From[0].NamespaceSelector == nil || len(in.From[0].NamespaceSelector.MatchLabels) == 0 {
			t.Errorf("ingress rule %d is open to %v", n, in.From)
		}
		operators := in.From[0].PodSelector != nil
		for _, p := range in.Ports {
			if (p.Port.StrVal == "ops") != operators || ports[p.Port.StrVal] == 0 {
				t.Errorf("ingress rule %d leads to %v", n, p.Port)
			}
		}
	}
	for n, out := range i.network.Spec.Egress {
		if len(out.To) == 0 || len(out.Ports) == 0 {
			t.Errorf("egress rule %d leads anywhere", n)
		}
	}
	for _, m := range i.monitor.Spec.PodMetricsEndpoints {
		if m.Port == nil || *m.Port != "ops" || m.Path != "/metrics" {
			t.Errorf("Prometheus scrapes %+v", m)
		}
	}
}

// TestFiles: every volume is mounted, and the README lists the objects that the cluster
// needs besides.
func TestFiles(t *testing.T) {
	t.Parallel()
	i := build(t)
	mounted := make(map[string]string)
	for _, m := range i.gateway().VolumeMounts {
		mounted[m.Name] = m.MountPath
	}
	readme := read(t, folder+"/README.md")
	for _, v := range i.pod().Volumes {
		if mounted[v.Name] == "" {
			t.Errorf("volume %s is not mounted", v.Name)
		}
		switch {
		case v.Secret != nil && !slices.Contains(words(readme), v.Secret.SecretName):
			t.Errorf("the README does not say how to make %s", v.Secret.SecretName)
		case v.ConfigMap != nil && v.ConfigMap.Name != i.config.Name && v.ConfigMap.Name != i.policy.Name:
			t.Errorf("there is no ConfigMap %s", v.ConfigMap.Name)
		}
	}
	if i.config.Name == "admin-gateway-config" {
		t.Error("a change of the config does not roll the replicas")
	}
	if i.policy.Name != "admin-gateway-policy" {
		t.Error("a change of the policy rolls the replicas")
	}
	// Every file that the config names is in a volume.
	for key, file := range filesOf(t, i) {
		if !slices.ContainsFunc(i.gateway().VolumeMounts, func(m corev1.VolumeMount) bool { return m.MountPath == path.Dir(file) }) {
			t.Errorf("%s is %s, where nothing is mounted", key, file)
		}
	}
}

// TestReplicas: losing one leaves enough, and shares add up to no more than the
// budget, however many there are.
func TestReplicas(t *testing.T) {
	t.Parallel()
	i := build(t)
	if i.deployment.Spec.Replicas != nil {
		t.Error("Deployment and autoscaler disagree about the number of replicas")
	}
	if low := i.scaler.Spec.MinReplicas; low == nil || *low < 2 || i.scaler.Spec.MaxReplicas < *low {
		t.Errorf("from %v to %d replicas", low, i.scaler.Spec.MaxReplicas)
	}
	if down := i.disruption.Spec.MaxUnavailable; down == nil || down.IntValue() != 1 {
		t.Errorf("%v may be away at a time", down)
	}
	if share := configOf(t, i).Upstream.Budget.ReplicaShare; share <= 0 || share*float64(i.scaler.Spec.MaxReplicas) > 1 {
		t.Errorf("%d replicas with a share of %v each spend more than there is", i.scaler.Spec.MaxReplicas, share)
	}
}

// TestMemory: Go's memory limit is below the container's, with a margin for memory that
// is not on the heap, and well above the size of the cache.
func TestMemory(t *testing.T) {
	t.Parallel()
	i := build(t)
	n := slices.IndexFunc(i.gateway().Env, func(e corev1.EnvVar) bool { return e.Name == "GOMEMLIMIT" })
	if n < 0 {
		t.Fatal("no GOMEMLIMIT")
	}
	from := i.gateway().Env[n].ValueFrom
	if from == nil || from.ResourceFieldRef == nil || from.ResourceFieldRef.Resource != "requests.memory" || !from.ResourceFieldRef.Divisor.IsZero() {
		t.Errorf("GOMEMLIMIT is %+v", from)
	}
	request, limit := i.gateway().Resources.Requests.Memory().Value(), i.gateway().Resources.Limits.Memory().Value()
	if request*100 < limit*80 || request*100 > limit*95 {
		t.Errorf("GOMEMLIMIT is %d of %d", request, limit)
	}
	if i.gateway().Resources.Limits.Cpu().IsZero() {
		t.Error("without a limit Go runs as many threads as the node has processors")
	}
}
