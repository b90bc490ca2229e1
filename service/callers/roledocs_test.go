package callers_test

import (
	"os"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"

	leasev1 "github.com/admin-gateway/admin-gateway/gen/admingateway/lease/v1"
	"github.com/admin-gateway/admin-gateway/service/authz"
	"github.com/admin-gateway/admin-gateway/service/callers"
	"github.com/admin-gateway/admin-gateway/service/catalog"
)

// TestDocumentedRoles: the policy with roles of the page is one, opens what the page
// says, and warns of nothing.
func TestDocumentedRoles(t *testing.T) {
	t.Parallel()
	methods, err := catalog.New(catalog.Files(), nil)
	if err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile("../../docs/authorization.md")
	if err != nil {
		t.Fatal(err)
	}
	_, block, found := strings.Cut(string(page), "```yaml\nroles:\n")
	if !found {
		t.Fatal("the page has no policy with roles")
	}
	block, _, _ = strings.Cut(block, "```")
	text := "roles:\n" + strings.ReplaceAll(block, "$TOKEN_SHA256", strings.Repeat("ab", 32))
	set, err := callers.Parse("authorization.md", []byte(text), callers.Rules{Methods: methods.Access()})
	if err != nil {
		t.Fatal(err)
	}
	for _, warning := range set.Warnings() {
		t.Error(warning)
	}
	mine := func(caller string) authz.Lease {
		return authz.Lease{Role: "search-batch", Project: "proj_search", Caller: caller}
	}
	for _, test := range []struct {
		caller, rpc string
		request     proto.Message
		lease       authz.Lease
		want        bool
	}{
		{"team-search", "CreateLease", &leasev1.CreateLeaseRequest{Role: "search-batch"}, authz.Lease{}, true},
		{"team-search", "CreateLease", &leasev1.CreateLeaseRequest{Role: "evaluation"}, authz.Lease{}, false},
		{"team-search", "CreateLease", &leasev1.CreateLeaseRequest{Role: "search-batch", Holder: "x"}, authz.Lease{}, false},
		{"team-search", "RenewLease", &leasev1.RenewLeaseRequest{LeaseId: "x"}, mine("team-search"), true},
		{"team-search", "RotateLease", &leasev1.RotateLeaseRequest{LeaseId: "x"}, mine("team-search"), true},
		{"team-search", "AcknowledgeLease", &leasev1.AcknowledgeLeaseRequest{LeaseId: "x"}, mine("team-search"), true},
		{"team-search", "RenewLease", &leasev1.RenewLeaseRequest{LeaseId: "x"}, mine("on-call"), false},
		{"team-search", "RevokeLease", &leasev1.RevokeLeaseRequest{LeaseId: "x"}, mine("on-call"), false},
		{"team-search", "GetLease", &leasev1.GetLeaseRequest{LeaseId: "x"}, mine("on-call"), false},
		{"team-search", "Reconcile", &leasev1.ReconcileRequest{}, authz.Lease{}, false},
		{"evaluation-runner", "CreateLease", &leasev1.CreateLeaseRequest{Role: "evaluation", Ttl: durationpb.New(15 * time.Minute), Holder: "x"}, authz.Lease{}, true},
		{"evaluation-runner", "CreateLease", &leasev1.CreateLeaseRequest{Role: "evaluation", Ttl: durationpb.New(16 * time.Minute)}, authz.Lease{}, false},
		{"evaluation-runner", "CreateLease", &leasev1.CreateLeaseRequest{Role: "evaluation"}, authz.Lease{}, false},
		{"on-call", "RevokeLease", &leasev1.RevokeLeaseRequest{LeaseId: "x"}, mine("team-search"), true},
		{"on-call", "GetLease", &leasev1.GetLeaseRequest{LeaseId: "x"}, mine("team-search"), true},
		{"on-call", "RenewLease", &leasev1.RenewLeaseRequest{LeaseId: "x"}, mine("on-call"), false},
		{"on-call", "RevokeLeases", &leasev1.RevokeLeasesRequest{Role: "gone"}, authz.Lease{Role: "gone", Project: "proj_x", Caller: "a"}, true},
		{"on-call", "CreateLease", &leasev1.CreateLeaseRequest{Role: "search-batch"}, authz.Lease{}, false},
		{"on-call", "Reconcile", &leasev1.ReconcileRequest{}, authz.Lease{}, true},
	} {
		method, ok := methods.Lookup("/admingateway.lease.v1.LeaseService/" + test.rpc)
		if !ok {
			t.Fatalf("no %s", test.rpc)
		}
		d := set.Policy.Decide(test.caller, method.Access(), test.request.ProtoReflect(), time.Now())
		if d.EachLease {
			d = set.Policy.DecideLease(test.caller, method.Access(), test.request.ProtoReflect(), test.lease, time.Now())
		}
		if d.Allowed != test.want {
			t.Errorf("%s, %s, %v, %+v: %+v", test.caller, test.rpc, test.request, test.lease, d)
		}
	}
	for _, m := range methods.Methods() {
		if resource, _, _ := strings.Cut(m.Permission, "."); resource == "leases" && !strings.Contains(string(page), "`"+m.Permission+"`") {
			t.Errorf("the page does not explain %s", m.Permission)
		}
	}
}
