package service_test

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"connectrpc.com/connect/v2"
	"github.com/redis/go-redis/v9"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/admin-gateway/admin-gateway/cache/seal"
	adminv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/admin/v1"
	"github.com/admin-gateway/admin-gateway/gen/admingateway/admin/v1/adminv1connect"
	"github.com/admin-gateway/admin-gateway/internal/admissiontest"
	"github.com/admin-gateway/admin-gateway/internal/catalogtest"
	"github.com/admin-gateway/admin-gateway/internal/gatewaytest"
	"github.com/admin-gateway/admin-gateway/internal/redistest"
	"github.com/admin-gateway/admin-gateway/sandbox"
	"github.com/admin-gateway/admin-gateway/upstream"
)

// replica is a gateway among others: its own memory, one Redis, one sandbox.
type replica struct {
	client   *connect.Client
	projects adminv1connect.ProjectServiceClient
}

// newReplica makes one; keys, if there are any, encrypt the entries in Redis.
func newReplica(t *testing.T, redisAddr string, up upstream.Attempter, keys ...[]byte) replica {
	t.Helper()
	caller := gatewaytest.New(t, gatewaytest.WithUpstream(up), gatewaytest.WithRedisCache(redisAddr, keys...)).Client("root")
	return replica{caller, adminv1connect.NewProjectServiceClient(caller)}
}

// slowUpstream is a sandbox whose answers take their time on the way back, so
// that reads and writes overtake each other.
type slowUpstream struct {
	*upstream.Client
	calls atomic.Int64
}

func (u *slowUpstream) Do(ctx context.Context, e *upstream.Endpoint, r *upstream.Request) (*upstream.Reply, error) {
	u.calls.Add(1)
	reply, err := u.Client.Do(ctx, e, r)
	timer := time.NewTimer(time.Duration(rand.Int64N(int64(time.Millisecond))))
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
	return reply, err
}

// TestReplicasAreCoherent lets many clients read and write some projects through
// three gateways at once. A write sets the name to the next number. Through the
// replica that made it no read that begins after its answer may see a smaller
// one; and through no replica may a project ever go back in time.
func TestReplicasAreCoherent(t *testing.T) {
	t.Parallel()
	const projects, readers, writes = 4, 4, 60
	up := newSlowUpstream(t)
	addr := redistest.Start(t)
	var replicas []replica
	for range 3 {
		replicas = append(replicas, newReplica(t, addr, up))
	}
	var operations atomic.Int64
	var all sync.WaitGroup
	for p := range projects {
		created, err := replicas[0].projects.CreateProject(t.Context(), &adminv1.CreateProjectRequest{Name: "0"})
		if err != nil {
			t.Fatal(err)
		}
		project := &watchedProject{t: t, id: created.GetProject().GetId(), replicas: replicas, operations: &operations, done: make(chan struct{})}
		project.seen = make([]atomic.Int64, len(replicas))
		for r := range replicas {
			for range readers {
				all.Go(func() { project.read(r) })
			}
		}
		all.Go(func() { project.write(p, writes) })
	}
	all.Wait()
	t.Logf("%d operations, of which the upstream was asked for %d", operations.Load(), up.calls.Load())
	if n := operations.Load(); n < 10_000 {
		t.Errorf("only %d operations", n)
	}
	if up.calls.Load() >= operations.Load() {
		t.Error("nothing was cached")
	}
}

func newSlowUpstream(t *testing.T) *slowUpstream {
	t.Helper()
	return &slowUpstream{Client: gatewaytest.NewSandbox(t, sandbox.Options{Users: 2, Projects: 1, AuditEvents: 1}).Upstream(t)}
}

// watchedProject is a project and what is known of its name.
type watchedProject struct {
	t          *testing.T
	id         string
	replicas   []replica
	operations *atomic.Int64
	seen       []atomic.Int64 // by replica: the least that a read that begins now may see
	done       chan struct{}
}

func (p *watchedProject) read(r int) {
	for {
		select {
		case <-p.done:
			return
		default:
		}
		least := p.seen[r].Load()
		got, err := p.replicas[r].projects.GetProject(p.t.Context(), &adminv1.GetProjectRequest{ProjectId: p.id})
		if err != nil {
			p.t.Error(err)
			return
		}
		p.operations.Add(1)
		name := number(got.GetProject().GetName())
		if name < least {
			p.t.Errorf("replica %d: read %d after %d was there", r, name, least)
			return
		}
		raise(&p.seen[r], name)
	}
}

// write makes all writes, one after another, through one replica or another.
func (p *watchedProject) write(seed, writes int) {
	defer close(p.done)
	chance := rand.New(rand.NewPCG(uint64(seed), 1))
	for n := range int64(writes) {
		r := chance.IntN(len(p.replicas))
		_, err := p.replicas[r].projects.UpdateProject(p.t.Context(), &adminv1.UpdateProjectRequest{ProjectId: p.id, Name: proto.String(fmt.Sprint(n + 1))})
		if err != nil {
			p.t.Error(err)
			return
		}
		p.operations.Add(1)
		raise(&p.seen[r], n+1)
		// Let the readers at it.
		for before := p.operations.Load(); p.operations.Load() < before+50 && !p.t.Failed(); {
			runtime.Gosched()
		}
	}
}

func number(name string) int64 {
	var n int64
	_, _ = fmt.Sscan(strings.TrimSpace(name), &n)
	return n
}

func raise(least *atomic.Int64, n int64) {
	for {
		old := least.Load()
		if old >= n || least.CompareAndSwap(old, n) {
			return
		}
	}
}

// TestRedisHoldsNoSecret makes all calls and looks through everything that Redis
// holds: no admin key, no created key, no caller's token; and nothing that can be
// read where it is encrypted.
func TestRedisHoldsNoSecret(t *testing.T) {
	t.Parallel()
	for name, keys := range map[string][][]byte{"plain": nil, "encrypted": {bytes.Repeat([]byte{7}, seal.KeyBytes)}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			methods, addr := catalogtest.Gateway(t), redistest.Start(t)
			up := gatewaytest.NewSandbox(t, sandbox.Options{Users: 20, Projects: 4, AuditEvents: 50, Now: func() time.Time { return tourNow }}).Upstream(t)
			r, w := newReplica(t, addr, up, keys...), newTourValues(t)
			secrets := []string{sandbox.DefaultAdminKey, admissiontest.TokenOf("root")}
			for _, s := range readTour(t, methods) {
				response := s.method.Response.New().Interface()
				if err := r.client.CallUnary(t.Context(), s.method.Spec(), s.message(t, w), response); err != nil {
					t.Fatalf("%s: %v", s.method.ShortName(), err)
				}
				s.learn(t, w, response)
				if s.method.Secret {
					text, err := protojson.Marshal(response)
					if err != nil {
						t.Fatal(err)
					}
					secrets = append(secrets, valuesOf(decodeJSON(t, text))...)
				}
			}
			held, entries := everythingIn(t, addr)
			if entries < 40 || len(secrets) < 5 {
				t.Errorf("%d answers in Redis, %d secrets to look for", entries, len(secrets))
			}
			for _, secret := range secrets {
				if strings.Contains(held, secret) {
					t.Errorf("Redis holds %.8s…", secret)
				}
			}
			if readable := strings.Contains(held, `"object"`) || strings.Contains(held, "/organization"); readable != (keys == nil) {
				t.Errorf("what Redis holds can be read: %t", readable)
			}
		})
	}
}

// everythingIn is all that a Redis holds, names and values, and how many answers
// are among it.
func everythingIn(t *testing.T, addr string) (text string, entries int) {
	t.Helper()
	client := redis.NewClient(&redis.Options{Addr: addr})
	defer func() { _ = client.Close() }()
	var all strings.Builder
	keys := client.Scan(t.Context(), 0, "*", 1000).Iterator()
	for keys.Next(t.Context()) {
		all.WriteString(keys.Val())
		if value, err := client.Get(t.Context(), keys.Val()).Result(); err == nil {
			entries++
			all.WriteString(value)
			continue
		}
		fields, err := client.HGetAll(t.Context(), keys.Val()).Result()
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprint(&all, fields)
	}
	if err := keys.Err(); err != nil {
		t.Fatal(err)
	}
	return all.String(), entries
}

// TestReplicasShareAFlight: a thousand callers of three replicas that miss the
// same at once cost one call, and not a thousand.
func TestReplicasShareAFlight(t *testing.T) {
	t.Parallel()
	addr := redistest.Start(t)
	release := make(chan struct{})
	var asked atomic.Int32
	up := gatewaytest.UpstreamFunc(func(ctx context.Context) (*upstream.Reply, error) {
		asked.Add(1)
		<-release
		return &upstream.Reply{Status: http.StatusOK, Body: []byte(`{"id": "proj_1"}`)}, nil
	})
	var started, all sync.WaitGroup
	for range 3 {
		r := newReplica(t, addr, up)
		for range 334 {
			started.Add(1)
			all.Go(func() {
				started.Done()
				if _, err := r.projects.GetProject(t.Context(), &adminv1.GetProjectRequest{ProjectId: "proj_1"}); err != nil {
					t.Error(err)
				}
			})
		}
	}
	started.Wait()
	close(release)
	all.Wait()
	// One, as long as Redis answers in time to say who fetches; and one for each
	// replica at the most, whatever becomes of Redis.
	if n := asked.Load(); n > 3 {
		t.Errorf("asked %d times", n)
	}
	t.Logf("asked %d times", asked.Load())
}
