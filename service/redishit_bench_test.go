package service_test

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"syscall"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/admin-gateway/admin-gateway/cache"
	adminv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/admin/v1"
	"github.com/admin-gateway/admin-gateway/internal/admissiontest"
	"github.com/admin-gateway/admin-gateway/internal/gatewaytest"
	"github.com/admin-gateway/admin-gateway/internal/redisclient"
	"github.com/admin-gateway/admin-gateway/internal/redistest"
	"github.com/admin-gateway/admin-gateway/upstream"
)

// cpu is the processor time that this process has used.
func cpu(b *testing.B) time.Duration {
	b.Helper()
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		b.Fatal(err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

// BenchmarkRedisHit is a list of projects that Redis answers, from the headers of the
// request to the last byte of the answer, beside a handler that makes one GET of the
// answer and checks nothing. cpu-µs/op is without the time of Redis.
func BenchmarkRedisHit(b *testing.B) {
	addr := redistest.Start(b)
	for _, projects := range []int{1, 8, 100} {
		var list bytes.Buffer
		list.WriteString(`{"object":"list","data":[`)
		for i := range projects {
			if i > 0 {
				list.WriteByte(',')
			}
			fmt.Fprintf(&list, `{"id":"proj_%024d","object":"organization.project","name":"Project %d","created_at":1711471533,"archived_at":null,"status":"active"}`, i, i)
		}
		list.WriteString(`],"first_id":"proj_0","last_id":"proj_99","has_more":false}`)
		up := gatewaytest.UpstreamFunc(func(context.Context) (*upstream.Reply, error) {
			return &upstream.Reply{Status: http.StatusOK, Body: list.Bytes()}, nil
		})
		var memory *cache.Memory
		g := gatewaytest.New(b, gatewaytest.WithUpstream(up), gatewaytest.WithRedisCache(addr), gatewaytest.WithAudit(new(lastRecord)),
			gatewaytest.WithNear(func(m *cache.Memory) { memory = m }))
		everything := cache.NewTags("org", cache.Everything)
		answer, err := redisclient.New(redisclient.Config{URL: "redis://" + addr})
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { _ = answer.Close() })
		if err := answer.Set(b.Context(), "answer", list.Bytes(), 0).Err(); err != nil {
			b.Fatal(err)
		}
		floor := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			text, err := answer.Get(r.Context(), "answer").Bytes()
			if err != nil {
				http.Error(w, "", http.StatusBadGateway)
				return
			}
			_, _ = w.Write(text)
		})
		wire, err := proto.Marshal(&adminv1.ListProjectsRequest{Limit: proto.Int32(int32(projects))})
		if err != nil {
			b.Fatal(err)
		}
		for _, way := range []struct {
			name    string
			handler http.Handler
			forget  func()
		}{
			{"one-GET", floor, func() {}},
			{"memory", g.Handler(), func() {}},
			{"gateway", g.Handler(), func() { _ = memory.Purge(b.Context(), everything) }},
		} {
			b.Run(fmt.Sprintf("%d/%s", projects, way.name), func(b *testing.B) {
				b.ReportAllocs()
				began := cpu(b)
				for b.Loop() {
					way.forget()
					request, err := http.NewRequestWithContext(b.Context(), http.MethodPost,
						"http://gateway/admingateway.admin.v1.ProjectService/ListProjects", bytes.NewReader(wire))
					if err != nil {
						b.Fatal(err)
					}
					request.Header.Set("Authorization", "Bearer "+admissiontest.TokenOf("root"))
					request.Header.Set("Content-Type", "application/proto")
					reply := &discard{header: http.Header{}}
					if way.handler.ServeHTTP(reply, request); reply.status != 0 && reply.status != http.StatusOK {
						b.Fatalf("status %d, %v", reply.status, reply.header)
					}
				}
				b.ReportMetric(float64((cpu(b)-began).Nanoseconds())/1000/float64(b.N), "cpu-µs/op")
			})
		}
		if asked := g.Asked.Load(); asked > 3 {
			b.Errorf("the upstream was asked %d times: this is not about Redis", asked)
		}
	}
}
