package callers

import (
	"crypto/sha256"
	"encoding/hex"
	"os"
	"testing"

	"go.uber.org/goleak"
	"google.golang.org/protobuf/reflect/protoreflect"

	adminv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/admin/v1"
	leasev1 "github.com/admin-gateway/admin-gateway/gen/admingateway/lease/v1"
	"github.com/admin-gateway/admin-gateway/service/authz"
)

func TestMain(m *testing.M) {
	if os.Getenv(ticks) != "" {
		sendTicks()
		return
	}
	goleak.VerifyTestMain(m)
}

const (
	getProject  = "/admingateway.admin.v1.ProjectService/GetProject"
	listUsers   = "/admingateway.admin.v1.UserService/ListUsers"
	createLease = "/admingateway.lease.v1.LeaseService/CreateLease"
	issuer      = "https://issuer.example"
)

// rules know three methods and one issuer.
func rules(tb testing.TB) Rules {
	tb.Helper()
	request := func(m protoreflect.ProtoMessage) protoreflect.MessageDescriptor { return m.ProtoReflect().Descriptor() }
	methods, err := authz.NewMethods([]authz.Method{
		{Procedure: getProject, Permission: "projects.read", Request: request(&adminv1.GetProjectRequest{}), Projects: []string{"project_id"}},
		{Procedure: listUsers, Permission: "users.read", Request: request(&adminv1.ListUsersRequest{})},
		{
			Procedure: createLease, Permission: "leases.create", Request: request(&leasev1.CreateLeaseRequest{}),
			Leases: &authz.LeaseScope{Role: "role"},
		},
	})
	if err != nil {
		tb.Fatal(err)
	}
	return Rules{Methods: methods, Issuers: []string{issuer}}
}

func hash(word string) string {
	digest := sha256.Sum256([]byte(word))
	return hex.EncodeToString(digest[:])
}

// may tells whether a set's caller may call a method at all.
func may(t *testing.T, r Rules, set *Set, caller, procedure string) bool {
	t.Helper()
	handle, ok := r.Methods.Lookup(procedure)
	if !ok {
		t.Fatalf("no %s", procedure)
	}
	return set.Policy.MayCall(caller, handle).Allowed
}
