// Package adminkeys answers admingateway.control.v1.AdminKeyService, and makes the calls
// upstream for lease/adminkey, which has the protocol of a rotation.
//
// It is a client of the pipeline: its calls are admitted, paced and recorded as those of
// leases are. It imports lease, lease/adminkey and lease/marker for the protocol, agent's
// Caller behind an interface, and upstream for the key of a call.
package adminkeys
