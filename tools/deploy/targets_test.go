package deploy

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
)

// target has the labels that Prometheus gives to a target of the manifests.
type target map[string]string

// series is a target's labels in a selector, without the braces.
func (l target) series() string {
	parts := make([]string, 0, len(l))
	for _, name := range slices.Sorted(maps.Keys(l)) {
		parts = append(parts, fmt.Sprintf("%s=%q", name, l[name]))
	}
	return strings.Join(parts, ",")
}

// podTarget is what the Prometheus operator makes of the PodMonitor for the nth pod: its
// documentation of jobLabel and podMetricsEndpoints has the labels.
func podTarget(t *testing.T, n int) target {
	t.Helper()
	i := build(t)
	endpoint := i.monitor.Spec.PodMetricsEndpoints[0]
	port := i.gateway().Ports[slices.IndexFunc(i.gateway().Ports, func(p corev1.ContainerPort) bool { return p.Name == *endpoint.Port })]
	labels := target{
		"job":       i.monitor.Namespace + "/" + i.monitor.Name,
		"namespace": i.deployment.Namespace,
		"pod":       fmt.Sprintf("%s-%d", i.deployment.Name, n),
		"container": i.gateway().Name,
		"endpoint":  *endpoint.Port,
		"instance":  fmt.Sprintf("10.0.0.%d:%d", n, port.ContainerPort),
	}
	if name := i.monitor.Spec.JobLabel; name != "" {
		if job := i.deployment.Spec.Template.Labels[name]; job != "" {
			labels["job"] = job
		}
	}
	for _, r := range endpoint.RelabelConfigs {
		if r.Action != "labeldrop" {
			t.Fatalf("this test does not know the action %s", r.Action)
		}
		drop := regexp.MustCompile("^(?:" + r.Regex + ")$")
		maps.DeleteFunc(labels, func(name, _ string) bool { return drop.MatchString(name) })
	}
	return labels
}

// composeTarget is the gateway as the Prometheus of the Compose file scrapes it.
func composeTarget(t *testing.T) target {
	t.Helper()
	var p prometheus
	strict(t, folder+"/prometheus/prometheus.yml", &p)
	return target{"job": p.ScrapeConfigs[0].JobName, "instance": p.ScrapeConfigs[0].StaticConfigs[0].Targets[0]}
}

// TestTargets: no label of a target displaces one of a metric, and the job is the same
// everywhere, because alerts select by it.
func TestTargets(t *testing.T) {
	t.Parallel()
	targets := []target{podTarget(t, 1), composeTarget(t)}
	rules := read(t, folder+"/prometheus/rules.yaml")
	jobs := regexp.MustCompile(`job="([^"]*)"`).FindAllStringSubmatch(rules, -1)
	if len(jobs) == 0 {
		t.Error("no alert selects by job")
	}
	page := read(t, "../../docs/operations.md")
	rows := regexp.MustCompile("(?m)^\\| `gateway_\\w+` \\| \\w+ \\| ?([^|]*) \\|").FindAllStringSubmatch(page, -1)
	if len(rows) < 30 {
		t.Errorf("the table has only %d metrics", len(rows))
	}
	for _, labels := range targets {
		for _, job := range jobs {
			if job[1] != labels["job"] {
				t.Errorf("an alert is about the job %q, and targets have %q", job[1], labels["job"])
			}
		}
		for _, row := range rows {
			for _, label := range regexp.MustCompile("`(\\w+)`").FindAllStringSubmatch(row[1], -1) {
				if labels[label[1]] != "" {
					t.Errorf("the target's label displaces the metric's: %s", row[0])
				}
			}
		}
	}
}
