package agent_test

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	adminv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/admin/v1"
	"github.com/admin-gateway/admin-gateway/internal/admissiontest"
	"github.com/admin-gateway/admin-gateway/internal/catalogtest"
	"github.com/admin-gateway/admin-gateway/service/accounting"
	"github.com/admin-gateway/admin-gateway/service/admission"
	"github.com/admin-gateway/admin-gateway/service/agent"
	"github.com/admin-gateway/admin-gateway/service/audit"
	"github.com/admin-gateway/admin-gateway/service/pipeline"
	"github.com/admin-gateway/admin-gateway/service/record"
	"github.com/admin-gateway/admin-gateway/service/rpcerror"
	"github.com/admin-gateway/admin-gateway/upstream"
	"github.com/admin-gateway/admin-gateway/upstream/pace"
)

const (
	createKey = "ProjectServiceAccountService/CreateProjectServiceAccountApiKey"
	listKeys  = "ProjectApiKeyService/ListProjectApiKeys"
	secret    = "sk-canary-a41f"
)

var errFull = errors.New("no space left on device")

// log keeps records, and fails for some.
type log struct {
	records []audit.Record
	fail    string // the event whose record is not written
}

func (l *log) Write(_ context.Context, r *audit.Record) error {
	if r.Event == l.fail {
		return errFull
	}
	l.records = append(l.records, *r)
	return nil
}

func (l *log) Offer(r *audit.Record) { l.records = append(l.records, *r) }

func (l *log) events() (events []string) {
	for _, r := range l.records {
		events = append(events, r.Event)
	}
	return events
}

// bench is a Caller whose calls end at a function, behind the step of intents.
type bench struct {
	*agent.Caller
	log      *log
	registry *prometheus.Registry
	lines    strings.Builder
}

func newBench(t *testing.T, required record.Required, answer pipeline.Func) *bench {
	t.Helper()
	permits, err := admissiontest.NewController(t, admissiontest.NewPolicy(t, catalogtest.Gateway(t), admissiontest.RootPolicy)).
		Agent(catalogtest.Method(t, createKey), catalogtest.Method(t, listKeys))
	if err != nil {
		t.Fatal(err)
	}
	b := &bench{log: new(log), registry: prometheus.NewRegistry()}
	metrics, err := agent.NewMetrics(b.registry)
	if err != nil {
		t.Fatal(err)
	}
	recorder := record.New(record.Options{Log: b.log, Required: required})
	b.Caller, err = agent.New(agent.Options{
		Name: "leases", Permits: permits, Recorder: recorder, Metrics: metrics, LongestCall: time.Hour,
		Invoker: pipeline.Chain(answer, recorder.Intent), Logger: slog.New(slog.NewTextHandler(&b.lines, nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func (b *bench) counted(t *testing.T, name, code string) float64 {
	t.Helper()
	families, err := b.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, family := range families {
		for _, metric := range family.GetMetric() {
			var values []string
			for _, label := range metric.GetLabel() {
				values = append(values, label.GetValue())
			}
			if family.GetName() == "gateway_own_calls_total" && slices.Equal(values, []string{"leases", code, "admingateway.admin.v1." + name}) {
				return metric.GetCounter().GetValue()
			}
		}
	}
	return 0
}

// made answers like an upstream that has made a key.
func made(t *testing.T) pipeline.Func {
	t.Helper()
	body := `{"object":"organization.project.service_account.api_key","value":"` + secret + `","name":"agw.search.1.2","created_at":1,"id":"key_1"}`
	return func(ctx context.Context, permit admission.Permit) (*pipeline.Response, error) {
		accounting.From(ctx).Upstream = accounting.Upstream{Done: true, RequestID: "up_1"}
		answer, err := permit.Method().Endpoint.Decode([]byte(body))
		if err != nil {
			t.Error(err)
		}
		return pipeline.NewResponse(permit, pipeline.Answer{Wire: answer.Wire, JSON: answer.JSON}, "up_1"), nil
	}
}

func keyRequest() *adminv1.CreateProjectServiceAccountApiKeyRequest {
	return &adminv1.CreateProjectServiceAccountApiKeyRequest{
		ProjectId: "proj_1", ServiceAccountId: "sa_1", Name: new("agw.search.1.2"), ExpiresInSeconds: new(int64(60)),
		Scopes: &adminv1.ServiceAccountApiKeyScopes{Values: []string{"api.model.request"}},
	}
}

func anErrand() admission.Errand {
	return admission.Errand{Caller: "ann", Class: pace.Interactive, Lease: "lease_1", Role: "search", Holder: "pod", Cause: "asked_for"}
}

// TestOwnWritesAreRecorded: a write of the gateway's own leaves an intent and a record
// of its own, with whom it is for, the lease, and the id of what was made; no secret.
func TestOwnWritesAreRecorded(t *testing.T) {
	t.Parallel()
	b := newBench(t, record.RequireWrites, made(t))
	var within string
	if err := admissiontest.Serve(t.Context(), admissiontest.NewController(t, admissiontest.NewPolicy(t, catalogtest.Gateway(t), admissiontest.RootPolicy)), "root", func(ctx context.Context) error {
		whole := accounting.From(ctx)
		within = whole.ID
		response, err := b.Call(ctx, catalogtest.Method(t, createKey), keyRequest(), anErrand())
		if err == nil && response.ID() != "key_1" {
			t.Errorf("answered with %q", response.ID())
		}
		if whole.Admission.Identity.Caller != "root" || whole.Admission.Method != nil || whole.Lease.ID != "" || whole.Reads.Made.Load() != 0 {
			t.Errorf("the account of the caller's call is another: %+v", whole)
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(b.log.events(), []string{audit.EventIntent, audit.EventCall}) {
		t.Fatalf("records %q", b.log.events())
	}
	for _, r := range b.log.records {
		if r.Agent != "leases" || r.Within != within || within == "" || r.RequestID == within || r.RequestID == "" || r.Caller != "ann" ||
			r.Lease != "lease_1" || r.Role != "search" || r.Holder != "pod" || r.Cause != "asked_for" || r.Decision != audit.DecisionOwn ||
			r.Peer != "" || r.Grant != "" || r.Method != "admingateway.admin.v1."+createKey || r.Permission == "" || len(r.Resources) != 2 {
			t.Errorf("%+v", r)
		}
		lines, _ := r.AppendLines(nil)
		if strings.Contains(string(lines), secret) {
			t.Errorf("a secret: %s", lines)
		}
	}
	last := b.log.records[1]
	if last.Code != "ok" || last.UpstreamRequestID != "up_1" || !slices.ContainsFunc(last.Answer, func(d audit.Detail) bool {
		return strings.HasSuffix(d.Path, "id") && slices.Equal(d.Values, []string{"key_1"})
	}) {
		t.Errorf("the record of what was made: %+v", last)
	}
	if b.counted(t, createKey, "ok") != 1 || !strings.Contains(b.lines.String(), "lease=lease_1") || strings.Contains(b.lines.String(), secret) {
		t.Errorf("counted %g, the log says %s", b.counted(t, createKey, "ok"), b.lines.String())
	}
}

// TestOwnWritesThatCannotBeRecorded: without its intent a write is not made, and without
// its record what was made is named and not used.
func TestOwnWritesThatCannotBeRecorded(t *testing.T) {
	t.Parallel()
	for event, want := range map[string]struct {
		reason string
		id     string
		made   bool
	}{
		audit.EventIntent: {rpcerror.ReasonAuditUnavailable, "", false},
		audit.EventCall:   {rpcerror.ReasonWriteNotRecorded, "key_1", true},
	} {
		asked := false
		answer := made(t)
		b := newBench(t, record.RequireWrites, func(ctx context.Context, permit admission.Permit) (*pipeline.Response, error) {
			asked = true
			return answer(ctx, permit)
		})
		b.log.fail = event
		response, err := b.Call(t.Context(), catalogtest.Method(t, createKey), keyRequest(), anErrand())
		e, ok := errors.AsType[*rpcerror.Error](err)
		if !ok || response != nil || asked != want.made || e.Reason != want.reason || e.Done.GetId() != want.id {
			t.Errorf("no record of the %s: made %t, %v, %v", event, asked, response, err)
		}
	}
	b := newBench(t, record.RequireNothing, made(t))
	b.log.fail = audit.EventCall
	if _, err := b.Call(t.Context(), catalogtest.Method(t, createKey), keyRequest(), anErrand()); err != nil || len(b.log.records) != 1 {
		t.Errorf("not required: %d records, %v", len(b.log.records), err)
	}
}

// TestFailuresOfOwnCalls: a write that failed, and one that was never a request, have
// records; the error is that of the pipeline. A panic costs one call.
func TestFailuresOfOwnCalls(t *testing.T) {
	t.Parallel()
	refused := &upstream.Error{Kind: upstream.NotFound, Reason: upstream.ReasonNotFound, Status: http.StatusNotFound}
	for name, test := range map[string]struct {
		answer  pipeline.Func
		request *adminv1.CreateProjectServiceAccountApiKeyRequest
		code    string
		verdict string
	}{
		"refused":       {func(context.Context, admission.Permit) (*pipeline.Response, error) { return nil, refused }, keyRequest(), "not_found", audit.DecisionOwn},
		"not a request": {made(t), &adminv1.CreateProjectServiceAccountApiKeyRequest{ProjectId: "..", ServiceAccountId: "sa_1"}, "invalid_argument", audit.DecisionInvalid},
		"a panic":       {func(context.Context, admission.Permit) (*pipeline.Response, error) { panic(secret) }, keyRequest(), "internal", audit.DecisionOwn},
	} {
		b := newBench(t, record.RequireNothing, test.answer)
		_, err := b.Call(t.Context(), catalogtest.Method(t, createKey), test.request, anErrand())
		if err == nil || name == "refused" && !errors.Is(err, error(refused)) {
			t.Errorf("%s: %v", name, err)
		}
		if len(b.log.records) != 1 || b.log.records[0].Code != test.code || b.log.records[0].Decision != test.verdict || b.log.records[0].Lease != "lease_1" && name != "not a request" {
			t.Errorf("%s: records %+v", name, b.log.records)
		}
		if b.counted(t, createKey, test.code) != 1 || strings.Contains(b.lines.String(), secret) {
			t.Errorf("%s: the log says %s", name, b.lines.String())
		}
	}
}

// TestOwnReadsAreCounted, in the account of the call in whose course they are made and
// in the metric, and not recorded one by one.
func TestOwnReadsAreCounted(t *testing.T) {
	t.Parallel()
	b := newBench(t, record.RequireAll, func(ctx context.Context, permit admission.Permit) (*pipeline.Response, error) {
		if !permit.Freshness().Reload() {
			t.Error("the read accepts a stored answer")
		}
		if deadline, limited := ctx.Deadline(); !limited || time.Until(deadline) > time.Hour {
			t.Error("the call has no end")
		}
		return pipeline.NewResponse(permit, pipeline.Answer{}, "up_1"), nil
	})
	ctx, whole := accounting.Own(t.Context(), "test", "")
	if _, err := b.Call(ctx, catalogtest.Method(t, listKeys), &adminv1.ListProjectApiKeysRequest{ProjectId: "proj_1"}, anErrand()); err != nil {
		t.Fatal(err)
	}
	if whole.Reads.Made.Load() != 1 || len(b.log.records) != 0 || b.counted(t, listKeys, "ok") != 1 {
		t.Errorf("%d reads, records %+v", whole.Reads.Made.Load(), b.log.records)
	}
}

// TestCallersNeedTheirParts.
func TestCallersNeedTheirParts(t *testing.T) {
	t.Parallel()
	if c, err := agent.New(agent.Options{Name: "leases"}); err == nil || c != nil {
		t.Error("there is a Caller without its parts")
	}
	b := newBench(t, record.RequireNothing, made(t))
	if _, err := b.Call(t.Context(), nil, keyRequest(), anErrand()); err == nil {
		t.Error("a call without a method")
	}
}
