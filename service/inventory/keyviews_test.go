package inventory

import (
	"slices"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	adminv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/admin/v1"
	inventoryv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/inventory/v1"
)

func TestStaleKeys(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 18, 12, 0, 0, 0, time.UTC)
	days := func(n int) *timestamppb.Timestamp { return timestamppb.New(now.AddDate(0, 0, -n)) }
	asked := &inventoryv1.FindStaleKeysRequest{UnusedDays: proto.Int32(10), NeverUsedDays: proto.Int32(5)}
	const (
		unused, never, without = inventoryv1.StaleKey_REASON_UNUSED, inventoryv1.StaleKey_REASON_NEVER_USED, inventoryv1.StaleKey_REASON_OWNER_WITHOUT_ACCESS
		inactive               = adminv1.OwnerProjectAccess_OWNER_PROJECT_ACCESS_INACTIVE
		active                 = adminv1.OwnerProjectAccess_OWNER_PROJECT_ACCESS_ACTIVE
	)
	for name, test := range map[string]struct {
		key     *adminv1.ProjectApiKey
		request *inventoryv1.FindStaleKeysRequest
		reasons []inventoryv1.StaleKey_Reason
		idle    int64
	}{
		"in use":                    {&adminv1.ProjectApiKey{CreatedAt: days(400), LastUsedAt: days(9), OwnerProjectAccess: active}, asked, nil, 0},
		"used as long ago":          {&adminv1.ProjectApiKey{CreatedAt: days(400), LastUsedAt: days(10)}, asked, []inventoryv1.StaleKey_Reason{unused}, 10},
		"used by the clock to come": {&adminv1.ProjectApiKey{CreatedAt: days(400), LastUsedAt: days(-1)}, asked, nil, 0},
		"new and never used":        {&adminv1.ProjectApiKey{CreatedAt: days(4)}, asked, nil, 0},
		"old and never used":        {&adminv1.ProjectApiKey{CreatedAt: days(5)}, asked, []inventoryv1.StaleKey_Reason{never}, 5},
		"nothing is known":          {&adminv1.ProjectApiKey{}, asked, nil, 0},
		"its owner is out":          {&adminv1.ProjectApiKey{CreatedAt: days(2), LastUsedAt: days(1), OwnerProjectAccess: inactive}, asked, []inventoryv1.StaleKey_Reason{without}, 1},
		"all of it":                 {&adminv1.ProjectApiKey{CreatedAt: days(50), LastUsedAt: days(40), OwnerProjectAccess: inactive}, asked, []inventoryv1.StaleKey_Reason{unused, without}, 40},
		"unused, by default":        {&adminv1.ProjectApiKey{CreatedAt: days(400), LastUsedAt: days(90)}, &inventoryv1.FindStaleKeysRequest{}, []inventoryv1.StaleKey_Reason{unused}, 90},
		"used, by default":          {&adminv1.ProjectApiKey{CreatedAt: days(400), LastUsedAt: days(89)}, &inventoryv1.FindStaleKeysRequest{}, nil, 0},
		"never used, by default":    {&adminv1.ProjectApiKey{CreatedAt: days(30)}, &inventoryv1.FindStaleKeysRequest{}, []inventoryv1.StaleKey_Reason{never}, 30},
		"never, at once":            {&adminv1.ProjectApiKey{CreatedAt: days(0)}, &inventoryv1.FindStaleKeysRequest{NeverUsedDays: proto.Int32(0)}, []inventoryv1.StaleKey_Reason{never}, 0},
	} {
		seen, ok := findStaleKeys(test.request, now, 1).convert(test.key)
		if ok != (test.reasons != nil) {
			t.Errorf("%s: stale %t", name, ok)
			continue
		}
		if stale, _ := seen.(*inventoryv1.StaleKey); ok && (!slices.Equal(stale.GetReasons(), test.reasons) || stale.GetIdleDays() != test.idle) {
			t.Errorf("%s: %v", name, stale)
		}
	}
}

func TestKeyEntryHasItsOwner(t *testing.T) {
	t.Parallel()
	key := &adminv1.ProjectApiKey{
		Id: "key_1", Name: proto.String("ci"), RedactedValue: "sk-…1", CreatedAt: &timestamppb.Timestamp{Seconds: 1}, LastUsedAt: &timestamppb.Timestamp{Seconds: 2},
		Owner: &adminv1.ProjectApiKeyOwner{
			Type: adminv1.ProjectApiKeyOwnerType_PROJECT_API_KEY_OWNER_TYPE_USER.Enum(),
			User: &adminv1.ProjectApiKeyOwnerUser{Id: "user_1", Name: proto.String("A"), Email: "a@example.com"},
		},
		OwnerProjectAccess: adminv1.OwnerProjectAccess_OWNER_PROJECT_ACCESS_ACTIVE,
	}
	want := &inventoryv1.KeyEntry{
		KeyId: "key_1", Name: key.Name, RedactedValue: "sk-…1", CreatedAt: key.GetCreatedAt(), LastUsedAt: key.GetLastUsedAt(),
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
