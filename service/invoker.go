package service

import (
	"github.com/admin-gateway/admin-gateway/service/idempotency"
	"github.com/admin-gateway/admin-gateway/service/pacing"
	"github.com/admin-gateway/admin-gateway/service/pipeline"
	"github.com/admin-gateway/admin-gateway/service/readcache"
)

// step is an entry of the list: its name is for the test that holds the order.
type step struct {
	name string
	pipeline.Decorator
}

// steps answer an authorized request, in the order in which they run. Whatever makes
// calls goes through all of them: there is no second way to the upstream, to the
// cache, or past the record.
func (s *server) steps(reads *readcache.Metrics, writes *idempotency.Metrics) []step {
	return []step{
		{"idempotency", idempotency.Step(s.options.Idempotency, writes)}, // A write with a key is made once; a repeated call intends nothing.
		{"intent", s.recorder.Intent},                                    // A write that cannot be recorded is not made.
		{"read cache", readcache.Step(s.options.Cache, reads, s.tracer)}, // A read is answered from what is stored.
		{"pacing", pacing.Pace(s.options.Upstream, s.tracer)},            // All else waits for the budget.
		{"invalidation", readcache.Invalidation(s.options.Cache)},        // From here on, what a write makes stale is stale.
	}
}

// invoker is the steps around the one that sends.
func (s *server) invoker(reads *readcache.Metrics, writes *idempotency.Metrics) pipeline.Invoker {
	var decorators []pipeline.Decorator
	for _, step := range s.steps(reads, writes) {
		decorators = append(decorators, step.Decorator)
	}
	return pipeline.Chain(pacing.Send(s.tracer), decorators...)
}
