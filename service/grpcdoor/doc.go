// Package grpcdoor is the fast way in for gRPC: grpc-go's own HTTP/2 transport
// in front of a [connect.Server].
//
// The one-port door of package service speaks gRPC too, on net/http, where most
// of the cost of a small call is the transport. Here the transport is the one
// that was written for gRPC, and everything behind it is the same: every call
// goes through [connect.Server.Call], so interceptors, errors and answers are
// those of the other doors. The package imports nothing of the pipeline.
//
// It imports package door, for the connection that it offers to interceptors, and
// internal/connguard. The build of the gateway serves it.
package grpcdoor
