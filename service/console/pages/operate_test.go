package pages_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/admin-gateway/admin-gateway/cache/outcome"
	adminv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/admin/v1"
	"github.com/admin-gateway/admin-gateway/gen/admingateway/admin/v1/adminv1connect"
	controlv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/control/v1"
	"github.com/admin-gateway/admin-gateway/gen/admingateway/control/v1/controlv1connect"
	leasev1 "github.com/admin-gateway/admin-gateway/gen/admingateway/lease/v1"
	"github.com/admin-gateway/admin-gateway/gen/admingateway/lease/v1/leasev1connect"
	"github.com/admin-gateway/admin-gateway/internal/consoletest"
	"github.com/admin-gateway/admin-gateway/internal/gatewaytest"
	"github.com/admin-gateway/admin-gateway/lease/broker"
	"github.com/admin-gateway/admin-gateway/lease/fileledger"
	"github.com/admin-gateway/admin-gateway/sandbox"
	"github.com/admin-gateway/admin-gateway/service"
	"github.com/admin-gateway/admin-gateway/service/holds"
	"github.com/admin-gateway/admin-gateway/service/limits"
)

// operatedPolicy has callers with more and with less: everything, all reads, one project,
// and nothing but a look.
const operatedPolicy = `
roles:
  - {name: search, project: %[1]s, service_account: search, scopes: [api.model.request], ttl: 1h, max_ttl: 24h}
callers:
  - name: all
    authenticate: [{token_sha256: $all}]
    grants: [{permissions: ["*"], roles: ["*"]}]
    limits: $free
  - name: viewer
    authenticate: [{token_sha256: $viewer}]
    labels: {team: "<img>"}
    grants: [{permissions: ["*.read", leases.read_any], roles: ["*"]}]
    limits: $free
  - name: one
    authenticate: [{token_sha256: $one}]
    grants: [{permissions: ["*.read", projects.api_keys.delete, sessions.read], projects: [%[1]s]}]
    limits: $free
  - name: most
    authenticate: [{token_sha256: $most}]
    grants: [{permissions: ["*.read"]}]
    denies: [{permissions: [projects.api_keys.read, projects.users.read], projects: [%[2]s]}]
    limits: $free
  - name: none
    authenticate: [{token_sha256: $none}]
    grants: [{permissions: [sessions.read]}]
    limits: $free
`

// operated is a gateway in front of a small sandbox, with leases and a console.
type operated struct {
	*gatewaytest.Gateway
	console *consoletest.Console

	own, key      string // a project and a key of it
	other, others string // another project, and a key of that
}

// withOverrides keeps holds and other limits in a file.
func withOverrides(t *testing.T) gatewaytest.Option {
	t.Helper()
	ledger, err := fileledger.Open(fileledger.Options{Path: filepath.Join(t.TempDir(), "holds.db")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ledger.Close() })
	return gatewaytest.WithOptions(func(o *service.Options) {
		var other error
		o.Holds, err = holds.New(holds.Options{Ledger: ledger, Callers: o.Callers})
		o.Limits, other = limits.New(limits.Options{Ledger: ledger, Callers: o.Callers})
		if err := errors.Join(err, other); err != nil {
			t.Fatal(err)
		}
	})
}

func newOperated(t *testing.T) *operated {
	t.Helper()
	box := gatewaytest.NewSandbox(t, sandbox.Options{Users: 12, Projects: 4, Groups: 3, Invites: 2, AuditEvents: 1})
	keys, err := box.ProjectKeys("")
	if err != nil {
		t.Fatal(err)
	}
	o := &operated{own: keys[0].ProjectID, key: keys[0].ID}
	for _, key := range keys {
		if key.ProjectID != o.own {
			o.other, o.others = key.ProjectID, key.ID
		}
	}
	if o.other == "" {
		t.Fatal("the sandbox has one project with keys")
	}
	outcomes, err := outcome.NewMemory(outcome.MemoryOptions{MaxBytes: outcome.MinMemory})
	if err != nil {
		t.Fatal(err)
	}
	o.Gateway = gatewaytest.New(t, gatewaytest.WithSandbox(box), gatewaytest.WithMemoryCache(), gatewaytest.WithIdempotency(outcomes),
		gatewaytest.WithPolicy(fmt.Sprintf(operatedPolicy, o.own, o.other)), gatewaytest.WithLeases(broker.KeeperOptions{}), withOverrides(t))
	o.console = consoletest.Open(t, o.Gateway)
	return o
}

// TestOtherLimitsAreShown beside those of the policy, as they were given, and gone with them.
func TestOtherLimitsAreShown(t *testing.T) {
	t.Parallel()
	o := newOperated(t)
	client := controlv1connect.NewLimitServiceClient(o.Client("all"))
	if _, err := client.CreateLimitOverride(t.Context(), &controlv1.CreateLimitOverrideRequest{
		Caller: "one", Lifetime: durationpb.New(2 * time.Hour), Reason: "<b>a migration</b>",
		Limits: &controlv1.LimitValues{RequestsPerSecond: new(0.25), Streams: new(int32(31)), MaxLiveLeases: new(int32(0))},
	}); err != nil {
		t.Fatal(err)
	}
	b := o.console.As(t, "viewer")
	shown := strings.Join(strings.Fields(b.Get("/callers?caller=one").Parts()["caller"]), " ")
	for _, want := range []string{"Other limits", "0.25 calls a second; 31 streams; 0 leases; given ", "by <bdi>all</bdi>", "&lt;b&gt;a migration"} {
		if !strings.Contains(shown, want) {
			t.Errorf("no %q: %s", want, shown)
		}
	}
	if strings.Contains(shown, "new ones an hour; given") || strings.Contains(shown, "calls at a time; ") {
		t.Errorf("what was not given: %s", shown)
	}
	if _, err := client.DeleteLimitOverride(t.Context(), &controlv1.DeleteLimitOverrideRequest{Caller: "one"}); err != nil {
		t.Fatal(err)
	}
	if shown := b.Get("/callers?caller=one").Parts()["caller"]; !strings.Contains(shown, "Limits") || strings.Contains(shown, "Other limits") {
		t.Errorf("taken back: %s", shown)
	}
}

// TestOperatorsSeeAll: each part of each page is done, and shows what it is about.
func TestOperatorsSeeAll(t *testing.T) {
	t.Parallel()
	o := newOperated(t)
	b := o.console.As(t, "all")
	users, err := adminv1connect.NewProjectUserServiceClient(o.Client("all")).ListProjectUsers(t.Context(), &adminv1.ListProjectUsersRequest{ProjectId: o.own})
	if err != nil || len(users.GetData()) == 0 {
		t.Fatal(users, err)
	}
	user := users.GetData()[0].GetId()
	for path, wants := range map[string]map[string][]string{
		"/keys":                              {"keys": {o.own, o.other, "Never expire", "/keys/revoke?key=" + o.key}, "leases": {"revoking", "orphan"}, "admin-keys": {"Keys of the Admin API"}},
		"/keys?show=unused&project=" + o.own: {"keys": {"Never used"}},
		"/people":                            {"projects": {o.own, o.other}, "users": {"/people?user="}, "groups": {"Kept by"}, "invites": {"Ends"}},
		"/people?project=" + o.own:           {"project": {o.own}, "members": {user}, "accounts": {"<table"}, "rates": {"Tokens a minute"}, "limit": {"limit"}, "member-groups": {"<"}},
		"/people?user=" + user:               {"person": {user}, "roles": {"<"}, "through-groups": {"<"}, "in-projects": {o.own}},
		"/callers":                           {"callers": {"viewer", "team", "&lt;img&gt;"}, "try": {"<form"}},
		"/callers?caller=one":                {"caller": {"May read everything", "token", "in the project " + o.own}},
		"/callers?caller=one&rpc=ProjectService/GetProject&request=" + url.QueryEscape(`{"project_id": "`+o.other+`"}`): {"try": {"denied", "project out of scope"}},
		"/callers?caller=one&rpc=ProjectService/GetProject&request=" + url.QueryEscape(`{"project_id": "`+o.own+`"}`):   {"try": {"allowed", "grants[0]"}},
		"/callers?caller=one&rpc=Nothing&request={": {"try": {"not a JSON object"}},
		"/callers?caller=one&rpc=Nothing":           {"try": {"there is no RPC"}},
	} {
		a := b.Get(path)
		parts := a.Parts()
		if a.Status != http.StatusOK || len(parts) < len(wants) {
			t.Fatalf("%s: %d, %d parts", path, a.Status, len(parts))
		}
		for id, part := range parts {
			if !strings.Contains(part, " done\"") {
				t.Errorf("%s: %s is not done: %s", path, id, part)
			}
			for _, want := range wants[id] {
				if !strings.Contains(part, want) {
					t.Errorf("%s: %s has no %q: %s", path, id, want, part)
				}
			}
		}
		if strings.Contains(a.Text, "Something is missing") {
			t.Errorf("%s lacks something", path)
		}
	}
	if csv := b.Get("/keys.csv"); csv.Status != http.StatusOK || !strings.Contains(csv.Text, o.key) || !strings.Contains(csv.Text, o.others) {
		t.Errorf("the file: %d %s", csv.Status, csv.Text)
	}
}

// TestOperatorsOfOneProject see that one and no other, whatever they ask for, and nothing
// of the policy; and who may nothing sees nothing but what it lacks.
func TestOperatorsOfOneProject(t *testing.T) {
	t.Parallel()
	o := newOperated(t)
	all, one, none := o.console.As(t, "all"), o.console.As(t, "one"), o.console.As(t, "none")
	paths := []string{
		"/keys", "/keys?project=" + o.other, "/keys.csv", "/keys.csv?project=" + o.other, "/keys?part=keys", "/people", "/people?project=" + o.other,
		"/people?user=user_1", "/callers", "/callers?caller=viewer", "/callers?caller=all&rpc=UserService/ListUsers",
		"/keys/revoke?project=" + o.other + "&key=" + o.others,
	}
	for _, path := range paths {
		if !strings.Contains(path, "revoke") {
			all.Get(path) // Stored answers of others must not come to light either.
		}
		text := one.Get(path).Text
		if strings.Contains(text, o.others) && !strings.Contains(path, o.others) {
			t.Errorf("%s shows %s", path, o.others)
		}
		for _, secret := range []string{"viewer</bdi>", "&lt;img&gt;"} {
			if strings.Contains(text, secret) {
				t.Errorf("%s shows %q of the policy", path, secret)
			}
		}
		if nothing := none.Get(path).Text; strings.Contains(nothing, o.key) || strings.Contains(nothing, o.others) && !strings.Contains(path, o.others) || !strings.Contains(path, "csv") && !strings.Contains(nothing, "lack") {
			t.Errorf("%s shows to who may nothing: %s", path, nothing)
		}
	}
	if part := one.Get("/keys").Parts()["keys"]; !strings.Contains(part, o.key) || strings.Contains(part, o.other) {
		t.Errorf("the keys of one project: %s", part)
	}
	if part := one.Get("/people").Parts()["projects"]; !strings.Contains(part, o.own) || strings.Contains(part, o.other) {
		t.Errorf("the projects of one: %s", part)
	}
	if part := one.Get("/callers").Parts()["callers"]; !strings.Contains(part, "denied") || !strings.Contains(part, "policy.read") {
		t.Errorf("the policy: %s", part)
	}
	if part := one.Get("/keys?project=" + o.other).Parts()["keys"]; strings.Contains(part, "Revoke") {
		t.Errorf("the keys of another project: %s", part)
	}
}

// TestPartsAreNotTheWhole: a list of which something could not be read says so, names that,
// and gives no file.
func TestPartsAreNotTheWhole(t *testing.T) {
	t.Parallel()
	o := newOperated(t)
	b := o.console.As(t, "most")
	part := b.Get("/keys").Parts()["keys"]
	for _, want := range []string{"Something is missing", "<bdi>" + o.other + "</bdi>", o.key} {
		if !strings.Contains(part, want) {
			t.Errorf("the keys have no %q: %s", want, part)
		}
	}
	if strings.Contains(part, o.others) {
		t.Error("a key is there that may not be read")
	}
	if a := b.Get("/keys.csv"); a.Status == http.StatusOK || strings.Contains(a.Text, o.key) {
		t.Errorf("the file of a part: %d %s", a.Status, a.Text)
	}
	if part := b.Get("/people?user=user-nobody").Parts()["in-projects"]; !strings.Contains(part, "Something is missing") || !strings.Contains(part, "of those that could be read") {
		t.Errorf("the projects of nobody: %s", part)
	}
}

var once = regexp.MustCompile(`name="once" value="([^"]*)"`)

// TestKeysAreRevokedOnce: a question first, that changes nothing; then the form with the
// secret of the login, by who may.
func TestKeysAreRevokedOnce(t *testing.T) {
	t.Parallel()
	o := newOperated(t)
	keys := adminv1connect.NewProjectApiKeyServiceClient(o.Client("all"))
	there := func() bool {
		_, err := keys.GetProjectApiKey(t.Context(), &adminv1.GetProjectApiKeyRequest{ProjectId: o.own, ApiKeyId: o.key})
		return err == nil
	}
	address := "/keys/revoke?" + url.Values{"project": {o.own}, "key": {o.key}}.Encode()
	b := o.console.As(t, "one")
	question := b.Get(address)
	if question.Status != http.StatusOK || !strings.Contains(question.Text, "cannot be had back") || !strings.Contains(question.Text, o.key) || !there() {
		t.Fatalf("the question: %d %s", question.Status, question.Text)
	}
	found := once.FindStringSubmatch(question.Text)
	if found == nil || len(found[1]) < 20 {
		t.Fatal("the form has no idempotency key")
	}
	form := url.Values{"project": {o.own}, "key": {o.key}, "once": {found[1]}}
	for name, f := range map[string]url.Values{"no secret": form, "another secret": {"project": {o.own}, "key": {o.key}, "once": {found[1]}, "secret": {"x"}}} {
		if a := b.Do(http.MethodPost, "/keys/revoke", f); a.Status != http.StatusForbidden || !there() {
			t.Errorf("%s: %d", name, a.Status)
		}
	}
	if a := b.Post(address, "/keys/revoke", form, "Origin: https://evil.example", "Sec-Fetch-Site: cross-site"); a.Status != http.StatusForbidden || !there() {
		t.Errorf("from another page: %d", a.Status)
	}
	viewer := o.console.As(t, "viewer")
	if a := viewer.Get(address); a.Status != http.StatusForbidden || !strings.Contains(a.Text, "projects.api_keys.delete") {
		t.Errorf("the question for who may not: %d %s", a.Status, a.Text)
	}
	if a := viewer.Do(http.MethodPost, "/keys/revoke", url.Values{"project": {o.own}, "key": {o.key}, "secret": {viewer.Get("/keys").Secret()}}); a.Status != http.StatusForbidden || !there() {
		t.Errorf("by who may not: %d", a.Status)
	}
	// A caller may not what its project does not have.
	if a := b.Post(address, "/keys/revoke", url.Values{"project": {o.other}, "key": {o.others}, "once": {"x"}}); a.Status != http.StatusForbidden {
		t.Errorf("a key of another project: %d %s", a.Status, a.Text)
	}
	for range 2 {
		if a := b.Do(http.MethodPost, "/keys/revoke", url.Values{"project": {o.own}, "key": {o.key}, "once": {found[1]}, "secret": {question.Secret()}}); a.Status != http.StatusOK || !strings.Contains(a.Text, "is revoked") {
			t.Fatalf("the form: %d %s", a.Status, a.Text)
		}
	}
	if there() {
		t.Error("the key is still there")
	}
	deletes := 0
	for _, record := range o.Records.All() {
		if strings.HasSuffix(record.Method, "/DeleteProjectApiKey") && record.Caller == "one" && record.Decision == "allowed" {
			deletes++
		}
	}
	if deletes != 2 {
		t.Errorf("%d records of the revocation", deletes)
	}
}

// TestLeasesAreRevoked by a form, and the key of the lease with it.
func TestLeasesAreRevoked(t *testing.T) {
	t.Parallel()
	o := newOperated(t)
	leases := leasev1connect.NewLeaseServiceClient(o.Client("all"))
	made, err := leases.CreateLease(t.Context(), &leasev1.CreateLeaseRequest{Role: "search", RequestId: "r1"})
	if err != nil {
		t.Fatal(err)
	}
	id := made.GetLease().GetId()
	page := o.console.As(t, "viewer").Get("/keys")
	if part := page.Parts()["leases"]; strings.Contains(part, made.GetSecret()) || strings.Contains(part, "revoke-lease") || !strings.Contains(part, "leases.revoke") {
		t.Errorf("who may not revoke sees %s", part)
	}
	b := o.console.As(t, "all")
	if part := b.Get("/keys").Parts()["leases"]; !strings.Contains(part, "search") || !strings.Contains(part, "revoke-lease?lease="+id) || strings.Contains(part, made.GetSecret()) {
		t.Fatalf("the leases: %s", part)
	}
	address := "/keys/revoke-lease?lease=" + id
	if a := b.Get(address); a.Status != http.StatusOK || !strings.Contains(a.Text, "ends at once") || strings.Contains(a.Text, made.GetSecret()) {
		t.Fatalf("the question: %d %s", a.Status, a.Text)
	}
	if a := b.Post(address, "/keys/revoke-lease", url.Values{"lease": {id}}); a.Status != http.StatusOK || !strings.Contains(a.Text, id) {
		t.Fatalf("the form: %d %s", a.Status, a.Text)
	}
	got, err := leases.GetLease(t.Context(), &leasev1.GetLeaseRequest{LeaseId: id})
	if state := got.GetLease().GetState(); err != nil || state != leasev1.LeaseState_LEASE_STATE_REVOKING && state != leasev1.LeaseState_LEASE_STATE_REVOKED {
		t.Errorf("the lease is %v, %v", state, err)
	}
}

// TestCallersAreHeld by a form, and released by another; nobody is by a question, or by who
// may not.
func TestCallersAreHeld(t *testing.T) {
	t.Parallel()
	o := newOperated(t)
	b, held := o.console.As(t, "all"), o.console.As(t, "one")
	address := "/callers/hold?caller=one&for=1h&reason=it+leaks"
	if a := b.Get(address); a.Status != http.StatusOK || !strings.Contains(a.Text, "for 1 hour") || !strings.Contains(a.Text, "it leaks") {
		t.Fatalf("the question: %d %s", a.Status, a.Text)
	}
	form := url.Values{"caller": {"one"}, "for": {"1h"}, "reason": {"it leaks"}}
	viewer := o.console.As(t, "viewer")
	if a := viewer.Do(http.MethodPost, "/callers/hold", url.Values{"caller": {"one"}, "secret": {viewer.Get("/keys").Secret()}}); a.Status != http.StatusForbidden || !strings.Contains(a.Text, "holds.create") {
		t.Errorf("by who may not: %d %s", a.Status, a.Text)
	}
	if a := held.Get("/keys"); a.Status != http.StatusOK || !strings.Contains(a.Text, o.key) {
		t.Fatalf("before the hold: %d", a.Status)
	}
	if a := b.Post(address, "/callers/hold", form); a.Status != http.StatusOK || !strings.Contains(a.Text, "one is held") {
		t.Fatalf("the form: %d %s", a.Status, a.Text)
	}
	if a := held.Get("/keys"); strings.Contains(a.Text, o.key) || strings.Contains(a.Text, "it leaks") {
		t.Errorf("who is held sees %s", a.Text)
	}
	if part := b.Get("/callers").Parts()["holds"]; !strings.Contains(part, "it leaks") || !strings.Contains(part, "/callers/release?caller=one") {
		t.Errorf("the holds: %s", part)
	}
	if part := viewer.Get("/callers").Parts()["holds"]; strings.Contains(part, "/callers/release") || !strings.Contains(part, "holds.create") {
		t.Errorf("the holds for who may only look: %s", part)
	}
	if a := b.Post("/callers/release?caller=one", "/callers/release", url.Values{"caller": {"one"}}); a.Status != http.StatusOK || !strings.Contains(a.Text, "may call again") {
		t.Fatalf("the release: %d %s", a.Status, a.Text)
	}
	if a := held.Get("/keys"); !strings.Contains(a.Text, o.key) {
		t.Errorf("after the release: %d", a.Status)
	}
}

// TestTheCacheIsEmptied by a form, after a question.
func TestTheCacheIsEmptied(t *testing.T) {
	t.Parallel()
	o := newOperated(t)
	b := o.console.As(t, "all")
	projects := adminv1connect.NewProjectServiceClient(o.Client("all"))
	if _, err := projects.GetProject(t.Context(), &adminv1.GetProjectRequest{ProjectId: o.own}); err != nil {
		t.Fatal(err)
	}
	look := "/cache?" + url.Values{"method": {"admingateway.admin.v1.ProjectService/GetProject"}, "request": {`{"project_id": "` + o.own + `"}`}}.Encode()
	stored := func() bool { return strings.Contains(b.Get(look).Parts()["entry"], "memory") }
	address := "/cache/purge?project=" + o.own
	if a := b.Get(address); a.Status != http.StatusOK || !strings.Contains(a.Text, "that name this project") || !stored() {
		t.Fatalf("the question: %d %s", a.Status, a.Text)
	}
	if a := b.Do(http.MethodPost, "/cache/purge", url.Values{"project": {o.own}}); a.Status != http.StatusForbidden || !stored() {
		t.Errorf("without the secret: %d", a.Status)
	}
	viewer := o.console.As(t, "viewer")
	if a := viewer.Do(http.MethodPost, "/cache/purge", url.Values{"secret": {viewer.Get("/keys").Secret()}}); a.Status != http.StatusForbidden || !stored() {
		t.Errorf("by who may not: %d", a.Status)
	}
	if a := b.Post(address, "/cache/purge", url.Values{"project": {o.own}}); a.Status != http.StatusOK || !strings.Contains(a.Text, "Forgotten") || stored() {
		t.Errorf("the form: %d %s", a.Status, a.Text)
	}
	for query, want := range map[string]string{"method=Nothing": "trouble", "method=ProjectService%2FGetProject&request=[]": "not a JSON object"} {
		if part := b.Get("/cache?" + query).Parts()["entry"]; !strings.Contains(part, want) {
			t.Errorf("%s: %s", query, part)
		}
	}
}

// TestHostileNamesOfKeys and of all else that has a name change no page.
func TestHostileNamesOfKeys(t *testing.T) {
	t.Parallel()
	o := newOperated(t)
	client := o.Client("all")
	const hostile = `"><script>alert(1)</script><img src=x onerror=alert(2)>'{{.}}`
	for _, name := range []string{hostile, "a\u202egnp.exe\u202d", strings.Repeat("long ", 2000)} {
		made, err := adminv1connect.NewProjectServiceClient(client).CreateProject(t.Context(), &adminv1.CreateProjectRequest{Name: name})
		if err != nil {
			t.Logf("no such project can be made: %v", err)
			continue
		}
		if _, err := adminv1connect.NewProjectServiceAccountServiceClient(client).CreateProjectServiceAccount(t.Context(), &adminv1.CreateProjectServiceAccountRequest{
			ProjectId: made.GetProject().GetId(), Name: name, CreateServiceAccountOnly: new(false),
		}); err != nil {
			t.Logf("no such account can be made: %v", err)
		}
	}
	b := o.console.As(t, "all")
	seen := ""
	for _, path := range []string{"/keys", "/people", "/people?project=" + url.QueryEscape(hostile), "/people?user=" + url.QueryEscape(hostile), "/callers?caller=" + url.QueryEscape(hostile) + "&rpc=" + url.QueryEscape(hostile) + "&request=" + url.QueryEscape(hostile), "/keys/revoke?project=x&key=" + url.QueryEscape(hostile), "/callers/hold?caller=" + url.QueryEscape(hostile), "/cache/purge?method=" + url.QueryEscape(hostile), "/cache?method=" + url.QueryEscape(hostile)} {
		text := b.Get(path).Text
		seen += text
		if strings.Contains(text, "<script>alert") || strings.Contains(text, "<img") || strings.Contains(text, "\u202e") || strings.Contains(text, strings.Repeat("long ", 40)) || strings.Count(text, "<h1>") != 1 {
			t.Errorf("%s shows a name as it is", path)
		}
	}
	if !strings.Contains(seen, "&lt;script&gt;alert(1)") {
		t.Error("nobody sees the hostile names")
	}
}
