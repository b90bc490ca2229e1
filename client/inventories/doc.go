// Package inventories reads the gateway's inventories to their end, also where a stream
// is cut off on the way.
//
// It is for callers of the generated stubs. An inventory can last for hours, and be cut
// off by a replica that dies, a proxy, or a network. [Walk] resumes it from the last
// resume token that came, at whatever replica the client reaches. It passes on only what
// lies ahead of a token, so that each page comes once, although the gateway sends again
// what came behind one.
//
// A walk ends in one of two ways: with a complete inventory, or with an error, which for
// a part is an [*IncompleteError] that says what is missing and how to go on.
package inventories
