package rpcerror

// Domain is the domain of every google.rpc.ErrorInfo that this gateway sends.
const Domain = "admin-gateway"

// Reasons of errors that arise in the gateway itself; those of the upstream
// are in package upstream. They are stable: callers branch on them.
const (
	// ReasonMalformedRequest is a request that is no message of its type.
	ReasonMalformedRequest = "MALFORMED_REQUEST"
	// ReasonInvalidRequest is a request that breaks a rule of its fields.
	ReasonInvalidRequest = "INVALID_REQUEST"
	// ReasonUnauthenticated is a call without a valid credential.
	ReasonUnauthenticated = "UNAUTHENTICATED"
	// ReasonPermissionDenied is a call that its caller's policy does not allow.
	ReasonPermissionDenied = "PERMISSION_DENIED"
	// ReasonCallerLimit is a call beyond its caller's own rate or number of
	// calls.
	ReasonCallerLimit = "CALLER_LIMIT"
	// ReasonAuditUnavailable is a write that was not made, because it could not
	// be recorded.
	ReasonAuditUnavailable = "AUDIT_UNAVAILABLE"
	// ReasonWriteNotRecorded is a write that was made and could not be recorded.
	// A controlv1.WriteDone says what is known of it.
	ReasonWriteNotRecorded = "WRITE_NOT_RECORDED"
	// ReasonIdempotencyKeyInvalid is an Idempotency-Key that is none.
	ReasonIdempotencyKeyInvalid = "IDEMPOTENCY_KEY_INVALID"
	// ReasonIdempotencyKeyReused is one that came with another request before.
	ReasonIdempotencyKeyReused = "IDEMPOTENCY_KEY_REUSED"
	// ReasonIdempotencyUnavailable is a write that was not made, because what
	// comes of it could not be kept.
	ReasonIdempotencyUnavailable = "IDEMPOTENCY_UNAVAILABLE"
	// ReasonIdempotencyNeedsEncryption is a write that was not made, because its
	// answer holds a secret and would be kept in the clear.
	ReasonIdempotencyNeedsEncryption = "IDEMPOTENCY_NEEDS_ENCRYPTION"
	// ReasonIdempotencyNotConfigured is a write with a key where none are kept.
	ReasonIdempotencyNotConfigured = "IDEMPOTENCY_NOT_CONFIGURED"
	// ReasonNoCache is a question about a cache that the gateway does not have.
	ReasonNoCache = "NO_CACHE"
	// ReasonNoPacing is a question about a budget that the gateway does not keep.
	ReasonNoPacing = "NO_PACING"
	// ReasonSharedCacheUnavailable is a question that the shared cache would have
	// to answer, and does not.
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
