// Package histories tests several replicas of the gateway from outside. Three
// gateways run as processes, on one Redis, in front of an upstream that keeps
// registers. Clients read and write the registers through the replicas while parts
// of this are stopped, killed, cut off, emptied or set back, and record when each
// call began and ended. The history has to be one that a single register could have
// had, where a read may be as old as the gateway announces for the fault: porcupine
// checks that.
//
// A [Scenario] is a fault with a schedule and a bound. [Mixed] draws faults from a
// seed. The package shares no code with the gateway, except the generated clients.
package histories
