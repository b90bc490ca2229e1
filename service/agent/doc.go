// Package agent makes the calls that the gateway makes for itself, such as those for
// leases: each through the whole pipeline, and with an account, a record, a metric and a
// line in the log of its own.
//
// It is a client of pipeline.Invoker, like package inventory, and imports no step. What
// it may call is closed: admission.Agent makes the permits. Whoever needs it declares an
// interface with the one method that it calls.
package agent
