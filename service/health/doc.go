// Package health reports the gateway's health over grpc.health.v1, and ends streams
// when the gateway stops.
//
// It imports the interceptors that its open procedures need, and no step of the
// pipeline: health checks need no authentication.
package health
