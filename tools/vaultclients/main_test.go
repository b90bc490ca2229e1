package main

import (
	"context"
	"fmt"
	"os"
	"testing"
)

// bed is the testbed of all tests.
var bed *testbed

func TestMain(m *testing.M) { os.Exit(withTestbed(m)) } //nolint:forbidigo // TestMain is the main of the tests.

func withTestbed(m *testing.M) int {
	folder, err := os.MkdirTemp("", "vaultclients-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer func() { _ = os.RemoveAll(folder) }()
	if bed, err = openTestbed(context.Background(), folder); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	status := m.Run()
	if err := bed.close(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return status
}
