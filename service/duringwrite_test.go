package service_test

import (
	"context"
	"fmt"
	"net/http"
	"sync/atomic"
	"testing"

	"google.golang.org/protobuf/proto"

	adminv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/admin/v1"
	"github.com/admin-gateway/admin-gateway/gen/admingateway/admin/v1/adminv1connect"
	"github.com/admin-gateway/admin-gateway/internal/gatewaytest"
	"github.com/admin-gateway/admin-gateway/internal/redistest"
	"github.com/admin-gateway/admin-gateway/upstream"
)

// slowWrites is an upstream that answers reads with the version that it has, and makes a
// write when the test says so.
type slowWrites struct {
	version, reads   atomic.Int64
	arrived, proceed chan struct{}
}

// Do implements [upstream.Attempter].
func (u *slowWrites) Do(_ context.Context, e *upstream.Endpoint, _ *upstream.Request) (*upstream.Reply, error) {
	if e.Verb() == http.MethodGet {
		u.reads.Add(1)
	} else {
		u.arrived <- struct{}{}
		<-u.proceed
		u.version.Add(1)
	}
	return &upstream.Reply{Status: http.StatusOK, Body: fmt.Appendf(nil, `{"id": "p", "name": "%d"}`, u.version.Load())}, nil
}

// TestReadsDuringAWrite: while a write is on its way, no read is answered with what was
// stored before it, and none that is answered by the upstream meanwhile fills the
// cache with what the write makes stale.
func TestReadsDuringAWrite(t *testing.T) {
	t.Parallel()
	for name, stores := range map[string]func() gatewaytest.Option{
		"memory": func() gatewaytest.Option { return gatewaytest.WithMemoryCache() },
		"redis":  func() gatewaytest.Option { return gatewaytest.WithRedisCache(redistest.Start(t)) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			up := &slowWrites{arrived: make(chan struct{}), proceed: make(chan struct{})}
			gw := gatewaytest.New(t, gatewaytest.WithUpstream(up), stores())
			projects := adminv1connect.NewProjectServiceClient(gw.Client("root"))
			get := func(when, version string, asks bool) {
				t.Helper()
				before := up.reads.Load()
				got, err := projects.GetProject(t.Context(), &adminv1.GetProjectRequest{ProjectId: "p"})
				if err != nil {
					t.Fatalf("%s: %v", when, err)
				}
				if asked := up.reads.Load() != before; got.GetProject().GetName() != version || asked != asks {
					t.Errorf("%s: version %s, want %s; the upstream was asked: %t, want %t", when, got.GetProject().GetName(), version, asked, asks)
				}
			}
			get("at first", "0", true)
			get("stored", "0", false)
			written := make(chan error)
			go func() {
				_, err := projects.UpdateProject(t.Context(), &adminv1.UpdateProjectRequest{ProjectId: "p", Name: proto.String("new")})
				written <- err
			}()
			<-up.arrived
			get("during the write", "0", true)
			get("during the write, again", "0", true)
			up.proceed <- struct{}{}
			if err := <-written; err != nil {
				t.Fatal(err)
			}
			get("after the write", "1", true)
			get("stored again", "1", false)
		})
	}
}
