package build

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
)

// measured is a component with metrics.
type measured interface{ collectors() []prometheus.Collector }

// newRegistry returns a registry with the metrics of the process and of the
// components.
func newRegistry(components ...measured) *prometheus.Registry {
	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	for _, component := range components {
		registry.MustRegister(component.collectors()...)
	}
	return registry
}

func newCounter(name, help string, value func() uint64) prometheus.Collector {
	return prometheus.NewCounterFunc(prometheus.CounterOpts{Name: name, Help: help}, func() float64 { return float64(value()) })
}
