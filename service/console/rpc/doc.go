// Package rpc makes the calls of the console: calls of the gateway's server in the same
// process, each with the credential of the person who looks at the page and on the
// connection of their browser. They take all interceptors and steps, so policy, limits,
// cache, pacing and record are those of every other door.
//
// Of the project it imports service/door.
package rpc
