// Package supervise runs a program for as long as it wants to run: it passes signals on,
// starts the program anew or signals it when its environment has changed, kills it when
// it does not end, and tells its exit code as a shell does.
//
// It imports the standard library and golang.org/x/sys, and knows nothing of keys.
package supervise
