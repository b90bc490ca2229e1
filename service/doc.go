// Package service is the gateway as one connect.Server: the interceptors in front of
// every call, the one handler behind them, and the steps that answer. It composes the
// packages below it and does nothing itself:
//
//	server.go        what a server is made of, and the doors onto it
//	interceptors.go  the list of interceptors, outermost first
//	invoker.go       the list of steps that answer, first to last
//	handler.go       receive, authorize, answer
//	codec.go         how an answer is written
//
// There is no handler for each RPC: package catalog turns the declarations in the
// .proto files into methods, and the handler serves all of them. Nothing below this
// package imports it.
package service
