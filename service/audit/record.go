package audit

import "time"

// The events of records.
const (
	// EventCall is a call that has ended.
	EventCall = "call"
	// EventIntent is a call that is about to change something.
	EventIntent = "intent"
	// EventBegin is a call that is about to stream its answer.
	EventBegin = "begin"
	// EventDropped is a gap: Count records for which a queue had no room.
	EventDropped = "dropped"
	// EventResumed is a sink that failed, and takes records again.
	EventResumed = "resumed"
)

// The decisions on calls.
const (
	// DecisionAllowed is a call that the policy allows.
	DecisionAllowed = "allowed"
	// DecisionOwn is a call that the gateway makes for itself, of which the policy is not
	// asked.
	DecisionOwn = "own"
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
	MaxLine = 8 << 10
	// MaxParts is the most lines that a record takes: more than a request of a
	// mebibyte can fill.
	MaxParts = 512
	// MaxResources is how many resources a line names.
	MaxResources = 8

	// partBytes is where a line ends and the next part begins: a pipe takes that much
	// whole or not at all.
	partBytes = 4096

	maxShort   = 64  // Ids of the gateway, words of a closed set, names of variables.
	maxName    = 128 // Names out of descriptors, ids of the upstream.
	maxText    = 256 // Names out of the policy, reasons, ids in paths, values of requests.
	maxProject = 96
)

// Record is the record of one call. It never holds a secret, a body, or a
// token. The zero value of a field leaves the member out.
type Record struct {
	// Time is when the call began.
	Time time.Time
	// Event is one of the constants above.
	Event string
	// RequestID is the gateway's id of the call.
	RequestID string
	// TraceID is the trace that the call belongs to.
	TraceID string
	// Caller is the policy's name for the caller; for a call of the gateway's own, of the
	// caller whom it is for, if any.
	Caller string
	// Agent is the part of the gateway that makes the call for itself; "" for a call of a
	// caller's. Within is the id of the call in whose course it makes it.
	Agent, Within string
	// Lease is the id of the lease that the call is about, Role its role, Holder whom the
	// lease is for, and Cause why the gateway made the call.
	Lease, Role, Holder, Cause string
	// Authenticated is how the caller was authenticated.
	Authenticated string
	// Credential is the id of the caller's credential, which is no secret.
	Credential string
	// Peer is the address of the other end of the connection, with its port.
	Peer string
	// ForwardedFor is the address for which a trusted proxy speaks.
	ForwardedFor string
	// Presented is the id of a credential that was not accepted. What it says of its owner
	// is not certain.
	Presented string
	// Door is the protocol of the call.
	Door string
	// Method is the RPC's procedure.
	Method string
	// Write says that the method changes something.
	Write bool
	// Permission is the permission that the method needs.
	Permission string
	// Resources are the path's variables, in the order of the path. A line has
	// the first MaxResources with different names.
	Resources []Resource
	// Decision is one of the constants above.
	Decision string
	// Grant is the grant that made the decision.
	Grant string
	// Reason says why a call was not allowed.
	Reason string
	// DeniedProject and DeniedRole are the project and the role of a lease for which the
	// permission was missing, where that is the reason.
	DeniedProject, DeniedRole string
	// Code is the code of the answer, and Error the reason of the error that the caller
	// got (docs/errors.md).
	Code, Error string
	// UpstreamRequestID is the upstream's id of its part.
	UpstreamRequestID string
	// Cache is the outcome of the cache.
	Cache string
	// Calls is how many reads a fan-out made, and Refused how many more its
	// caller may not make.
	Calls, Refused int64
	// Idempotency is how a write with an idempotency key was answered.
	Idempotency string
	// HMAC recognises the request, for who has the key.
	HMAC string
	// Duration is how long the call took, and Waited how much of it the call waited: for
	// the budget, and for what others were fetching. For a call of many reads it is the
	// waits of all of them, one after another.
	Duration, Waited time.Duration
	// Budget is the bucket of the budget that the call waited for longest, or took a call
	// from without a wait.
	Budget string
	// Queue is the queue of a gap, and Count how many records it lacks.
	Queue string
	Count int64

	// What follows may take several lines.

	// Projects are the ids that the request names.
	Projects []string
	// Request and Answer are the declared values of a write's request and answer.
	Request, Answer []Detail
}

// Resource is a resource in the path of a request.
type Resource struct {
	// Name is the path's variable: project_id.
	Name string
	// ID is its value.
	ID string
}

// Detail is a field of a request or an answer.
type Detail struct {
	// Path leads to the field: projects.values.role.
	Path string
	// Values are its values, as text: one, unless List.
	Values []string
	// List says that the field, or one on the way to it, is repeated.
	List bool
}
