package deploy

import (
	"slices"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
)

// nonroot is the user of the image.
const nonroot = 65532

// TestConfined: a process that was taken over reaches as little as possible.
func TestConfined(t *testing.T) {
	t.Parallel()
	i := build(t)
	for _, fault := range unconfined(i) {
		t.Error(fault)
	}
	for name, harm := range map[string]func(){
		"root":            func() { i.pod().SecurityContext.RunAsUser = new(int64) },
		"root file":       func() { i.gateway().SecurityContext.ReadOnlyRootFilesystem = nil },
		"rights":          func() { i.gateway().SecurityContext.Capabilities.Drop = nil },
		"service account": func() { i.pod().AutomountServiceAccountToken = nil },
		"a node's folder": func() {
			i.pod().Volumes[0].VolumeSource = corev1.VolumeSource{HostPath: &corev1.HostPathVolumeSource{Path: "/"}}
		},
		"a file mounted":  func() { i.gateway().VolumeMounts[1].SubPath = "policy.yaml" },
		"a secret in env": func() { i.gateway().Env[0].ValueFrom.SecretKeyRef = new(corev1.SecretKeySelector) },
	} {
		i = build(t)
		harm()
		if len(unconfined(i)) == 0 {
			t.Errorf("%s: not found", name)
		}
	}
}

func unconfined(i *installation) []string {
	var faults []string
	want := func(ok bool, what string) {
		if !ok {
			faults = append(faults, what)
		}
	}
	is := func(b *bool, value bool) bool { return b != nil && *b == value }
	id := func(n *int64) bool { return n != nil && *n == nonroot }
	pod, gateway := i.pod(), i.gateway()
	whole, own := pod.SecurityContext, gateway.SecurityContext
	want(whole != nil && is(whole.RunAsNonRoot, true) && id(whole.RunAsUser) && id(whole.RunAsGroup) && id(whole.FSGroup), "does not run as the image's user")
	want(whole != nil && whole.SeccompProfile != nil && whole.SeccompProfile.Type == corev1.SeccompProfileTypeRuntimeDefault, "has no seccomp profile")
	want(own != nil && is(own.ReadOnlyRootFilesystem, true), "can write to its root")
	want(own != nil && is(own.AllowPrivilegeEscalation, false), "can get more rights")
	want(own != nil && own.Capabilities != nil && slices.Equal(own.Capabilities.Drop, []corev1.Capability{"ALL"}) && len(own.Capabilities.Add) == 0, "has capabilities")
	want(!pod.HostNetwork && !pod.HostPID && !pod.HostIPC, "shares a namespace of the node")
	want(is(pod.AutomountServiceAccountToken, false) && is(i.account.AutomountServiceAccountToken, false), "has a token of its service account")
	want(pod.ServiceAccountName == i.account.Name, "has another service account")
	want(is(pod.EnableServiceLinks, false), "has variables of the services around it")
	want(i.namespace.Labels["pod-security.kubernetes.io/enforce"] == "restricted", "is in a namespace that takes any pod")
	for _, v := range pod.Volumes {
		want(v.ConfigMap != nil || v.Secret != nil, "volume "+v.Name+" is neither config nor secret")
		want(v.Secret == nil || v.Secret.DefaultMode != nil && *v.Secret.DefaultMode == 0o440, "secret "+v.Name+" can be read by others")
	}
	for _, m := range gateway.VolumeMounts {
		want(m.ReadOnly, m.Name+" can be written")
		want(m.SubPath == "" && m.SubPathExpr == "", m.Name+" is a file, which is never exchanged")
	}
	for _, e := range gateway.Env {
		want(e.ValueFrom == nil || e.ValueFrom.SecretKeyRef == nil, e.Name+" is a secret in the environment")
	}
	want(len(gateway.EnvFrom) == 0, "has variables that are not in the manifest")
	for _, text := range i.config.Data {
		want(!strings.Contains(text, "sk-"), "the config looks as if a key were in it")
	}
	return faults
}

// TestConfinedInEveryWay: no value and no example takes the confinement away. The ledger
// of leases is the one thing that can be written.
func TestConfinedInEveryWay(t *testing.T) {
	t.Parallel()
	all := make(map[string]objects)
	for name, w := range ways(t) {
		all[name] = helmObjects(t, w.all(t))
	}
	for name, choice := range choices {
		all[name] = installed(t, choice)
	}
	for name, objects := range all {
		pod := only[appsv1.Deployment](t, objects, "apps/v1/Deployment").Spec.Template.Spec
		i := build(t)
		// What is not the pod's is checked by TestConfined.
		i.deployment.Spec.Template.Spec = pod
		i.account.Name = pod.ServiceAccountName
		kept := i.pod().Volumes[:0:0]
		for _, v := range pod.Volumes {
			if v.PersistentVolumeClaim == nil && v.Projected == nil {
				kept = append(kept, v)
			}
		}
		mounts := slices.DeleteFunc(slices.Clone(i.gateway().VolumeMounts), func(m corev1.VolumeMount) bool {
			return m.Name == "leases" && m.MountPath == "/var/lib/admin-gateway"
		})
		i.pod().Volumes, i.gateway().VolumeMounts = kept, mounts
		for _, fault := range unconfined(i) {
			t.Errorf("%s: %s", name, fault)
		}
	}
}
