package service

import (
	"fmt"

	"github.com/admin-gateway/admin-gateway/service/agent"
	"github.com/admin-gateway/admin-gateway/service/catalog"
)

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
