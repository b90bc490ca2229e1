package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	leasev1 "github.com/admin-gateway/admin-gateway/gen/admingateway/lease/v1"
)

// lease runs a command of `gateway lease` as the fake's caller, and expects an exit code.
func (f *fakeLeases) lease(t *testing.T, code int, args ...string) (out, err string) {
	t.Helper()
	token := writeFile(t, "token", fakeToken+"\n")
	var stdout, stderr bytes.Buffer
	args = append(append([]string{"lease"}, args...), "--address", f.url, "--token-file", token)
	if got := run(t.Context(), args, streams{&stdout, &stderr}); got != code {
		t.Errorf("%v: exit code %d, want %d\n%s%s", args, got, code, &stdout, &stderr)
	}
	return stdout.String(), stderr.String()
}

// TestLeaseCreate prints the key, or writes it into a file for its owner alone and
// nowhere else. It is acknowledged then.
func TestLeaseCreate(t *testing.T) {
	t.Parallel()
	f := startFakeLeases(t, time.Hour, 24*time.Hour)
	out, _ := f.lease(t, 0, "create", "search", "--ttl", "30m", "--holder", "ci", "--label", "run=7", "--label", "why=a=b", "--request-id", "r-1")
	for _, want := range []string{"sk-of-key_1\n", "lease-1", "proj_1", `run="7" why="a=b"`} {
		if !strings.Contains(out, want) {
			t.Errorf("without %q:\n%s", want, out)
		}
	}
	want := &leasev1.CreateLeaseRequest{Role: "search", Ttl: durationpb.New(30 * time.Minute), RequestId: "r-1", Holder: "ci", Labels: map[string]string{"run": "7", "why": "a=b"}}
	if got := f.requests()[0]; !proto.Equal(got, want) {
		t.Errorf("asked for %v", got)
	}
	file := filepath.Join(t.TempDir(), "key")
	out, errors := f.lease(t, 0, "create", "search", "--out", file, "--format", "json", "--grpc")
	var answer struct {
		Lease struct {
			APIKeyID string `json:"api_key_id"`
		} `json:"lease"`
		Secret string `json:"secret"`
	}
	if err := json.Unmarshal([]byte(out), &answer); err != nil || answer.Lease.APIKeyID != "key_2" || strings.Contains(out+errors, "sk-of") {
		t.Errorf("%v:\n%s%s", err, out, errors)
	}
	if content, err := os.ReadFile(file); string(content) != "sk-of-key_2" {
		t.Errorf("%q, %v", content, err)
	}
	if info, err := os.Stat(file); err != nil || info.Mode() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
	for _, id := range []string{"lease-1", "lease-2"} {
		if !f.saw(&leasev1.AcknowledgeLeaseRequest{LeaseId: id}) {
			t.Errorf("%s is not acknowledged", id)
		}
	}
	if first := f.requests()[1].GetRequestId(); len(first) < 20 {
		t.Errorf("request id %q", first)
	}
	// A file that cannot be written: the gateway keeps the secret, for the same request.
	f.lease(t, 1, "create", "search", "--out", filepath.Join(file, "none"))
	if f.saw(&leasev1.AcknowledgeLeaseRequest{LeaseId: "lease-3"}) {
		t.Error("a secret that nobody has is acknowledged")
	}
}

// TestLeaseRequests: each command sends what its flags say.
func TestLeaseRequests(t *testing.T) {
	t.Parallel()
	f := startFakeLeases(t, time.Hour, 24*time.Hour)
	f.lease(t, 0, "create", "search")
	f.lease(t, 0, "renew", "lease-1", "--ttl", "2h")
	rotated, _ := f.lease(t, 0, "rotate", "lease-1", "--overlap", "5m", "--request-id", "r-2")
	if !strings.Contains(rotated, "sk-of-key_1_2\n") || !strings.Contains(rotated, "previous key ") {
		t.Errorf("rotated:\n%s", rotated)
	}
	shown, _ := f.lease(t, 0, "get", "lease-1")
	if !strings.Contains(shown, "active") || strings.Contains(shown, "sk-of") {
		t.Errorf("shown:\n%s", shown)
	}
	f.lease(t, 0, "revoke", "lease-1", "--urgent")
	_, waited := f.lease(t, 1, "revoke", "lease-1", "--wait")
	if !strings.Contains(waited, "not deleted yet") {
		t.Errorf("waited:\n%s", waited)
	}
	for _, want := range []proto.Message{
		&leasev1.RenewLeaseRequest{LeaseId: "lease-1", Ttl: durationpb.New(2 * time.Hour)},
		&leasev1.RotateLeaseRequest{LeaseId: "lease-1", RequestId: "r-2", Overlap: durationpb.New(5 * time.Minute)},
		&leasev1.GetLeaseRequest{LeaseId: "lease-1"},
		&leasev1.RevokeLeaseRequest{LeaseId: "lease-1", Urgent: true},
		&leasev1.RevokeLeaseRequest{LeaseId: "lease-1", Wait: true},
	} {
		if !f.saw(want) {
			t.Errorf("%T{%v} did not come", want, want)
		}
	}
	if _, failed := f.lease(t, 1, "get", "lease-none"); !strings.Contains(failed, "no such lease") {
		t.Errorf("failed:\n%s", failed)
	}
	for _, args := range [][]string{
		{"revoke"}, {"revoke", "lease-1", "--role", "search"}, {"revoke", "lease-1", "--dry-run"}, {"revoke", "--role", "search", "--wait"},
	} {
		f.lease(t, 1, args...)
	}
}

// TestLeaseList goes through all pages, and says when it leaves some out.
func TestLeaseList(t *testing.T) {
	t.Parallel()
	f := startFakeLeases(t, time.Hour, 24*time.Hour)
	for range 3 {
		f.lease(t, 0, "create", "search")
	}
	out, _ := f.lease(t, 0, "list", "--role", "search", "--caller", "ci", "--holder", "h", "--state", "active", "--state", "revoking")
	if rows := strings.Split(strings.TrimSpace(out), "\n"); len(rows) != 4 || !strings.HasPrefix(rows[3], "lease-3 ") || !strings.HasPrefix(rows[0], "LEASE ") {
		t.Errorf("\n%s", out)
	}
	if !f.saw(&leasev1.ListLeasesRequest{Role: "search", Caller: "ci", Holder: "h", PageSize: 500, PageToken: "2", States: []leasev1.LeaseState{leasev1.LeaseState_LEASE_STATE_ACTIVE, revokingState}}) {
		t.Errorf("asked %v", f.asked)
	}
	out, _ = f.lease(t, 0, "list", "--format", "json")
	if rows := strings.Split(strings.TrimSpace(out), "\n"); len(rows) != 3 || !strings.HasPrefix(rows[0], `{"id":"lease-1"`) {
		t.Errorf("\n%s", out)
	}
	if out, failed := f.lease(t, 1, "list", "--max", "2"); strings.Count(out, "\n") != 3 || !strings.Contains(failed, "more leases") {
		t.Errorf("\n%s%s", out, failed)
	}
}

const revokingState = leasev1.LeaseState_LEASE_STATE_REVOKING

// TestLeaseStreams: the exit code says whether all was done, also where a stream is cut
// off.
func TestLeaseStreams(t *testing.T) {
	t.Parallel()
	f := startFakeLeases(t, time.Hour, time.Hour)
	complete := &leasev1.LeaseEnd{Outcome: &leasev1.LeaseEnd_Complete{Complete: &leasev1.LeaseComplete{}}, Leases: 9, ToRevoke: 2}
	failed := &leasev1.LeaseEnd{Outcome: &leasev1.LeaseEnd_Incomplete{Incomplete: &leasev1.LeaseIncomplete{Reasons: []leasev1.LeaseIncomplete_Reason{leasev1.LeaseIncomplete_REASON_OUT_OF_TIME}}}}
	revoked := func(end *leasev1.LeaseEnd) any {
		return &leasev1.RevokeLeasesResponse{Part: &leasev1.RevokeLeasesResponse_End{End: end}}
	}
	for _, tt := range []struct {
		parts []any
		code  int
		says  string
	}{
		{[]any{revoked(complete)}, 0, "9 leases looked at, the keys of 2 would be deleted, 0 failures; complete"},
		{[]any{revoked(failed)}, 1, "incomplete: out of time"},
		{nil, 1, "cut off"},
	} {
		f.change(func() { f.parts = tt.parts })
		out, err := f.lease(t, tt.code, "revoke", "--role", "search", "--caller", "ci", "--holder", "h", "--created-before", "2026-11-29T12:00:00Z", "--dry-run")
		if !strings.Contains(out+err, tt.says) {
			t.Errorf("without %q:\n%s%s", tt.says, out, err)
		}
	}
	if !f.saw(&leasev1.RevokeLeasesRequest{Role: "search", Caller: "ci", Holder: "h", DryRun: true, CreatedBefore: timestamppb.New(time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC))}) {
		t.Errorf("asked %v", f.asked)
	}
	f.change(func() {
		f.parts = []any{
			&leasev1.ReconcileResponse{Part: &leasev1.ReconcileResponse_Orphan{Orphan: &leasev1.OrphanKey{ProjectId: "proj_1", ApiKeyId: "key_9", Name: "agw.search.x.y"}}},
			&leasev1.ReconcileResponse{Part: &leasev1.ReconcileResponse_Missing{Missing: &leasev1.MissingKey{Lease: &leasev1.Lease{Id: "lease-7", ProjectId: "proj_1"}}}},
			&leasev1.ReconcileResponse{Part: &leasev1.ReconcileResponse_Failure{Failure: &leasev1.LeaseFailure{ProjectId: "proj_2", Code: 14, Reason: "UPSTREAM_UNAVAILABLE", Message: "no"}}},
			&leasev1.ReconcileResponse{Part: &leasev1.ReconcileResponse_Progress{Progress: &leasev1.LeaseProgress{ProjectsDone: 1, ProjectsKnown: 2}}},
			&leasev1.ReconcileResponse{Part: &leasev1.ReconcileResponse_End{End: complete}},
		}
	})
	out, err := f.lease(t, 0, "reconcile", "--project", "proj_1", "--project", "proj_2", "--dry-run")
	for _, want := range []string{"orphan\tproj_1\tkey_9\tagw.search.x.y", "missing\tproj_1\t\tlease lease-7", "proj_2: unavailable UPSTREAM_UNAVAILABLE", "1 of 2 projects", "would be deleted"} {
		if !strings.Contains(out+err, want) {
			t.Errorf("without %q:\n%s%s", want, out, err)
		}
	}
	if !f.saw(&leasev1.ReconcileRequest{ProjectIds: []string{"proj_1", "proj_2"}, DryRun: true}) {
		t.Errorf("asked %v", f.asked)
	}
	out, _ = f.lease(t, 0, "reconcile", "--format", "json")
	if rows := strings.Split(strings.TrimSpace(out), "\n"); len(rows) != 5 || !strings.HasPrefix(rows[0], `{"orphan":{"project_id":"proj_1"`) {
		t.Errorf("\n%s", out)
	}
}

// TestLeaseWatch goes on after the last sequence when its stream is cut off.
func TestLeaseWatch(t *testing.T) {
	t.Parallel()
	f := startFakeLeases(t, time.Hour, time.Hour)
	event := func(sequence int64, kind leasev1.WatchLeasesResponse_Kind) *leasev1.WatchLeasesResponse {
		return &leasev1.WatchLeasesResponse{Sequence: sequence, Kind: kind, Lease: &leasev1.Lease{Id: "lease-1", Role: "search"}}
	}
	f.events <- event(5, leasev1.WatchLeasesResponse_KIND_ISSUED)
	f.events <- event(8, leasev1.WatchLeasesResponse_KIND_ALIVE)
	f.events <- nil // It is cut off here.
	c := start(t, "lease", "watch", "--role", "search", "--address", f.url, "--token-file", writeFile(t, "token", fakeToken))
	c.out.line(t, c.ended, "5\tissued\tlease-1\tsearch")
	c.err.line(t, c.ended, "going on after 8")
	f.events <- event(9, leasev1.WatchLeasesResponse_KIND_ENDED)
	c.out.line(t, c.ended, "9\tended\tlease-1")
	if !f.saw(&leasev1.WatchLeasesRequest{Role: "search"}) || !f.saw(&leasev1.WatchLeasesRequest{Role: "search", After: 8}) || strings.Contains(c.out.String(), "alive") {
		t.Errorf("asked %v:\n%s", f.asked, c.out)
	}
	c.stop(t)
}

// TestExampleOfLeases: the policy of examples/leases is one, and opens to the workers what
// they need and nothing else.
func TestExampleOfLeases(t *testing.T) {
	t.Parallel()
	policy, err := filepath.Abs("../../examples/leases/policy.yaml")
	if err != nil {
		t.Fatal(err)
	}
	config := writeFile(t, "gateway.yaml", "policy: "+policy+"\nupstream: {admin_key: {env: OPENAI_ADMIN_KEY}}\nleases: {path: leases.db}\ntls: {cert_file: tls.crt, key_file: tls.key, client_ca_file: callers.crt}\n")
	for _, tt := range []struct {
		caller, rpc, request string
		code                 int
	}{
		{"search-batch", "LeaseService/CreateLease", `{"role": "search-batch", "request_id": "1", "ttl": "3600s"}`, 0},
		{"search-batch", "LeaseService/CreateLease", `{"role": "search-batch", "request_id": "1"}`, 0},
		{"search-batch", "LeaseService/CreateLease", `{"role": "search-batch", "request_id": "1", "ttl": "86400s"}`, 1},
		{"search-batch", "LeaseService/CreateLease", `{"role": "search-batch", "request_id": "1", "holder": "another"}`, 1},
		{"search-batch", "LeaseService/Reconcile", `{}`, 1},
		{"on-call", "LeaseService/Reconcile", `{}`, 0},
		{"on-call", "LeaseService/CreateLease", `{"role": "search-batch", "request_id": "1"}`, 1},
	} {
		var out, failed bytes.Buffer
		if code := run(t.Context(), []string{"can", "--config", config, "--caller", tt.caller, "--rpc", tt.rpc, "--request", tt.request}, streams{&out, &failed}); code != tt.code {
			t.Errorf("%s %s %s: exit code %d\n%s%s", tt.caller, tt.rpc, tt.request, code, &out, &failed)
		}
	}
}
