package inventory

import (
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	adminv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/admin/v1"
	inventoryv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/inventory/v1"
)

// itemView converts the items of a read.
type itemView struct {
	// from is the type of the items, and to the type that is streamed.
	from, to protoreflect.FullName
	// gathers is the type of the items that it needs first; "" for none.
	gathers protoreflect.FullName
	// fields are the request fields that the view uses.
	fields []protoreflect.Name
	// begin returns the view of one call at one instant. It remembers no more than
	// so many things that gathered items are about.
	begin func(request proto.Message, now time.Time, most int) viewing
}

// viewing is a view during one call. One goroutine hands it all gathered items
// before the first item is converted; then nothing changes it, so that walkers
// share it.
type viewing struct {
	// gather takes over what an item says; false when there was no room for it.
	// Nil where the call does not ask for gathered items.
	gather func(item proto.Message) bool
	// convert converts an item; false leaves it out.
	convert func(item proto.Message) (proto.Message, bool)
}

// itemViews are the views that a declaration can name.
func itemViews() map[string]itemView {
	key := fullName(&adminv1.ProjectApiKey{})
	return map[string]itemView{
		"key_inventory": {
			from: key, to: fullName(&inventoryv1.KeyEntry{}),
			begin: func(proto.Message, time.Time, int) viewing {
				return viewing{convert: func(item proto.Message) (proto.Message, bool) {
					key, ok := item.(*adminv1.ProjectApiKey)
					return keyEntry(key), ok
				}}
			},
		},
		"stale_keys": {
			from: key, to: fullName(&inventoryv1.StaleKey{}), gathers: fullName(&adminv1.AuditLog{}),
			fields: []protoreflect.Name{"unused_days", "never_used_days", "expires_within_days", "never_expires", "max_life_days"},
			begin:  findStaleKeys,
		},
	}
}

func keyEntry(key *adminv1.ProjectApiKey) *inventoryv1.KeyEntry {
	entry := &inventoryv1.KeyEntry{
		KeyId: key.GetId(), Name: key.Name, RedactedValue: key.GetRedactedValue(),
		OwnerType: key.GetOwner().GetType(), OwnerProjectAccess: key.GetOwnerProjectAccess(),
		CreatedAt: key.GetCreatedAt(), LastUsedAt: key.GetLastUsedAt(), ExpiresAt: key.GetExpiresAt(),
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
