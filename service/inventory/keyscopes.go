package inventory

import (
	"math"

	"google.golang.org/protobuf/proto"

	adminv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/admin/v1"
)

// keyScopes is what the audit log says about the restrictions of API keys. No answer
// about a key has them.
type keyScopes struct {
	most int
	said map[string]saidScopes // by id of the key
}

// saidScopes is what the event that counts says about one key.
type saidScopes struct {
	at   int64 // Unix seconds; atCreation for the creation
	none bool  // there is no restriction
}

// atCreation is the time of a creation among the events of its key. It comes before
// every change, also before one in the same second.
const atCreation = math.MinInt64

// add remembers what an entry of the log says; false when it is about one key more
// than there is room for. The newest event that names scopes counts, and of two in
// the same second the one that comes first, because the log begins with the newest.
func (k *keyScopes) add(item proto.Message) bool {
	entry, _ := item.(*adminv1.AuditLog)
	id, event, ok := scopesOf(entry)
	if !ok {
		return true
	}
	said, known := k.said[id]
	switch {
	case known && event.at <= said.at:
		return true
	case !known && len(k.said) >= k.most:
		return false
	}
	k.said[id] = event
	return true
}

// scopesOf is what an entry says about the scopes of a key; false when it says
// nothing.
func scopesOf(entry *adminv1.AuditLog) (id string, said saidScopes, ok bool) {
	named := func(id string) bool { return id != "" && len(id) <= maxKey }
	if created := entry.GetApiKeyCreated(); created != nil {
		// Created without scopes, a key has the default: no restriction.
		none := len(created.GetData().GetScopes().GetValues()) == 0
		return created.GetId(), saidScopes{atCreation, none}, named(created.GetId())
	}
	updated := entry.GetApiKeyUpdated()
	scopes := updated.GetChangesRequested().GetScopes()
	if scopes == nil {
		scopes = updated.GetData().GetScopes()
	}
	said = saidScopes{entry.GetEffectiveAt().GetSeconds(), len(scopes.GetValues()) == 0}
	return updated.GetId(), said, named(updated.GetId()) && scopes != nil
}

// none tells whether a key has no restriction, by all that was said.
func (k *keyScopes) none(id string) bool { return k.said[id].none }
