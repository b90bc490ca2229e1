package accounting_test

import (
	"context"
	"strings"
	"testing"

	"connectrpc.com/connect/v2"

	"github.com/admin-gateway/admin-gateway/internal/rpctest"
	"github.com/admin-gateway/admin-gateway/service/accounting"
)

// accountOf is the account of a call with headers, and the id in its answer.
func accountOf(t *testing.T, header ...string) (call *accounting.Call, id string) {
	t.Helper()
	answered, err := rpctest.Call{
		Header: header, Interceptors: []connect.ServerInterceptor{accounting.WithCall},
		Handler: func(ctx context.Context, spec connect.Spec, stream connect.ServerStream) error {
			call = accounting.From(ctx)
			return rpctest.Answer(ctx, spec, stream)
		},
	}.Do(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return call, answered.Get(accounting.RequestIDHeader)
}

// TestIDsAreTheGateways: each call gets a new id, whatever its caller calls it.
func TestIDsAreTheGateways(t *testing.T) {
	t.Parallel()
	first, shown := accountOf(t, accounting.RequestIDHeader, "mine")
	second, _ := accountOf(t, accounting.RequestIDHeader, "mine")
	if shown != first.ID || !strings.HasPrefix(shown, "req_") || first.ID == second.ID {
		t.Errorf("the calls %q and %q, the caller saw %q", first.ID, second.ID, shown)
	}
	if first.Procedure != "/test.v1.Service/Method" || first.Start.IsZero() {
		t.Errorf("account %+v", first)
	}
}

// TestTraceID: the trace of a valid traceparent, and nothing of any other.
func TestTraceID(t *testing.T) {
	t.Parallel()
	const trace = "0af7651916cd43dd8448eb211c80319c"
	for header, want := range map[string]string{
		"00-" + trace + "-b7ad6b7169203331-01":      trace,
		"cc-" + trace + "-b7ad6b7169203331-01-more": trace,
		"":                                  "",
		trace:                               "",
		"00-" + trace + "-b7ad6b7169203331": "",
		"00-" + trace[1:] + "-b7ad6b7169203331-01":                     "",
		"00-" + strings.ToUpper(trace) + "-b7ad6b7169203331-01":        "",
		"00-" + trace + "-b7ad6b7169203331-" + strings.Repeat("0", 80): "",
	} {
		if call, _ := accountOf(t, "Traceparent", header); call.TraceID != want {
			t.Errorf("%q: trace %q, want %q", header, call.TraceID, want)
		}
	}
}

// TestPart: a part has the id and the trace of the whole, and an account of its own.
func TestPart(t *testing.T) {
	t.Parallel()
	_, err := rpctest.Call{
		Interceptors: []connect.ServerInterceptor{accounting.WithCall},
		Handler: func(ctx context.Context, spec connect.Spec, stream connect.ServerStream) error {
			whole := accounting.From(ctx)
			whole.Cache.Status = "hit"
			inner, part := accounting.Part(ctx)
			if accounting.From(inner) != part || part == whole || part.ID != whole.ID || part.Procedure != whole.Procedure || part.Cache.Status != "" {
				t.Errorf("part %+v of %+v", part, whole)
			}
			return rpctest.Answer(ctx, spec, stream)
		},
	}.Do(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	// Outside of a call there is an account, which nobody reads.
	if outside := accounting.From(t.Context()); outside == nil || outside.ID != "" {
		t.Error("outside of a call")
	}
}
