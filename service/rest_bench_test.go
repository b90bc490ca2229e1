package service_test

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	adminv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/admin/v1"
	"github.com/admin-gateway/admin-gateway/internal/admissiontest"
	"github.com/admin-gateway/admin-gateway/internal/catalogtest"
	"github.com/admin-gateway/admin-gateway/internal/gatewaytest"
	"github.com/admin-gateway/admin-gateway/service"
	"github.com/admin-gateway/admin-gateway/upstream"
)

// discard is a response that nobody reads.
type discard struct {
	header http.Header
	status int
}

func (d *discard) Header() http.Header         { return d.header }
func (d *discard) Write(p []byte) (int, error) { return len(p), nil }
func (d *discard) WriteHeader(status int)      { d.status = status }

// BenchmarkDoorHit is a list of 100 projects that is kept, from the request's
// headers to the answer's last byte, without a network: REST beside its peers.
func BenchmarkDoorHit(b *testing.B) {
	methods := catalogtest.Gateway(b)
	var list bytes.Buffer
	list.WriteString(`{"object":"list","data":[`)
	for i := range 100 {
		if i > 0 {
			list.WriteByte(',')
		}
		fmt.Fprintf(&list, `{"id":"proj_%024d","object":"organization.project","name":"Project %d","created_at":1711471533,"archived_at":null,"status":"active"}`, i, i)
	}
	list.WriteString(`],"first_id":"proj_0","last_id":"proj_99","has_more":false}`)
	up := gatewaytest.UpstreamFunc(func(context.Context) (*upstream.Reply, error) {
		return &upstream.Reply{Status: http.StatusOK, Body: list.Bytes()}, nil
	})
	door := service.NewHTTPHandler(gatewaytest.New(b, gatewaytest.WithUpstream(up), gatewaytest.WithMemoryCache(), gatewaytest.WithAudit(new(lastRecord))).Server, methods)
	message := &adminv1.ListProjectsRequest{Limit: proto.Int32(100)}
	wire, err := proto.Marshal(message)
	if err != nil {
		b.Fatal(err)
	}
	text, err := protojson.Marshal(message)
	if err != nil {
		b.Fatal(err)
	}
	const connectPath = "/admingateway.admin.v1.ProjectService/ListProjects"
	for _, way := range []struct {
		name, verb, target, kind string
		body                     []byte
		accept                   string
	}{
		{"Connect protobuf", http.MethodPost, connectPath, "application/proto", wire, ""},
		{"Connect protobuf, gzip", http.MethodPost, connectPath, "application/proto", wire, "gzip"},
		{"Connect JSON", http.MethodPost, connectPath, "application/json", text, ""},
		{"REST", http.MethodGet, "/v1/organization/projects?limit=100", "", nil, ""},
		{"REST, gzip", http.MethodGet, "/v1/organization/projects?limit=100", "", nil, "gzip"},
	} {
		b.Run(strings.ReplaceAll(way.name, " ", "-"), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				request, err := http.NewRequestWithContext(b.Context(), way.verb, "http://gateway"+way.target, bytes.NewReader(way.body))
				if err != nil {
					b.Fatal(err)
				}
				request.Header.Set("Authorization", "Bearer "+admissiontest.TokenOf("root"))
				if way.kind != "" {
					request.Header.Set("Content-Type", way.kind)
				}
				request.Header.Set("Accept-Encoding", way.accept)
				reply := &discard{header: http.Header{}}
				if door.ServeHTTP(reply, request); (reply.header.Get("Content-Encoding") != way.accept) || reply.status != 0 && reply.status != http.StatusOK {
					b.Fatalf("status %d, %v", reply.status, reply.header)
				}
			}
		})
	}
}
