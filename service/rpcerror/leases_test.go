package rpcerror

import (
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"connectrpc.com/connect/v2"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/durationpb"
)

// leaseReasons are the constants of leases.go.
func leaseReasons(t *testing.T) []string {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "leases.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok || !strings.HasPrefix(spec.Names[0].Name, "Reason") {
			return true
		}
		literal, ok := spec.Values[0].(*ast.BasicLit)
		if !ok {
			t.Fatalf("%s is not a literal", spec.Names[0].Name)
		}
		reason, err := strconv.Unquote(literal.Value)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, reason)
		return false
	})
	return all
}

// TestOfLease: every reason has a row, and the caller hears its code, its message and
// the time to wait, and nothing of the cause.
func TestOfLease(t *testing.T) {
	t.Parallel()
	reasons := leaseReasons(t)
	if len(reasons) == 0 || len(reasons) != len(leaseOutcomes) {
		t.Fatalf("%d reasons and %d rows", len(reasons), len(leaseOutcomes))
	}
	for _, reason := range reasons {
		row := leaseOutcomes[reason]
		got := hear(t, OfLease(reason, time.Minute, errors.New(canary)))
		want := heard{row.code, row.message, []proto.Message{info(reason, nil), &errdetails.RetryInfo{RetryDelay: durationpb.New(time.Minute)}}}
		if diff := cmp.Diff(want, got, protocmp.Transform()); diff != "" || row.message == "" {
			t.Errorf("%s: %s", reason, diff)
		}
	}
	if e := OfLease("ANOTHER", 0, errors.New(canary)); e.Code != connect.CodeInternal || e.Reason != ReasonInternal {
		t.Errorf("of no such reason: %v", e)
	}
}

// TestLeaseReasonsAreDocumented: the table of docs/errors.md has each of them, with
// its code.
func TestLeaseReasonsAreDocumented(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../docs/errors.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, reason := range leaseReasons(t) {
		code := strings.ToUpper(leaseOutcomes[reason].code.String())
		documented := false
		for line := range strings.Lines(string(page)) {
			cells := strings.Split(line, "|")
			documented = documented || len(cells) > 3 && strings.Contains(cells[3], "`"+reason+"`") && strings.Contains(cells[2], "`"+code+"`")
		}
		if !documented {
			t.Errorf("%s with %s is not in docs/errors.md", reason, code)
		}
	}
}
