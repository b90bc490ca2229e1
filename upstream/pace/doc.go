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
// Flows take turns, one call each, however many calls each has waiting: start-time
// fair queueing, within a bucket and between buckets that wait for a token of the
// organization. The next call is chosen when there is a token, not before.
//
// A [Revocation] goes before its turn, and its flow pays for it with later turns.
// When the flow is too far ahead, its revocations wait for its turn as its
// [Interactive] calls do. A [Mint] goes before its turn likewise, where no revocation
// waits. No two calls in succession go before their turn, but for the first of each
// flow. [FanOut] goes behind them, and gets a small part of the tokens in any case.
//
// Where revocations wait, mints lend them their turns and have a share instead. An
// [Urgent] call goes before all of these, but for one token of ten. A [Spare] call has
// no share: it goes when no other call waits, and leaves a token for the next one.
//
// Replicas that share a budget take turns by class. The shares of classes hold for
// all of them together, those of flows hold in each.
//
// A caller that joins a waiting call of another flow gives it a place in its own flow
// too ([Join]).
//
// A call that cannot be made before its deadline fails at once, as [*Exhausted]. It
// is told when to come back, and its flow keeps its place in the order until then.
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
// as [Redis]. While the shared budget is lost, each replica spends a configured share
// of it, and goes on from what it last knew of a bucket. In a window it makes one call
// over its share at the most: the first call in a bucket that it has not used lately,
// or a revocation. When the shared budget is back, it is told what was spent.
//
// # Imports
//
// Of the gateway it imports internal/redisclient and nothing else. Its callers are
// upstream, which waits before each request, service, which names the flows and
// shows the budget, and cmd/gateway, which makes it.
package pace
