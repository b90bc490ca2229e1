package digest_test

import (
	_ "embed"
	"go/ast"
	"go/parser"
	"go/token"
	"reflect"
	"strings"
	"testing"

	"github.com/admin-gateway/admin-gateway/internal/digest"
)

// source is the package as it was compiled.
//
//go:embed digest.go
var source string

func TestDigest(t *testing.T) {
	t.Parallel()
	a, b := digest.Of([]byte("a")), digest.Of([]byte("b"))
	if !a.Equal(digest.Of([]byte("a"))) || a.Equal(b) || a.Equal(digest.Digest{}) {
		t.Error("digests are not told apart")
	}
	again, err := digest.Parse(strings.ToUpper(a.Hex()))
	if err != nil || !again.Equal(a) || again.Index() != a.Index() || a.Index() == b.Index() {
		t.Errorf("%s is read as %s, %v", a.Hex(), again.Hex(), err)
	}
	// Two that are alike but for one digit, wherever it is.
	for i := range digest.HexDigits {
		text := []byte(a.Hex())
		if text[i] = '0'; a.Hex()[i] == '0' {
			text[i] = '1'
		}
		if other, err := digest.Parse(string(text)); err != nil || other.Equal(a) || a.Equal(other) {
			t.Errorf("the digit %d makes no difference, %v", i, err)
		}
	}
	for _, text := range []string{"", a.Hex()[1:], a.Hex() + "0", strings.Repeat("g", digest.HexDigits), " " + a.Hex()[1:]} {
		if _, err := digest.Parse(text); err == nil {
			t.Errorf("%q is a digest", text)
		}
	}
}

// TestDigestsAreComparedInConstantTime: the compiler refuses == for digests, and so their
// use as keys of maps. The package itself, which could compare the bytes, has no
// comparison but the one of crypto/subtle.
func TestDigestsAreComparedInConstantTime(t *testing.T) {
	t.Parallel()
	if reflect.TypeFor[digest.Digest]().Comparable() {
		t.Error("digests can be compared with ==")
	}
	file, err := parser.ParseFile(token.NewFileSet(), "digest.go", source, 0)
	if err != nil {
		t.Fatal(err)
	}
	compared := false
	ast.Inspect(file, func(n ast.Node) bool {
		function, ok := n.(*ast.FuncDecl)
		if !ok || function.Name.Name != "Equal" {
			return true
		}
		result, ok := function.Body.List[0].(*ast.ReturnStmt)
		if !ok || len(function.Body.List) != 1 {
			return false
		}
		is, ok := result.Results[0].(*ast.BinaryExpr)
		if !ok {
			return false
		}
		call, ok := is.X.(*ast.CallExpr)
		if !ok {
			return false
		}
		called, ok := call.Fun.(*ast.SelectorExpr)
		compared = ok && called.Sel.Name == "ConstantTimeCompare"
		return false
	})
	if !compared {
		t.Error("Equal is not one call of subtle.ConstantTimeCompare")
	}
}
