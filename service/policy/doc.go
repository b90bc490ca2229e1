// Package policy answers admingateway.control.v1.PolicyService: it shows the policy that is
// in force, and decides on calls that somebody asks about.
//
// It imports callers, for the policy, and explain, which decides as the gateway does. It
// shows no credential: what it knows of one is its name in records.
package policy
