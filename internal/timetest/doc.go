// Package timetest is time in tests: a clock that a test moves, and a bounded wait
// for an event. It imports the standard library alone. Tests and internal/redistest
// call it, and no other code does.
package timetest
