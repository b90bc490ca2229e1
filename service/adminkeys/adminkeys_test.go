package adminkeys

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"connectrpc.com/connect/v2"
	"google.golang.org/protobuf/proto"

	controlv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/control/v1"
	"github.com/admin-gateway/admin-gateway/internal/catalogtest"
	"github.com/admin-gateway/admin-gateway/lease"
	"github.com/admin-gateway/admin-gateway/lease/adminkey"
	"github.com/admin-gateway/admin-gateway/service/admission"
	"github.com/admin-gateway/admin-gateway/service/catalog"
	"github.com/admin-gateway/admin-gateway/service/pipeline"
	"github.com/admin-gateway/admin-gateway/service/rpcerror"
	"github.com/admin-gateway/admin-gateway/upstream"
)

// TestReads: keys are compared by one read of each permission that has one without an id,
// and each of its requests is valid.
func TestReads(t *testing.T) {
	t.Parallel()
	methods := catalogtest.Gateway(t)
	validator, err := admission.NewValidator()
	if err != nil {
		t.Fatal(err)
	}
	var permissions []string
	for _, m := range readsOf(methods) {
		if err := validator.Validate(smallest(m)); err != nil {
			t.Errorf("%s: %v", m.Name(), err)
		}
		if _, err := m.Endpoint.Request(smallest(m).ProtoReflect()); err != nil {
			t.Errorf("%s: %v", m.Name(), err)
		}
		permissions = append(permissions, m.Permission)
	}
	for _, want := range []string{"projects.read", "users.read", "admin_api_keys.read", "audit_logs.read", "usage.read", "costs.read", "certificates.read", "roles.read"} {
		if !slices.Contains(permissions, want) {
			t.Errorf("no read is of %s", want)
		}
	}
	if n := len(permissions); n > 24 || n != len(slices.Compact(slices.Sorted(slices.Values(permissions)))) {
		t.Errorf("%d reads: %q", n, permissions)
	}
}

// answers fail every call with an error, and note the key that it would be made with.
type answers struct {
	err  error
	keys []string
}

func (a *answers) Call(ctx context.Context, _ *catalog.Method, _ proto.Message, errand admission.Errand) (*pipeline.Response, error) {
	key, err := upstream.PerCall(nil).Key(ctx)
	a.keys = append(a.keys, key.Reveal())
	if err != nil || errand.Caller != "ann" || errand.Cause != cause {
		return nil, errors.Join(err, errors.New("another errand"))
	}
	return nil, a.err
}

// TestOutcomes: what is known of a call that failed. A create whose outcome is not known
// for certain is taken for one that may have been made.
func TestOutcomes(t *testing.T) {
	t.Parallel()
	kind := func(k upstream.Kind) error { return &upstream.Error{Kind: k} }
	for name, test := range map[string]struct {
		err          error
		create, read adminkey.Outcome
	}{
		"refused":          {kind(upstream.InvalidArgument), adminkey.Refused, adminkey.Refused},
		"not there":        {kind(upstream.NotFound), adminkey.Gone, adminkey.Gone},
		"no budget":        {kind(upstream.RateLimited), adminkey.NotMade, adminkey.NotMade},
		"lost":             {kind(upstream.OutcomeUnknown), adminkey.Unknown, adminkey.NotMade},
		"a kind to come":   {kind(upstream.Kind(99)), adminkey.Unknown, adminkey.NotMade},
		"cannot be sent":   {&upstream.RequestError{Field: "name", Reason: "is too long"}, adminkey.Refused, adminkey.Refused},
		"not intended":     {&rpcerror.Error{Reason: rpcerror.ReasonAuditUnavailable}, adminkey.NotMade, adminkey.NotMade},
		"not recorded":     {&rpcerror.Error{Reason: rpcerror.ReasonWriteNotRecorded}, adminkey.Unknown, adminkey.NotMade},
		"an error unknown": {errors.New("unknown"), adminkey.Unknown, adminkey.NotMade},
	} {
		c, made := new(calls), &answers{err: test.err}
		if err := c.bind(Dependencies{Calls: made, Catalog: catalogtest.Gateway(t)}); err != nil {
			t.Fatal(err)
		}
		with := lease.NewSecret([]byte("sk-admin-one"))
		_, createErr := c.Create(t.Context(), "ann", with, "agw.admin-key.1.2")
		_, listErr := c.List(t.Context(), "ann", with)
		create, ok := errors.AsType[*adminkey.CallError](createErr)
		list, alsoOK := errors.AsType[*adminkey.CallError](listErr)
		if !ok || !alsoOK || create.Outcome != test.create || list.Outcome != test.read || strings.Contains(create.Words, "sk-") {
			t.Errorf("%s: %v; %v", name, createErr, listErr)
		}
		if !slices.Equal(made.keys, []string{"sk-admin-one", "sk-admin-one"}) {
			t.Errorf("%s: made with other keys than the one that was given", name)
		}
	}
}

// TestMay: a key may make a read unless the upstream does not accept the key for it; where
// that is not known, it is no answer.
func TestMay(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		err  error
		may  bool
		fail bool
	}{
		"refused for the key":     {&upstream.Error{Kind: upstream.CredentialRejected, Reason: upstream.ReasonCredentialRejected}, false, false},
		"refused for the request": {&upstream.Error{Kind: upstream.InvalidArgument}, true, false},
		"no budget":               {&upstream.Error{Kind: upstream.RateLimited}, false, true},
		"no key":                  {&upstream.Error{Kind: upstream.CredentialRejected, Reason: upstream.ReasonCredentialUnreadable}, false, true},
	} {
		c := new(calls)
		if err := c.bind(Dependencies{Calls: &answers{err: test.err}, Catalog: catalogtest.Gateway(t)}); err != nil {
			t.Fatal(err)
		}
		may, err := c.May(t.Context(), "ann", lease.Secret{}, c.Reads()[0])
		if may != test.may || (err != nil) != test.fail {
			t.Errorf("%s: %t, %v", name, may, err)
		}
	}
}

// TestNames: every phase, failure and refusal of the protocol has a word for callers.
func TestNames(t *testing.T) {
	t.Parallel()
	for _, p := range []adminkey.Phase{
		adminkey.Planned, adminkey.Creating, adminkey.Proving, adminkey.Switching, adminkey.Draining, adminkey.Done,
		adminkey.Doubtful, adminkey.Discarding, adminkey.Failed,
	} {
		if phaseOf(p) == controlv1.AdminKeyRotation_PHASE_UNSPECIFIED {
			t.Errorf("phase %s has no word", p)
		}
	}
	for _, f := range []adminkey.Failure{adminkey.NotCreated, adminkey.AnswerLost, adminkey.Narrower, adminkey.Wider, adminkey.KeyChanged} {
		if failureOf(f) == controlv1.AdminKeyRotation_FAILURE_UNSPECIFIED {
			t.Errorf("failure %s has no word", f)
		}
	}
	if failureOf("") != controlv1.AdminKeyRotation_FAILURE_UNSPECIFIED {
		t.Error("no failure has a word")
	}
	for reason := adminkey.Unavailable; reason <= adminkey.NoUpstream; reason++ {
		e, ok := errors.AsType[*rpcerror.Error](toCaller(&adminkey.Error{Reason: reason, Words: "words", Err: errors.New("sk-canary")}))
		if !ok || e.Code == connect.CodeInternal || strings.Contains(e.Message, "sk-") {
			t.Errorf("refusal %d: %v", reason, e)
		}
	}
}

// TestWithoutALedger: both RPCs say why there is no rotation.
func TestWithoutALedger(t *testing.T) {
	t.Parallel()
	var none *AdminKeys
	handlers, err := none.Handlers(Dependencies{})
	if err != nil || len(handlers) != 2 {
		t.Fatalf("%d handlers, %v", len(handlers), err)
	}
	for procedure, handler := range handlers {
		err := handler(t.Context(), nil, nil)
		if e, ok := errors.AsType[*rpcerror.Error](err); !ok || e.Reason != rpcerror.ReasonRotationDisabled {
			t.Errorf("%s: %v", procedure, err)
		}
	}
}
