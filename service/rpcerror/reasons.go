package rpcerror

// Domain is the domain of every google.rpc.ErrorInfo that this gateway sends.
const Domain = "admin-gateway"

// Reasons of errors that arise in the gateway itself; those of the upstream
// are in package upstream. They are stable: callers branch on them.
const (
	// ReasonMalformedRequest is a request that is not a message of its type.
	ReasonMalformedRequest = "MALFORMED_REQUEST"
	// ReasonInvalidRequest is a request that breaks a rule of its fields.
	ReasonInvalidRequest = "INVALID_REQUEST"
	// ReasonUnauthenticated is a call without a valid credential, or one whose
	// credential was taken away while it went on.
	ReasonUnauthenticated = "UNAUTHENTICATED"
	// ReasonPermissionDenied is a call that its caller's policy does not allow.
	ReasonPermissionDenied = "PERMISSION_DENIED"
	// ReasonCallerLimit is a call beyond its caller's limits of rate or
	// concurrency.
	ReasonCallerLimit = "CALLER_LIMIT"
	// ReasonConnectionLimit is a call on a connection for which its caller has no
	// place.
	ReasonConnectionLimit = "CONNECTION_LIMIT"
	// ReasonAuditUnavailable is a call that could not be recorded: a write that was not
	// made, a read that is not answered, or a stream that does not begin or ends.
	ReasonAuditUnavailable = "AUDIT_UNAVAILABLE"
	// ReasonWriteNotRecorded is a write that was made and could not be recorded.
	// A controlv1.WriteDone has the known facts.
	ReasonWriteNotRecorded = "WRITE_NOT_RECORDED"
	// ReasonIdempotencyKeyInvalid is a malformed Idempotency-Key.
	ReasonIdempotencyKeyInvalid = "IDEMPOTENCY_KEY_INVALID"
	// ReasonIdempotencyKeyReused is a key that was used for another request
	// before.
	ReasonIdempotencyKeyReused = "IDEMPOTENCY_KEY_REUSED"
	// ReasonIdempotencyUnavailable is a write that was not made, because its
	// outcome could not be stored.
	ReasonIdempotencyUnavailable = "IDEMPOTENCY_UNAVAILABLE"
	// ReasonIdempotencyNeedsEncryption is a write that was not made, because its
	// answer holds a secret and would be stored in the clear.
	ReasonIdempotencyNeedsEncryption = "IDEMPOTENCY_NEEDS_ENCRYPTION"
	// ReasonIdempotencyNotConfigured is a write with a key where outcomes are not
	// stored.
	ReasonIdempotencyNotConfigured = "IDEMPOTENCY_NOT_CONFIGURED"
	// ReasonSessionsDisabled is a session at a gateway that makes none.
	ReasonSessionsDisabled = "SESSIONS_DISABLED"
	// ReasonSessionNeedsJWT is a session that was asked for without a JWT.
	ReasonSessionNeedsJWT = "SESSION_NEEDS_JWT"
	// ReasonNotSession is the revocation of a credential that is not a session.
	ReasonNotSession = "NOT_A_SESSION"
	// ReasonSessionLimit is the revocation of more sessions than are remembered.
	ReasonSessionLimit = "SESSION_LIMIT"
	// ReasonNoSuchCaller is a question about a caller that the policy does not have.
	ReasonNoSuchCaller = "NO_SUCH_CALLER"
	// ReasonNoCache is a call to a cache that the gateway does not have.
	ReasonNoCache = "NO_CACHE"
	// ReasonNotStored is a read for which no answer is stored, where its caller wants no
	// other.
	ReasonNotStored = "NOT_STORED"
	// ReasonNoPacing is a call about a budget of a gateway that does not pace.
	ReasonNoPacing = "NO_PACING"
	// ReasonNoMemory is a call about records of a gateway that keeps none in memory.
	ReasonNoMemory = "NO_MEMORY"
	// ReasonReplicasBusy is a call about all replicas while too many such calls wait.
	ReasonReplicasBusy = "REPLICAS_BUSY"
	// ReasonSharedCacheUnavailable is a call that needs the shared cache, which
	// does not answer.
	ReasonSharedCacheUnavailable = "SHARED_CACHE_UNAVAILABLE"
	// ReasonEndlessList is a list of the upstream's whose pages lead nowhere.
	ReasonEndlessList = "ENDLESS_LIST"
	// ReasonUnknownMethod is a procedure that the catalog does not have.
	ReasonUnknownMethod = "UNKNOWN_METHOD"
	// ReasonDeadlineExceeded is a call that took longer than it might.
	ReasonDeadlineExceeded = "DEADLINE_EXCEEDED"
	// ReasonCanceled is a call that its caller gave up.
	ReasonCanceled = "CANCELED"
	// ReasonStopping is a stream that ends because the gateway does.
	ReasonStopping = "STOPPING"
	// ReasonHealthLimit is a health check beyond what one address may ask.
	ReasonHealthLimit = "HEALTH_LIMIT"
	// ReasonInternal is a fault of the gateway; the log says which.
	ReasonInternal = "INTERNAL"
)
