package adminkeys

import (
	"context"
	"errors"

	"github.com/admin-gateway/admin-gateway/lease"
	"github.com/admin-gateway/admin-gateway/lease/adminkey"
	"github.com/admin-gateway/admin-gateway/upstream"
)

// Key is the admin key of this process, which may be in a file.
type Key interface {
	upstream.KeySource
	// Replaceable says why the key cannot be replaced; nil: it can.
	Replaceable() error
	// Replace replaces the file of the key, durably.
	Replace(current, next upstream.Secret) error
}

// ErrNoFile is the error of a key that is not in a file.
var ErrNoFile = errors.New("the admin key is not in a file")

// own is the key for the protocol of a rotation.
type own struct{ key Key }

// Key implements [adminkey.Own].
func (o own) Key(ctx context.Context) (lease.Secret, error) {
	key, err := o.key.Key(ctx)
	if err != nil {
		return lease.Secret{}, err
	}
	return lease.NewSecret([]byte(key.Reveal())), nil
}

// Replaceable implements [adminkey.Own].
func (o own) Replaceable() error { return fileError(o.key.Replaceable()) }

// Replace implements [adminkey.Own].
func (o own) Replace(_ context.Context, current, next lease.Secret) error {
	return fileError(o.key.Replace(secretOf(current), secretOf(next)))
}

func secretOf(key lease.Secret) upstream.Secret { return upstream.NewSecret(string(key.Reveal())) }

// fileError says in words what is wrong with the file. Its path is for the log alone.
func fileError(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, ErrNoFile):
		return &adminkey.FileError{Words: "the admin key is not in a file: upstream.admin_key has no file", Err: err}
	case errors.Is(err, upstream.ErrOtherKey):
		return &adminkey.FileError{Words: "the file of the admin key has another key than the one in use", Err: err}
	default:
		return &adminkey.FileError{Words: "the file of the admin key cannot be replaced: its folder has to be writable", Err: err}
	}
}
