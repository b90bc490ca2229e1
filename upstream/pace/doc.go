// Package pace spends a budget of calls that the upstream counts: it holds a call
// back until the upstream would admit it. It owns buckets, classes, flows and
// their order in time. It knows no HTTP, and no caller behind a flow.
//
// # Budget
//
// A bucket's budget is a number of calls in any window of a fixed length, wherever
// the window begins. A [Pacer] spaces calls, with a margin, so that the budget
// holds for the calls as the upstream sees them arrive. The burst is part of the
// budget and not on top: the calls after it come slower. Each call takes a token
// from its bucket and one from the organization's bucket, or none from either.
//
// # Order
//
// Classes go in strict order, [Revocation] first. Within a class flows take turns,
// one call each, however many calls each has waiting. The next call is chosen when
// there is a token, not before: a revocation that comes late still goes first.
// This holds within a bucket, between buckets that wait for a token of the
// organization, and between replicas that share a budget.
//
// A caller that joins a waiting call of another flow raises it to its class
// ([Raise]).
//
// A call that cannot be made before its deadline fails at once, as [*Exhausted].
//
// # Learning
//
// [Pacer.Limited] reports that the upstream refused a call. It closes the bucket
// for a time and lowers its rate, once for all calls that were made at the refused
// rate. Quiet time raises the rate again in small steps: up to just below the
// refused rate at first, after a longer time beyond it, and never above the
// configured rate.
//
// # Replicas
//
// Replicas share a budget, and all that they learn of it, through a [Shared] such
// as [Redis]. While the shared budget is lost, each replica spends a configured
// share of it, beginning with an empty bucket.
//
// # Imports
//
// Of the gateway it imports internal/redisclient and nothing else. Its callers are
// upstream, which waits before each request, service, which names the flows and
// shows the budget, and cmd/gateway, which makes it.
package pace
