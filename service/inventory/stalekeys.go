package inventory

import (
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	adminv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/admin/v1"
	inventoryv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/inventory/v1"
)

const (
	// The ages from which a key is stale, in days, where the request has none.
	defaultUnusedDays    = 90
	defaultNeverUsedDays = 30

	day = 24 * time.Hour
)

// staleKeys finds the keys that a request searches for.
type staleKeys struct {
	asked             *inventoryv1.FindStaleKeysRequest
	now               time.Time
	unused, neverUsed int64
	scopes            *keyScopes // nil: not searched for
}

// findStaleKeys begins the view of one call.
func findStaleKeys(request proto.Message, now time.Time, most int) viewing {
	asked, ok := request.(*inventoryv1.FindStaleKeysRequest)
	if !ok {
		asked = &inventoryv1.FindStaleKeysRequest{}
	}
	s := &staleKeys{asked: asked, now: now, unused: defaultUnusedDays, neverUsed: defaultNeverUsedDays}
	if asked.UnusedDays != nil {
		s.unused = int64(asked.GetUnusedDays())
	}
	if asked.NeverUsedDays != nil {
		s.neverUsed = int64(asked.GetNeverUsedDays())
	}
	v := viewing{convert: s.find}
	if asked.GetUnrestricted() {
		s.scopes = &keyScopes{most: most, said: make(map[string]saidScopes)}
		v.gather = s.scopes.add
	}
	return v
}

// find leaves out the keys that no reason holds for.
func (s *staleKeys) find(item proto.Message) (proto.Message, bool) {
	key, ok := item.(*adminv1.ProjectApiKey)
	if !ok {
		return nil, false
	}
	stale := &inventoryv1.StaleKey{Key: keyEntry(key)}
	because := func(reason inventoryv1.StaleKey_Reason, holds bool) {
		if holds {
			stale.Reasons = append(stale.Reasons, reason)
		}
	}
	switch used := key.GetLastUsedAt(); {
	case used != nil:
		stale.IdleDays = daysSince(used, s.now)
		because(inventoryv1.StaleKey_REASON_UNUSED, stale.GetIdleDays() >= s.unused)
	case key.GetCreatedAt() != nil:
		stale.IdleDays = daysSince(key.GetCreatedAt(), s.now)
		because(inventoryv1.StaleKey_REASON_NEVER_USED, stale.GetIdleDays() >= s.neverUsed)
	}
	because(inventoryv1.StaleKey_REASON_OWNER_WITHOUT_ACCESS, key.GetOwnerProjectAccess() == adminv1.OwnerProjectAccess_OWNER_PROJECT_ACCESS_INACTIVE)
	s.judgeLife(key, because)
	because(inventoryv1.StaleKey_REASON_UNRESTRICTED, s.scopes != nil && s.scopes.none(key.GetId()))
	return stale, len(stale.GetReasons()) > 0
}

// judgeLife finds the reasons that are about the end of a key. A key that has
// expired is found by every search of that kind: it is left over.
func (s *staleKeys) judgeLife(key *adminv1.ProjectApiKey, because func(inventoryv1.StaleKey_Reason, bool)) {
	asked := s.asked
	soon, longest := asked.ExpiresWithinDays != nil, asked.MaxLifeDays != nil
	if key.GetExpiresAt() == nil {
		because(inventoryv1.StaleKey_REASON_NEVER_EXPIRES, asked.GetNeverExpires())
		because(inventoryv1.StaleKey_REASON_LONG_LIVED, longest)
		return
	}
	end := key.GetExpiresAt().AsTime()
	left := end.Sub(s.now)
	because(inventoryv1.StaleKey_REASON_EXPIRES_SOON, soon && left > 0 && left <= time.Duration(asked.GetExpiresWithinDays())*day)
	because(inventoryv1.StaleKey_REASON_EXPIRED, left <= 0 && (soon || longest || asked.GetNeverExpires()))
	because(inventoryv1.StaleKey_REASON_LONG_LIVED, longest && key.GetCreatedAt() != nil &&
		end.Sub(key.GetCreatedAt().AsTime()) > time.Duration(asked.GetMaxLifeDays())*day)
}

// daysSince is how many whole days ago it was; 0 for an instant in the
// future.
func daysSince(at *timestamppb.Timestamp, now time.Time) int64 {
	return max(0, int64(now.Sub(at.AsTime())/day))
}
