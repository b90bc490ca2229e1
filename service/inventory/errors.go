package inventory

import "fmt"

// Problem says in which way a declaration of reads below reads is wrong.
type Problem string

// What can be wrong with a (admingateway.options.v1.fan_out).
const (
	// Shape: the RPC is not what such an RPC has to be: a read that streams,
	// whose request can be resumed and whose response is a oneof of items,
	// progress, failure and end.
	Shape Problem = "has not the shape of a fan-out"
	// UnknownRPC: a read is none of the mirror's RPCs.
	UnknownRPC Problem = "names no rpc of the mirror"
	// NoRead: what it names changes something, or answers with a secret.
	NoRead Problem = "names what is no read, or a secret one"
	// NoList: a read with others below it is not a list.
	NoList Problem = "names what is no list"
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
	// NoView: there is no view of the name.
	NoView Problem = "names a view that there is not"
)

// DeclarationError is what is wrong with a declaration of reads below reads.
type DeclarationError struct {
	// Problem says in which way.
	Problem Problem
	// What it is about: an RPC, or a field.
	What string
}

func (f *DeclarationError) Error() string { return fmt.Sprintf("fan_out %s: %s", f.Problem, f.What) }
