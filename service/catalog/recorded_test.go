package catalog_test

import (
	"testing"

	"google.golang.org/protobuf/reflect/protoreflect"

	adminv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/admin/v1"
	optionsv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/options/v1"
	"github.com/admin-gateway/admin-gateway/internal/catalogtest"
)

// TestCatalogChecksRecords: no write is served whose record hides a field of its
// request, or holds a credential.
func TestCatalogChecksRecords(t *testing.T) {
	t.Parallel()
	record := func(request, answer []string) func(*optionsv1.Policy) {
		return func(p *optionsv1.Policy) {
			p.Record, p.RecordsNothing = &optionsv1.Recorded{Request: request, Answer: answer}, false
		}
	}
	whole := []string{"role", "update_mask"}
	for name, test := range map[string]struct {
		rpc  string
		edit func(*optionsv1.Policy)
		want string
	}{
		"nothing said":          {updateRPC, func(p *optionsv1.Policy) { p.Record = nil }, "records_nothing"},
		"both said":             {updateRPC, func(p *optionsv1.Policy) { p.RecordsNothing = true }, "records_nothing"},
		"a read":                {readRPC, record(whole, nil), "is a read"},
		"a role that is hidden": {updateRPC, record([]string{"update_mask"}, nil), "request field role"},
		"nothing of a role":     {updateRPC, func(p *optionsv1.Policy) { p.Record, p.RecordsNothing = nil, true }, "request field role"},
		"no such field":         {updateRPC, record(append(whole, "nobody"), nil), `no field "nobody"`},
		"no such answer":        {updateRPC, record(whole, []string{"project_user.nobody"}), `no field "nobody"`},
		"behind a value":        {updateRPC, record(append(whole, "role.name"), nil), "behind a value"},
		"twice":                 {updateRPC, record(append(whole, "role"), nil), "twice"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := catalogtest.CopyOf(adminv1.File_admingateway_admin_v1_project_user_proto)
			catalogtest.EditPolicy(t, d.Method(t, test.rpc), test.edit)
			wantFault(t, d, test.rpc, test.want)
		})
	}
	t.Run("a credential", func(t *testing.T) {
		t.Parallel()
		d := catalogtest.CopyOf(adminv1.File_admingateway_admin_v1_project_user_proto)
		for _, message := range d.File.GetMessageType() {
			for _, field := range message.GetField() {
				if message.GetName() == "UpdateProjectUserRequest" && field.GetName() == "role" {
					field.Options.DebugRedact = new(true)
				}
			}
		}
		wantFault(t, d, updateRPC, "credential (debug_redact)")
	})
}

// TestEveryWriteSaysWhatItCreated: the id of a thing that a POST to a collection makes
// is in its record, and so is the id of a key.
func TestEveryWriteSaysWhatItCreated(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"ProjectService/CreateProject":                                   "project.id",
		"InviteService/CreateInvite":                                     "invite.id",
		"AdminApiKeyService/CreateAdminApiKey":                           "id",
		"ProjectServiceAccountService/CreateProjectServiceAccount":       "api_key.id",
		"ProjectServiceAccountService/CreateProjectServiceAccountApiKey": "service_account_api_key.id",
		"WorkloadIdentityProviderService/CreateWorkloadIdentityProvider": "workload_identity_provider.id",
	} {
		found := false
		for _, r := range catalogtest.Method(t, name).RecordedAnswer() {
			found = found || r.Path == want && r.Fields[len(r.Fields)-1].Kind() == protoreflect.StringKind
		}
		if !found {
			t.Errorf("the record of %s lacks %s", name, want)
		}
	}
}
