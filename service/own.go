package service

import (
	"fmt"

	"github.com/admin-gateway/admin-gateway/service/agent"
	"github.com/admin-gateway/admin-gateway/service/catalog"
	"github.com/admin-gateway/admin-gateway/service/leases"
	"github.com/admin-gateway/admin-gateway/service/pipeline"
)

// agentOfLeases names the calls that are made for leases, in records and metrics.
const agentOfLeases = "leases"

// leases are the handlers of LeaseService, with what they make calls with.
func (s *server) leases(methods *catalog.Catalog) (pipeline.Handlers, error) {
	if s.options.Leases == nil {
		return s.options.Leases.Handlers(leases.Dependencies{})
	}
	needed, err := leases.Methods(methods)
	if err != nil {
		return nil, err
	}
	calls, err := s.own(agentOfLeases, needed...)
	if err != nil {
		return nil, err
	}
	return s.options.Leases.Handlers(leases.Dependencies{Admission: s.admission, Calls: calls, Catalog: methods, Budget: s.options.Budget})
}

// own makes the Caller of a part of the gateway that makes calls for itself: through all
// steps, of these methods and no others. The name is for records and metrics.
func (s *server) own(name string, methods ...*catalog.Method) (*agent.Caller, error) {
	permits, err := s.admission.Agent(methods...)
	if err != nil {
		return nil, fmt.Errorf("the calls of %s: %w", name, err)
	}
	return agent.New(agent.Options{
		Name: name, Permits: permits, Invoker: s.chain, Recorder: s.recorder, Metrics: s.owned, Tracer: s.tracer,
		Logger: s.options.Logger, LongestCall: s.options.LongestCall,
	})
}
