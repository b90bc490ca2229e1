// Package connectdoor serves the unary calls of the Connect protocol that come as a
// POST, in the form in which clients send them: above the same connect.Server as
// connecthttp, which serves everything else. A request that is in any way unusual
// (compressed, of another version, with a timeout that is none) is one of those: it
// is not taken here, so what the protocol says of it is said in one place.
//
// It answers as connecthttp does, header for header and byte for byte, but for the
// length of a large answer, which it knows. It is here because connecthttp copies
// requests, headers and messages that nobody needs twice.
//
// Of the project it imports httpdoor, for the body of a request, and internal/lazyctx.
// Package service puts it in front of connecthttp.
package connectdoor
