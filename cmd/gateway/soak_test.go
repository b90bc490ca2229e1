//go:build unix

package main

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"connectrpc.com/connect/v2"
	"connectrpc.com/connect/v2/connecthttp"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"

	adminv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/admin/v1"
	"github.com/admin-gateway/admin-gateway/gen/admingateway/admin/v1/adminv1connect"
)

// held are the resources of a gateway at one time.
type held struct{ rss, goroutines, descriptors float64 }

// TestSoak keeps a gateway busy for the duration of SOAK (make soak): readers and
// writers at each door, refused callers, short connections, watches. It must not
// hold more resources in the last third than in the second.
func TestSoak(t *testing.T) {
	duration, err := time.ParseDuration(os.Getenv("SOAK"))
	if err != nil {
		t.Skip("takes minutes: make soak DURATION=10m")
	}
	c := startChild(t, "\nshutdown: {delay: 0s}\ncache: {memory: 8MiB}\nlimits: {connection_age: 10s}\n")
	ctx, cancel := context.WithTimeout(t.Context(), duration)
	defer cancel()
	var group sync.WaitGroup
	var calls, failed atomic.Int64
	for i := range 8 {
		group.Go(func() { c.soak(ctx, i, &calls, &failed) })
	}
	ticker := time.NewTicker(max(duration/60, time.Second))
	defer ticker.Stop()
	var samples []held
	for ctx.Err() == nil {
		select {
		case <-ticker.C:
			s := held{c.metric(t, "process_resident_memory_bytes") / (1 << 20), c.metric(t, "go_goroutines"), c.metric(t, "process_open_fds")}
			samples = append(samples, s)
			t.Logf("%d calls, %d failed: %.1f MiB resident, %.0f goroutines, %.0f descriptors", calls.Load(), failed.Load(), s.rss, s.goroutines, s.descriptors)
		case <-ctx.Done():
		}
	}
	group.Wait()
	if len(samples) < 9 {
		t.Fatalf("%d samples are too few to see a trend", len(samples))
	}
	third := len(samples) / 3
	middle, last := samples[third:2*third], samples[2*third:]
	for name, of := range map[string]func(held) float64{
		"resident MiB": func(s held) float64 { return s.rss }, "goroutines": func(s held) float64 { return s.goroutines },
		"descriptors": func(s held) float64 { return s.descriptors },
	} {
		before, after := median(middle, of), median(last, of)
		t.Logf("%s: %.1f in the second third, %.1f in the last", name, before, after)
		if after > 1.2*before+20 {
			t.Errorf("%s grow", name)
		}
	}
	if failed.Load() > calls.Load()/1000 {
		t.Errorf("%d of %d calls failed", failed.Load(), calls.Load())
	}
}

func median(samples []held, of func(held) float64) float64 {
	var values []float64
	for _, s := range samples {
		values = append(values, of(s))
	}
	slices.Sort(values)
	return values[len(values)/2]
}

// soak makes calls of all kinds until ctx ends.
func (c *child) soak(ctx context.Context, worker int, calls, failed *atomic.Int64) {
	for n := 0; ctx.Err() == nil; n++ {
		client := http2Client()
		doors := []connect.Transport{
			connecthttp.NewTransport(client, "http://"+c.Listen, connecthttp.WithGRPC()),
			connecthttp.NewTransport(client, "http://"+c.GRPCListen, connecthttp.WithGRPC()),
			connecthttp.NewTransport(client, "http://"+c.Listen, connecthttp.WithProtoJSON()),
		}
		for i := range 50 {
			door := doors[i%len(doors)]
			mine := connect.NewClient(door, withToken(c.token))
			projects := adminv1connect.NewProjectServiceClient(mine)
			var err error
			switch i % 10 {
			case 0:
				_, err = projects.CreateProject(ctx, &adminv1.CreateProjectRequest{Name: fmt.Sprint("soak ", worker, n, i)})
			case 1: // An unknown caller.
				_, err = adminv1connect.NewProjectServiceClient(connect.NewClient(door, withToken("agw_no"))).GetProject(ctx, &adminv1.GetProjectRequest{ProjectId: "proj_1"})
				if connect.CodeOf(err) == connect.CodeUnauthenticated {
					err = nil
				}
			case 2: // Each project has a separate key in the cache.
				_, err = projects.GetProject(ctx, &adminv1.GetProjectRequest{ProjectId: fmt.Sprint("proj_", worker, "_", n, "_", i)})
				if connect.CodeOf(err) == connect.CodeNotFound {
					err = nil
				}
			case 3: // A watch that the client abandons.
				err = glance(ctx, door)
			case 4:
				err = c.rest(ctx, client)
			default:
				_, err = adminv1connect.NewUserServiceClient(mine).ListUsers(ctx, &adminv1.ListUsersRequest{})
			}
			if ctx.Err() != nil {
				break
			}
			calls.Add(1)
			if err != nil {
				failed.Add(1)
			}
		}
		client.CloseIdleConnections()
	}
}

// glance opens a health watch and abandons it.
func glance(ctx context.Context, door connect.Transport) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stream, err := connect.NewClient(door).CallServerStream(ctx,
		connect.Spec{Procedure: healthv1.Health_Watch_FullMethodName, StreamType: connect.StreamTypeServer}, &healthv1.HealthCheckRequest{})
	if err != nil {
		return err
	}
	err = stream.Receive(new(healthv1.HealthCheckResponse))
	if connect.CodeOf(err) == connect.CodeResourceExhausted {
		return nil // All of them come from one address.
	}
	return err
}

// rest lists projects as the vendor's clients do.
func (c *child) rest(ctx context.Context, client *http.Client) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+c.Listen+"/v1/organization/projects?limit=2", strings.NewReader(""))
	if err != nil {
		return err
	}
	request.Header.Set("Authorization", "Bearer "+c.token)
	response, err := client.Do(request)
	if err != nil {
		return err
	}
	_ = response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("answered %s", response.Status)
	}
	return nil
}
