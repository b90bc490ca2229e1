package service_test

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"connectrpc.com/connect/v2"
	"google.golang.org/protobuf/types/known/timestamppb"

	inventoryv1 "github.com/admin-gateway/admin-gateway/gen/gateway/inventory/v1"
	"github.com/admin-gateway/admin-gateway/sandbox"
	"github.com/admin-gateway/admin-gateway/service"
	"github.com/admin-gateway/admin-gateway/service/audit"
	"github.com/admin-gateway/admin-gateway/upstream"
	"github.com/admin-gateway/admin-gateway/upstream/pace"
)

// TestScopedCallersInventory: a caller that is limited to projects gets these in
// every inventory, and not one item of another; and nothing about the whole
// organization.
func TestScopedCallersInventory(t *testing.T) {
	t.Parallel()
	m := newMirror(t, sandbox.Options{Users: 24, Projects: 8, AuditEvents: 400})
	all := m.projects(t)
	mine, barred, elsewhere := all[2:5], all[4], all[0]
	m.policy.current.Store(policySet(t, m.catalog, fmt.Sprintf(`
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
`, strings.Join(mine, ", "), strings.Join(mine, ", "), barred)))
	const list = "GET /organization/projects"
	for _, method := range inventories(m.catalog) {
		calls := declarationOf(method).GetCalls()
		whole, err := m.stream(t.Context(), doors[0], "root", method, anyRequest(method))
		if err != nil {
			t.Fatal(err)
		}
		listed := m.fake.Count(list)
		got, err := m.stream(t.Context(), doors[0], "scoped", method, anyRequest(method))
		if m.fake.Count(list) != listed {
			t.Errorf("%s: the list of all projects was read", method.Name())
		}
		if len(calls) == 0 || calls[len(calls)-1].GetRpc() == "openai.admin.v1.AuditLogService/ListAuditLogs" {
			if err != nil || got.end.GetComplete() == nil || len(got.items) == 0 || len(got.items) >= len(whole.items) && method.Name() != "InventoryService/ListUsage" {
				t.Errorf("%s: %v of %v, %v", method.Name(), got, whole, err)
			}
			continue // What it filters by is looked at below.
		}
		if calls[0].GetGiven() == "" {
			if connect.CodeOf(err) != connect.CodePermissionDenied {
				t.Errorf("%s: %v, %v", method.Name(), got, err)
			}
			continue
		}
		if err != nil || got.end.GetComplete() == nil {
			t.Errorf("%s: %v, %v", method.Name(), got, err)
		}
		maps.DeleteFunc(whole.items, func(item string, _ int) bool { return !slices.Contains(mine, projectOf(item)) })
		same(t, method.Name(), whole.items, got.items)

		// It may name fewer, but no other.
		got, err = m.stream(t.Context(), doors[0], "scoped", method, with(anyRequest(method), "project_ids", elsewhere, mine[0]))
		if err != nil || !slices.Equal(got.failed(), []string{elsewhere}) || got.failures[0].GetReason() != service.ReasonPermissionDenied {
			t.Errorf("%s about another's project: %v, %v, %v", method.Name(), got, got.failures, err)
		}
		if reasons := got.incomplete().GetReasons(); !slices.Equal(reasons, []inventoryv1.Incomplete_Reason{inventoryv1.Incomplete_REASON_DENIED}) {
			t.Errorf("%s about another's project: %v", method.Name(), got.end)
		}
		maps.DeleteFunc(whole.items, func(item string, _ int) bool { return projectOf(item) != mine[0] })
		same(t, method.Name(), whole.items, got.items)

		got, err = m.stream(t.Context(), doors[0], "barred", method, anyRequest(method))
		if err != nil || !slices.Equal(got.failed(), []string{barred}) || slices.Contains(got.projectsOf(), barred) {
			t.Errorf("%s with a deny: %v, %v", method.Name(), got, err)
		}
	}
}

// TestScopedCallersUsage: without a filter of its own, a limited caller counts its
// own projects; another's are refused.
func TestScopedCallersUsage(t *testing.T) {
	t.Parallel()
	m := newMirror(t, sandbox.Options{})
	mine := m.projects(t)[:2]
	m.policy.current.Store(policySet(t, m.catalog, `
callers:
  - name: scoped
    authenticate: [{token_sha256: $scoped}]
    grants: [{permissions: ["*"], projects: [`+strings.Join(mine, ", ")+`]}]
    limits: $free
`))
	request := &inventoryv1.ListUsageRequest{
		Kinds: []inventoryv1.UsageKind{inventoryv1.UsageKind_USAGE_KIND_COMPLETIONS}, StartTime: timestamppb.New(rangeStart), EndTime: timestamppb.New(rangeEnd),
		GroupBy: []inventoryv1.UsageGroupBy{inventoryv1.UsageGroupBy_USAGE_GROUP_BY_PROJECT_ID},
	}
	y := newTally()
	if end, _, err := m.usage(t, "scoped", request, y); err != nil || end.GetComplete() == nil {
		t.Fatalf("%v, %v", end, err)
	}
	want, err := m.fake.UsageTotals("completions", sandbox.UsageQuery{Start: rangeStart, End: rangeEnd, ProjectIDs: mine})
	if err != nil || !maps.Equal(want, y.counts["completions"]) {
		t.Errorf("%v, want %v, %v", y.counts["completions"], want, err)
	}
	for id := range y.groups {
		if !slices.Contains(mine, id) {
			t.Errorf("usage of %s", id)
		}
	}
	request.ProjectIds = []string{mine[0], m.fake.Operations()[0]}
	if _, _, err := m.usage(t, "scoped", request, newTally()); connect.CodeOf(err) != connect.CodePermissionDenied {
		t.Errorf("another's project: %v", err)
	}
}

// TestPolicyChangesInAStream: what was taken from a caller is taken at once, and
// not when its stream ends.
func TestPolicyChangesInAStream(t *testing.T) {
	t.Parallel()
	const after = 5
	var m *mirror
	g := &gate{before: func(_ context.Context, n int64, _ *upstream.Endpoint, _ *upstream.Request) error {
		if n == after {
			m.policy.current.Store(policySet(t, m.catalog, rootPolicy+"    denies: [{permissions: [projects.api_keys.read]}]\n"))
		}
		return nil
	}}
	log := new(records)
	m = newMirror(t, sandbox.Options{}, g.through, func(o *service.Options) { o.FanOut.Concurrency, o.Audit = 1, log })
	method := inventoryOf(t, m.catalog, "ListApiKeys")
	got, err := m.stream(t.Context(), doors[0], "root", method, anyRequest(method))
	if err != nil || got.end.GetCalls() != after || len(got.failures) == 0 {
		t.Errorf("%v, %v", got, err)
	}
	for _, failure := range got.failures {
		if failure.GetReason() != service.ReasonPermissionDenied {
			t.Errorf("%v", failure)
		}
	}
	kept := log.all()
	if len(kept) != 1 || kept[0].Decision != audit.DecisionAllowed || kept[0].Calls != after || kept[0].Refused != int64(len(got.failures)) {
		t.Errorf("recorded as %+v", kept)
	}
}

// minuteBudget has a call a minute.
type minuteBudget struct{}

// Snapshot implements service.Budget.
func (minuteBudget) Snapshot(context.Context) []pace.BucketState { return nil }

// EstimateCalls implements service.Budget.
func (minuteBudget) EstimateCalls(_ string, _ pace.Flow, calls int64) time.Duration {
	return time.Duration(calls) * time.Minute
}

// TestStreamsAreMarkedAndEstimated: what paces the upstream learns whose calls
// they are, and says how long they will take.
func TestStreamsAreMarkedAndEstimated(t *testing.T) {
	t.Parallel()
	g := &gate{before: func(ctx context.Context, _ int64, _ *upstream.Endpoint, _ *upstream.Request) error {
		if flow := pace.FlowFrom(ctx); flow != (pace.Flow{Key: "root", Class: pace.FanOut}) {
			t.Errorf("a call of %+v", flow)
		}
		return nil
	}}
	m := newMirror(t, sandbox.Options{}, g.through, func(o *service.Options) { o.Budget = minuteBudget{} })
	method := inventoryOf(t, m.catalog, "ListUserRoles")
	m.fake.Inject(sandbox.Fault{Op: "*", Kind: sandbox.Delay, DelayMS: 100})
	got, err := m.stream(t.Context(), doors[0], "root", method, anyRequest(method))
	if err != nil || g.asked.Load() == 0 {
		t.Fatal(err)
	}
	for i, progress := range got.progress {
		left := progress.GetTimeLeft().AsDuration()
		if progress.GetTimeLeft() == nil || left%time.Minute != 0 || (left == 0) != (progress.GetCallsDone() == progress.GetCallsKnown()) {
			t.Errorf("progress %d of %d: %v", i, len(got.progress), progress)
		}
	}
	if last := got.progress[len(got.progress)-1]; last.GetTimeLeft().AsDuration() != 0 {
		t.Errorf("at the end: %v", last)
	}
}
