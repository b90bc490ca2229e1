package digest_test

import (
	"embed"
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/admin-gateway/admin-gateway/internal/digest"
)

// sources are the package as it was compiled.
//
//go:embed *.go
var sources embed.FS

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

// uses are all that is done with the bytes of a digest, by function: the only comparison
// is that of crypto/subtle.
var uses = []string{
	"Equal: subtle.ConstantTimeCompare", "Equal: subtle.ConstantTimeCompare",
	"Hex: hex.EncodeToString",
	"Index: binary.BigEndian.Uint64",
	"Parse: hex.Decode",
}

// TestDigestsAreComparedInConstantTime: the compiler refuses == for digests, and so their
// use as keys of maps. The package itself, which could compare the bytes or what it makes
// of them, has no comparison but the one of crypto/subtle.
func TestDigestsAreComparedInConstantTime(t *testing.T) {
	t.Parallel()
	if reflect.TypeFor[digest.Digest]().Comparable() {
		t.Error("digests can be compared with ==")
	}
	names, err := sources.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, name := range names {
		if strings.HasSuffix(name.Name(), "_test.go") {
			continue
		}
		text, err := sources.ReadFile(name.Name())
		if err != nil {
			t.Fatal(err)
		}
		found = append(found, usesIn(t, string(text))...)
	}
	if slices.Sort(found); !slices.Equal(found, uses) {
		t.Errorf("the bytes of digests are used as %q, want %q", found, uses)
	}
}

// TestOtherComparisonsAreFound, whatever they are made with.
func TestOtherComparisonsAreFound(t *testing.T) {
	t.Parallel()
	for _, comparison := range []string{
		"d.sum == other.sum", "!(d.sum != other.sum)", "bytes.Equal(d.sum[:], other.sum[:])", "string(d.sum[:]) == string(other.sum[:])",
		"hex.EncodeToString(d.sum[:]) == text", "func(b [32]byte) bool { return b == other }(d.sum)", "d.Hex() == other.Hex()", "d.Index() == 1",
		"d.sum[0] < other.sum[0]", "map[[32]byte]bool{}[d.sum]",
	} {
		if len(usesIn(t, "package digest\n\nfunc (d Digest) Same(other Digest) bool { return "+comparison+" }\n")) == 0 {
			t.Errorf("%s is no use of the bytes of a digest", comparison)
		}
		if found := usesIn(t, "package digest\n\nfunc (d Digest) Equal(other Digest) bool { return "+comparison+" }\n"); slices.Contains(uses, found[0]) {
			t.Errorf("Equal may be %s", comparison)
		}
	}
}

// usesIn are the uses of the bytes of a digest in a file: the function that has each, and
// what is called with it; "" where nothing is. What a digest is turned into is one, too.
func usesIn(t *testing.T, text string) []string {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "digest.go", text, 0)
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	var around []ast.Node
	ast.Inspect(file, func(n ast.Node) bool {
		if n == nil {
			around = around[:len(around)-1]
			return true
		}
		around = append(around, n)
		if selected, ok := n.(*ast.SelectorExpr); ok && slices.Contains([]string{"sum", "Hex", "Index"}, selected.Sel.Name) {
			found = append(found, use(around))
		}
		return true
	})
	return found
}

// use names the use of the last of some nodes, each of which has the next in it.
func use(around []ast.Node) string {
	in := ""
	for _, n := range around {
		if function, ok := n.(*ast.FuncDecl); ok {
			in = function.Name.Name
		}
	}
	at := len(around) - 2
	argument := around[at+1]
	if sliced, ok := around[at].(*ast.SliceExpr); ok {
		argument, at = sliced, at-1
	}
	called := ""
	if call, ok := around[at].(*ast.CallExpr); ok && call.Fun != argument {
		called = types.ExprString(call.Fun)
	}
	return in + ": " + called
}
