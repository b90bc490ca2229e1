package service_test

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"connectrpc.com/connect/v2"
	"connectrpc.com/connect/v2/connecthttp"
	"google.golang.org/protobuf/proto"

	"github.com/admin-gateway/admin-gateway/cache/outcome"
	"github.com/admin-gateway/admin-gateway/cache/seal"
	adminv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/admin/v1"
	"github.com/admin-gateway/admin-gateway/internal/catalogtest"
	"github.com/admin-gateway/admin-gateway/internal/redisclient"
	"github.com/admin-gateway/admin-gateway/sandbox"
	"github.com/admin-gateway/admin-gateway/service"
	"github.com/admin-gateway/admin-gateway/service/catalog"
	"github.com/admin-gateway/admin-gateway/service/idempotency"
	"github.com/admin-gateway/admin-gateway/upstream"
)

// keyedPolicy has two callers who may do everything, with names of one length.
const keyedPolicy = rootPolicy + `
  - name: boss
    authenticate: [{token_sha256: $boss}]
    grants: [{permissions: ["*"]}]
    limits: $free
`

// memoryOutcomes keep outcomes as a gateway without Redis does.
func memoryOutcomes(tb testing.TB) outcome.Store {
	tb.Helper()
	memory, err := outcome.NewMemory(outcome.MemoryOptions{MaxBytes: 32 << 20})
	if err != nil {
		tb.Fatal(err)
	}
	return sealedOutcomes(tb, memory)
}

// redisOutcomes are those of one replica.
func redisOutcomes(tb testing.TB, addr string) outcome.Store {
	tb.Helper()
	// The machine of a test may stand still for longer than Redis may.
	const patience = 20 * time.Second
	client, err := redisclient.New(redisclient.Config{URL: "redis://" + addr, Patience: patience})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = client.Close() })
	return outcome.NewRedis(client, outcome.RedisOptions{CallTimeout: patience})
}

func sealedOutcomes(tb testing.TB, outcomes outcome.Store) outcome.Store {
	tb.Helper()
	sealed, err := outcome.NewSealed(outcomes, [][]byte{bytes.Repeat([]byte{7}, seal.KeyBytes)}, nil)
	if err != nil {
		tb.Fatal(err)
	}
	return sealed
}

// keyedReplica is a gateway that keeps outcomes, and what it has recorded.
type keyedReplica struct {
	records *records
	policy  *testPolicy
	server  *connect.Server
	catalog *catalog.Catalog
}

func newKeyedReplica(tb testing.TB, methods *catalog.Catalog, up upstream.Attempter, outcomes outcome.Store) keyedReplica {
	tb.Helper()
	r := keyedReplica{catalog: methods, records: new(records), policy: newPolicy(tb, methods, keyedPolicy)}
	keyed, err := idempotency.New(idempotency.Options{
		Outcomes: outcomes, Scope: "upstream", Org: func(context.Context) (string, error) { return "org", nil },
	})
	if err != nil {
		tb.Fatal(err)
	}
	r.server = open(tb, methods, service.Options{Upstream: upstream.Unpaced(up), Idempotency: keyed, Callers: r.policy, Audit: r.records, AuditRequired: true})
	return r
}

// serve opens the replica's doors over HTTP.
func (r keyedReplica) serve(t *testing.T, d door) connect.Transport {
	t.Helper()
	gateway := httptest.NewUnstartedServer(service.NewHTTPHandler(r.server, r.catalog))
	gateway.EnableHTTP2 = true
	gateway.StartTLS()
	t.Cleanup(gateway.Close)
	t.Cleanup(gateway.Client().CloseIdleConnections)
	if d.rest {
		return &restTransport{catalog: r.catalog, client: gateway.Client(), url: gateway.URL}
	}
	return connecthttp.NewTransport(gateway.Client(), gateway.URL, d.options...)
}

// callKeyed makes a call with a key, and tells whether it was answered from what
// was kept.
func callKeyed(ctx context.Context, t *testing.T, client *connect.Client, key string, m *catalog.Method, request proto.Message) (response proto.Message, replayed bool, err error) {
	t.Helper()
	response = m.Response.New().Interface()
	ctx, info := connect.NewClientContext(ctx)
	info.RequestHeader().Set("Idempotency-Key", key)
	err = client.CallUnary(ctx, specOf(m), request, response)
	return response, info.ResponseHeader().Get("Idempotency-Replayed") == "true" || info.ResponseTrailer().Get("Idempotency-Replayed") == "true", err
}

func newSandbox(t *testing.T) (*sandbox.Sandbox, *upstream.Client) {
	t.Helper()
	fake := sandbox.New(sandbox.Options{Seed: 7, Users: 60, Projects: 12, AuditEvents: 400, Now: func() time.Time { return tourNow }})
	server := httptest.NewServer(fake)
	t.Cleanup(server.Close)
	client, err := upstream.New(upstream.Config{BaseURL: server.URL + "/v1", Key: sandboxKey{}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	return fake, client
}

// keyedStub is a replica in front of an upstream of one function.
type keyedStub struct {
	keyedReplica
	catalog *catalog.Catalog
	asked   atomic.Int32
	client  *connect.Client
	create  *catalog.Method
}

// newKeyedStub counts what goes up; answer nil says that all is well.
func newKeyedStub(t *testing.T, outcomes outcome.Store, answer upstreamFunc) *keyedStub {
	t.Helper()
	s := &keyedStub{catalog: catalogtest.Gateway(t)}
	up := upstreamFunc(func(ctx context.Context) (*upstream.Reply, error) {
		n := s.asked.Add(1)
		if answer != nil {
			return answer(ctx)
		}
		return &upstream.Reply{Status: http.StatusOK, RequestID: fmt.Sprint("up_", n), Body: fmt.Appendf(nil, `{"id": "proj_%d", "name": "one"}`, n)}, nil
	})
	s.keyedReplica = newKeyedReplica(t, s.catalog, up, outcomes)
	s.client = as("root", service.InProcess(s.server))
	var ok bool
	if s.create, ok = s.catalog.Lookup("/admingateway.admin.v1.ProjectService/CreateProject"); !ok {
		t.Fatal("there is no CreateProject")
	}
	return s
}

// createAs creates a project.
func (s *keyedStub) createAs(t *testing.T, caller, key, name string) (id string, replayed bool, err error) {
	t.Helper()
	response, replayed, err := callKeyed(t.Context(), t, as(caller, service.InProcess(s.server)), key, s.create, &adminv1.CreateProjectRequest{Name: name})
	if created, ok := response.(*adminv1.CreateProjectResponse); ok {
		id = created.GetProject().GetId()
	}
	return id, replayed, err
}
