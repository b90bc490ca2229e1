package service_test

import (
	"testing"

	"connectrpc.com/connect/v2"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/fieldmaskpb"

	adminv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/admin/v1"
	"github.com/admin-gateway/admin-gateway/gen/admingateway/admin/v1/adminv1connect"
	"github.com/admin-gateway/admin-gateway/internal/gatewaytest"
)

// TestUnsentFieldsDoNotCount: a field that is set, and that the mask does not name, is
// not sent. So a condition does not find it, and neither does the record.
func TestUnsentFieldsDoNotCount(t *testing.T) {
	t.Parallel()
	up := new(sent)
	gw := gatewaytest.New(t, gatewaytest.WithUpstream(up), gatewaytest.WithPolicy(`
callers:
  - name: careful
    authenticate: [{token_sha256: $careful}]
    grants:
      - permissions: [projects.service_accounts.api_keys.create]
        when: has(request.scopes) && request.scopes.values.all(s, s == "api.model.read")
    limits: $free
`))
	scopes := &adminv1.ServiceAccountApiKeyScopes{Values: []string{"api.model.read"}}
	for name, test := range map[string]struct {
		mask    *fieldmaskpb.FieldMask
		allowed bool
	}{
		"no mask":               {nil, true},
		"a mask that has it":    {&fieldmaskpb.FieldMask{Paths: []string{"name", "scopes"}}, true},
		"a mask without it":     {&fieldmaskpb.FieldMask{Paths: []string{"name"}}, false},
		"a mask without a path": {&fieldmaskpb.FieldMask{}, false},
	} {
		up.take()
		_, err := adminv1connect.NewProjectServiceAccountServiceClient(gatewaytest.As("careful", gw.InProcess())).CreateProjectServiceAccountApiKey(t.Context(),
			&adminv1.CreateProjectServiceAccountApiKeyRequest{ProjectId: "proj_a", ServiceAccountId: "sa", Name: proto.String("n"), Scopes: proto.CloneOf(scopes), FieldMask: test.mask})
		if asked := len(up.take()); test.allowed != (asked == 1) || !test.allowed && connect.CodeOf(err) != connect.CodePermissionDenied {
			t.Errorf("%s: asked %d times, %v", name, asked, err)
		}
	}
}
