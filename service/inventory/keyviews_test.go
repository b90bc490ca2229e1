package inventory

import (
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	adminv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/admin/v1"
	inventoryv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/inventory/v1"
)

func TestKeyEntryHasItsOwner(t *testing.T) {
	t.Parallel()
	key := &adminv1.ProjectApiKey{
		Id: "key_1", Name: proto.String("ci"), RedactedValue: "sk-…1", CreatedAt: &timestamppb.Timestamp{Seconds: 1}, LastUsedAt: &timestamppb.Timestamp{Seconds: 2}, ExpiresAt: &timestamppb.Timestamp{Seconds: 3},
		Owner: &adminv1.ProjectApiKeyOwner{
			Type: adminv1.ProjectApiKeyOwnerType_PROJECT_API_KEY_OWNER_TYPE_USER.Enum(),
			User: &adminv1.ProjectApiKeyOwnerUser{Id: "user_1", Name: proto.String("A"), Email: "a@example.com"},
		},
		OwnerProjectAccess: adminv1.OwnerProjectAccess_OWNER_PROJECT_ACCESS_ACTIVE,
	}
	want := &inventoryv1.KeyEntry{
		KeyId: "key_1", Name: key.Name, RedactedValue: "sk-…1", CreatedAt: key.GetCreatedAt(), LastUsedAt: key.GetLastUsedAt(), ExpiresAt: key.GetExpiresAt(),
		OwnerType: adminv1.ProjectApiKeyOwnerType_PROJECT_API_KEY_OWNER_TYPE_USER, OwnerProjectAccess: key.GetOwnerProjectAccess(),
		OwnerId: "user_1", OwnerName: proto.String("A"), OwnerEmail: proto.String("a@example.com"),
	}
	if got := keyEntry(key); !proto.Equal(want, got) {
		t.Errorf("%v", got)
	}
	key.Owner = &adminv1.ProjectApiKeyOwner{
		Type:           adminv1.ProjectApiKeyOwnerType_PROJECT_API_KEY_OWNER_TYPE_SERVICE_ACCOUNT.Enum(),
		ServiceAccount: &adminv1.ProjectApiKeyOwnerServiceAccount{Id: "sa_1", Name: proto.String("B")},
	}
	want.OwnerType, want.OwnerId, want.OwnerName, want.OwnerEmail = adminv1.ProjectApiKeyOwnerType_PROJECT_API_KEY_OWNER_TYPE_SERVICE_ACCOUNT, "sa_1", proto.String("B"), nil
	if got := keyEntry(key); !proto.Equal(want, got) {
		t.Errorf("%v", got)
	}
}
