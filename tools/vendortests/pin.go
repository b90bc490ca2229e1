//go:build pinned

package main

// The suite for Go is the tests of this package, at the version that go.mod pins. The
// command itself links none of it.
import _ "github.com/openai/openai-go/v3"
