package promql

import (
	"regexp"
	"slices"
	"strings"
)

// Metric is a row of the table.
type Metric struct {
	// Kind is counter, gauge or histogram.
	Kind string
	// Labels are those that the gateway sets.
	Labels []string
}

var (
	tableRow = regexp.MustCompile("(?m)^\\| `(gateway_\\w+)` \\| (\\w+) \\| ?([^|]*) \\| [^|]+ \\|$")
	codeWord = regexp.MustCompile("`(\\w+)`")
)

// metrics reads the table, and adds the metrics of Prometheus itself and of its client
// library.
func metrics(page string) map[string]Metric {
	all := map[string]Metric{
		"up": {Kind: "gauge"}, "go_goroutines": {Kind: "gauge"}, "go_memstats_heap_inuse_bytes": {Kind: "gauge"},
		"process_resident_memory_bytes": {Kind: "gauge"}, "process_cpu_seconds_total": {Kind: "counter"},
	}
	for _, row := range tableRow.FindAllStringSubmatch(page, -1) {
		m := Metric{Kind: row[2]}
		for _, label := range codeWord.FindAllStringSubmatch(row[3], -1) {
			m.Labels = append(m.Labels, label[1])
		}
		all[row[1]] = m
	}
	return all
}

// selected finds the metric that a selector names. A histogram is selected by its
// parts, which are counters; a bucket has the label le besides.
func selected(all map[string]Metric, name string) (Metric, bool) {
	if m, ok := all[name]; ok {
		return m, m.Kind != "histogram"
	}
	for _, part := range []string{"_bucket", "_count", "_sum"} {
		base, cut := strings.CutSuffix(name, part)
		m, ok := all[base]
		if !cut || !ok || m.Kind != "histogram" {
			continue
		}
		m.Kind = "counter"
		if part == "_bucket" {
			m.Labels = append(slices.Clone(m.Labels), "le")
		}
		return m, true
	}
	return Metric{}, false
}
