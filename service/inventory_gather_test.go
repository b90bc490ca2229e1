package service_test

import (
	"context"
	"slices"
	"strings"
	"testing"

	"connectrpc.com/connect/v2"
	"google.golang.org/protobuf/proto"

	inventoryv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/inventory/v1"
	"github.com/admin-gateway/admin-gateway/internal/admissiontest"
	"github.com/admin-gateway/admin-gateway/internal/gatewaytest"
	"github.com/admin-gateway/admin-gateway/sandbox"
	"github.com/admin-gateway/admin-gateway/service"
	"github.com/admin-gateway/admin-gateway/service/rpcerror"
	"github.com/admin-gateway/admin-gateway/upstream"
)

// TestNothingIsJudgedWithoutWhatIsReadAhead: when the log cannot be read, on its
// first page or a later one, the stream has that failure, makes no other read, and is
// incomplete; resumed, it has everything.
func TestNothingIsJudgedWithoutWhatIsReadAhead(t *testing.T) {
	t.Parallel()
	gw := newTourGateway(t, sandbox.Options{Users: 8, Projects: 4, AuditEvents: 2000})
	m, project := newKeyMaker(t, gw), gw.projects(t)[0]
	_, key := m.account(project)
	asked := &inventoryv1.FindStaleKeysRequest{Unrestricted: true}
	whole, err := gw.find(t, "root", asked)
	if err != nil || whole.end.GetComplete() == nil || !whole.has(key, inventoryv1.StaleKey_REASON_UNRESTRICTED) {
		t.Fatalf("%v, %v", whole, err)
	}
	if pages := gw.Sandbox.Count(readLog); pages < 2 {
		t.Fatalf("the log has %d pages", pages)
	}
	for _, failing := range []int{0, 1} {
		gw.Sandbox.Inject(sandbox.Fault{Op: readLog, Kind: sandbox.Refuse, Status: 404, Message: "no log", After: failing, Times: 1})
		before := gw.Sandbox.Counts()
		first, err := gw.find(t, "root", asked)
		gw.Sandbox.ClearFaults()
		if err != nil || len(first.reasons) > 0 || len(first.failures) != 1 || first.end.GetCalls() != int64(failing+1) {
			t.Fatalf("page %d: %v, %v, %v", failing, first, first.failures, err)
		}
		want := &inventoryv1.Failure{
			Method: "admingateway.admin.v1.AuditLogService/ListAuditLogs", Code: int32(connect.CodeNotFound), Reason: upstream.ReasonNotFound, Message: "no log",
		}
		if !proto.Equal(first.failures[0], want) {
			t.Errorf("page %d: %v", failing, first.failures[0])
		}
		if reasons := first.incomplete().GetReasons(); !slices.Equal(reasons, []inventoryv1.Incomplete_Reason{inventoryv1.Incomplete_REASON_FAILED}) {
			t.Errorf("page %d: %v", failing, first.end)
		}
		for _, op := range []string{"GET /organization/projects", listKeys} {
			if gw.Sandbox.Counts()[op] != before[op] {
				t.Errorf("page %d: %s was read all the same", failing, op)
			}
		}
		again, err := gw.find(t, "root", &inventoryv1.FindStaleKeysRequest{Unrestricted: true, ResumeToken: first.incomplete().GetResumeToken()})
		if err != nil || again.end.GetComplete() == nil {
			t.Errorf("page %d: resumed: %v, %v", failing, again, err)
		}
		same(t, "resumed", whole.items, again.items)
	}
}

// TestResumingReadsAheadAgain: a token names reads and not what was remembered.
func TestResumingReadsAheadAgain(t *testing.T) {
	t.Parallel()
	gw := newTourGateway(t, sandbox.Options{Users: 8, Projects: 4, AuditEvents: 10})
	m, project := newKeyMaker(t, gw), gw.projects(t)[0]
	_, key := m.account(project)
	gw.Sandbox.Inject(sandbox.Fault{Op: listKeys, Kind: sandbox.Refuse, Status: 404})
	first, err := gw.find(t, "root", &inventoryv1.FindStaleKeysRequest{Unrestricted: true})
	gw.Sandbox.ClearFaults()
	if err != nil || len(first.reasons) > 0 || first.incomplete() == nil {
		t.Fatalf("%v, %v", first, err)
	}
	before := gw.Sandbox.Count(readLog)
	again, err := gw.find(t, "root", &inventoryv1.FindStaleKeysRequest{Unrestricted: true, ResumeToken: first.incomplete().GetResumeToken()})
	if err != nil || again.end.GetComplete() == nil || !again.has(key, inventoryv1.StaleKey_REASON_UNRESTRICTED) {
		t.Errorf("%v, %v", again, err)
	}
	if gw.Sandbox.Count(readLog) == before {
		t.Error("the log was not read again")
	}
}

// TestMoreThanAStreamRemembers: the keys of the newest events are judged, and the
// stream does not look complete.
func TestMoreThanAStreamRemembers(t *testing.T) {
	t.Parallel()
	gw := newTourGateway(t, sandbox.Options{Users: 8, Projects: 4, AuditEvents: 10}, gatewaytest.WithOptions(func(o *service.Options) { o.Inventory.MaxGathered = 2 }))
	m, project := newKeyMaker(t, gw), gw.projects(t)[0]
	var made []string
	for range 4 {
		_, key := m.account(project)
		made = append(made, key)
	}
	got, err := gw.find(t, "root", &inventoryv1.FindStaleKeysRequest{Unrestricted: true})
	newest := slices.Sorted(slices.Values(made[2:]))
	if err != nil || len(got.failures) > 0 || !slices.Equal(got.unrestricted(), newest) {
		t.Errorf("%v, want %v; %v, %v", got.reasons, newest, got, err)
	}
	end := got.incomplete()
	if !slices.Equal(end.GetReasons(), []inventoryv1.Incomplete_Reason{inventoryv1.Incomplete_REASON_NOT_ALL_JUDGED}) || end.GetResumeToken() != "" {
		t.Errorf("%v", got.end)
	}
}

// TestPolicyAndPanicsWhileReadingAhead: each page is authorized anew, and a panic is
// that list's failure.
func TestPolicyAndPanicsWhileReadingAhead(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		second func(gw *tourGateway)
		reason string
		end    inventoryv1.Incomplete_Reason
	}{
		{"denied", func(gw *tourGateway) {
			gw.Policy.Set(t, admissiontest.RootPolicy+"    denies: [{permissions: [audit_logs.read]}]\n")
		}, rpcerror.ReasonPermissionDenied, inventoryv1.Incomplete_REASON_DENIED},
		{"panic", func(*tourGateway) { panic(secretWord) }, rpcerror.ReasonInternal, inventoryv1.Incomplete_REASON_FAILED},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			var gw *tourGateway
			g := &gatewaytest.Gate{Before: func(_ context.Context, _ int64, endpoint *upstream.Endpoint, _ *upstream.Request) error {
				if endpoint.String() == readLog {
					test.second(gw)
				}
				return nil
			}}
			gw = newTourGateway(t, sandbox.Options{Users: 8, Projects: 4, AuditEvents: 2000}, gatewaytest.WithGate(g))
			got, err := gw.find(t, "root", &inventoryv1.FindStaleKeysRequest{Unrestricted: true})
			if err != nil || len(got.reasons) > 0 || len(got.failures) != 1 || got.failures[0].GetReason() != test.reason || strings.Contains(got.failures[0].String(), secretWord) {
				t.Fatalf("%v, %v, %v", got, got.failures, err)
			}
			if !slices.Equal(got.incomplete().GetReasons(), []inventoryv1.Incomplete_Reason{test.end}) {
				t.Errorf("%v", got.end)
			}
		})
	}
}
