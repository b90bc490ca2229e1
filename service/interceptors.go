package service

import (
	"connectrpc.com/connect/v2"

	"github.com/admin-gateway/admin-gateway/service/accounting"
	"github.com/admin-gateway/admin-gateway/service/admission"
	"github.com/admin-gateway/admin-gateway/service/door"
	"github.com/admin-gateway/admin-gateway/service/observe"
	"github.com/admin-gateway/admin-gateway/service/rpcerror"
)

// interceptors stand in front of every handler, outermost first. The order is the
// contract: a panic becomes an error, an error becomes what its caller may see, and
// that is recorded, logged and counted. Nothing of a payload is decoded before all of
// them have run. Health checks alone leave the list, at its beginning.
func (s *server) interceptors() []connect.ServerInterceptor {
	return []connect.ServerInterceptor{
		door.Require,
		s.health.WithHealth,
		accounting.WithCall,
		s.tracer.WithSpan,
		s.metrics.WithMetrics,
		s.options.Spending.WithCalls,
		observe.WithLog(s.options.Logger, s.options.Lines),
		s.recorder.WithRecord,
		rpcerror.WithCallerErrors,
		observe.WithRecovery(s.options.Logger),
		door.WithDeadline(s.options.LongestCall, s.options.Inventory.Longest),
		s.options.Health.WithStop,
		admission.WithFreshness,
		s.admission.WithAuthentication,
		s.admission.WithLimits,
		s.admission.WithPermission,
	}
}
