// Package service is the road that every call takes, and the doors onto it.
//
// There is no handler per RPC. [NewCatalog] turns the declarations in the
// .proto files into immutable [Method] values and refuses to when one of them
// is incomplete; [NewServer] registers one generic handler for all of them on a
// connect.Server, behind one visible list of interceptors; a door is an adapter
// from a wire protocol to that server, such as [NewHTTPHandler].
package service
