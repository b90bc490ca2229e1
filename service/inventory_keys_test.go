package service_test

import (
	"maps"
	"net/url"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"connectrpc.com/connect/v2"
	"google.golang.org/protobuf/proto"

	adminv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/admin/v1"
	"github.com/admin-gateway/admin-gateway/gen/admingateway/admin/v1/adminv1connect"
	inventoryv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/inventory/v1"
	"github.com/admin-gateway/admin-gateway/internal/gatewaytest"
	"github.com/admin-gateway/admin-gateway/sandbox"
)

const readLog = "GET /organization/audit_logs"

// keyMaker makes and changes keys of service accounts.
type keyMaker struct {
	t        *testing.T
	accounts adminv1connect.ProjectServiceAccountServiceClient
	keys     adminv1connect.ProjectApiKeyServiceClient
}

func newKeyMaker(t *testing.T, gw *tourGateway) keyMaker {
	t.Helper()
	client := gw.Client("root")
	return keyMaker{t, adminv1connect.NewProjectServiceAccountServiceClient(client), adminv1connect.NewProjectApiKeyServiceClient(client)}
}

// account makes a service account with its first key.
func (m keyMaker) account(project string) (account, key string) {
	m.t.Helper()
	made, err := m.accounts.CreateProjectServiceAccount(m.t.Context(), &adminv1.CreateProjectServiceAccountRequest{ProjectId: project, Name: "a"})
	if err != nil {
		m.t.Fatal(err)
	}
	return made.GetId(), made.GetApiKey().GetId()
}

// key makes another key of an account; without life it does not expire.
func (m keyMaker) key(project, account string, scopes *adminv1.ServiceAccountApiKeyScopes, life time.Duration) string {
	m.t.Helper()
	request := &adminv1.CreateProjectServiceAccountApiKeyRequest{ProjectId: project, ServiceAccountId: account, Scopes: scopes}
	if life > 0 {
		request.ExpiresInSeconds = proto.Int64(int64(life / time.Second))
	}
	made, err := m.accounts.CreateProjectServiceAccountApiKey(m.t.Context(), request)
	if err != nil {
		m.t.Fatal(err)
	}
	return made.GetServiceAccountApiKey().GetId()
}

func (m keyMaker) update(request *adminv1.UpdateProjectApiKeyRequest) {
	m.t.Helper()
	if _, err := m.keys.UpdateProjectApiKey(m.t.Context(), request); err != nil {
		m.t.Fatal(err)
	}
}

// found is what FindStaleKeys found: the reasons by id of the key.
type found struct {
	streamed
	reasons map[string][]inventoryv1.StaleKey_Reason
}

func (f found) has(key string, reason inventoryv1.StaleKey_Reason) bool {
	return slices.Contains(f.reasons[key], reason)
}

// unrestricted are the keys that were found to have no restriction, sorted.
func (f found) unrestricted() []string {
	keys := slices.Collect(maps.Keys(f.reasons))
	return slices.Sorted(slices.Values(slices.DeleteFunc(keys, func(key string) bool { return !f.has(key, inventoryv1.StaleKey_REASON_UNRESTRICTED) })))
}

// find calls FindStaleKeys.
func (gw *tourGateway) find(t *testing.T, caller string, request *inventoryv1.FindStaleKeysRequest) (found, error) {
	t.Helper()
	f := found{reasons: make(map[string][]inventoryv1.StaleKey_Reason)}
	f.onItem = func(item proto.Message) {
		stale, ok := item.(*inventoryv1.StaleKey)
		if !ok {
			t.Fatalf("%T", item)
		}
		f.reasons[stale.GetKey().GetKeyId()] = stale.GetReasons()
	}
	err := gw.streamInto(t.Context(), &f.streamed, doors[0], caller, inventoryOf(t, gw.Catalog, "FindStaleKeys"), request.ProtoReflect())
	return f, err
}

// TestKeysWithoutRestriction are found by the history of their scopes.
func TestKeysWithoutRestriction(t *testing.T) {
	t.Parallel()
	gw := newTourGateway(t, sandbox.Options{Users: 8, Projects: 4, AuditEvents: 300})
	m, project := newKeyMaker(t, gw), gw.projects(t)[0]
	account, first := m.account(project)
	scoped := &adminv1.ServiceAccountApiKeyScopes{Values: []string{"api.model.read"}}
	absent := m.key(project, account, nil, 0)
	restricted := m.key(project, account, scoped, 0)
	changed := m.key(project, account, scoped, 0)
	only := &inventoryv1.FindStaleKeysRequest{Unrestricted: true}
	check := func(when string, want ...string) {
		t.Helper()
		got, err := gw.find(t, "root", only)
		slices.Sort(want)
		// The log says nothing of the keys that were there before it: they are not found.
		if keys := got.unrestricted(); err != nil || got.end.GetComplete() == nil || !slices.Equal(keys, want) {
			t.Errorf("%s: %v, want %v; %v, %v", when, keys, want, got, err)
		}
	}
	check("created", first, absent)
	m.update(&adminv1.UpdateProjectApiKeyRequest{ProjectId: project, ApiKeyId: changed, Scopes: &adminv1.ApiKeyScopes{}, AllowAllScopes: true})
	check("opened", first, absent, changed)
	for _, key := range []string{changed, restricted} { // Scopes stay what they were.
		m.update(&adminv1.UpdateProjectApiKeyRequest{ProjectId: project, ApiKeyId: key, ExpiresInSeconds: proto.Int64(86400)})
	}
	check("prolonged", first, absent, changed)
	for _, key := range []string{changed, first} {
		m.update(&adminv1.UpdateProjectApiKeyRequest{ProjectId: project, ApiKeyId: key, Scopes: &adminv1.ApiKeyScopes{Values: []string{"api.all.read"}}})
	}
	check("restricted again", absent)

	before := gw.Sandbox.Count(readLog)
	if got, err := gw.find(t, "root", &inventoryv1.FindStaleKeysRequest{}); err != nil || len(got.unrestricted()) > 0 || gw.Sandbox.Count(readLog) > before {
		t.Errorf("not asked for: %v, %v, and the log was read %d times", got.reasons, err, gw.Sandbox.Count(readLog)-before)
	}
}

// TestKeysByTheirEnd: the clock alone makes a key expire soon, and then expired.
func TestKeysByTheirEnd(t *testing.T) {
	t.Parallel()
	var passed atomic.Int64
	gw := newTourGateway(t, sandbox.Options{Users: 8, Projects: 4, AuditEvents: 10},
		gatewaytest.WithClock(func() time.Time { return tourNow.Add(time.Duration(passed.Load())) }))
	m, project := newKeyMaker(t, gw), gw.projects(t)[0]
	account, never := m.account(project)
	key := m.key(project, account, nil, 20*24*time.Hour)
	const (
		soon, expired, long = inventoryv1.StaleKey_REASON_EXPIRES_SOON, inventoryv1.StaleKey_REASON_EXPIRED, inventoryv1.StaleKey_REASON_LONG_LIVED
		endless             = inventoryv1.StaleKey_REASON_NEVER_EXPIRES
	)
	all := &inventoryv1.FindStaleKeysRequest{ExpiresWithinDays: proto.Int32(7), NeverExpires: true, MaxLifeDays: proto.Int32(19)}
	for _, at := range []struct {
		days    int
		reasons []inventoryv1.StaleKey_Reason
	}{
		{0, []inventoryv1.StaleKey_Reason{long}},
		{13, []inventoryv1.StaleKey_Reason{soon, long}},
		{20, []inventoryv1.StaleKey_Reason{expired, long}},
	} {
		passed.Store(int64(at.days) * int64(24*time.Hour))
		got, err := gw.find(t, "root", all)
		if err != nil || !slices.Equal(got.reasons[key], at.reasons) || !got.has(never, endless) || !got.has(never, long) {
			t.Errorf("after %d days: %v and %v, %v", at.days, got.reasons[key], got.reasons[never], err)
		}
	}
	got, err := gw.find(t, "root", &inventoryv1.FindStaleKeysRequest{})
	if err != nil || len(got.reasons[key])+len(got.reasons[never]) > 0 {
		t.Errorf("not asked for: %v and %v, %v", got.reasons[key], got.reasons[never], err)
	}
}

// TestBadSearchesForKeys name the field.
func TestBadSearchesForKeys(t *testing.T) {
	t.Parallel()
	gw := newTourGateway(t, sandbox.Options{})
	for name, request := range map[string]*inventoryv1.FindStaleKeysRequest{
		"expires_within_days": {ExpiresWithinDays: proto.Int32(-1)},
		"max_life_days":       {MaxLifeDays: proto.Int32(0)},
	} {
		_, err := gw.find(t, "root", request)
		wantViolation(t, name, err, name)
	}
	for name, request := range map[string]*inventoryv1.FindStaleKeysRequest{
		"expires_within_days": {ExpiresWithinDays: proto.Int32(36501)},
		"max_life_days":       {MaxLifeDays: proto.Int32(36501)},
	} {
		_, err := gw.find(t, "root", request)
		wantViolation(t, name, err, name)
	}
}

// TestKeysWithoutRestrictionOfALimitedCaller: it gets the log of its projects, and
// finds keys of these alone.
func TestKeysWithoutRestrictionOfALimitedCaller(t *testing.T) {
	t.Parallel()
	gw := newTourGateway(t, sandbox.Options{Users: 8, Projects: 5, AuditEvents: 30})
	all := gw.projects(t)
	mine, other := all[1], all[0]
	gw.Policy.Set(t, `
callers:
  - name: root
    authenticate: [{token_sha256: $root}]
    grants: [{permissions: ["*"]}]
    limits: $free
  - name: scoped
    authenticate: [{token_sha256: $scoped}]
    grants: [{permissions: ["*"], projects: [`+mine+`]}]
    limits: $free
  - name: blind
    authenticate: [{token_sha256: $blind}]
    grants: [{permissions: ["*"]}]
    denies: [{permissions: [audit_logs.read]}]
    limits: $free
`)
	m := newKeyMaker(t, gw)
	_, ours := m.account(mine)
	_, theirs := m.account(other)
	const none = inventoryv1.StaleKey_REASON_UNRESTRICTED
	asked := &inventoryv1.FindStaleKeysRequest{Unrestricted: true}
	if got, err := gw.find(t, "root", asked); err != nil || !got.has(ours, none) || !got.has(theirs, none) {
		t.Errorf("%v, %v", got.reasons, err)
	}
	got, err := gw.find(t, "scoped", asked)
	if err != nil || got.end.GetComplete() == nil || !slices.Equal(got.unrestricted(), []string{ours}) {
		t.Errorf("limited: %v, %v, %v", got, got.reasons, err)
	}
	if ids := gw.lastQuery(t, readLog)["project_ids[]"]; !slices.Equal(ids, []string{mine}) {
		t.Errorf("limited: the log of %v was read", ids)
	}

	// Projects of the request choose keys; the log is about all that the caller may see.
	asked.ProjectIds = []string{mine}
	if got, err := gw.find(t, "root", asked); err != nil || !slices.Equal(got.unrestricted(), []string{ours}) {
		t.Errorf("named: %v, %v", got.reasons, err)
	}
	if ids := gw.lastQuery(t, readLog)["project_ids[]"]; len(ids) > 0 {
		t.Errorf("named: the log of %v was read", ids)
	}

	before := gw.Sandbox.Count(readLog)
	if got, err := gw.find(t, "blind", asked); connect.CodeOf(err) != connect.CodePermissionDenied {
		t.Errorf("without the log: %v, %v", got, err)
	}
	if got, err := gw.find(t, "blind", &inventoryv1.FindStaleKeysRequest{}); err != nil || got.end.GetComplete() == nil {
		t.Errorf("without the log, and without asking for it: %v, %v", got, err)
	}
	if n := gw.Sandbox.Count(readLog) - before; n > 0 {
		t.Errorf("the log was read %d times for one who may not", n)
	}
}

// lastQuery is the query of the last request for an operation.
func (gw *tourGateway) lastQuery(t *testing.T, op string) url.Values {
	t.Helper()
	for _, request := range slices.Backward(gw.Sandbox.Requests()) {
		if request.Op == op {
			query, err := url.ParseQuery(request.RawQuery)
			if err != nil {
				t.Fatal(err)
			}
			return query
		}
	}
	t.Fatalf("no %s", op)
	return nil
}
