package service_test

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"testing"

	"google.golang.org/protobuf/proto"

	adminv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/admin/v1"
	"github.com/admin-gateway/admin-gateway/service"
	"github.com/admin-gateway/admin-gateway/upstream"
)

// BenchmarkMemoryHitCall is what a read costs that memory answers, from the decoded
// headers to the written answer: authentication, limits, policy, cache, record.
func BenchmarkMemoryHitCall(b *testing.B) {
	methods := realCatalog(b)
	server := open(b, methods, service.Options{Upstream: upstream.Unpaced(upstreamFunc(answerProject)), Cache: memoryCache(b, methods, nil), Audit: new(lastRecord)})
	request := &adminv1.GetProjectRequest{ProjectId: "proj_0123456789abcdef"}
	m, _ := methods.Lookup(getProject)
	b.Run("in process", func(b *testing.B) {
		client, answer := as("root", service.InProcess(server)), m.Response.New().Interface()
		b.ReportAllocs()
		for b.Loop() {
			if err := client.CallUnary(b.Context(), specOf(m), request, answer); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("Connect", func(b *testing.B) {
		handler := service.NewHTTPHandler(server, methods)
		body, err := proto.Marshal(request)
		if err != nil {
			b.Fatal(err)
		}
		b.ReportAllocs()
		for b.Loop() {
			r := httptest.NewRequestWithContext(b.Context(), http.MethodPost, getProject, bytes.NewReader(body))
			r.Header.Set("Content-Type", "application/proto")
			r.Header.Set("Authorization", "Bearer "+tokenOf("root"))
			w := httptest.NewRecorder()
			if handler.ServeHTTP(w, r); w.Code != http.StatusOK {
				b.Fatal(w.Code, w.Body)
			}
		}
	})
}
