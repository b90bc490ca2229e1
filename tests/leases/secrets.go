//go:build unix

package leases

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// secretPrefix is what every key of a service account begins with at the sandbox: so a
// secret is found that nobody was given, too.
const secretPrefix = "sk-svcacct-"

// searchSecrets looks for secrets in all files: ledgers, logs, audit logs.
func (h *House) searchSecrets(given []string) ([]Violation, error) {
	forms := encoded(secretPrefix)
	for _, secret := range given {
		// Behind the prefix, and without the ends that an encoding may share with others.
		forms = append(forms, []byte(strings.TrimPrefix(secret, secretPrefix)))
	}
	var found []Violation
	err := filepath.WalkDir(h.o.Folder, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return err
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		for _, form := range forms {
			if at := bytes.Index(content, form); at >= 0 {
				found = append(found, Violation{Exposed, "a secret is in " + path + ", at byte " + hexOf(at)})
				break
			}
		}
		return nil
	})
	return found, err
}

func hexOf(at int) string {
	return "0x" + hex.EncodeToString([]byte{byte(at >> 24), byte(at >> 16), byte(at >> 8), byte(at)})
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
