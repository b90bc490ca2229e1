package service_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"connectrpc.com/connect/v2"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/types/known/durationpb"

	adminv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/admin/v1"
	"github.com/admin-gateway/admin-gateway/gen/admingateway/admin/v1/adminv1connect"
	controlv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/control/v1"
	"github.com/admin-gateway/admin-gateway/gen/admingateway/control/v1/controlv1connect"
	"github.com/admin-gateway/admin-gateway/internal/admissiontest"
	"github.com/admin-gateway/admin-gateway/internal/gatewaytest"
	"github.com/admin-gateway/admin-gateway/sandbox"
	"github.com/admin-gateway/admin-gateway/service"
	"github.com/admin-gateway/admin-gateway/service/rpcerror"
	"github.com/admin-gateway/admin-gateway/upstream/pace"
)

const recentPolicy = `
callers:
  - name: root
    limits: $free
    authenticate: [{token_sha256: $root}]
    grants: [{permissions: ["*"]}]
  - name: one-project
    limits: $free
    authenticate: [{token_sha256: $one}]
    grants: [{permissions: [projects.*, audit.*], projects: [proj_1]}]
`

func records(t *testing.T, g *gatewaytest.Gateway, request *controlv1.ListRecordsRequest) []*controlv1.AuditRecord {
	t.Helper()
	found, err := controlv1connect.NewAuditServiceClient(g.Client("root")).ListRecords(t.Context(), request)
	if err != nil {
		t.Fatal(err)
	}
	if len(found.GetReplicas()) != 1 || found.GetReplicas()[0].GetMissing() != "" || found.GetReplicas()[0].GetCompleteSince() == nil || found.GetUnknownReplicas() {
		t.Errorf("the memory: %v", found.GetReplicas())
	}
	return found.GetRecords()
}

// TestWhyItWasDenied: the record of a refused call names the permission and the project
// that were missing, and is found by its id; the caller that is limited to a project may
// not look at records, not even its own.
func TestWhyItWasDenied(t *testing.T) {
	t.Parallel()
	gw := gatewaytest.New(t, gatewaytest.WithPolicy(recentPolicy))
	_, err := adminv1connect.NewProjectServiceClient(gw.Client("one")).GetProject(t.Context(), &adminv1.GetProjectRequest{ProjectId: "proj_2"})
	if connect.CodeOf(err) != connect.CodePermissionDenied {
		t.Fatal(err)
	}
	found := records(t, gw, &controlv1.ListRecordsRequest{Caller: "one-project", Denied: true, Method: "GetProject"})
	if len(found) != 1 {
		t.Fatalf("%v", found)
	}
	r := found[0]
	if r.GetPermission() != "projects.read" || r.GetReason() != "project_out_of_scope" || r.GetDeniedProject() != "proj_2" || r.GetDecision() != "denied" ||
		r.GetError() != rpcerror.ReasonPermissionDenied || r.GetCode() != "permission_denied" || r.GetDoor() != "inprocess" || r.GetCredential() == "" || r.GetReplica() == "" {
		t.Errorf("%s", protojson.Format(r))
	}
	if same := records(t, gw, &controlv1.ListRecordsRequest{RequestId: r.GetRequestId()}); len(same) != 1 || same[0].GetRequestId() != r.GetRequestId() {
		t.Errorf("%v", same)
	}
	if _, err := controlv1connect.NewAuditServiceClient(gw.Client("one")).ListRecords(t.Context(), &controlv1.ListRecordsRequest{Caller: "one-project"}); connect.CodeOf(err) != connect.CodePermissionDenied {
		t.Errorf("a caller that is limited to a project: %v", err)
	}
	if _, err := controlv1connect.NewAuditServiceClient(gw.Client("one")).ListStrangers(t.Context(), &controlv1.ListStrangersRequest{}); connect.CodeOf(err) != connect.CodePermissionDenied {
		t.Errorf("a caller that is limited to a project: %v", err)
	}
}

// TestWhatItWaitedFor: the record of a call that waited for the budget says how long and
// for which bucket, also where the call shared the fetch of another one; that of a stored
// answer says nothing of either.
func TestWhatItWaitedFor(t *testing.T) {
	t.Parallel()
	gw := newPacedGateway(t, gatewaytest.NewSandbox(t, sandbox.Options{Users: 5, Projects: 2, AuditEvents: 1}), pace.Options{
		Window: time.Second, Organization: pace.Limit{Calls: 1000, Burst: 100}, Default: pace.Limit{Calls: 2, Burst: 1},
	}, gatewaytest.WithMemoryCache(), gatewaytest.WithPolicy(recentPolicy), gatewaytest.WithOptions(func(o *service.Options) { o.Lines.Slow = time.Nanosecond }))
	users := adminv1connect.NewUserServiceClient(gw.Client("root"))
	list := func(n int32) {
		if _, err := users.ListUsers(t.Context(), &adminv1.ListUsersRequest{Limit: &n}); err != nil {
			t.Error(err)
		}
	}
	listed := func(slowerThan time.Duration) []*controlv1.AuditRecord {
		return records(t, gw, &controlv1.ListRecordsRequest{Method: "UserService/ListUsers", SlowerThan: durationpb.New(slowerThan)})
	}
	// There is a token each half of a second, and a call does not wait where the machine
	// has stood still until then: another one will.
	waits := func(r *controlv1.AuditRecord) bool {
		return r.GetCache() == "miss" && r.GetWaited().AsDuration() > 10*time.Millisecond
	}
	for n := int32(1); !slices.ContainsFunc(listed(0), waits); n++ {
		if n > 50 {
			t.Fatalf("no call has waited: %v", listed(0))
		}
		var both sync.WaitGroup
		for range 2 {
			both.Go(func() { list(n) })
		}
		both.Wait()
	}
	list(1) // It is stored.
	stored := 0
	for _, r := range listed(0) {
		waited, took := r.GetWaited().AsDuration(), r.GetDuration().AsDuration()
		switch {
		case r.GetCache() == "hit":
			stored++
			if waited != 0 || r.GetBudget() != "" {
				t.Errorf("a stored answer: %s", protojson.Format(r))
			}
		case r.GetBudget() != "list_users" || waited > took:
			t.Errorf("%s", protojson.Format(r))
		}
		same := func(other *controlv1.AuditRecord) bool { return other.GetRequestId() == r.GetRequestId() }
		if !slices.ContainsFunc(listed(took), same) || slices.ContainsFunc(listed(took+time.Microsecond), same) {
			t.Errorf("as slow as itself, and not slower: %s", protojson.Format(r))
		}
	}
	if stored == 0 {
		t.Error("no stored answer has a record")
	}
}

// TestNoCallInTime: the record of a call that the budget had no room for in its time says
// which bucket that was.
func TestNoCallInTime(t *testing.T) {
	t.Parallel()
	gw := newPacedGateway(t, gatewaytest.NewSandbox(t, sandbox.Options{Users: 5, Projects: 2, AuditEvents: 1}), pace.Options{
		Window: 24 * time.Hour, Organization: pace.Limit{Calls: 1000, Burst: 100}, Default: pace.Limit{Calls: 1, Burst: 1},
	}, gatewaytest.WithMemoryCache(), gatewaytest.WithPolicy(recentPolicy))
	users := adminv1connect.NewUserServiceClient(gw.Client("root"))
	for limit := int32(1); limit <= 2; limit++ {
		ctx, cancel := t.Context(), func() {}
		if limit == 2 { // The day's call is made.
			ctx, cancel = context.WithTimeout(ctx, 50*time.Millisecond)
		}
		_, err := users.ListUsers(ctx, &adminv1.ListUsersRequest{Limit: &limit})
		cancel()
		if (err == nil) != (limit == 1) {
			t.Fatalf("call %d: %v", limit, err)
		}
	}
	late := records(t, gw, &controlv1.ListRecordsRequest{Method: "ListUsers", Failed: true})
	if len(late) != 1 || late[0].GetBudget() != "list_users" || late[0].GetError() != "NO_BUDGET" && late[0].GetError() != rpcerror.ReasonDeadlineExceeded {
		t.Errorf("%v", late)
	}
}

// TestStrangersAreSeen: a call with a token that nobody has is found by its address and
// the id of what it presented, and nothing of the token is anywhere: not in an answer, not
// in a record, not in the log.
func TestStrangersAreSeen(t *testing.T) {
	t.Parallel()
	gw := gatewaytest.New(t, gatewaytest.WithPolicy(recentPolicy), gatewaytest.WithLogs())
	for _, door := range gatewaytest.Doors() {
		projects := adminv1connect.NewProjectServiceClient(gatewaytest.As("stranger", gw.Transport(door)))
		if _, err := projects.GetProject(t.Context(), &adminv1.GetProjectRequest{ProjectId: "proj_1"}); connect.CodeOf(err) != connect.CodeUnauthenticated {
			t.Fatalf("%s: %v", door.Name, err)
		}
	}
	found, err := controlv1connect.NewAuditServiceClient(gw.Client("root")).ListStrangers(t.Context(), &controlv1.ListStrangersRequest{})
	if err != nil {
		t.Fatal(err)
	}
	digest := sha256.Sum256([]byte(admissiontest.TokenOf("stranger")))
	counts := map[string]int64{}
	for _, s := range found.GetStrangers() {
		counts[s.GetDoor()] = s.GetCount()
		if s.GetNetwork() != "127.0.0.1" || s.GetReason() != "unknown_token" || !strings.HasPrefix(s.GetPeer(), "127.0.0.1:") ||
			s.GetPresented() != hex.EncodeToString(digest[:6]) || !strings.HasSuffix(s.GetMethod(), "ProjectService/GetProject") {
			t.Errorf("%s", protojson.Format(s))
		}
	}
	if want := map[string]int64{"connect": 4, "grpc": 2, "grpcweb": 1, "rest": 1}; !maps.Equal(counts, want) {
		t.Errorf("%v, want %v", counts, want)
	}
	s := found.GetStrangers()[0]
	last := records(t, gw, &controlv1.ListRecordsRequest{RequestId: s.GetRequestId()})
	if len(last) != 1 || last[0].GetPeer() != s.GetPeer() || last[0].GetPresented() != s.GetPresented() || last[0].GetCaller() != "" {
		t.Errorf("%v", last)
	}
	token := admissiontest.TokenOf("stranger")
	everything := protojson.Format(found) + protojson.Format(last[0]) + gw.Logs.Text()
	for _, r := range gw.Records.All() {
		text, _ := r.AppendLines(nil)
		everything += string(text)
	}
	for size := 8; size <= len(token); size++ {
		if strings.Contains(everything, token[:size]) || strings.Contains(everything, token[len(token)-size:]) {
			t.Fatalf("%d bytes of the token are in it", size)
		}
	}
}

// TestNoMemory: a gateway that keeps no records says so.
func TestNoMemory(t *testing.T) {
	t.Parallel()
	gw := gatewaytest.New(t, gatewaytest.WithOptions(func(o *service.Options) { o.Recent = nil }))
	client := controlv1connect.NewAuditServiceClient(gw.Client("root"))
	_, err := client.ListRecords(t.Context(), &controlv1.ListRecordsRequest{})
	_, other := client.ListStrangers(t.Context(), &controlv1.ListStrangersRequest{})
	if connect.CodeOf(err) != connect.CodeFailedPrecondition || connect.CodeOf(other) != connect.CodeFailedPrecondition {
		t.Errorf("%v, %v", err, other)
	}
}
