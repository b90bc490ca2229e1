package admission_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// forgeries are ways to get a permit without Authorize, from the package that all
// steps import. What the compiler says of each is behind it; "" compiles.
var forgeries = map[string]struct{ code, says string }{
	"passed on":              {`func forged(p admission.Permit) *catalog.Method { return p.Method() }`, ""},
	"a literal":              {`var forged = admission.Permit{}`, "invalid composite literal type admission.Permit"},
	"a pointer to a literal": {`var forged = &admission.Permit{}`, "invalid composite literal type admission.Permit"},
	"its type by name":       {`var forged = new(admission.permit)`, "not exported by package admission"},
	"a field":                {`func forged(p admission.Permit) { p.caller = "root" }`, "p.caller undefined"},
	"an errand":              {`func forged(p admission.Permit) { p.errand = &admission.Errand{} }`, "p.errand undefined"},
	"an agent of methods":    {`var forged = admission.Agent{methods: nil}`, "unexported field methods"},
	"a conversion":           {`var forged = admission.Permit(&struct{}{})`, "cannot convert"},
	"an implementation":      {"type mine struct{}\n\nfunc (mine) Method() *catalog.Method { return nil }\n\nvar forged admission.Permit = mine{}", "cannot use mine{}"},
}

// TestPermitCannotBeForged compiles each of them as a file of package pipeline.
func TestPermitCannotBeForged(t *testing.T) {
	t.Parallel()
	folder, err := filepath.Abs("../pipeline")
	if err != nil {
		t.Fatal(err)
	}
	for name, forgery := range forgeries {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			imports := "import \"github.com/admin-gateway/admin-gateway/service/admission\"\n"
			if strings.Contains(forgery.code, "catalog.") {
				imports += "import \"github.com/admin-gateway/admin-gateway/service/catalog\"\n"
			}
			source, overlay := filepath.Join(t.TempDir(), "forged.go"), filepath.Join(t.TempDir(), "overlay.json")
			if err := os.WriteFile(source, []byte("package pipeline\n"+imports+forgery.code+"\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			replaced, err := json.Marshal(map[string]map[string]string{"Replace": {filepath.Join(folder, "forged.go"): source}})
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(overlay, replaced, 0o600); err != nil {
				t.Fatal(err)
			}
			compile := exec.CommandContext(t.Context(), "go", "build", "-overlay", overlay, ".")
			compile.Dir = folder
			said, err := compile.CombinedOutput()
			if compiles := err == nil; compiles != (forgery.says == "") || !strings.Contains(string(said), forgery.says) {
				t.Errorf("compiles: %t; the compiler says %s", compiles, said)
			}
		})
	}
}
