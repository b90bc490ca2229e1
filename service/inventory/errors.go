package inventory

import "fmt"

// Problem is the kind of fault of a fan-out declaration.
type Problem string

// The faults of a (admingateway.options.v1.fan_out).
const (
	// Shape: the RPC is not a read that streams, whose request can be resumed and
	// whose response is a oneof of items, progress, failure and end.
	Shape Problem = "has not the shape of a fan-out"
	// UnknownRPC: a read is none of the mirror's RPCs.
	UnknownRPC Problem = "names an rpc that the mirror does not have"
	// NoRead: a read changes something, or answers with a secret.
	NoRead Problem = "names an RPC that is not a read, or is secret"
	// NoList: a read with nested ones is not a list.
	NoList Problem = "names a read that is not a list"
	// NoField: a field does not exist.
	NoField Problem = "names a field that does not exist"
	// WrongType: a field exists, and is of another type.
	WrongType Problem = "names a field of another type"
	// Unbound: nothing fills a variable of a read's path.
	Unbound Problem = "leaves a variable of a path empty"
	// Untaken: no read has a use for a field of the request.
	Untaken Problem = "has a request field that no read takes"
	// NoPlace: the response has no place for the items of the last read.
	NoPlace Problem = "has no place for the items in its response"
	// Unfilled: nothing fills a field of the response.
	Unfilled Problem = "has a response field that nothing fills"
	// NoView: the view does not exist.
	NoView Problem = "names a view that does not exist"
)

// DeclarationError is a fault of a fan-out declaration.
type DeclarationError struct {
	// Problem is the kind of fault.
	Problem Problem
	// What is the RPC or the field at fault.
	What string
}

func (f *DeclarationError) Error() string { return fmt.Sprintf("fan_out %s: %s", f.Problem, f.What) }
