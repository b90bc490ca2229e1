// Package build assembles a gateway: it makes the components that a config asks
// for, runs them, and closes them in reverse order.
//
// It may import every package of the module except the sandbox. The commands call
// it, and nothing else does. A component gets the components that it needs as
// parameters.
package build
