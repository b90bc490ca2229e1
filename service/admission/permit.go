package admission

import (
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/admin-gateway/admin-gateway/service/catalog"
	"github.com/admin-gateway/admin-gateway/upstream/pace"
)

// Permit proves that a request was authorized. [Controller.Authorize] makes it for
// callers, and [Agent.Permit] for the gateway itself. Nothing else can: there is no
// literal of it outside of this package, and a nil Permit answers nothing, because
// every method of it panics.
//
// It is immutable and may be used by any goroutine.
type Permit = *permit

type permit struct {
	method    *catalog.Method
	request   protoreflect.Message
	caller    string
	freshness Freshness
	part      bool
	errand    *Errand // nil: the call is a caller's
}

// Method is the method that may be called.
func (p *permit) Method() *catalog.Method { return p.method }

// Request is the request with which it may be called. It must not be changed.
func (p *permit) Request() protoreflect.Message { return p.request }

// Errand is for what the gateway makes the call; false for a call of a caller's.
func (p *permit) Errand() (Errand, bool) {
	if p.errand == nil {
		return Errand{}, false
	}
	return *p.errand, true
}

// Caller is the name that the policy gives to the caller. A call of the gateway's own
// has the caller that it is for, or none.
func (p *permit) Caller() string { return p.caller }

// Freshness is the age of an answer that the caller accepts.
func (p *permit) Freshness() Freshness { return p.freshness }

// Flow is the caller and the urgency with which the call waits for the upstream's
// budget.
func (p *permit) Flow() pace.Flow {
	if p.errand != nil {
		return pace.Flow{Key: p.caller, Class: p.errand.Class}
	}
	flow := pace.Flow{Key: p.caller, Class: pace.Interactive}
	switch {
	case p.part:
		flow.Class = pace.FanOut
	case p.method.Revokes:
		flow.Class = pace.Revocation
	case p.method.Secret && !p.method.Read:
		flow.Class = pace.Mint
	}
	return flow
}
