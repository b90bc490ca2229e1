// Package secretfile writes files that hold a secret. Others than its owner cannot read
// one, and whoever reads it finds the old content or the new one, and nothing in between.
//
// It imports the standard library alone.
package secretfile

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// Write puts a file with the content in the place of whatever has the path, durably. Its
// errors do not have the content.
func Write(path string, content []byte) (err error) {
	// CreateTemp makes a file with the mode 0600.
	next, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return fmt.Errorf("secretfile: %w", err)
	}
	defer func() {
		if err != nil {
			_ = os.Remove(next.Name())
			err = fmt.Errorf("secretfile: %w", err)
		}
	}()
	_, err = next.Write(content)
	err = errors.Join(err, next.Sync(), next.Close())
	if err != nil {
		return err
	}
	return os.Rename(next.Name(), path)
}

// Remove removes a file that was written. One that is not there is no error.
func Remove(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("secretfile: %w", err)
	}
	return nil
}
