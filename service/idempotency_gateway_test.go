package service_test

import (
	"context"
	"fmt"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"connectrpc.com/connect/v2"
	"google.golang.org/protobuf/proto"

	"github.com/admin-gateway/admin-gateway/cache/outcome"
	adminv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/admin/v1"
	"github.com/admin-gateway/admin-gateway/internal/admissiontest"
	"github.com/admin-gateway/admin-gateway/internal/catalogtest"
	"github.com/admin-gateway/admin-gateway/internal/gatewaytest"
	"github.com/admin-gateway/admin-gateway/sandbox"
	"github.com/admin-gateway/admin-gateway/service/catalog"
	"github.com/admin-gateway/admin-gateway/upstream"
)

// keyedPolicy has two callers who may do everything, with names of one length.
const keyedPolicy = admissiontest.RootPolicy + `
  - name: boss
    authenticate: [{token_sha256: $boss}]
    grants: [{permissions: ["*"]}]
    limits: $free
`

// newKeyedGateway is a gateway that accepts keys of writes and requires its records.
func newKeyedGateway(tb testing.TB, up upstream.Attempter, outcomes outcome.Store) *gatewaytest.Gateway {
	tb.Helper()
	return gatewaytest.New(tb, gatewaytest.WithUpstream(up), gatewaytest.WithIdempotency(outcomes), gatewaytest.WithPolicy(keyedPolicy), gatewaytest.WithRequiredAudit())
}

// callKeyed makes a call with a key, and tells whether its answer was a stored
// outcome.
func callKeyed(ctx context.Context, t *testing.T, client *connect.Client, key string, m *catalog.Method, request proto.Message) (response proto.Message, replayed bool, err error) {
	t.Helper()
	response = m.Response.New().Interface()
	ctx, info := connect.NewClientContext(ctx)
	info.RequestHeader().Set("Idempotency-Key", key)
	err = client.CallUnary(ctx, m.Spec(), request, response)
	return response, info.ResponseHeader().Get("Idempotency-Replayed") == "true" || info.ResponseTrailer().Get("Idempotency-Replayed") == "true", err
}

// newTourSandbox is a sandbox at the time of a tour, and a client of it.
func newTourSandbox(t *testing.T) (*gatewaytest.Sandbox, *upstream.Client) {
	t.Helper()
	fake := gatewaytest.NewSandbox(t, sandbox.Options{Users: 60, Projects: 12, AuditEvents: 400, Now: func() time.Time { return tourNow }})
	return fake, fake.Upstream(t)
}

// keyedStub is a gateway with keys in front of an upstream of one function.
type keyedStub struct {
	*gatewaytest.Gateway
	client *connect.Client
	create *catalog.Method
}

// newKeyedStub makes one. Without an answer, the nth call creates proj_n.
func newKeyedStub(t *testing.T, outcomes outcome.Store, answer gatewaytest.UpstreamFunc) *keyedStub {
	t.Helper()
	var created atomic.Int32
	if answer == nil {
		answer = func(context.Context) (*upstream.Reply, error) {
			n := created.Add(1)
			return &upstream.Reply{Status: http.StatusOK, RequestID: fmt.Sprint("up_", n), Body: fmt.Appendf(nil, `{"id": "proj_%d", "name": "one"}`, n)}, nil
		}
	}
	g := newKeyedGateway(t, answer, outcomes)
	return &keyedStub{g, g.Client("root"), catalogtest.Method(t, "ProjectService/CreateProject")}
}

// createAs creates a project.
func (s *keyedStub) createAs(t *testing.T, caller, key, name string) (id string, replayed bool, err error) {
	t.Helper()
	response, replayed, err := callKeyed(t.Context(), t, s.Client(caller), key, s.create, &adminv1.CreateProjectRequest{Name: name})
	if created, ok := response.(*adminv1.CreateProjectResponse); ok {
		id = created.GetProject().GetId()
	}
	return id, replayed, err
}
