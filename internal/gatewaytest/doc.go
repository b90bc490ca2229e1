// Package gatewaytest builds a running gateway for a test: [New] with options for
// its policy, its upstream, its caches, its budget, its audit log and its clock. It
// is for tests alone.
//
//	gateway.go   the builder and its options
//	upstream.go  upstreams: a function, a sandbox, a gate in front of either
//	stores.go    caches and outcomes, in memory and in Redis
//	audit.go     audit logs and logs in memory
//	doors.go     the doors onto the gateway
//	grpc.go      a client of the door of package grpcdoor
//	rest.go      a client of the REST door
package gatewaytest
