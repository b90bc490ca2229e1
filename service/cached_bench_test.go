package service

import (
	"context"
	"testing"
	"time"

	"connectrpc.com/connect/v2"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/emptypb"

	"github.com/admin-gateway/admin-gateway/cache"
	adminv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/admin/v1"
	"github.com/admin-gateway/admin-gateway/service/authz"
	"github.com/admin-gateway/admin-gateway/upstream"
)

// benchUpstream answers with a page of projects.
type benchUpstream struct{}

// Do answers.
func (benchUpstream) Do(context.Context, *upstream.Endpoint, *upstream.Request) (*upstream.Reply, error) {
	return &upstream.Reply{Status: 200, Body: []byte(`{"object":"list","data":[{"id":"proj_a","name":"a"},{"id":"proj_b","name":"b"}],"has_more":false}`)}, nil
}

// BenchmarkMemoryHit is what a hit costs from the decoded request to the bytes
// that are ready to be sent, its headers among them.
func BenchmarkMemoryHit(b *testing.B) {
	catalog, err := NewCatalog([]protoreflect.FileDescriptor{adminv1.File_admingateway_admin_v1_project_proto, adminv1.File_admingateway_admin_v1_usage_proto, adminv1.File_admingateway_admin_v1_project_user_proto}, nil)
	if err != nil {
		b.Fatal(err)
	}
	memory, err := cache.NewMemory(cache.MemoryOptions{MaxBytes: 16 << 20, Lease: time.Minute})
	if err != nil {
		b.Fatal(err)
	}
	tiered, err := cache.NewTiered(cache.TieredOptions{Memory: memory, Convert: catalog.Convert})
	if err != nil {
		b.Fatal(err)
	}
	remembers, err := NewCache(CacheOptions{Store: tiered, Near: memory, Org: func(context.Context) (string, error) { return "0123456789abcdef0123456789abcdef", nil }})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(remembers.Close)
	counters, err := newMetrics(nil, catalog)
	if err != nil {
		b.Fatal(err)
	}
	r := &road{catalog: catalog, cache: &cacheStep{remembers, benchUpstream{}, nil}, metrics: counters}
	for name, request := range map[string]proto.Message{
		"ProjectService/ListProjects":         &adminv1.ListProjectsRequest{Limit: proto.Int32(100), After: proto.String("proj_0123456789abcdef")},
		"ProjectUserService/ListProjectUsers": &adminv1.ListProjectUsersRequest{ProjectId: "proj_0123456789abcdef", Limit: proto.Int32(100)},
		"UsageService/ListCompletionsUsage":   &adminv1.ListCompletionsUsageRequest{ProjectIds: []string{"proj_0123456789abcdef"}},
	} {
		m, ok := catalog.Lookup("/admingateway.admin.v1." + name)
		if !ok {
			b.Fatalf("there is no %s", name)
		}
		b.Run(m.Name(), func(b *testing.B) {
			c := &call{method: m, decision: authz.Decision{Allowed: true}, start: time.Now()}
			p := permit{call: c, request: request.ProtoReflect()}
			inServer(b, func(ctx context.Context) {
				hit := func() *answer {
					a, err := r.answer(ctx, p)
					if err != nil {
						b.Fatal(err)
					}
					return a
				}
				hit()
				b.ReportAllocs()
				for b.Loop() {
					hit()
				}
				info, _ := connect.CallInfoForServerContext(ctx)
				if c.cache != cacheHit || info.ResponseHeader().Get("Cache-Status") == "" {
					b.Fatalf("no hit: %s, %q", c.cache, info.ResponseHeader().Get("Cache-Status"))
				}
			})
		})
	}
}

// inServer runs f as a handler, with the context of one.
func inServer(b *testing.B, f func(ctx context.Context)) {
	b.Helper()
	const procedure = "/bench.Service/Bench"
	server := connect.NewServer()
	server.Register(connect.Method{
		Spec: connect.Spec{StreamType: connect.StreamTypeUnary, Procedure: procedure},
		Handler: func(ctx context.Context, _ connect.Spec, stream connect.ServerStream) error {
			f(ctx)
			return stream.Send(&emptypb.Empty{})
		},
	})
	client := connect.NewClient(InProcess(server))
	spec := connect.Spec{StreamType: connect.StreamTypeUnary, Procedure: procedure}
	if err := client.CallUnary(b.Context(), spec, &emptypb.Empty{}, &emptypb.Empty{}); err != nil {
		b.Fatal(err)
	}
}
