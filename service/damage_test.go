package service_test

import (
	"bytes"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"connectrpc.com/connect/v2"
	"github.com/google/go-cmp/cmp"

	adminv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/admin/v1"
	"github.com/admin-gateway/admin-gateway/internal/admissiontest"
	"github.com/admin-gateway/admin-gateway/internal/catalogtest"
	"github.com/admin-gateway/admin-gateway/internal/gatewaytest"
	"github.com/admin-gateway/admin-gateway/sandbox"
	"github.com/admin-gateway/admin-gateway/service"
	"github.com/admin-gateway/admin-gateway/service/audit"
	"github.com/admin-gateway/admin-gateway/service/record"
	"github.com/admin-gateway/admin-gateway/service/rpcerror"
)

// TestRecordsTellTheDamage: a thief invites an owner through a proxy. The record says
// from where, with which credential, whom, as what, and what came of it; and who
// suspects the request can confirm it.
func TestRecordsTellTheDamage(t *testing.T) {
	t.Parallel()
	key, err := record.NewKey(bytes.Repeat([]byte{7}, record.KeyBytes))
	if err != nil {
		t.Fatal(err)
	}
	up := gatewaytest.LeastAnswers(t, `"id": "invite_1"`)
	g := gatewaytest.New(t, gatewaytest.WithUpstream(up), gatewaytest.WithRequiredAudit(), gatewaytest.WithOptions(func(o *service.Options) {
		o.AuditKey = key
		o.Origins = record.Origins{Trusted: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, Header: record.HeaderXForwardedFor}
	}))
	const body = `{"email": "mallory@example.org", "role": "INVITE_ROLE_OWNER", "projects": {"values": [{"id": "proj_1", "role": "INVITE_PROJECT_ROLE_OWNER"}]}}`
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, g.HTTP().URL+"/admingateway.admin.v1.InviteService/CreateInvite", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+admissiontest.TokenOf("root"))
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("X-Forwarded-For", "198.51.100.1, 203.0.113.7")
	answer, err := g.HTTP().Client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	_ = answer.Body.Close()
	kept := g.Records.All()
	if len(kept) != 2 || kept[0].Event != audit.EventIntent || kept[1].Event != audit.EventCall || kept[1].Code != "ok" {
		t.Fatalf("status %d, records %+v", answer.StatusCode, kept)
	}
	method := catalogtest.Method(t, "InviteService/CreateInvite")
	fingerprint, err := key.Fingerprint(method.Procedure, (&adminv1.CreateInviteRequest{
		Email: "mallory@example.org", Role: adminv1.InviteRole_INVITE_ROLE_OWNER,
		Projects: &adminv1.InviteProjects{Values: []*adminv1.InviteProject{{Id: "proj_1", Role: adminv1.InviteProjectRole_INVITE_PROJECT_ROLE_OWNER}}},
	}).ProtoReflect())
	if err != nil {
		t.Fatal(err)
	}
	want := []audit.Detail{
		{Path: "email", Values: []string{"mallory@example.org"}}, {Path: "role", Values: []string{"owner"}},
		{Path: "projects.values.role", Values: []string{"owner"}, List: true},
	}
	for _, r := range kept {
		if r.Caller != "root" || len(r.Credential) != 12 || r.ForwardedFor != "203.0.113.7" || !strings.HasPrefix(r.Peer, "127.0.0.1:") || r.HMAC != fingerprint || !slices.Equal(r.Projects, []string{"proj_1"}) {
			t.Errorf("%s: %+v", r.Event, r)
		}
		if diff := cmp.Diff(want, r.Request); diff != "" {
			t.Errorf("%s: -want +got:\n%s", r.Event, diff)
		}
	}
	if diff := cmp.Diff([]audit.Detail{{Path: "invite.id", Values: []string{"invite_1"}}}, kept[1].Answer); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// TestUnrecordedReadsAreNotAnswered: a read whose record is required and cannot be kept
// is not answered, and any other one is.
func TestUnrecordedReadsAreNotAnswered(t *testing.T) {
	t.Parallel()
	for required, covers := range map[record.Required]func(sensitive bool) bool{
		record.RequireNothing:   func(bool) bool { return false },
		record.RequireWrites:    func(bool) bool { return false },
		record.RequireSensitive: func(sensitive bool) bool { return sensitive },
		record.RequireAll:       func(bool) bool { return true },
	} {
		failing := &gatewaytest.Records{Fail: func(*audit.Record) error { return errSinkFull }}
		g := gatewaytest.New(t, gatewaytest.WithUpstream(gatewaytest.LeastAnswers(t, `"id": "new_1"`)), gatewaytest.WithAudit(failing),
			gatewaytest.WithOptions(func(o *service.Options) { o.AuditRequired = required }))
		for _, s := range readTour(t, catalogtest.Gateway(t)) {
			if !s.method.Read {
				continue
			}
			err := g.Client("root").CallUnary(t.Context(), s.method.Spec(), s.message(t, validTourValues(t)), s.method.Response.New().Interface())
			switch refused := covers(s.method.Sensitive); {
			case !refused && err != nil:
				t.Errorf("%d: %s: %v", required, s.method.ShortName(), err)
			case refused && (connect.CodeOf(err) != connect.CodeUnavailable || reason(t, err) != rpcerror.ReasonAuditUnavailable):
				t.Errorf("%d: %s: %v", required, s.method.ShortName(), err)
			}
		}
	}
}

// TestUnrecordedStreamsDoNotBegin: a stream whose beginning has to be recorded, and
// cannot be, reads nothing; one whose end cannot be ends with an error. Where nothing
// is required, both records are left to the log.
func TestUnrecordedStreamsDoNotBegin(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		required record.Required
		fails    string // the event
		code     connect.Code
		asks     bool
		events   []string
	}{
		"nothing required":      {record.RequireNothing, audit.EventBegin, 0, true, []string{"begin", "call"}},
		"writes required":       {record.RequireWrites, audit.EventBegin, 0, true, []string{"begin", "call"}},
		"the beginning fails":   {record.RequireSensitive, audit.EventBegin, connect.CodeUnavailable, false, []string{"call"}},
		"the end fails":         {record.RequireSensitive, audit.EventCall, connect.CodeUnavailable, true, []string{"begin"}},
		"all, the end fails":    {record.RequireAll, audit.EventCall, connect.CodeUnavailable, true, []string{"begin"}},
		"all, and nothing does": {record.RequireAll, "", 0, true, []string{"begin", "call"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			log := &gatewaytest.Records{Fail: func(r *audit.Record) error {
				if r.Event == test.fails {
					return errSinkFull
				}
				return nil
			}}
			gate := new(gatewaytest.Gate)
			gw := newTourGateway(t, sandbox.Options{}, gatewaytest.WithGate(gate), gatewaytest.WithAudit(log), gatewaytest.WithOptions(func(o *service.Options) { o.AuditRequired = test.required }))
			method := inventoryOf(t, gw.Catalog, "ListApiKeys")
			_, err := gw.stream(t.Context(), doors[0], "root", method, anyRequest(method))
			if test.code == 0 && err != nil || test.code != 0 && connect.CodeOf(err) != test.code {
				t.Errorf("%v", err)
			}
			if asked := gate.Asked.Load() > 0; asked != test.asks {
				t.Errorf("the upstream was asked %d times", gate.Asked.Load())
			}
			events := []string{}
			for _, r := range log.All() {
				events = append(events, r.Event)
			}
			if diff := cmp.Diff(test.events, events); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}
