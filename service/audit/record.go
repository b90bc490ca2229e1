package audit

import "time"

// What a record is about.
const (
	// EventCall is a call that has ended.
	EventCall = "call"
	// EventIntent is a call that is about to change something.
	EventIntent = "intent"
)

// How a call was decided.
const (
	// DecisionAllowed is a call that the policy allows.
	DecisionAllowed = "allowed"
	// DecisionDenied is a call that it does not.
	DecisionDenied = "denied"
	// DecisionUnauthenticated is a call of nobody knows whom.
	DecisionUnauthenticated = "unauthenticated"
	// DecisionLimited is a call that was one too many.
	DecisionLimited = "limited"
	// DecisionInvalid is a call whose request could not be judged.
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

	maxShort   = 64  // Ids of ours, words of a closed set, names of variables.
	maxName    = 128 // Names out of descriptors, ids of the upstream's.
	maxText    = 256 // Names out of the policy, reasons, ids in paths.
	maxProject = 96  // A hundred of them fit; none can push another out.
)

// Record is what is kept of one call: never a secret, a body, or a token. The
// zero value of a field leaves the member out.
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
	// Authenticated is the method by which the caller proved to be that.
	Authenticated string
	// Method is the RPC's procedure.
	Method string
	// Permission is what the method asks for.
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
	// Calls is how many reads the call made below it, and Refused how many more
	// its caller may not make.
	Calls, Refused int64
	// Idempotency is how a write with an idempotency key was answered.
	Idempotency string
	// Duration is how long the call took.
	Duration time.Duration
}

// Resource is a thing that a path names.
type Resource struct {
	// Name is the path's variable: project_id.
	Name string
	// ID is its value.
	ID string
}
