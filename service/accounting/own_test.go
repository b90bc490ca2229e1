package accounting_test

import (
	"context"
	"strings"
	"testing"

	"connectrpc.com/connect/v2"

	"github.com/admin-gateway/admin-gateway/internal/rpctest"
	"github.com/admin-gateway/admin-gateway/service/accounting"
)

// TestOwn: a call of the gateway's own has an id of its own, knows the call in whose
// course it is made, and shares nothing else with it but the trace.
func TestOwn(t *testing.T) {
	t.Parallel()
	const procedure, traceID = "/test.v1.Other/Method", "0af7651916cd43dd8448eb211c80319c"
	_, err := rpctest.Call{
		Header: []string{"Traceparent", "00-" + traceID + "-b7ad6b7169203331-01"}, Interceptors: []connect.ServerInterceptor{accounting.WithCall},
		Handler: func(ctx context.Context, spec connect.Spec, stream connect.ServerStream) error {
			whole := accounting.From(ctx)
			whole.Admission.Reason, whole.Lease.ID = "of the whole", "lease_1"
			inner, own := accounting.Own(ctx, "leases", procedure)
			if accounting.From(inner) != own || own.ID == whole.ID || !strings.HasPrefix(own.ID, "req_") || own.Procedure != procedure || own.TraceID != traceID {
				t.Errorf("%+v within %+v", own, whole)
			}
			if own.Own != (accounting.OwnCall{Agent: "leases", Within: whole.ID}) || own.Admission.Reason != "" || own.Lease != (accounting.Lease{}) || whole.Own != (accounting.OwnCall{}) {
				t.Errorf("%+v within %+v", own, whole)
			}
			return rpctest.Answer(ctx, spec, stream)
		},
	}.Do(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, own := accounting.Own(t.Context(), "leases", procedure); own.Own.Within != "" || own.ID == "" || own.Start.IsZero() {
		t.Errorf("in the background: %+v", own)
	}
}
