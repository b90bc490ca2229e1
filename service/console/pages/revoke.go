package pages

import (
	"context"
	"crypto/rand"
	"net/url"
	"time"

	"connectrpc.com/connect/v2"
	"google.golang.org/protobuf/types/known/timestamppb"

	adminv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/admin/v1"
	"github.com/admin-gateway/admin-gateway/gen/admingateway/admin/v1/adminv1connect"
	leasev1 "github.com/admin-gateway/admin-gateway/gen/admingateway/lease/v1"
	"github.com/admin-gateway/admin-gateway/gen/admingateway/lease/v1/leasev1connect"
	"github.com/admin-gateway/admin-gateway/service/console"
)

// once is the field of a form with the idempotency key of its write: a form that is sent
// twice is one write.
const once = "once"

// revokeKey deletes a key of a project.
func revokeKey() *console.Action {
	return &console.Action{
		Path: "/keys/revoke", Title: "Revoke a key", Needs: permissionDelete,
		Ask: func(ctx context.Context, v *console.Visit) (console.Question, error) {
			project, id := v.Query.Get("project"), v.Query.Get("key")
			answer, err := adminv1connect.NewProjectApiKeyServiceClient(v.Client()).GetProjectApiKey(ctx, &adminv1.GetProjectApiKeyRequest{ProjectId: project, ApiKeyId: id})
			if err != nil {
				return console.Question{}, err
			}
			k := answer.GetProjectApiKey()
			return console.Question{
				Sentences: []string{
					"The upstream deletes this key. Programs that call with it are refused from then on, within seconds.",
					"It cannot be had back: whoever needs one gets another key.",
				},
				Facts: []console.Fact{
					{Name: "Key", Value: k.GetName()}, {Name: "ID", Value: k.GetId()}, {Name: "Begins and ends with", Value: k.GetRedactedValue()}, {Name: "Project", Value: project},
					{Name: "Owner", Value: ownerOf(k.GetOwner())}, {Name: "Created", Value: when(k.GetCreatedAt())}, {Name: "Last used", Value: when(k.GetLastUsedAt())},
				},
				Fields: url.Values{"project": {project}, "key": {id}, once: {rand.Text()}},
				Button: "Revoke the key", Danger: true,
			}, nil
		},
		Do: func(ctx context.Context, v *console.Visit) (console.Done, error) {
			id := v.Form.Get("key")
			ctx, info := connect.NewClientContext(ctx)
			info.RequestHeader().Set("Idempotency-Key", v.Form.Get(once))
			_, err := adminv1connect.NewProjectApiKeyServiceClient(v.Client()).DeleteProjectApiKey(ctx, &adminv1.DeleteProjectApiKeyRequest{ProjectId: v.Form.Get("project"), ApiKeyId: id})
			if err != nil {
				return console.Done{}, err
			}
			return console.Done{Sentences: []string{"The key " + console.Plain(id) + " is revoked."}}, nil
		},
	}
}

// revokeLease ends a lease, and its key with it.
func revokeLease() *console.Action {
	return &console.Action{
		Path: "/keys/revoke-lease", Title: "Revoke a lease", Needs: permissionRevokeLease,
		Ask: func(ctx context.Context, v *console.Visit) (console.Question, error) {
			id := v.Query.Get("lease")
			answer, err := leasev1connect.NewLeaseServiceClient(v.Client()).GetLease(ctx, &leasev1.GetLeaseRequest{LeaseId: id})
			if err != nil {
				return console.Question{}, err
			}
			l := answer.GetLease()
			return console.Question{
				Sentences: []string{
					"The lease ends at once, and its key is deleted upstream as soon as the budget allows, before other calls.",
					"Its holder gets no further secret for it, and has to ask for another lease.",
				},
				Facts: []console.Fact{
					{Name: "Lease", Value: l.GetId()}, {Name: "Role", Value: l.GetRole()}, {Name: "Caller", Value: l.GetCaller()}, {Name: "Holder", Value: l.GetHolder()},
					{Name: "Project", Value: l.GetProjectId()}, {Name: "State", Value: stateName(l.GetState())}, {Name: "Ends by itself", Value: when(l.GetExpiresAt())},
				},
				Fields: url.Values{"lease": {id}},
				Button: "Revoke the lease", Danger: true,
			}, nil
		},
		Do: func(ctx context.Context, v *console.Visit) (console.Done, error) {
			answer, err := leasev1connect.NewLeaseServiceClient(v.Client()).RevokeLease(ctx, &leasev1.RevokeLeaseRequest{LeaseId: v.Form.Get("lease"), Urgent: true})
			if err != nil {
				return console.Done{}, err
			}
			return console.Done{Sentences: []string{"The lease " + console.Plain(answer.GetLease().GetId()) + " is " + stateName(answer.GetLease().GetState()) + "."}}, nil
		},
	}
}

// ownerOf is the owner of a key in words.
func ownerOf(o *adminv1.ProjectApiKeyOwner) string {
	switch {
	case o.GetUser() != nil:
		return o.GetUser().GetEmail()
	case o.GetServiceAccount() != nil:
		return "service account " + o.GetServiceAccount().GetName()
	default:
		return "unknown"
	}
}

// when is a time in a fact.
func when(t *timestamppb.Timestamp) string {
	if t == nil {
		return "never"
	}
	return t.AsTime().UTC().Format(time.DateTime) + " UTC"
}
