package main

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/admin-gateway/admin-gateway/internal/audittest"
)

// TestAuditHMAC: the command prints the fingerprint that the record of the same request
// has.
func TestAuditHMAC(t *testing.T) {
	t.Parallel()
	key := writeFile(t, "hmac", base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{3}, 32))+"\n")
	path := filepath.Join(t.TempDir(), "audit")
	const more = "audit: {path: %, required: all, sync: true, hmac_key: {file: #}}\n"
	replaced := strings.NewReplacer("%", path, "#", key).Replace(more)
	s := startServed(t, replaced)
	status, text := ask(t, "POST", s.url+"/admingateway.admin.v1.ProjectService/CreateProject", `{"name": "suspected"}`, "Authorization", "Bearer "+s.who.operator, "Content-Type", "application/json")
	if status != 200 {
		t.Fatalf("%d %s", status, text)
	}
	s.stop(t)
	lines, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	audittest.Lines(t, lines)
	var recorded struct{ HMAC string }
	if err := json.Unmarshal(bytes.SplitAfter(lines, []byte("\n"))[0], &recorded); err != nil || len(recorded.HMAC) != 64 {
		t.Fatalf("%s, %v", lines, err)
	}
	config := writeFile(t, "gateway.yaml", "policy: p\nupstream: {admin_key: {env: K}}\n"+replaced)
	for name, test := range map[string]struct {
		config, request string
		code            int
		want            string
	}{
		"the same":    {config, `{"name": "suspected"}`, 0, recorded.HMAC + "\n"},
		"another":     {config, `{"name": "Suspected"}`, 0, ""},
		"no request":  {config, `{`, 1, "flag --request"},
		"without key": {writeFile(t, "gateway.yaml", "policy: p\nupstream: {admin_key: {env: K}}\n"), `{}`, 1, "audit.hmac_key"},
		"short key":   {writeFile(t, "gateway.yaml", "policy: p\nupstream: {admin_key: {env: K}}\naudit: {hmac_key: {file: "+writeFile(t, "short", "AAAA")+"}}\n"), `{}`, 1, "it has 3 bytes and not 32"},
	} {
		var out bytes.Buffer
		code := run(t.Context(), []string{"audit", "hmac", "--config", test.config, "--rpc", "ProjectService/CreateProject", "--request", test.request}, streams{&out, &out})
		if code != test.code || !strings.Contains(out.String(), test.want) || test.want == "" && out.String() == recorded.HMAC+"\n" {
			t.Errorf("%s: %d %q", name, code, &out)
		}
	}
	var out bytes.Buffer
	if code := run(t.Context(), []string{"audit", "schema"}, streams{&out, &out}); code != 0 || !json.Valid(out.Bytes()) {
		t.Errorf("%d %.100s", code, &out)
	}
}
