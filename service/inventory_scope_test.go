package service_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"connectrpc.com/connect/v2"
	"google.golang.org/protobuf/types/known/timestamppb"

	inventoryv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/inventory/v1"
	"github.com/admin-gateway/admin-gateway/gen/admingateway/inventory/v1/inventoryv1connect"
	"github.com/admin-gateway/admin-gateway/internal/admissiontest"
	"github.com/admin-gateway/admin-gateway/internal/catalogtest"
	"github.com/admin-gateway/admin-gateway/internal/gatewaytest"
	"github.com/admin-gateway/admin-gateway/sandbox"
	"github.com/admin-gateway/admin-gateway/service"
	"github.com/admin-gateway/admin-gateway/service/audit"
	"github.com/admin-gateway/admin-gateway/service/catalog"
	"github.com/admin-gateway/admin-gateway/service/rpcerror"
	"github.com/admin-gateway/admin-gateway/upstream"
	"github.com/admin-gateway/admin-gateway/upstream/pace"
)

// TestScopedCallersInventory: a caller that is limited to projects gets these in
// every inventory, and not one item of another; and nothing about the whole
// organization.
func TestScopedCallersInventory(t *testing.T) {
	t.Parallel()
	gw := newTourGateway(t, sandbox.Options{Users: 24, Projects: 8, AuditEvents: 400})
	all := gw.projects(t)
	mine, barred, elsewhere := all[2:5], all[4], all[0]
	gw.Policy.Set(t, fmt.Sprintf(`
callers:
  - name: root
    authenticate: [{token_sha256: $root}]
    grants: [{permissions: ["*"]}]
    limits: $free
  - name: scoped
    authenticate: [{token_sha256: $scoped}]
    grants: [{permissions: ["*"], projects: [%s]}]
    limits: $free
  - name: barred
    authenticate: [{token_sha256: $barred}]
    grants: [{permissions: ["*"], projects: [%s]}]
    denies: [{permissions: ["projects.*"], projects: [%s]}]
    limits: $free
`, strings.Join(mine, ", "), strings.Join(mine, ", "), barred))
	const list = "GET /organization/projects"
	for _, method := range inventories(gw.Catalog) {
		calls := declarationOf(method).GetCalls()
		whole, err := gw.stream(t.Context(), doors[0], "root", method, anyRequest(method))
		if err != nil {
			t.Fatal(err)
		}
		listed := gw.Sandbox.Count(list)
		got, err := gw.stream(t.Context(), doors[0], "scoped", method, anyRequest(method))
		if gw.Sandbox.Count(list) != listed {
			t.Errorf("%s: the list of all projects was read", method.ShortName())
		}
		if len(calls) == 0 || calls[len(calls)-1].GetRpc() == "admingateway.admin.v1.AuditLogService/ListAuditLogs" {
			if err != nil || got.end.GetComplete() == nil || len(got.items) == 0 || len(got.items) >= len(whole.items) && method.ShortName() != "InventoryService/ListUsage" {
				t.Errorf("%s: %v of %v, %v", method.ShortName(), got, whole, err)
			}
			continue // There is no list of projects to limit. TestScopedCallersUsage tests the filter of ListUsage.
		}
		if calls[0].GetGiven() == "" {
			if connect.CodeOf(err) != connect.CodePermissionDenied {
				t.Errorf("%s: %v, %v", method.ShortName(), got, err)
			}
			continue
		}
		if err != nil || got.end.GetComplete() == nil {
			t.Errorf("%s: %v, %v", method.ShortName(), got, err)
		}
		maps.DeleteFunc(whole.items, func(item string, _ int) bool { return !slices.Contains(mine, projectOf(item)) })
		same(t, method.ShortName(), whole.items, got.items)

		// It may name fewer, but no other.
		got, err = gw.stream(t.Context(), doors[0], "scoped", method, with(anyRequest(method), "project_ids", elsewhere, mine[0]))
		if err != nil || !slices.Equal(got.failed(), []string{elsewhere}) || got.failures[0].GetReason() != rpcerror.ReasonPermissionDenied {
			t.Errorf("%s about another's project: %v, %v, %v", method.ShortName(), got, got.failures, err)
		}
		if reasons := got.incomplete().GetReasons(); !slices.Equal(reasons, []inventoryv1.Incomplete_Reason{inventoryv1.Incomplete_REASON_DENIED}) {
			t.Errorf("%s about another's project: %v", method.ShortName(), got.end)
		}
		maps.DeleteFunc(whole.items, func(item string, _ int) bool { return projectOf(item) != mine[0] })
		same(t, method.ShortName(), whole.items, got.items)

		got, err = gw.stream(t.Context(), doors[0], "barred", method, anyRequest(method))
		if err != nil || !slices.Equal(got.failed(), []string{barred}) || slices.Contains(got.projectsOf(), barred) {
			t.Errorf("%s with a deny: %v, %v", method.ShortName(), got, err)
		}
	}
}

// TestScopedCallersUsage: without a filter of its own, a limited caller counts its
// own projects; another's are refused.
func TestScopedCallersUsage(t *testing.T) {
	t.Parallel()
	gw := newTourGateway(t, sandbox.Options{})
	all := gw.projects(t)
	mine, theirs := all[:2], all[2]
	gw.Policy.Set(t, `
callers:
  - name: scoped
    authenticate: [{token_sha256: $scoped}]
    grants: [{permissions: ["*"], projects: [`+strings.Join(mine, ", ")+`]}]
    limits: $free
`)
	request := &inventoryv1.ListUsageRequest{
		Kinds: []inventoryv1.UsageKind{inventoryv1.UsageKind_USAGE_KIND_COMPLETIONS}, StartTime: timestamppb.New(rangeStart), EndTime: timestamppb.New(rangeEnd),
		GroupBy: []inventoryv1.UsageGroupBy{inventoryv1.UsageGroupBy_USAGE_GROUP_BY_PROJECT_ID},
	}
	y := newTally()
	if end, _, err := gw.usage(t, "scoped", request, y); err != nil || end.GetComplete() == nil {
		t.Fatalf("%v, %v", end, err)
	}
	want, err := gw.Sandbox.UsageTotals("completions", sandbox.UsageQuery{Start: rangeStart, End: rangeEnd, ProjectIDs: mine})
	if err != nil || !maps.Equal(want, y.counts["completions"]) {
		t.Errorf("%v, want %v, %v", y.counts["completions"], want, err)
	}
	for id := range y.groups {
		if !slices.Contains(mine, id) {
			t.Errorf("usage of %s", id)
		}
	}
	request.ProjectIds = []string{mine[0], theirs}
	if _, _, err := gw.usage(t, "scoped", request, newTally()); connect.CodeOf(err) != connect.CodePermissionDenied {
		t.Errorf("another's project: %v", err)
	}
}

// TestPolicyChangesInAStream: what was taken from a caller is taken at once, and
// not when its stream ends.
func TestPolicyChangesInAStream(t *testing.T) {
	t.Parallel()
	const after = 5
	var gw *tourGateway
	g := &gatewaytest.Gate{Before: func(_ context.Context, n int64, _ *upstream.Endpoint, _ *upstream.Request) error {
		if n == after {
			gw.Policy.Set(t, admissiontest.RootPolicy+"    denies: [{permissions: [projects.api_keys.read]}]\n")
		}
		return nil
	}}
	log := new(gatewaytest.Records)
	gw = newTourGateway(t, sandbox.Options{}, gatewaytest.WithGate(g), gatewaytest.WithOptions(func(o *service.Options) { o.Inventory.Concurrency, o.Audit = 1, log }))
	method := inventoryOf(t, gw.Catalog, "ListApiKeys")
	got, err := gw.stream(t.Context(), doors[0], "root", method, anyRequest(method))
	if err != nil || got.end.GetCalls() != after || len(got.failures) == 0 {
		t.Errorf("%v, %v", got, err)
	}
	for _, failure := range got.failures {
		if failure.GetReason() != rpcerror.ReasonPermissionDenied {
			t.Errorf("%v", failure)
		}
	}
	kept := log.Calls()
	if len(kept) != 1 || kept[0].Decision != audit.DecisionAllowed || kept[0].Calls != after || kept[0].Refused != int64(len(got.failures)) {
		t.Errorf("recorded as %+v", kept)
	}
}

// fakeBudget admits sixty calls a minute in each bucket, and 120 in all.
type fakeBudget struct {
	catalog *catalog.Catalog
	asked   func() // once somebody wants to know
}

func (b fakeBudget) Snapshot(context.Context) []pace.BucketState {
	b.asked()
	states := []pace.BucketState{{Rate: 120}}
	for _, name := range b.catalog.Budgets() {
		states = append(states, pace.BucketState{Bucket: name, Rate: 60})
	}
	return states
}

func (fakeBudget) Outlook(string) pace.Outlook { return pace.Outlook{} }

func (fakeBudget) Estimate(_ string, flow pace.Flow) time.Duration {
	if flow.Class != pace.FanOut || flow.Key != "root" {
		return 1 // Of no whole second.
	}
	return time.Second
}

// TestStreamsArePacedAndEstimated: what paces the upstream learns whose calls they
// are and that they are many; a call for which there is no budget yet is waited
// for; and progress says how long the rest takes.
func TestStreamsArePacedAndEstimated(t *testing.T) {
	t.Parallel()
	progress := make(chan struct{})
	g := &gatewaytest.Gate{Before: func(ctx context.Context, n int64, _ *upstream.Endpoint, _ *upstream.Request) error {
		if n == 4 { // Takes until the stream has said how far it is.
			<-progress
		}
		if flow := pace.FlowFrom(ctx); flow != (pace.Flow{Key: "root", Class: pace.FanOut}) {
			t.Errorf("a call of %+v", flow)
		}
		if n%5 == 0 {
			return &upstream.Error{Kind: upstream.RateLimited, Reason: upstream.ReasonNoBudget, RetryAfter: 1}
		}
		return nil
	}}
	gw := newTourGateway(t, sandbox.Options{}, gatewaytest.WithGate(g), gatewaytest.WithOptions(func(o *service.Options) {
		o.Budget = fakeBudget{catalogtest.Gateway(t), sync.OnceFunc(func() { close(progress) })}
	}))
	method := inventoryOf(t, gw.Catalog, "ListUserRoles")
	got, err := gw.stream(t.Context(), doors[0], "root", method, anyRequest(method))
	asked := 0
	for _, n := range gw.Sandbox.Counts() {
		asked += n
	}
	if err != nil || got.end.GetComplete() == nil || got.end.GetCalls() != int64(asked) || g.Asked.Load() <= int64(asked) {
		t.Errorf("%v of %d calls, %v", got, asked, err)
	}
	waiting := 0
	for i, progress := range got.progress {
		left, calls := progress.GetTimeLeft(), progress.GetCallsKnown()-progress.GetCallsDone()
		// At most all are of one bucket; at the least, they take the time that all
		// buckets together allow.
		if left == nil || left.AsDuration() < time.Duration(calls)*time.Second/2 || left.AsDuration() > time.Duration(max(calls, 1))*time.Second || calls == 0 && left.AsDuration() != 0 {
			t.Errorf("progress %d of %d: %v", i, len(got.progress), progress)
		}
		if calls > 0 {
			waiting++
		}
	}
	if last := got.progress[len(got.progress)-1]; waiting == 0 || last.GetCallsKnown() != last.GetCallsDone() {
		t.Errorf("%d on the way, at the end: %v", waiting, last)
	}
}

// TestInventoryUnderATinyBudget is as long as the budget makes it, and lacks
// nothing: a stream waits for longer than a call may.
func TestInventoryUnderATinyBudget(t *testing.T) {
	t.Parallel()
	const budget, window = 8, 300 * time.Millisecond
	fake := gatewaytest.NewSandbox(t, sandbox.Options{Users: 10, Projects: 30, AuditEvents: 1})
	gateway := newPacedGateway(t, fake, pace.Options{
		Window: window, Organization: pace.Limit{Calls: 100, Burst: 1}, Default: pace.Limit{Calls: budget, Burst: 1},
	}, gatewaytest.WithMemoryCache())
	stream, err := inventoryv1connect.NewInventoryServiceClient(gateway.Client("root")).ListApiKeys(t.Context(), &inventoryv1.ListApiKeysRequest{})
	if err != nil {
		t.Fatal(err)
	}
	var end *inventoryv1.End
	for {
		response, err := stream.Receive()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if response.GetFailure() != nil {
			t.Errorf("%v", response.GetFailure())
		}
		if progress := response.GetProgress(); progress != nil && progress.GetTimeLeft() == nil {
			t.Errorf("%v", progress)
		}
		end = response.GetEnd()
	}
	if end.GetComplete() == nil || int(end.GetCalls()) != fake.Count(listKeys)+fake.Count("GET /organization/projects") {
		t.Errorf("%v; the sandbox was asked %v", end, fake.Counts())
	}
}
