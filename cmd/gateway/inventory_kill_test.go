//go:build unix

package main

import (
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"connectrpc.com/connect/v2"
	"connectrpc.com/connect/v2/connecthttp"

	"github.com/admin-gateway/admin-gateway/client/inventories"
	inventoryv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/inventory/v1"
	"github.com/admin-gateway/admin-gateway/gen/admingateway/inventory/v1/inventoryv1connect"
	"github.com/admin-gateway/admin-gateway/sandbox"
)

// keysOfProjects counts the calls for the keys of each project, and answers so many of
// them until the way is free.
type keysOfProjects struct {
	next http.Handler
	most int
	free chan struct{}

	mu    sync.Mutex
	calls map[string]int
}

func (k *keysOfProjects) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if strings.HasSuffix(r.URL.Path, "/api_keys") {
		k.mu.Lock()
		k.calls[strings.Split(r.URL.Path, "/")[4]]++
		more := len(k.calls) > k.most
		k.mu.Unlock()
		if more {
			select {
			case <-k.free:
			case <-r.Context().Done():
				return
			}
		}
	}
	k.next.ServeHTTP(w, r)
}

// failover sends calls to one replica until it cannot be reached, and then to the next.
type failover struct {
	next     http.RoundTripper
	replicas []*child
	address  func(*child) string
	at       atomic.Int64
}

func (f *failover) RoundTrip(r *http.Request) (*http.Response, error) {
	to := f.replicas[f.at.Load()%int64(len(f.replicas))]
	r = r.Clone(r.Context())
	r.URL.Host, r.Host = f.address(to), ""
	r.Header.Set("Authorization", "Bearer "+to.token)
	response, err := f.next.RoundTrip(r)
	if err != nil && r.Context().Err() == nil {
		f.at.Add(1)
	}
	return response, err
}

// TestReplicaKilledInTheMiddleOfAnInventory: the walk goes on at another replica, and is
// complete: each page came once, and no list was read again that lay ahead of a token.
func TestReplicaKilledInTheMiddleOfAnInventory(t *testing.T) {
	t.Parallel()
	listen := func(c *child) string { return c.Listen }
	for _, test := range []struct {
		name    string
		signal  os.Signal
		http    *http.Client
		address func(*child) string
		options []connecthttp.Option
	}{
		{"killed gRPC", syscall.SIGKILL, http2Client(), listen, []connecthttp.Option{connecthttp.WithGRPC()}},
		{"killed fast gRPC", syscall.SIGKILL, http2Client(), func(c *child) string { return c.GRPCListen }, []connecthttp.Option{connecthttp.WithGRPC()}},
		{"killed gRPC-Web", syscall.SIGKILL, &http.Client{Transport: &http.Transport{}}, listen, []connecthttp.Option{connecthttp.WithGRPCWeb()}},
		{"killed Connect", syscall.SIGKILL, &http.Client{Transport: &http.Transport{}}, listen, nil},
		{"drained gRPC", syscall.SIGTERM, http2Client(), listen, []connecthttp.Option{connecthttp.WithGRPC()}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithTimeout(t.Context(), 2*patience)
			defer cancel()
			const projects = 400
			up := &keysOfProjects{next: sandbox.New(sandbox.Options{Seed: 1, Projects: projects}), most: 300, free: make(chan struct{}), calls: make(map[string]int)}
			fake := httptest.NewServer(up)
			t.Cleanup(fake.Close)
			balancer := &failover{next: test.http.Transport, address: test.address}
			t.Cleanup(test.http.CloseIdleConnections)
			for range 2 {
				balancer.replicas = append(balancer.replicas, startChildAt(t, fake.URL+"/v1", "\nshutdown: {delay: 0s}\n"))
			}
			client := inventoryv1connect.NewInventoryServiceClient(connect.NewClient(
				connecthttp.NewTransport(&http.Client{Transport: balancer}, "http://replicas", test.options...)))

			came, ahead, streams := make(map[string]int), []string(nil), 0
			call := func(ctx context.Context, req *inventoryv1.ListApiKeysRequest) (inventoryv1connect.InventoryServiceListApiKeysClientStream, error) {
				if streams++; streams == 2 {
					for project := range came {
						ahead = append(ahead, project)
					}
				}
				return client.ListApiKeys(ctx, req)
			}
			for page, err := range inventories.Walk(ctx, call, &inventoryv1.ListApiKeysRequest{IncludeArchived: true}) {
				if err != nil {
					t.Fatal(err)
				}
				if len(came) == 0 {
					balancer.replicas[0].signal(t, test.signal)
					if code := balancer.replicas[0].exit(t); (code != 0) == (test.signal == syscall.SIGTERM) {
						t.Errorf("exit code %d", code)
					}
					close(up.free)
				}
				came[page.GetKeys().GetProjectId()]++
			}
			if len(came) != projects || len(ahead) == 0 || streams < 2 {
				t.Errorf("%d projects came, %d of them ahead of the end of the replica, in %d streams", len(came), len(ahead), streams)
			}
			up.mu.Lock()
			defer up.mu.Unlock()
			for project, n := range came {
				if n != 1 || up.calls[project] == 0 {
					t.Errorf("%s came %d times, after %d calls", project, n, up.calls[project])
				}
			}
			for _, project := range ahead {
				if n := up.calls[project]; n != 1 {
					t.Errorf("%s had come, and was asked for %d times", project, n)
				}
			}
			t.Logf("%d of %d projects came ahead of it", len(ahead), projects)
		})
	}
}
