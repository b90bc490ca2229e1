package inventory

import (
	"fmt"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	adminv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/admin/v1"
	inventoryv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/inventory/v1"
)

// TestScopesByTheLog: what the newest event says that names scopes counts, wherever
// it has them.
func TestScopesByTheLog(t *testing.T) {
	t.Parallel()
	at := func(seconds int64, entry *adminv1.AuditLog) *adminv1.AuditLog {
		entry.EffectiveAt = &timestamppb.Timestamp{Seconds: seconds}
		return entry
	}
	created := func(scopes *adminv1.ApiKeyScopes) *adminv1.AuditLog {
		return at(1, &adminv1.AuditLog{Payload: &adminv1.AuditLog_ApiKeyCreated{ApiKeyCreated: &adminv1.ApiKeyCreatedEvent{
			Id: proto.String("key"), Data: &adminv1.ApiKeyCreatedEvent_Data{Scopes: scopes},
		}}})
	}
	updated := func(seconds int64, event *adminv1.ApiKeyUpdatedEvent) *adminv1.AuditLog {
		event.Id = proto.String("key")
		return at(seconds, &adminv1.AuditLog{Payload: &adminv1.AuditLog_ApiKeyUpdated{ApiKeyUpdated: event}})
	}
	changed := func(seconds int64, scopes *adminv1.ApiKeyScopes) *adminv1.AuditLog {
		return updated(seconds, &adminv1.ApiKeyUpdatedEvent{ChangesRequested: &adminv1.ApiKeyUpdatedEvent_ChangesRequested{Scopes: scopes}})
	}
	elsewhere := func(seconds int64, scopes *adminv1.ApiKeyScopes) *adminv1.AuditLog {
		return updated(seconds, &adminv1.ApiKeyUpdatedEvent{Data: &adminv1.ApiKeyUpdatedEvent_Data{Scopes: scopes}})
	}
	some, empty := &adminv1.ApiKeyScopes{Values: []string{"api.all.read"}}, &adminv1.ApiKeyScopes{}
	other := created(empty)
	other.GetApiKeyCreated().Id = proto.String("another")
	nameless := created(empty)
	nameless.GetApiKeyCreated().Id = nil
	for name, test := range map[string]struct {
		log  []*adminv1.AuditLog
		none bool
	}{
		"no event":                          {nil, false},
		"an event of another key":           {[]*adminv1.AuditLog{other, nameless}, false},
		"an event of another kind":          {[]*adminv1.AuditLog{{}, {Payload: &adminv1.AuditLog_ApiKeyDeleted{ApiKeyDeleted: &adminv1.ApiKeyDeletedEvent{Id: proto.String("key")}}}}, false},
		"created with scopes":               {[]*adminv1.AuditLog{created(some)}, false},
		"created with none":                 {[]*adminv1.AuditLog{created(empty)}, true},
		"created without saying":            {[]*adminv1.AuditLog{created(nil)}, true},
		"opened":                            {[]*adminv1.AuditLog{changed(2, empty), created(some)}, true},
		"opened, said elsewhere":            {[]*adminv1.AuditLog{elsewhere(2, empty), created(some)}, true},
		"restricted":                        {[]*adminv1.AuditLog{changed(2, some), created(empty)}, false},
		"restricted, said elsewhere":        {[]*adminv1.AuditLog{elsewhere(2, some), created(nil)}, false},
		"restricted as it was made":         {[]*adminv1.AuditLog{changed(1, some), created(empty)}, false},
		"prolonged":                         {[]*adminv1.AuditLog{changed(2, nil), created(empty)}, true},
		"prolonged, with scopes":            {[]*adminv1.AuditLog{changed(2, nil), created(some)}, false},
		"prolonged, and nothing before":     {[]*adminv1.AuditLog{changed(2, nil)}, false},
		"opened, and nothing before":        {[]*adminv1.AuditLog{changed(2, empty)}, true},
		"opened and restricted":             {[]*adminv1.AuditLog{changed(3, some), changed(2, empty), created(some)}, false},
		"opened and restricted at once":     {[]*adminv1.AuditLog{changed(2, some), changed(2, empty), created(some)}, false},
		"restricted and opened":             {[]*adminv1.AuditLog{changed(3, empty), changed(2, nil), changed(2, some), created(some)}, true},
		"in a log that begins with the old": {[]*adminv1.AuditLog{created(some), changed(2, some), changed(3, empty)}, true},
		"of the two places, what was asked": {[]*adminv1.AuditLog{updated(2, &adminv1.ApiKeyUpdatedEvent{ChangesRequested: &adminv1.ApiKeyUpdatedEvent_ChangesRequested{Scopes: some}, Data: &adminv1.ApiKeyUpdatedEvent_Data{Scopes: empty}})}, false},
	} {
		v := findStaleKeys(&inventoryv1.FindStaleKeysRequest{Unrestricted: true}, time.Unix(10, 0), 10)
		for _, entry := range test.log {
			if !v.gather(entry) {
				t.Errorf("%s: no room", name)
			}
		}
		if _, found := v.convert(&adminv1.ProjectApiKey{Id: "key"}); found != test.none {
			t.Errorf("%s: found %t", name, found)
		}
	}
	if findStaleKeys(&inventoryv1.FindStaleKeysRequest{}, time.Unix(10, 0), 10).gather != nil {
		t.Error("gathers for a request that does not ask for it")
	}
}

// TestScopesHaveABound: what is known is brought up to date when there is no room for
// more.
func TestScopesHaveABound(t *testing.T) {
	t.Parallel()
	scopes := &keyScopes{most: 3, said: make(map[string]saidScopes)}
	open := func(key int, seconds int64) *adminv1.AuditLog {
		return &adminv1.AuditLog{EffectiveAt: &timestamppb.Timestamp{Seconds: seconds}, Payload: &adminv1.AuditLog_ApiKeyUpdated{ApiKeyUpdated: &adminv1.ApiKeyUpdatedEvent{
			Id: proto.String(fmt.Sprint(key)), ChangesRequested: &adminv1.ApiKeyUpdatedEvent_ChangesRequested{Scopes: &adminv1.ApiKeyScopes{}},
		}}}
	}
	for i := range 10 {
		if got := scopes.add(open(i, 1)); got != (i < 3) {
			t.Errorf("key %d: room %t", i, got)
		}
	}
	if !scopes.add(open(2, 2)) || len(scopes.said) != 3 || scopes.none("3") || !scopes.none("2") {
		t.Errorf("%v", scopes.said)
	}
}
