//go:build unix

package leases

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io/fs"
	"os"
	"strings"
)

// secretPrefix is what every key of a service account begins with at the sandbox: so a
// secret is found that nobody was given, too.
const secretPrefix = "sk-svcacct-" //nolint:gosec // What all secrets begin with is none.

// searchSecrets looks for secrets in all files: ledgers, logs, audit logs.
func (h *House) searchSecrets(given []string) ([]Violation, error) {
	forms := encoded(secretPrefix)
	for _, secret := range given {
		// Behind the prefix, and without the ends that an encoding may share with others.
		forms = append(forms, []byte(strings.TrimPrefix(secret, secretPrefix)))
	}
	var found []Violation
	root, err := os.OpenRoot(h.o.Folder)
	if err != nil {
		return nil, err
	}
	defer func() { _ = root.Close() }()
	err = fs.WalkDir(root.FS(), ".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return err
		}
		content, err := root.ReadFile(path)
		if err != nil {
			return err
		}
		for _, form := range forms {
			if at := bytes.Index(content, form); at >= 0 {
				found = append(found, Violation{Exposed, fmt.Sprintf("a secret is in %s, at byte %d", path, at)})
				break
			}
		}
		return nil
	})
	return found, err
}

// encoded is a text as it is, in hexadecimal, and in base64 at each of the three places
// where it may begin.
func encoded(text string) [][]byte {
	forms := [][]byte{[]byte(text), []byte(hex.EncodeToString([]byte(text)))}
	for before := range 3 {
		padded := base64.StdEncoding.EncodeToString(append(make([]byte, before), text...))
		// The first and the last characters have bits of what is around.
		from := []int{0, 2, 3}[before]
		to := len(strings.TrimRight(padded, "=")) - 1
		forms = append(forms, []byte(padded[from:to]))
	}
	return forms
}
