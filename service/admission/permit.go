package admission

import (
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/admin-gateway/admin-gateway/service/catalog"
	"github.com/admin-gateway/admin-gateway/upstream/pace"
)

// Permit proves that a request was authorized. [Controller.Authorize] makes it,
// and nothing else can: there is no literal of it outside of this package, and a
// nil Permit answers nothing, because every method of it panics.
//
// It is immutable and may be used by any goroutine.
type Permit = *permit

type permit struct {
	method    *catalog.Method
	request   protoreflect.Message
	caller    string
	freshness Freshness
	part      bool
	// class replaces that of the declaration; 0: none.
	class pace.Class
}

// Method is the method that may be called.
func (p *permit) Method() *catalog.Method { return p.method }

// Request is the request with which it may be called. It must not be changed.
func (p *permit) Request() protoreflect.Message { return p.request }

// Caller is the name that the policy gives to the caller.
func (p *permit) Caller() string { return p.caller }

// Freshness is the age of an answer that the caller accepts.
func (p *permit) Freshness() Freshness { return p.freshness }

// InClass returns a permit for the same request that waits for the upstream's budget in
// another class. It is for what works for a caller by itself, and knows more of the
// urgency of a call than its declaration does.
func (p *permit) InClass(class pace.Class) Permit {
	other := *p
	other.class = class
	return &other
}

// Flow is the caller and the urgency with which the call waits for the upstream's
// budget.
func (p *permit) Flow() pace.Flow {
	flow := pace.Flow{Key: p.caller, Class: pace.Interactive}
	switch {
	case p.class != 0:
		flow.Class = p.class
	case p.part:
		flow.Class = pace.FanOut
	case p.method.Revokes:
		flow.Class = pace.Revocation
	case p.method.Secret && !p.method.Read:
		flow.Class = pace.Mint
	}
	return flow
}
