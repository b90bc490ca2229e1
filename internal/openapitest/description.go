// Package openapitest finds the vendor's OpenAPI description of the Admin API for
// tests. The description is not part of the project. The package imports the
// standard library alone; the tests of tools/drift and tools/openapi call it.
package openapitest

import (
	"errors"
	"io/fs"
	"os"
	"testing"
)

// variable names another file than the default.
const variable = "ADMIN_OPENAPI"

// Description returns the OpenAPI description in JSON: the file that the variable
// ADMIN_OPENAPI names, else beside, a path from the folder of the test. It skips
// the test if there is neither; a named file that cannot be read fails it.
func Description(tb testing.TB, beside string) []byte {
	tb.Helper()
	path := os.Getenv(variable)
	named := path != ""
	if !named {
		path = beside
	}
	raw, err := os.ReadFile(path) //nolint:gosec // Whoever runs the tests names the file.
	if errors.Is(err, fs.ErrNotExist) && !named {
		tb.Skipf("no OpenAPI description at %s; %s names another", path, variable)
	}
	if err != nil {
		tb.Fatal(err)
	}
	return raw
}
