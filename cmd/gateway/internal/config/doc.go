// Package config owns gateway.yaml and its environment variables: the types, the
// defaults, the bounds, the errors with line and column, and the reference page.
//
// It imports nothing that it configures, and opens nothing that a value names.
// cmd/gateway reads a config with it, and package build makes a gateway of it.
package config
