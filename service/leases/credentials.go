package leases

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	adminv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/admin/v1"
	"github.com/admin-gateway/admin-gateway/gen/admingateway/admin/v1/adminv1connect"
	"github.com/admin-gateway/admin-gateway/lease/broker"
	"github.com/admin-gateway/admin-gateway/pages"
	"github.com/admin-gateway/admin-gateway/service/admission"
	"github.com/admin-gateway/admin-gateway/service/catalog"
	"github.com/admin-gateway/admin-gateway/service/pipeline"
	"github.com/admin-gateway/admin-gateway/upstream/pace"
)

// Caller makes calls of the gateway's own.
type Caller interface {
	Call(ctx context.Context, m *catalog.Method, request proto.Message, errand admission.Errand) (*pipeline.Response, error)
}

// Budget reports on the upstream's request budget.
type Budget interface {
	// Outlook is what a bucket allows calls that take access away.
	Outlook(bucket string) pace.Outlook
}

// procedures are the RPCs of the mirror that leases are made with, and no others.
var procedures = [...]string{
	createKey:     adminv1connect.ProjectServiceAccountServiceCreateProjectServiceAccountApiKeyProcedure,
	updateKey:     adminv1connect.ProjectApiKeyServiceUpdateProjectApiKeyProcedure,
	deleteKey:     adminv1connect.ProjectApiKeyServiceDeleteProjectApiKeyProcedure,
	listKeys:      adminv1connect.ProjectApiKeyServiceListProjectApiKeysProcedure,
	createAccount: adminv1connect.ProjectServiceAccountServiceCreateProjectServiceAccountProcedure,
	updateAccount: adminv1connect.ProjectServiceAccountServiceUpdateProjectServiceAccountProcedure,
	deleteAccount: adminv1connect.ProjectServiceAccountServiceDeleteProjectServiceAccountProcedure,
	listAccounts:  adminv1connect.ProjectServiceAccountServiceListProjectServiceAccountsProcedure,
}

const (
	createKey = iota
	updateKey
	deleteKey
	listKeys
	createAccount
	updateAccount
	deleteAccount
	listAccounts
)

// Methods are the methods of the gateway's own calls.
func Methods(c *catalog.Catalog) ([]*catalog.Method, error) {
	methods := make([]*catalog.Method, len(procedures))
	for i, procedure := range procedures {
		m, ok := c.Lookup(procedure)
		if !ok {
			return nil, fmt.Errorf("leases: the catalog has no %s", procedure)
		}
		methods[i] = m
	}
	return methods, nil
}

// credentials make and end keys: the [broker.Upstream] that makes calls through the chain
// of steps.
type credentials struct {
	calls   Caller
	budget  Budget
	methods []*catalog.Method
}

// bind gives the credentials their way to the upstream, once the server is made.
func (c *credentials) bind(d Dependencies) error {
	methods, err := Methods(d.Catalog)
	if err != nil {
		return err
	}
	if d.Calls == nil || d.Admission == nil {
		return errors.New("Dependencies.Admission and Calls are required")
	}
	c.calls, c.budget, c.methods = d.Calls, d.Budget, methods
	return nil
}

// classes are the urgencies with which calls wait for the budget.
var classes = map[broker.Urgency]pace.Class{
	broker.Urgent:     pace.Urgent,
	broker.Revoke:     pace.Revocation,
	broker.Mint:       pace.Mint,
	broker.Background: pace.FanOut,
	broker.Idle:       pace.Spare,
}

func errandOf(e broker.Errand) admission.Errand {
	return admission.Errand{Caller: e.Caller, Class: classes[e.Urgency], Lease: e.Lease, Role: e.Role, Holder: e.Holder, Cause: e.Cause}
}

// call makes a call, and returns the message of its answer.
func call[A proto.Message](ctx context.Context, c *credentials, method int, e broker.Errand, request proto.Message) (answer A, err error) {
	response, err := c.calls.Call(ctx, c.methods[method], request, errandOf(e))
	if err != nil {
		return answer, failed(err, c.methods[method].Read)
	}
	if err := response.Untyped(); err != nil {
		return answer, failed(err, c.methods[method].Read)
	}
	message, err := response.Message()
	if err != nil {
		return answer, &broker.UpstreamError{Outcome: broker.Unknown, Err: err}
	}
	answer, ok := message.(A)
	if !ok {
		return answer, &broker.UpstreamError{Outcome: broker.Unknown, Err: fmt.Errorf("leases: an answer is a %T", message)}
	}
	return answer, nil
}

// CreateKey implements [broker.Upstream].
func (c *credentials) CreateKey(ctx context.Context, e broker.Errand, key broker.NewKey) (broker.MadeKey, error) {
	request := &adminv1.CreateProjectServiceAccountApiKeyRequest{
		ProjectId: key.ProjectID, ServiceAccountId: key.ServiceAccountID, Name: &key.Name, ExpiresAt: timestamppb.New(key.Expires),
		// A role without scopes has said that it means all of them.
		Scopes: &adminv1.ServiceAccountApiKeyScopes{Values: key.Scopes}, AllowAllScopes: len(key.Scopes) == 0,
	}
	answer, err := call[*adminv1.CreateProjectServiceAccountApiKeyResponse](ctx, c, createKey, e, request)
	if err != nil {
		return broker.MadeKey{}, err
	}
	made := answer.GetServiceAccountApiKey()
	return broker.MadeKey{ID: made.GetId(), Secret: made.GetValue(), Expires: timeOf(made.GetExpiresAt())}, nil
}

// Prolong implements [broker.Upstream].
func (c *credentials) Prolong(ctx context.Context, e broker.Errand, projectID, keyID string, until time.Time) (time.Time, error) {
	answer, err := call[*adminv1.UpdateProjectApiKeyResponse](ctx, c, updateKey, e, &adminv1.UpdateProjectApiKeyRequest{
		ProjectId: projectID, ApiKeyId: keyID, ExpiresAt: timestamppb.New(until),
	})
	if err != nil {
		return time.Time{}, err
	}
	return timeOf(answer.GetProjectApiKey().GetExpiresAt()), nil
}

// DeleteKey implements [broker.Upstream].
func (c *credentials) DeleteKey(ctx context.Context, e broker.Errand, projectID, keyID string) error {
	_, err := call[*adminv1.DeleteProjectApiKeyResponse](ctx, c, deleteKey, e, &adminv1.DeleteProjectApiKeyRequest{ProjectId: projectID, ApiKeyId: keyID})
	return err
}

// CreateAccount implements [broker.Upstream].
func (c *credentials) CreateAccount(ctx context.Context, e broker.Errand, projectID, name string) (string, error) {
	answer, err := call[*adminv1.CreateProjectServiceAccountResponse](ctx, c, createAccount, e, &adminv1.CreateProjectServiceAccountRequest{
		ProjectId: projectID, Name: name, CreateServiceAccountOnly: proto.Bool(true),
	})
	if err != nil {
		return "", err
	}
	return answer.GetId(), nil
}

// EnableAccount implements [broker.Upstream].
func (c *credentials) EnableAccount(ctx context.Context, e broker.Errand, projectID, id string) error {
	_, err := call[*adminv1.UpdateProjectServiceAccountResponse](ctx, c, updateAccount, e, &adminv1.UpdateProjectServiceAccountRequest{
		ProjectId: projectID, ServiceAccountId: id, Role: adminv1.ProjectServiceAccountRole_PROJECT_SERVICE_ACCOUNT_ROLE_MEMBER.Enum(),
	})
	return err
}

// DeleteAccount implements [broker.Upstream].
func (c *credentials) DeleteAccount(ctx context.Context, e broker.Errand, projectID, id string) error {
	_, err := call[*adminv1.DeleteProjectServiceAccountResponse](ctx, c, deleteAccount, e, &adminv1.DeleteProjectServiceAccountRequest{ProjectId: projectID, ServiceAccountId: id})
	return err
}

// widest is the largest page of the lists.
const widest = 100

// Keys implements [broker.Upstream].
func (c *credentials) Keys(ctx context.Context, e broker.Errand, projectID string) iter.Seq2[broker.FoundKey, error] {
	return func(yield func(broker.FoundKey, error) bool) {
		walk := pages.Walk[*adminv1.ProjectApiKey](ctx, func(ctx context.Context, q *adminv1.ListProjectApiKeysRequest) (*adminv1.ListProjectApiKeysResponse, error) {
			return patiently[*adminv1.ListProjectApiKeysResponse](ctx, c, listKeys, e, q)
		}, &adminv1.ListProjectApiKeysRequest{ProjectId: projectID, Limit: proto.Int32(widest)})
		for key, err := range walk {
			found := broker.FoundKey{}
			if err == nil {
				found = broker.FoundKey{
					ProjectID: projectID, ServiceAccountID: key.GetOwner().GetServiceAccount().GetId(), ID: key.GetId(), Name: key.GetName(),
					Created: timeOf(key.GetCreatedAt()), Expires: timeOf(key.GetExpiresAt()), LastUsed: timeOf(key.GetLastUsedAt()),
				}
			}
			if !yield(found, notDone(err)) || err != nil {
				return
			}
		}
	}
}

// Accounts implements [broker.Upstream].
func (c *credentials) Accounts(ctx context.Context, e broker.Errand, projectID string) iter.Seq2[broker.FoundAccount, error] {
	return func(yield func(broker.FoundAccount, error) bool) {
		walk := pages.Walk[*adminv1.ProjectServiceAccount](ctx, func(ctx context.Context, q *adminv1.ListProjectServiceAccountsRequest) (*adminv1.ListProjectServiceAccountsResponse, error) {
			return patiently[*adminv1.ListProjectServiceAccountsResponse](ctx, c, listAccounts, e, q)
		}, &adminv1.ListProjectServiceAccountsRequest{ProjectId: projectID, Limit: proto.Int32(widest)})
		for account, err := range walk {
			found := broker.FoundAccount{}
			if err == nil {
				found = broker.FoundAccount{ProjectID: projectID, ID: account.GetId(), Name: account.GetName(), Created: timeOf(account.GetCreatedAt())}
			}
			if !yield(found, notDone(err)) || err != nil {
				return
			}
		}
	}
}

// patiently makes a read, and makes it again while the budget has no call for it: nobody
// waits for the whole of a list but ctx.
func patiently[A proto.Message](ctx context.Context, c *credentials, method int, e broker.Errand, request proto.Message) (answer A, err error) {
	for {
		answer, err = call[A](ctx, c, method, e, request)
		after, waits := noBudget(err)
		if !waits || e.Urgency == broker.Mint {
			return answer, err
		}
		if err := wait(ctx, max(after, shortestWait)); err != nil {
			return answer, &broker.UpstreamError{Outcome: broker.NotSent, RetryAfter: after, Err: err}
		}
	}
}

// shortestWait is before a read that was not sent is tried again.
const shortestWait = 100 * time.Millisecond

// Revocations implements [broker.Upstream].
func (c *credentials) Revocations() broker.Outlook {
	if c.budget == nil {
		return broker.Outlook{}
	}
	outlook := c.budget.Outlook(c.methods[deleteKey].Budget)
	return broker.Outlook{PerMinute: outlook.PerMinute, Waiting: outlook.Waiting}
}

func timeOf(t *timestamppb.Timestamp) time.Time {
	if t == nil {
		return time.Time{}
	}
	return t.AsTime()
}
