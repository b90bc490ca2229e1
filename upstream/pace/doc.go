// Package pace spends a budget of calls that is counted elsewhere: it holds a
// call back until the other side would admit it. It knows buckets, classes, flows
// and time; it knows no HTTP, and not who a flow is.
//
// # Budget
//
// A bucket's budget is a number of calls in any window of a length, wherever the
// window begins. A [Pacer] spaces calls, with a margin, so that the budget holds
// as the other side sees them arrive. What may go at once (the burst) is part of
// the budget and not on top: the calls after it come slower. Each call takes from
// its bucket and from the organization's bucket, both or neither.
//
// # Order
//
// Classes come in strict order, [Revocation] first. Within a class flows take
// turns, one call each, however many each has waiting. Who goes is chosen when
// there is a token, not before: a revocation that comes late still goes first.
// That holds within a bucket, between buckets that wait for the organization's
// token, and, where replicas share, between the replicas that wait.
//
// Somebody urgent who comes to wait for a call of others makes it urgent too
// ([Raise]).
//
// A call that cannot be made before its deadline fails at once, as [*Exhausted].
//
// # Learning
//
// [Pacer.Limited] says that the other side refused a call. That closes the bucket
// for a time and lowers its rate, once for all calls that were made at the rate
// that was refused. Quiet time raises it again in small steps, up to what was
// refused and, after long, beyond, never above what is configured.
//
// # Replicas
//
// Replicas share a budget through a [Shared], such as [Redis]; what one learns
// all know. Without it each spends a configured part of the budget, beginning
// with an empty bucket, and returns without a burst.
package pace
