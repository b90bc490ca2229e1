package service_test

import (
	"testing"

	adminv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/admin/v1"
	"github.com/admin-gateway/admin-gateway/internal/catalogtest"
	"github.com/admin-gateway/admin-gateway/internal/gatewaytest"
	"github.com/admin-gateway/admin-gateway/service"
)

// BenchmarkMemoryHit is what a read costs that memory answers, without a wire: from
// the headers of the request to the decoded answer.
func BenchmarkMemoryHit(b *testing.B) {
	g := gatewaytest.New(b, gatewaytest.WithUpstream(gatewaytest.UpstreamFunc(gatewaytest.AnswerProject)),
		gatewaytest.WithMemoryCache(), gatewaytest.WithAudit(new(lastRecord)))
	hitMemory(b, g)
}

func hitMemory(b *testing.B, g *gatewaytest.Gateway) {
	b.Helper()
	client, m := g.Client("root"), catalogtest.Method(b, "ProjectService/GetProject")
	request, answer := &adminv1.GetProjectRequest{ProjectId: "proj_0123456789abcdef"}, m.Response.New().Interface()
	b.ReportAllocs()
	for b.Loop() {
		if err := client.CallUnary(b.Context(), m.Spec(), request, answer); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkMemoryHitWithStages is the same while the stages are measured.
func BenchmarkMemoryHitWithStages(b *testing.B) {
	g := gatewaytest.New(b, gatewaytest.WithUpstream(gatewaytest.UpstreamFunc(gatewaytest.AnswerProject)),
		gatewaytest.WithMemoryCache(), gatewaytest.WithAudit(new(lastRecord)), gatewaytest.WithOptions(func(o *service.Options) { o.Stages = true }))
	hitMemory(b, g)
}
