// Package build owns the assembly of a gateway: it makes the components that a
// config asks for, runs them in their order, and closes them in reverse.
//
// It may import every package of the module but the sandbox. The commands serve,
// demo, check and can call it. No other package decides what is made of a config,
// and no component knows another that it is not given.
package build
