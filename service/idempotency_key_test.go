package service_test

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"

	"connectrpc.com/connect/v2"

	adminv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/admin/v1"
	"github.com/admin-gateway/admin-gateway/internal/catalogtest"
	"github.com/admin-gateway/admin-gateway/internal/gatewaytest"
	"github.com/admin-gateway/admin-gateway/service"
	"github.com/admin-gateway/admin-gateway/service/audit"
	"github.com/admin-gateway/admin-gateway/service/idempotency"
	"github.com/admin-gateway/admin-gateway/service/rpcerror"
	"github.com/admin-gateway/admin-gateway/upstream"
)

// TestKeysAreBound: to their request, their method and their caller.
func TestKeysAreBound(t *testing.T) {
	t.Parallel()
	s := newKeyedStub(t, gatewaytest.MemoryOutcomes(t), nil)
	requests := requestsOf(t, s.Catalog, "a")
	if id, _, err := s.createAs(t, "root", "k", "one"); err != nil || id != "proj_1" {
		t.Fatal(id, err)
	}
	if _, _, err := s.createAs(t, "root", "k", "two"); connect.CodeOf(err) != connect.CodeInvalidArgument || reason(t, err) != rpcerror.ReasonIdempotencyKeyReused {
		t.Errorf("another request with the key: %v", err)
	}
	for _, m := range s.Catalog.Mirrored() {
		if m.Read {
			continue
		}
		_, replayed, err := callKeyed(t.Context(), t, s.client, "k", m, requests[m.ShortName()])
		if connect.CodeOf(err) != connect.CodeInvalidArgument || reason(t, err) != rpcerror.ReasonIdempotencyKeyReused || replayed {
			t.Errorf("%s with the key: %v, replayed: %t", m.ShortName(), err, replayed)
		}
	}
	if n := s.Asked.Load(); n != 1 {
		t.Errorf("asked %d times", n)
	}
	if id, replayed, err := s.createAs(t, "boss", "k", "one"); err != nil || id != "proj_2" || replayed {
		t.Errorf("another caller with the key got %s, %v, replayed: %t", id, err, replayed)
	}
	// In quotes or not, as the draft has it or as most have it, it is one key.
	if id, replayed, err := s.createAs(t, "root", `"k"`, "one"); err != nil || id != "proj_1" || !replayed {
		t.Errorf("the key in quotes: %s, %v, replayed: %t", id, err, replayed)
	}
	if id, _, err := s.createAs(t, "root", "K", "one"); err != nil || id != "proj_3" {
		t.Errorf("another key: %s, %v", id, err)
	}
}

// TestKeysAreAuthorizedAgain: a caller that has lost a permission does not get the
// stored outcome of a call that it made with the permission.
func TestKeysAreAuthorizedAgain(t *testing.T) {
	t.Parallel()
	s := newKeyedStub(t, gatewaytest.MemoryOutcomes(t), nil)
	if _, _, err := s.createAs(t, "root", "k", "one"); err != nil {
		t.Fatal(err)
	}
	for name, grants := range map[string]string{
		"no permission":    `[{permissions: ["users.read"]}]`,
		"another project":  `[{permissions: ["*"], projects: [proj_elsewhere]}]`,
		"another request":  `[{permissions: [projects.create], when: 'request.name == "two"'}]`,
		"nothing for long": `[{permissions: ["*"], when: "1 == 2"}]`,
	} {
		s.Policy.Set(t, "callers:\n  - {name: root, authenticate: [{token_sha256: $root}], limits: $free, grants: "+grants+"}\n")
		if id, replayed, err := s.createAs(t, "root", "k", "one"); connect.CodeOf(err) != connect.CodePermissionDenied || replayed || id != "" {
			t.Errorf("%s: %s, %v, replayed: %t", name, id, err, replayed)
		}
	}
	if got := s.Records.Last(); got.Decision != audit.DecisionDenied || got.Idempotency != "" {
		t.Errorf("recorded as %+v", got)
	}
	s.Policy.Set(t, keyedPolicy)
	if id, replayed, err := s.createAs(t, "root", "k", "one"); err != nil || id != "proj_1" || !replayed {
		t.Errorf("with its permission: %s, %v, replayed: %t", id, err, replayed)
	}
}

// TestInvalidKeys are refused, and nothing is sent.
func TestInvalidKeys(t *testing.T) {
	t.Parallel()
	s := newKeyedStub(t, gatewaytest.MemoryOutcomes(t), nil)
	call := func(keys ...string) error {
		ctx, info := connect.NewClientContext(t.Context())
		for _, key := range keys {
			info.RequestHeader().Add("Idempotency-Key", key)
		}
		return s.client.CallUnary(ctx, s.create.Spec(), &adminv1.CreateProjectRequest{Name: "one"}, s.create.Response.New().Interface())
	}
	for _, keys := range [][]string{
		{""}, {" "}, {"a b"}, {"a\tb"}, {"é"}, {"\x7f"}, {strings.Repeat("x", 256)}, {"a", "b"}, {"a", "a"}, {"", "a"},
		{`"`}, {`""`}, {`"a`}, {`"a"b"`}, {`"a\"`}, {`"a\b"`}, {`"a";x=1`}, {`"` + strings.Repeat("x", 256) + `"`}, {"\"\x01\""},
	} {
		err := call(keys...)
		if connect.CodeOf(err) != connect.CodeInvalidArgument || reason(t, err) != rpcerror.ReasonIdempotencyKeyInvalid || !strings.Contains(err.Error(), "Idempotency-Key") {
			t.Errorf("%q: %v", keys, err)
		}
	}
	if n := s.Asked.Load(); n != 0 {
		t.Errorf("asked %d times", n)
	}
	for _, key := range []string{"a", "~!,;=", strings.Repeat("x", 255), `a"b\`, `"a b"`, `"a\"\\b"`, `"` + strings.Repeat(`\"`, 255) + `"`} {
		if err := call(key); err != nil {
			t.Errorf("%q: %v", key, err)
		}
	}
	if n := s.Asked.Load(); n != 7 {
		t.Errorf("asked %d times", n)
	}
}

// TestKeysWithoutAStore are refused rather than ignored: their callers rely on
// them.
func TestKeysWithoutAStore(t *testing.T) {
	t.Parallel()
	var asked atomic.Int32
	gateway := gatewaytest.New(t, gatewaytest.WithUpstream(gatewaytest.UpstreamFunc(func(ctx context.Context) (*upstream.Reply, error) {
		asked.Add(1)
		return gatewaytest.AnswerProject(ctx)
	})))
	create, _ := catalogtest.Gateway(t).Lookup("/admingateway.admin.v1.ProjectService/CreateProject")
	_, _, err := callKeyed(t.Context(), t, gateway.Client("root"), "k", create, &adminv1.CreateProjectRequest{Name: "one"})
	if connect.CodeOf(err) != connect.CodeFailedPrecondition || reason(t, err) != rpcerror.ReasonIdempotencyNotConfigured || asked.Load() != 0 {
		t.Errorf("%v, asked %d times", err, asked.Load())
	}
}

// TestKeysOutliveTheAdminKey: with another admin key nobody knows whether the
// organization is the same, so a used key is neither replayed nor used again.
func TestKeysOutliveTheAdminKey(t *testing.T) {
	t.Parallel()
	methods, outcomes := catalogtest.Gateway(t), gatewaytest.MemoryOutcomes(t)
	var asked atomic.Int32
	up := gatewaytest.UpstreamFunc(func(ctx context.Context) (*upstream.Reply, error) {
		asked.Add(1)
		return gatewaytest.AnswerProject(ctx)
	})
	create, _ := methods.Lookup("/admingateway.admin.v1.ProjectService/CreateProject")
	org, orgErr := "before", error(nil)
	keyed, err := idempotency.New(idempotency.Options{
		Outcomes: outcomes, Scope: "upstream", Org: func(context.Context) (string, error) { return org, orgErr },
	})
	if err != nil {
		t.Fatal(err)
	}
	client := gatewaytest.New(t, gatewaytest.WithUpstream(up), gatewaytest.WithOptions(func(o *service.Options) { o.Idempotency = keyed })).Client("root")
	call := func() error {
		_, _, err := callKeyed(t.Context(), t, client, "k", create, &adminv1.CreateProjectRequest{Name: "one"})
		return err
	}
	orgErr = errors.New("no such file")
	if err := call(); reason(t, err) != upstream.ReasonCredentialUnreadable {
		t.Errorf("without an admin key: %v", err)
	}
	orgErr = nil
	if err := call(); err != nil {
		t.Fatal(err)
	}
	org = "after"
	if err := call(); reason(t, err) != rpcerror.ReasonIdempotencyKeyReused || asked.Load() != 1 {
		t.Errorf("%v, asked %d times", err, asked.Load())
	}
}
