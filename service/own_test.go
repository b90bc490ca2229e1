package service

import (
	"context"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/admin-gateway/admin-gateway/cache"
	adminv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/admin/v1"
	"github.com/admin-gateway/admin-gateway/internal/admissiontest"
	"github.com/admin-gateway/admin-gateway/internal/catalogtest"
	"github.com/admin-gateway/admin-gateway/service/accounting"
	"github.com/admin-gateway/admin-gateway/service/admission"
	"github.com/admin-gateway/admin-gateway/service/audit"
	"github.com/admin-gateway/admin-gateway/service/authn"
	"github.com/admin-gateway/admin-gateway/service/observe"
	"github.com/admin-gateway/admin-gateway/service/readcache"
	"github.com/admin-gateway/admin-gateway/service/record"
	"github.com/admin-gateway/admin-gateway/upstream"
	"github.com/admin-gateway/admin-gateway/upstream/pace"
)

// keyMaker is an upstream that lists no keys and makes any, and notes what it is asked
// for, and in whose turn.
type keyMaker struct {
	asked []string
	flows []pace.Flow
}

func (k *keyMaker) Admit(ctx context.Context, endpoint *upstream.Endpoint, _ *upstream.Request) (upstream.Delivery, error) {
	k.asked, k.flows = append(k.asked, endpoint.Verb()), append(k.flows, pace.FlowFrom(ctx))
	return keyMade(endpoint.Verb()), nil
}

// keyMade is a delivery, by its verb.
type keyMade string

func (k keyMade) Send(context.Context, context.Context) (*upstream.Reply, error) {
	body := `{"object":"list","data":[],"first_id":null,"last_id":null,"has_more":false}`
	if k == http.MethodPost {
		body = `{"object":"organization.project.service_account.api_key","value":"sk-x","name":"agw","created_at":1,"id":"key_1"}`
	}
	return &upstream.Reply{Status: http.StatusOK, Body: []byte(body), RequestID: "up_1"}, nil
}

func (keyMade) Abandon() {}

// events keeps what is recorded.
type events struct{ records []audit.Record }

func (e *events) Write(_ context.Context, r *audit.Record) error {
	e.records = append(e.records, *r)
	return nil
}

func (e *events) Offer(r *audit.Record) { e.records = append(e.records, *r) }

// TestOwnCallsTakeEveryStep: a call that the gateway makes for itself waits in the turn
// of whom it is for, is announced and recorded like any write, and gets no stored
// answer.
func TestOwnCallsTakeEveryStep(t *testing.T) {
	t.Parallel()
	methods := catalogtest.Gateway(t)
	memory, err := cache.NewMemory(cache.MemoryOptions{MaxBytes: 1 << 20, Lease: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	tiered, err := cache.NewTiered(cache.TieredOptions{Memory: memory, Convert: readcache.Converter(methods)})
	if err != nil {
		t.Fatal(err)
	}
	answers, err := readcache.New(readcache.Options{Store: tiered, Near: memory, Org: func(context.Context) (string, error) { return "org", nil }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(answers.Close)
	authenticator, err := authn.New(authn.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(authenticator.Close)
	up, log := new(keyMaker), new(events)
	s := &server{options: Options{
		Upstream: up, Cache: answers, Callers: admissiontest.NewPolicy(t, methods, admissiontest.RootPolicy), Authenticator: authenticator,
		Metrics: prometheus.NewRegistry(), Logger: accounting.Logger(nil), LongestCall: time.Minute,
	}, tracer: observe.NewTracer(nil, nil, methods), recorder: record.New(record.Options{Log: log, Required: record.RequireWrites})}
	if err := s.build(methods); err != nil {
		t.Fatal(err)
	}
	list, create := catalogtest.Method(t, "ProjectApiKeyService/ListProjectApiKeys"), catalogtest.Method(t, "ProjectServiceAccountService/CreateProjectServiceAccountApiKey")
	if _, err := s.own("leases"); err == nil {
		t.Error("there is a Caller of no methods")
	}
	own, err := s.own("leases", list, create)
	if err != nil {
		t.Fatal(err)
	}
	errand := admission.Errand{Caller: "ann", Class: pace.FanOut, Lease: "lease_1"}
	for range 2 {
		if _, err := own.Call(t.Context(), list, &adminv1.ListProjectApiKeysRequest{ProjectId: "proj_1"}, errand); err != nil {
			t.Fatal(err)
		}
	}
	response, err := own.Call(t.Context(), create, &adminv1.CreateProjectServiceAccountApiKeyRequest{ProjectId: "proj_1", ServiceAccountId: "sa_1", Name: new("agw")}, errand)
	if err != nil || response.ID() != "key_1" {
		t.Fatalf("%v, %v", response, err)
	}
	if got := fmt.Sprint(up.asked); got != fmt.Sprint([]string{http.MethodGet, http.MethodGet, http.MethodPost}) {
		t.Errorf("the upstream was asked %s", got)
	}
	for i, flow := range up.flows {
		if flow != (pace.Flow{Key: "ann", Class: pace.FanOut}) {
			t.Errorf("call %d waits in the turn of %+v", i, flow)
		}
	}
	if len(log.records) != 2 || log.records[0].Event != audit.EventIntent || log.records[1].Event != audit.EventCall || log.records[1].UpstreamRequestID != "up_1" || len(log.records[1].Answer) == 0 {
		t.Errorf("records %+v", log.records)
	}
}
