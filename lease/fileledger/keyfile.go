package fileledger

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/admin-gateway/admin-gateway/cache/seal"
)

// keySuffix is what the name of the key file has after that of the ledger.
const keySuffix = ".key"

// keyFile returns a sealer with the key in the file beside the ledger, which it makes
// if there is none. No error has any part of the key.
func keyFile(ledger string) (*seal.Sealer, error) {
	path := ledger + keySuffix
	err := makeKeyFile(path)
	if err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, fmt.Errorf("key file of the ledger: %w", err)
	}
	if err := private(path); err != nil {
		return nil, err
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("key file of the ledger: %w", err)
	}
	key, err := hex.DecodeString(strings.TrimSpace(string(text)))
	if err != nil || len(key) != seal.KeyBytes {
		return nil, fmt.Errorf("key file of the ledger: %s does not have %d hexadecimal digits", path, 2*seal.KeyBytes)
	}
	sealer, err := seal.New([][]byte{key})
	return &sealer, err
}

// makeKeyFile makes a key file with a key that is drawn. It is there whole or not at
// all, whenever the process ends; one that is there stays.
func makeKeyFile(path string) error {
	if _, err := os.Lstat(path); err == nil {
		return fs.ErrExist
	}
	key := make([]byte, seal.KeyBytes)
	_, _ = rand.Read(key)                                                 // It never fails.
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*") // With mode 0600.
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(f.Name()) }()
	_, err = f.WriteString(hex.EncodeToString(key) + "\n")
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	// A link, and no rename: of two processes, the second does not replace the key.
	if err := os.Link(f.Name(), path); err != nil {
		return err
	}
	return syncFolder(path)
}

// syncFolder makes the names in the folder of a file durable.
func syncFolder(path string) error {
	folder, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}

// private refuses a file that others may read or write.
func private(path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return fmt.Errorf("ledger: %w", err)
	}
	if !info.Mode().IsRegular() {
		return fmt.Errorf("ledger: %s is not a regular file", path)
	}
	if info.Mode().Perm()&0o077 != 0 {
		return fmt.Errorf("ledger: %s may be used by others (mode %#o): chmod 600 it", path, info.Mode().Perm())
	}
	return nil
}
