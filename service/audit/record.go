package audit

import "time"

// The events of records.
const (
	// EventCall is a call that has ended.
	EventCall = "call"
	// EventIntent is a call that is about to change something.
	EventIntent = "intent"
)

// The decisions on calls.
const (
	// DecisionAllowed is a call that the policy allows.
	DecisionAllowed = "allowed"
	// DecisionDenied is a call that the policy does not allow.
	DecisionDenied = "denied"
	// DecisionUnauthenticated is a call without a valid credential.
	DecisionUnauthenticated = "unauthenticated"
	// DecisionLimited is a call beyond the limits of its caller.
	DecisionLimited = "limited"
	// DecisionInvalid is a call on whose request no decision could be made.
	DecisionInvalid = "invalid"
)

// Bounds of a line. Those of strings count the bytes between the quotes, as
// they are written, escapes and all.
const (
	// MaxLine is the most that a line takes, its line break included.
	MaxLine = 16 << 10
	// MaxResources is how many resources a line names.
	MaxResources = 8
	// MaxProjects is how many projects a line names.
	MaxProjects = 100

	maxShort   = 64  // Ids of the gateway, words of a closed set, names of variables.
	maxName    = 128 // Names out of descriptors, ids of the upstream.
	maxText    = 256 // Names out of the policy, reasons, ids in paths.
	maxProject = 96  // A hundred of them fit; none can push another out.
)

// Record is the record of one call. It never holds a secret, a body, or a
// token. The zero value of a field leaves the member out.
type Record struct {
	// Time is when the call began.
	Time time.Time
	// Event is EventCall or EventIntent.
	Event string
	// RequestID is the gateway's id of the call.
	RequestID string
	// TraceID is the trace that the call belongs to.
	TraceID string
	// Caller is the policy's name for the caller.
	Caller string
	// Authenticated is how the caller was authenticated.
	Authenticated string
	// Method is the RPC's procedure.
	Method string
	// Permission is the permission that the method needs.
	Permission string
	// Resources are the path's variables, in the order of the path. A line has
	// the first MaxResources with different names.
	Resources []Resource
	// Projects are ids that the request names. A line has the first MaxProjects.
	Projects []string
	// Decision is one of the constants above.
	Decision string
	// Grant is the grant that made the decision.
	Grant string
	// Reason says why a call was not allowed.
	Reason string
	// Code is the code of the answer.
	Code string
	// UpstreamRequestID is the upstream's id of its part.
	UpstreamRequestID string
	// Cache is the outcome of the cache.
	Cache string
	// Calls is how many reads a fan-out made, and Refused how many more its
	// caller may not make.
	Calls, Refused int64
	// Idempotency is how a write with an idempotency key was answered.
	Idempotency string
	// Duration is how long the call took.
	Duration time.Duration
}

// Resource is a resource in the path of a request.
type Resource struct {
	// Name is the path's variable: project_id.
	Name string
	// ID is its value.
	ID string
}
