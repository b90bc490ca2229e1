// Package bodies sends random bodies through the gateway, and compares what arrives.
// The bodies are drawn from the vendor's description of the Admin API: every union,
// null, optional member and extreme that it allows, and members that it does not have.
//
// An answer goes through the codec of its operation, and what the message then says is
// read again and compared with what was sent, leaf by leaf. A request goes through the
// REST door, and is compared with what the upstream receives. The reading and the
// comparison share no code with the codec, so that they do not share its mistakes. After
// every comparison a fault is put into what arrived, and has to be found: a comparison
// that finds nothing proves nothing.
//
//	description_test.go  operations and schemas of the description
//	node_test.go         JSON as a tree, with what the generator knows of it
//	generate_test.go     schema → tree
//	values_test.go       leaves: extremes first
//	hints_test.go        what a declaration says about the JSON that the schema does not
//	read_test.go         message → tree
//	compare_test.go      the tree that was sent and the one that arrived
//	fault_test.go        faults
//	differences_test.go  differences that are intended: differences.tsv
//	answers_test.go      answers through the codec
//	valid_test.go        what the generator draws is valid by another reading
//	requests_test.go     requests and answers through the REST door
//
// A run is determined by its seed, which a failure names and BODIES_SEED sets. The
// description is not part of the project: without it the tests are skipped, and say so.
// ADMIN_OPENAPI names the file.
package bodies
