// Package manual writes the page about the command line, from kong's model of it. A test
// compares the page with the model, so that the page has every command and every flag.
//
// It imports kong and the standard library.
package manual
