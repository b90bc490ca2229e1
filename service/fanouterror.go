package service

import "fmt"

// FanOutProblem says in which way a declaration of reads below reads is wrong.
type FanOutProblem string

// What can be wrong with a (admingateway.options.v1.fan_out).
const (
	// FanOutShape: the RPC is not what such an RPC has to be: a read that streams,
	// whose request can be resumed and whose response is a oneof of items,
	// progress, failure and end.
	FanOutShape FanOutProblem = "has not the shape of a fan-out"
	// FanOutUnknownRPC: a read is none of the mirror's RPCs.
	FanOutUnknownRPC FanOutProblem = "names no rpc of the mirror"
	// FanOutNoRead: what it names changes something, or answers with a secret.
	FanOutNoRead FanOutProblem = "names what is no read, or a secret one"
	// FanOutNoList: a read with others below it is not a list.
	FanOutNoList FanOutProblem = "names what is no list"
	// FanOutNoField: a field does not exist.
	FanOutNoField FanOutProblem = "names a field that does not exist"
	// FanOutWrongType: a field exists, and is of another type.
	FanOutWrongType FanOutProblem = "names a field of another type"
	// FanOutUnbound: nothing fills a variable of a read's path.
	FanOutUnbound FanOutProblem = "leaves a variable of a path empty"
	// FanOutUntaken: no read has a use for a field of the request.
	FanOutUntaken FanOutProblem = "has a request field that no read takes"
	// FanOutNoPlace: the response has no place for the items of the last read.
	FanOutNoPlace FanOutProblem = "has no place for the items in its response"
	// FanOutUnfilled: nothing fills a field of the response.
	FanOutUnfilled FanOutProblem = "has a response field that nothing fills"
	// FanOutNoView: there is no view of the name.
	FanOutNoView FanOutProblem = "names a view that there is not"
)

// FanOutError is what is wrong with a declaration of reads below reads.
type FanOutError struct {
	// Problem says in which way.
	Problem FanOutProblem
	// What it is about: an RPC, or a field.
	What string
}

func (f *FanOutError) Error() string { return fmt.Sprintf("fan_out %s: %s", f.Problem, f.What) }
