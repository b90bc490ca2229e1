package build

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/admin-gateway/admin-gateway/cmd/gateway/internal/config"
	"github.com/admin-gateway/admin-gateway/internal/policytest"
)

// TestManyCallersByDefault: a policy of 100,000 callers is read with the default bounds,
// and the error about one that is larger names the key.
func TestManyCallersByDefault(t *testing.T) {
	t.Parallel()
	conf := config.New(Defaults())
	conf.Policy = filepath.Join(t.TempDir(), "policy.yaml")
	conf.Audit.Path = "-"
	if err := os.WriteFile(conf.Policy, policytest.YAML(100_000), 0o600); err != nil {
		t.Fatal(err)
	}
	_, set, err := Check(conf)
	if err != nil {
		t.Fatal(err)
	}
	if n := len(set.Callers()); n != 100_000 {
		t.Errorf("%d callers", n)
	}
	conf.Limits.PolicyBytes = 1 << 20
	if _, _, err := Check(conf); err == nil || !strings.Contains(err.Error(), "limits.policy_bytes") {
		t.Errorf("a file that is too large: %v", err)
	}
}
