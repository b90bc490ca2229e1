package record_test

import (
	"context"
	"testing"

	"connectrpc.com/connect/v2"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/admin-gateway/admin-gateway/internal/catalogtest"
	"github.com/admin-gateway/admin-gateway/service/accounting"
	"github.com/admin-gateway/admin-gateway/service/audit"
	"github.com/admin-gateway/admin-gateway/service/record"
)

// nowhere is a log that keeps nothing.
type nowhere struct{}

func (nowhere) Write(context.Context, *audit.Record) error { return nil }
func (nowhere) Offer(*audit.Record)                        {}

// BenchmarkRecord is what the record of a read costs besides the log that keeps it.
func BenchmarkRecord(b *testing.B) {
	m := catalogtest.Method(b, "ProjectService/GetProject")
	request := m.Request.New()
	request.Set(m.Request.Descriptor().Fields().ByName("project_id"), protoreflect.ValueOfString("proj_0123456789abcdef"))
	ctx := context.Background()
	serve := record.New(record.Options{Log: nowhere{}}).WithRecord(func(ctx context.Context, _ connect.Spec, _ connect.ServerStream) error {
		a := &accounting.From(ctx).Admission
		a.Method, a.Request, a.Verdict = m, request, audit.DecisionAllowed
		return nil
	})
	serve = accounting.WithCall(serve)
	b.ReportAllocs()
	for b.Loop() {
		if err := serve(ctx, m.Spec(), nil); err != nil {
			b.Fatal(err)
		}
	}
}
