package deploy

import (
	"encoding/json"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
	"testing"

	"helm.sh/helm/v4/pkg/chart/v2/lint"
	"helm.sh/helm/v4/pkg/chart/v2/lint/support"
	"helm.sh/helm/v4/pkg/chart/v2/loader"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"
)

// choices are values that installations make, beside those of ways.
var choices = map[string]string{
	"digest":            "image: {tag: '', digest: 'sha256:" + strings.Repeat("0", 64) + "'}",
	"without TLS":       "tls: {enabled: false}",
	"without Redis":     "redis: {enabled: false}\nautoscaling: {enabled: false}\nreplicas: 1",
	"Redis with TLS":    "redis: {tls: {existingSecret: redis-ca, clientCertificate: true}, encryption: {keys: [current, next]}}",
	"leases in Redis":   "leases: {enabled: true, organization: acme}\nvault: {enabled: true}",
	"leases, own claim": "leases: {enabled: true, persistence: {existingClaim: ledger}}\nredis: {enabled: false}\nautoscaling: {enabled: false}\nreplicas: 1",
	"one door":          "grpc: {enabled: false}\nnetworkPolicy: {enabled: false}\npodDisruptionBudget: {enabled: false}",
	"policy inline":     "policy: {inline: {callers: [{name: auditor, authenticate: [{token_sha256: c9478003a5824b9c9d1e55263718ecfa6118b9548432aa82319defb4faea845b}], grants: [{permissions: ['*.read']}]}]}}",
	"policy secret":     "policy: {existingSecret: callers}",
	"config":            "config: {log: {calls: all}, upstream: {budget: {replica_share: 0.1}}}\nrollOnConfigChange: true",
	"names":             "fullnameOverride: gate\nserviceAccount: {create: false, name: gates}\nimagePullSecrets: [{name: registry}]",
	"scheduling":        "priorityClassName: high\nnodeSelector: {kubernetes.io/os: linux}\ntolerations: [{key: a, operator: Exists}]\naffinity: {nodeAffinity: {}}\npodLabels: {team: platform}\npodAnnotations: {a: b}",
	"networks":          "networkPolicy: {callers: [], prometheus: [], dns: [], redis: [], extraIngress: [{from: [{podSelector: {}}]}], extraEgress: [{to: [{podSelector: {}}]}]}",
}

// installed are the objects of a choice.
func installed(t *testing.T, choice string) objects {
	t.Helper()
	return helmObjects(t, loader.MergeMaps(values(t, baseValues), inline(t, choice)))
}

// gatewayYAML is the config among objects.
func gatewayYAML(t *testing.T, all objects) string {
	t.Helper()
	for object, content := range all {
		if strings.HasPrefix(object, "v1/ConfigMap") && strings.HasSuffix(object, "-config") {
			if data, ok := content["data"].(map[string]any); ok {
				return fmt.Sprint(data["gateway.yaml"])
			}
		}
	}
	t.Fatal("there is no config")
	return ""
}

// only returns the one object of a kind.
func only[T any](t *testing.T, all objects, kind string) *T {
	t.Helper()
	var found []string
	for name := range all {
		if strings.HasPrefix(name, kind+" ") {
			found = append(found, name)
		}
	}
	if len(found) != 1 {
		t.Fatalf("of %s there are %q", kind, found)
	}
	text, err := yaml.Marshal(all[found[0]])
	if err != nil {
		t.Fatal(err)
	}
	out := new(T)
	if err := yaml.UnmarshalStrict(text, out); err != nil {
		t.Fatal(err)
	}
	return out
}

// TestChoices: whatever is chosen, objects are what Kubernetes takes, the gateway accepts
// its config, and the container has every file that the config names.
func TestChoices(t *testing.T) {
	t.Parallel()
	for name, choice := range choices {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			all := installed(t, choice)
			for object, content := range all {
				if err := validate(content); err != nil {
					t.Errorf("%s: %v", object, err)
				}
			}
			deployment := only[appsv1.Deployment](t, all, "apps/v1/Deployment")
			config := gatewayYAML(t, all)
			checked(t, config)
			pod := &deployment.Spec.Template.Spec
			for key, file := range pathsIn(t, config) {
				if key != "leases.path" && !slices.ContainsFunc(pod.Containers[0].VolumeMounts, func(m corev1.VolumeMount) bool { return m.MountPath == path.Dir(file) }) {
					t.Errorf("%s is %s, where nothing is mounted", key, file)
				}
			}
			volumes := make(map[string]bool)
			for _, v := range pod.Volumes {
				volumes[v.Name] = true
			}
			for _, m := range pod.Containers[0].VolumeMounts {
				if !volumes[m.Name] {
					t.Errorf("there is no volume %s", m.Name)
				}
				delete(volumes, m.Name)
			}
			if len(volumes) > 0 {
				t.Errorf("volumes %v are not mounted", volumes)
			}
		})
	}
}

// checked lets the gateway check a config, with a policy of the example.
func checked(t *testing.T, config string) {
	t.Helper()
	said := output(t, []string{"GATEWAY_POLICY=" + example + "/policy.yaml"}, "check", "--config", write(t, t.TempDir(), "gateway.yaml", config))
	if !strings.Contains(said, "are good") {
		t.Errorf("the gateway says %q", said)
	}
}

// TestWays: the gateway accepts config and variables of every way to install it.
func TestWays(t *testing.T) {
	t.Parallel()
	for name, w := range ways(t) {
		all := helmObjects(t, w.all(t))
		env := []string{"GATEWAY_POLICY=" + example + "/policy.yaml"}
		for _, e := range only[appsv1.Deployment](t, all, "apps/v1/Deployment").Spec.Template.Spec.Containers[0].Env {
			if e.ValueFrom == nil {
				env = append(env, e.Name+"="+e.Value)
			}
		}
		said := output(t, env, "check", "--config", write(t, t.TempDir(), "gateway.yaml", gatewayYAML(t, all)))
		if !strings.Contains(said, "are good") || strings.Contains(said, "unknown") {
			t.Errorf("%s: the gateway says %q", name, said)
		}
	}
}

// TestConfigRolls: a change of the config rolls the replicas, and one of the policy does
// not.
func TestConfigRolls(t *testing.T) {
	t.Parallel()
	template := func(choice string) string {
		text, err := yaml.Marshal(only[appsv1.Deployment](t, installed(t, "rollOnConfigChange: true\n"+choice), "apps/v1/Deployment").Spec.Template)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	was := template("")
	if is := template("config: {log: {level: debug}}"); is == was {
		t.Error("a change of the config rolls nothing")
	}
	if is := template(choices["policy inline"]); is != was {
		t.Error("a change of the policy rolls the replicas")
	}
}

// TestShare: shares add up to no more than the budget, however many replicas there are.
func TestShare(t *testing.T) {
	t.Parallel()
	for n := 1; n <= 100; n += 11 {
		all := installed(t, fmt.Sprintf("autoscaling: {minReplicas: 1, maxReplicas: %d}", n))
		config := parseConfig(t, gatewayYAML(t, all))
		if share := config.Upstream.Budget.ReplicaShare; share <= 0 || share*float64(n) > 1 || share*float64(n+1) < 0.5 {
			t.Errorf("%d replicas have a share of %v each", n, share)
		}
	}
}

// TestRefused: values that cannot be meant are refused, with their names.
func TestRefused(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"":                                     "image",
		"image: {repository: a}":               "image",
		"image: {repository: a, tag: ''}":      "image",
		"image: {repository: a, digest: abcd}": "digest",
		"image: {repository: a, tag: v1}\nimages: {}":                                         "images",
		"image: {repository: a, tag: v1}\nleases: {enabled: true}":                            "leases.organization",
		"image: {repository: a, tag: v1}\nleases: {enabled: true}\nredis: {enabled: false}":   "replicas",
		"image: {repository: a, tag: v1}\nreplicas: 0":                                        "replicas",
		"image: {repository: a, tag: v1}\nredis: {url: 'http://redis'}":                       "url",
		"image: {repository: a, tag: v1}\nredis: {encryption: {keys: []}}":                    "keys",
		"image: {repository: a, tag: v1}\nresources: {limits: null}":                          "limits",
		"image: {repository: a, tag: v1}\npolicy: {existingSecret: a, existingConfigMap: b}":  "policy.existing",
		"image: {repository: a, tag: v1}\npolicy: {existingSecret: a, inline: {callers: []}}": "policy.inline",
		"image: {repository: a, tag: v1}\nadminKey: {key: '../../etc/passwd'}":                "key",
		"image: {repository: a, tag: v1}\npodAnnotations: {a: 1}":                             "podAnnotations",
	} {
		if _, err := template(t.Context(), inline(t, text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: error %v, want one about %s", text, err, want)
		}
	}
}

// TestLint: helm lint finds nothing.
func TestLint(t *testing.T) {
	t.Parallel()
	result := lint.RunAll(chartFolder, values(t, baseValues), release)
	for _, m := range result.Messages {
		if m.Severity > support.InfoSev {
			t.Error(m)
		}
	}
}

// TestSchemaIsWhole: the schema has every value, and no other, and every value is
// described.
func TestSchemaIsWhole(t *testing.T) {
	t.Parallel()
	type schema struct {
		Properties           map[string]json.RawMessage `json:"properties"`
		AdditionalProperties any                        `json:"additionalProperties"`
	}
	var compare func(at string, raw json.RawMessage, value any)
	compare = func(at string, raw json.RawMessage, value any) {
		var s schema
		if err := json.Unmarshal(raw, &s); err != nil {
			t.Fatal(err)
		}
		if s.Properties == nil {
			return // A free value, or one that is no object.
		}
		if s.AdditionalProperties != false {
			t.Errorf("%s: the schema takes any key", at)
		}
		is, _ := value.(map[string]any)
		for name, below := range s.Properties {
			if _, ok := is[name]; !ok && at+name != "global" && at+name != "resources.claims" {
				t.Errorf("values.yaml has no %s%s", at, name)
			}
			compare(at+name+".", below, is[name])
		}
	}
	compare("", json.RawMessage(read(t, chartFolder+"/values.schema.json")), values(t, chartFolder+"/values.yaml"))
	// Helm itself refuses what the schema has not, which the defaults are compared with, too.
	defaults := slices.Sorted(maps.Keys(values(t, chartFolder+"/values.yaml")))
	if len(defaults) < 25 {
		t.Errorf("there are only the values %q", defaults)
	}
}
