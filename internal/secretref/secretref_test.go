package secretref_test

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/admin-gateway/admin-gateway/internal/secretref"
	"github.com/admin-gateway/admin-gateway/service/authn"
)

// secrets have the forms that keys and tokens have.
func secrets() []string {
	random := make([]byte, 32)
	_, _ = rand.Read(random)
	return []string{
		hex.EncodeToString(random), strings.ToUpper(hex.EncodeToString(random)), strings.ToUpper("a" + hex.EncodeToString(random)),
		"sk-admin-" + hex.EncodeToString(random), "sk-admin-a_b-c", base64.StdEncoding.EncodeToString(random),
		"agw_" + hex.EncodeToString(random), "two words", "a\nb",
	}
}

// TestSecretsAreNoNames: a secret in the place of a name is not printed.
func TestSecretsAreNoNames(t *testing.T) {
	t.Parallel()
	for _, secret := range secrets() {
		if got := secretref.Path(secret).String(); got != secretref.Hidden {
			t.Errorf("as a path: %q", got)
		}
		if got := secretref.Variable(secret).String(); got != secretref.Hidden {
			t.Errorf("as a variable: %q", got)
		}
		_, err := os.Stat(secret)
		if err = secretref.Path(secret).Error(err); strings.Contains(err.Error(), secret) {
			t.Errorf("in an error: %v", err)
		}
	}
}

// TestNoTokenIsAPath: whatever its random characters are, a token or a key is not
// printed in the place of a file, with a directory before it neither.
func TestNoTokenIsAPath(t *testing.T) {
	t.Parallel()
	for range 5000 {
		token, _, err := authn.NewToken()
		if err != nil {
			t.Fatal(err)
		}
		random := make([]byte, 15)
		_, _ = rand.Read(random)
		for _, secret := range []string{
			token, "/run/secrets/" + token, base64.RawURLEncoding.EncodeToString(random), "sk-" + base64.RawURLEncoding.EncodeToString(random),
			fmt.Sprintf("%x-%x-%x-%x-%x", random[:4], random[4:6], random[6:8], random[8:10], random[10:]), "k" + base64.StdEncoding.EncodeToString(random),
		} {
			if secretref.Path(secret).String() != secretref.Hidden {
				t.Fatalf("printed: %s", secret)
			}
		}
	}
}

// TestNamesArePrinted, so that an operator finds what is missing.
func TestNamesArePrinted(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"OPENAI_ADMIN_KEY", "KEY", "_K2", "GATEWAY_CACHE_ENCRYPTION_KEY_1"} {
		if got := secretref.Variable(name).String(); got != name {
			t.Errorf("%s is %s", name, got)
		}
	}
	for _, name := range []string{"/run/secrets/admin_key", "secrets/admin-key.txt", "key.pem", "./key", "../k", "~/.config/key", ".key", "/var/run/secrets/kubernetes.io/serviceaccount/token"} {
		if got := secretref.Path(name).String(); got != name {
			t.Errorf("%s is %s", name, got)
		}
	}
	_, err := os.Stat("/nonexistent/key")
	if err = secretref.Path("/nonexistent/key").Error(err); !errors.Is(err, os.ErrNotExist) || err.Error() != "file /nonexistent/key: no such file or directory" {
		t.Error(err)
	}
}
