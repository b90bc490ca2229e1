// Package health is what the gateway says of its own health: grpc.health.v1, and the
// end of streams when it stops.
//
// It imports the interceptors that its open procedures need, and no step of the
// pipeline: nobody has to be authenticated to ask it.
package health
