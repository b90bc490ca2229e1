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

// TestLivesOfKeys: each reason about the end of a key holds from its instant on, and
// only when it is searched for.
func TestLivesOfKeys(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 2, 12, 0, 0, 0, time.UTC)
	in := func(d time.Duration) *timestamppb.Timestamp { return timestamppb.New(now.Add(d)) }
	type request = inventoryv1.FindStaleKeysRequest
	const (
		never, soon    = inventoryv1.StaleKey_REASON_NEVER_EXPIRES, inventoryv1.StaleKey_REASON_EXPIRES_SOON
		expired, long  = inventoryv1.StaleKey_REASON_EXPIRED, inventoryv1.StaleKey_REASON_LONG_LIVED
		second         = time.Second
		created        = -5 * day
		unused, access = inventoryv1.StaleKey_REASON_UNUSED, inventoryv1.StaleKey_REASON_OWNER_WITHOUT_ACCESS
	)
	within, endless, longest := &request{ExpiresWithinDays: proto.Int32(7)}, &request{NeverExpires: true}, &request{MaxLifeDays: proto.Int32(30)}
	all := &request{ExpiresWithinDays: proto.Int32(7), NeverExpires: true, MaxLifeDays: proto.Int32(30)}
	for name, test := range map[string]struct {
		request *request
		created *timestamppb.Timestamp
		ends    *timestamppb.Timestamp
		reasons []inventoryv1.StaleKey_Reason
	}{
		"nothing is asked of an endless key":    {&request{}, in(created), nil, nil},
		"nothing is asked of one that ended":    {&request{}, in(created), in(-second), nil},
		"endless":                               {endless, in(created), nil, []inventoryv1.StaleKey_Reason{never}},
		"endless is not soon":                   {within, in(created), nil, nil},
		"an end is not endless":                 {endless, in(created), in(day), nil},
		"ended a while ago":                     {endless, in(created), in(-day), []inventoryv1.StaleKey_Reason{expired}},
		"ends now":                              {within, in(created), in(0), []inventoryv1.StaleKey_Reason{expired}},
		"ends in a second":                      {within, in(created), in(second), []inventoryv1.StaleKey_Reason{soon}},
		"ends as soon as asked":                 {within, in(created), in(7 * day), []inventoryv1.StaleKey_Reason{soon}},
		"ends a second later":                   {within, in(created), in(7*day + second), nil},
		"within no day, to come":                {&request{ExpiresWithinDays: proto.Int32(0)}, in(created), in(second), nil},
		"within no day, ended":                  {&request{ExpiresWithinDays: proto.Int32(0)}, in(created), in(-second), []inventoryv1.StaleKey_Reason{expired}},
		"within the longest time":               {&request{ExpiresWithinDays: proto.Int32(36500)}, in(created), in(36500 * day), []inventoryv1.StaleKey_Reason{soon}},
		"lives as long as it may":               {longest, in(created), in(created + 30*day), nil},
		"lives a second longer":                 {longest, in(created), in(created + 30*day + second), []inventoryv1.StaleKey_Reason{long}},
		"lives for ever":                        {longest, in(created), nil, []inventoryv1.StaleKey_Reason{long}},
		"nobody knows since when":               {longest, nil, in(300 * day), nil},
		"nobody knows since when, and for ever": {longest, nil, nil, []inventoryv1.StaleKey_Reason{long}},
		"ended, in time":                        {longest, in(created), in(-second), []inventoryv1.StaleKey_Reason{expired}},
		"ended, after too long":                 {longest, in(-40 * day), in(-second), []inventoryv1.StaleKey_Reason{expired, long}},
		"all of an endless key":                 {all, in(created), nil, []inventoryv1.StaleKey_Reason{never, long}},
		"all of one that ends soon":             {all, in(-40 * day), in(day), []inventoryv1.StaleKey_Reason{soon, long}},
	} {
		key := &adminv1.ProjectApiKey{CreatedAt: test.created, LastUsedAt: in(0), ExpiresAt: test.ends}
		seen, ok := findStaleKeys(test.request, now, 1).convert(key)
		stale, _ := seen.(*inventoryv1.StaleKey)
		if ok != (test.reasons != nil) || !slices.Equal(stale.GetReasons(), test.reasons) {
			t.Errorf("%s: %t, %v, want %v", name, ok, stale.GetReasons(), test.reasons)
		}
		// With reasons of use ahead of these.
		key.LastUsedAt, key.OwnerProjectAccess = in(-91*day), adminv1.OwnerProjectAccess_OWNER_PROJECT_ACCESS_INACTIVE
		seen, _ = findStaleKeys(test.request, now, 1).convert(key)
		stale, _ = seen.(*inventoryv1.StaleKey)
		if want := append([]inventoryv1.StaleKey_Reason{unused, access}, test.reasons...); !slices.Equal(stale.GetReasons(), want) {
			t.Errorf("%s, unused: %v, want %v", name, stale.GetReasons(), want)
		}
	}
}
