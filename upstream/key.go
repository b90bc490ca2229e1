package upstream

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/admin-gateway/admin-gateway/internal/secretref"
)

// maxKeyBytes is far above the size of any key.
const maxKeyBytes = 16 << 10

// settled is the age from which a file's modification time identifies its contents. A
// younger file may change again within the clock's resolution, so it is read rather
// than trusted.
const settled = 2 * time.Second

// KeySource yields the admin key. Key is called once per attempt, so it has to be cheap
// and safe for concurrent use; its errors must not show the key.
type KeySource interface {
	Key(ctx context.Context) (Secret, error)
}

// FromEnv returns the key in the environment variable name, read at every call.
// A trailing line break is trimmed. An empty value, or one with spaces or with
// anything but printable ASCII, is an error.
func FromEnv(name string) KeySource { return envKey(name) }

type envKey string

// Key reads the variable.
func (k envKey) Key(context.Context) (Secret, error) {
	key, err := checkKey(os.Getenv(string(k)))
	if err != nil {
		return Secret{}, fmt.Errorf("admin key in environment variable %s: %w", secretref.Variable(k), err)
	}
	return key, nil
}

// FromFile returns the key in a file, read again when the file changes: every
// call looks at the file's identity, size and modification time, through
// symbolic links, so that a mounted Kubernetes secret is followed. A trailing
// line break is trimmed.
//
// Until there has been a good key, a file that is missing, empty, larger than 16 KiB,
// or that holds spaces or anything but printable ASCII is an error. After that the last
// good key stays in use, and each new fault is logged once. A nil logger discards.
func FromFile(path string, logger *slog.Logger) KeySource {
	if logger == nil {
		logger = slog.New(slog.DiscardHandler)
	}
	return &fileKey{path: path, logger: logger}
}

type fileKey struct {
	path   string
	logger *slog.Logger

	mu      sync.Mutex
	info    os.FileInfo // of the file that was read last; nil: read again
	key     Secret
	known   bool   // key has been good once
	trouble string // the fault that was logged last
}

// Key reads the file if it may have changed.
func (k *fileKey) Key(context.Context) (Secret, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	key, err := k.load()
	if err == nil {
		if k.trouble != "" {
			k.logger.Info("the admin key file is good again", slog.String("path", secretref.Path(k.path).String()))
		}
		k.key, k.known, k.trouble = key, true, ""
		return key, nil
	}
	err = fmt.Errorf("admin key %w", secretref.Path(k.path).Error(err))
	if !k.known {
		return Secret{}, err
	}
	if trouble := err.Error(); trouble != k.trouble {
		k.trouble = trouble
		k.logger.Warn("the admin key file cannot be used; the last good key stays in use",
			slog.String("path", secretref.Path(k.path).String()), slog.String("error", trouble))
	}
	return k.key, nil
}

func (k *fileKey) load() (Secret, error) {
	info, err := os.Stat(k.path)
	if err != nil {
		k.info = nil
		return Secret{}, err
	}
	if !info.Mode().IsRegular() {
		k.info = nil
		return Secret{}, errors.New("it is not a regular file")
	}
	if old := k.info; old != nil && os.SameFile(old, info) && old.Size() == info.Size() && old.ModTime().Equal(info.ModTime()) {
		return k.key, nil
	}
	k.info = nil
	text, err := readKeyFile(k.path)
	if err != nil {
		return Secret{}, err
	}
	key, err := checkKey(text)
	if err != nil {
		return Secret{}, err
	}
	if time.Since(info.ModTime()) > settled {
		k.info = info
	}
	return key, nil
}

func readKeyFile(path string) (string, error) {
	file, err := os.Open(path)
	if err != nil {
		return "", err
	}
	text, err := io.ReadAll(io.LimitReader(file, maxKeyBytes+1))
	return string(text), errors.Join(err, file.Close())
}

// checkKey refuses a text that cannot be sent in a header, or that cannot be a key.
func checkKey(text string) (Secret, error) {
	if len(text) > maxKeyBytes {
		return Secret{}, fmt.Errorf("it is larger than %d bytes", maxKeyBytes)
	}
	text = strings.TrimRight(text, "\r\n")
	if text == "" {
		return Secret{}, errors.New("it is empty")
	}
	for _, b := range []byte(text) {
		if b <= ' ' || b > '~' {
			return Secret{}, errors.New("it has a space, a control character or a character beyond ASCII")
		}
	}
	return NewSecret(text), nil
}
