package upstream

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/admin-gateway/admin-gateway/internal/secretref"
)

// ErrOtherKey is the error of a file whose key is neither the one to replace nor the one
// to put there.
var ErrOtherKey = errors.New("the file has another key")

// ReplaceableKeyFile says why the key in a file cannot be replaced; nil: it can. It makes
// an empty file in the folder, and removes it.
func ReplaceableKeyFile(path string) error {
	target, mode, err := keyFileTarget(path)
	if err != nil {
		return err
	}
	f, err := beside(target, mode)
	if err != nil {
		return fmt.Errorf("admin key %w", secretref.Path(path).Error(err))
	}
	return errors.Join(f.Close(), os.Remove(f.Name()))
}

// ReplaceKeyFile puts next in the place of the key in a file, with the same mode. The file
// is replaced as a whole, and is durable when ReplaceKeyFile returns: after a crash at
// any moment it has one of the two keys. Through a symbolic link, the file that it leads
// to is replaced. It does nothing where the file has next, and is [ErrOtherKey] where it
// has neither next nor current. No error has a part of a key.
func ReplaceKeyFile(path string, current, next Secret) error {
	target, mode, err := keyFileTarget(path)
	if err != nil {
		return err
	}
	text, err := readKeyFile(target)
	if err != nil {
		return fmt.Errorf("admin key %w", secretref.Path(path).Error(err))
	}
	found, err := checkKey(text)
	switch {
	case err == nil && found.Equal(next):
		return nil
	case err != nil || !found.Equal(current):
		return fmt.Errorf("admin key %w", secretref.Path(path).Error(ErrOtherKey))
	}
	if err := replaceFile(target, next.Reveal()+"\n", mode); err != nil {
		return fmt.Errorf("admin key %w", secretref.Path(path).Error(err))
	}
	return nil
}

// keyFileTarget is the file that a path leads to, and its mode.
func keyFileTarget(path string) (string, os.FileMode, error) {
	target, err := filepath.EvalSymlinks(path)
	if err != nil {
		return "", 0, fmt.Errorf("admin key %w", secretref.Path(path).Error(err))
	}
	info, err := os.Stat(target)
	if err == nil && !info.Mode().IsRegular() {
		err = errors.New("it is not a regular file")
	}
	if err != nil {
		return "", 0, fmt.Errorf("admin key %w", secretref.Path(path).Error(err))
	}
	return target, info.Mode().Perm(), nil
}

// beside makes a file in the folder of another one.
func beside(target string, mode os.FileMode) (*os.File, error) {
	f, err := os.CreateTemp(filepath.Dir(target), "."+filepath.Base(target)+".*") // With mode 0600.
	if err != nil {
		return nil, err
	}
	if err := f.Chmod(mode); err != nil {
		return nil, errors.Join(err, f.Close(), os.Remove(f.Name()))
	}
	return f, nil
}

// replaceFile replaces a file by one with a text, durably.
func replaceFile(target, text string, mode os.FileMode) error {
	f, err := beside(target, mode)
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(f.Name()) }() // It is gone if all went well.
	_, err = f.WriteString(text)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), target); err != nil {
		return err
	}
	folder, err := os.Open(filepath.Dir(target))
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}
