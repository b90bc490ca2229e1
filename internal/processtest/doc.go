// Package processtest runs gateways and a Redis as processes of their own, for tests that
// kill, halt and start them again. Nothing outlives the test, on Linux not even when it is
// killed itself. The modules below tests/ use it, and tools that run somebody else's
// clients; no other code does. It imports nothing of the project.
//
//	process.go   a process: started, signalled, waited for
//	gateway.go   a gateway, with the addresses that it serves on
//	program.go   the binaries: a gateway that is built, a Redis that is found
//	redis.go     a Redis that listens at a socket
//	serve.go     a handler on a port of this process
//	wait.go      waits that have an end
package processtest
