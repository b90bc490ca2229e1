// Package pacing is the end of the pipeline that faces the upstream: [Pace] waits
// for the request budget, and [Send] sends what was admitted. Between the two run
// the steps that must happen only when a request is about to be sent, such as
// invalidation.
//
// It imports the upstream's client and pacer, and no other step.
package pacing
