//go:build !unix

package audit

import (
	"errors"
	"os"
)

// ownDescriptor is not supported on this system.
func ownDescriptor(*os.File) (*os.File, error) { return nil, errors.ErrUnsupported }
