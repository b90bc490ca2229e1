// Package audit keeps a record of every call: one line of JSON each, appended
// to a file, a FIFO or the standard output.
//
// A line is one JSON object, the members of which always come in this order. A
// member that has nothing to say is left out.
//
//	time                 when the call began: UTC, RFC 3339, six digits of a second
//	event                "call", or "intent" for a record made before a write is sent
//	request_id           the gateway's id of the call
//	trace_id             the trace that the call belongs to
//	caller               the name of the caller in the policy
//	authenticated_by     how the caller was authenticated
//	method               the RPC, as /package.Service/Method
//	permission           the permission that the method needs
//	resources            an object: path variable → id, at most 8
//	resources_omitted    how many more there were
//	projects             an array: the ids of projects that the request names, at most 100
//	projects_omitted     how many more there were
//	decision             allowed, denied, unauthenticated, limited or invalid
//	grant                the grant that made the decision
//	reason               why, where it was not allowed
//	code                 the code of the answer
//	upstream_request_id  the upstream's id of its part
//	cache                how a read was answered: hit, stale, miss, coalesced or bypass
//	duration_us          how long the call took, in whole microseconds
//
// Strings come from callers, so they are not trusted: unprintable characters
// are escaped, bytes that are not UTF-8 become U+FFFD, and a string that would
// take more room than its member has is cut and ends in "…[N bytes]", where N
// is the length that it had. A line is never longer than [MaxLine], and one
// with ids of the length that the upstream gives fits in 4096 bytes, which a
// pipe takes whole or not at all, however many processes write to it.
//
// Lines come in the order in which they were written, which is about the order
// in which calls ended. A line that the kernel has taken outlives the process,
// but not a loss of power: nothing is synced.
//
// It imports no other package of service/: a record is plain data. Package record
// makes the records of calls.
package audit
