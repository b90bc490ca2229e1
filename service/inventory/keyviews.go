package inventory

import (
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/timestamppb"

	adminv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/admin/v1"
	inventoryv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/inventory/v1"
)

// itemView converts the items of a read.
type itemView struct {
	// from is the type of the items, and to the type that is streamed.
	from, to protoreflect.FullName
	// fields are the request fields that the view uses.
	fields []protoreflect.Name
	// through returns the conversion for one call at one instant. False leaves
	// the item out.
	through func(request proto.Message, now time.Time) func(item proto.Message) (proto.Message, bool)
}

// itemViews are the views that a declaration can name.
func itemViews() map[string]itemView {
	key := fullName(&adminv1.ProjectApiKey{})
	return map[string]itemView{
		"key_inventory": {
			from: key, to: fullName(&inventoryv1.KeyEntry{}),
			through: func(proto.Message, time.Time) func(proto.Message) (proto.Message, bool) {
				return func(item proto.Message) (proto.Message, bool) {
					key, ok := item.(*adminv1.ProjectApiKey)
					return keyEntry(key), ok
				}
			},
		},
		"stale_keys": {
			from: key, to: fullName(&inventoryv1.StaleKey{}),
			fields: []protoreflect.Name{"unused_days", "never_used_days"}, through: staleKeys,
		},
	}
}

func keyEntry(key *adminv1.ProjectApiKey) *inventoryv1.KeyEntry {
	entry := &inventoryv1.KeyEntry{
		KeyId: key.GetId(), Name: key.Name, RedactedValue: key.GetRedactedValue(),
		OwnerType: key.GetOwner().GetType(), OwnerProjectAccess: key.GetOwnerProjectAccess(),
		CreatedAt: key.GetCreatedAt(), LastUsedAt: key.GetLastUsedAt(),
	}
	if user := key.GetOwner().GetUser(); user != nil {
		entry.OwnerId, entry.OwnerName = user.GetId(), user.Name
		entry.OwnerEmail = proto.String(user.GetEmail())
	}
	if account := key.GetOwner().GetServiceAccount(); account != nil {
		entry.OwnerId, entry.OwnerName = account.GetId(), account.Name
	}
	return entry
}

// The default ages from which a key is stale, in days.
const (
	defaultUnusedDays    = 90
	defaultNeverUsedDays = 30
)

// staleKeys leaves the keys that are in use out.
func staleKeys(request proto.Message, now time.Time) func(proto.Message) (proto.Message, bool) {
	unused, neverUsed := int64(defaultUnusedDays), int64(defaultNeverUsedDays)
	if asked, ok := request.(*inventoryv1.FindStaleKeysRequest); ok {
		if asked.UnusedDays != nil {
			unused = int64(asked.GetUnusedDays())
		}
		if asked.NeverUsedDays != nil {
			neverUsed = int64(asked.GetNeverUsedDays())
		}
	}
	return func(item proto.Message) (proto.Message, bool) {
		key, ok := item.(*adminv1.ProjectApiKey)
		if !ok {
			return nil, false
		}
		stale := &inventoryv1.StaleKey{Key: keyEntry(key)}
		switch used := key.GetLastUsedAt(); {
		case used != nil:
			if stale.IdleDays = daysSince(used, now); stale.GetIdleDays() >= unused {
				stale.Reasons = append(stale.Reasons, inventoryv1.StaleKey_REASON_UNUSED)
			}
		case key.GetCreatedAt() != nil:
			if stale.IdleDays = daysSince(key.GetCreatedAt(), now); stale.GetIdleDays() >= neverUsed {
				stale.Reasons = append(stale.Reasons, inventoryv1.StaleKey_REASON_NEVER_USED)
			}
		}
		if key.GetOwnerProjectAccess() == adminv1.OwnerProjectAccess_OWNER_PROJECT_ACCESS_INACTIVE {
			stale.Reasons = append(stale.Reasons, inventoryv1.StaleKey_REASON_OWNER_WITHOUT_ACCESS)
		}
		return stale, len(stale.GetReasons()) > 0
	}
}

// daysSince is how many whole days ago it was; 0 for an instant in the
// future.
func daysSince(at *timestamppb.Timestamp, now time.Time) int64 {
	return max(0, int64(now.Sub(at.AsTime())/(24*time.Hour)))
}
