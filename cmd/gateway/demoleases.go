package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	leasev1 "github.com/admin-gateway/admin-gateway/gen/admingateway/lease/v1"
	"github.com/admin-gateway/admin-gateway/gen/admingateway/lease/v1/leasev1connect"
)

const (
	// demoRole is the role of the demo's leases.
	demoRole = "demo"
	// briefly is the life of the lease that the demo lets end.
	briefly = time.Second
	// demoPause is between two looks at a key that is about to end.
	demoPause = 100 * time.Millisecond
)

// leaseTour makes the sample calls about leases, and calls the fake API with their keys.
type leaseTour struct {
	client leasev1connect.LeaseServiceClient
	http   *http.Client
	fake   string

	kept, brief *leasev1.CreateLeaseResponse
}

func (t *leaseTour) create(ctx context.Context, ttl *durationpb.Duration) (*leasev1.CreateLeaseResponse, error) {
	lease, err := t.client.CreateLease(ctx, &leasev1.CreateLeaseRequest{Role: demoRole, RequestId: rand.Text(), Ttl: ttl})
	if err != nil {
		return nil, err
	}
	_, err = t.client.AcknowledgeLease(ctx, &leasev1.AcknowledgeLeaseRequest{LeaseId: lease.GetLease().GetId()})
	return lease, err
}

// leased gets a lease, and another one that nobody is going to renew.
func (t *leaseTour) leased(ctx context.Context) (_ string, err error) {
	if t.brief, err = t.create(ctx, durationpb.New(briefly)); err != nil {
		return "", err
	}
	if t.kept, err = t.create(ctx, nil); err != nil {
		return "", err
	}
	if err := t.works(ctx, t.kept, http.StatusOK); err != nil {
		return "", err
	}
	lease := t.kept.GetLease()
	return fmt.Sprintf("key %s works until %s, and no longer whatever becomes of the gateway", lease.GetApiKeyId(), lease.GetUpstreamExpiresAt().AsTime().Format(time.TimeOnly)), nil
}

// renewed moves the end of a lease.
func (t *leaseTour) renewed(ctx context.Context) (string, error) {
	before := t.kept.GetLease().GetExpiresAt().AsTime()
	renewed, err := t.client.RenewLease(ctx, &leasev1.RenewLeaseRequest{LeaseId: t.kept.GetLease().GetId(), Ttl: durationpb.New(2 * time.Hour)})
	if err != nil {
		return "", err
	}
	after := renewed.GetLease().GetExpiresAt().AsTime()
	if !after.After(before) {
		return "", fmt.Errorf("it ended at %v, and ends at %v", before, after)
	}
	return fmt.Sprintf("the same key works for %s longer", after.Sub(before).Round(time.Minute)), nil
}

// revoked ends a lease before its time.
func (t *leaseTour) revoked(ctx context.Context) (string, error) {
	_, err := t.client.RevokeLease(ctx, &leasev1.RevokeLeaseRequest{LeaseId: t.kept.GetLease().GetId(), Wait: true})
	if err != nil {
		return "", err
	}
	return "the key is deleted", t.works(ctx, t.kept, http.StatusUnauthorized)
}

// ended waits until the key of a lease that nobody renewed works no longer.
func (t *leaseTour) ended(ctx context.Context) (string, error) {
	if t.brief == nil {
		return "", errors.New("there is no lease")
	}
	for {
		status, err := t.use(ctx, t.brief)
		if err != nil {
			return "", err
		}
		if status == http.StatusUnauthorized {
			return "the upstream has ended the key, and nobody was asked to", nil
		}
		timer := time.NewTimer(demoPause)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return "", ctx.Err()
		}
	}
}

// works checks the status of a call of the fake API with a leased key.
func (t *leaseTour) works(ctx context.Context, lease *leasev1.CreateLeaseResponse, want int) error {
	status, err := t.use(ctx, lease)
	if err == nil && status != want {
		err = fmt.Errorf("the API answers %d to the key, and not %d", status, want)
	}
	return err
}

// demoChat is a request of the API that leased keys are for.
const demoChat = `{"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "hello"}]}`

// use calls the fake API with a leased key.
func (t *leaseTour) use(ctx context.Context, lease *leasev1.CreateLeaseResponse) (status int, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, t.fake+"/v1/chat/completions", strings.NewReader(demoChat))
	if err != nil {
		return 0, err
	}
	request.Header.Set("Authorization", "Bearer "+lease.GetSecret())
	response, err := t.http.Do(request)
	if err != nil {
		return 0, err
	}
	defer func() { _ = response.Body.Close() }()
	_, err = io.Copy(io.Discard, response.Body)
	return response.StatusCode, err
}

// printLeaseHints prints the lines about leases to paste.
func printLeaseHints(w io.Writer, gateway, vault, fake string) error {
	_, err := fmt.Fprintf(w, `Leases of the role %[3]s, and the API that their keys are for:

  export GATEWAY_ADDRESS=%[1]s GATEWAY_TOKEN=$OPERATOR OPENAI_BASE_URL=%[2]s/v1

  bin/gateway lease create %[3]s
  bin/gateway lease list
  bin/gateway lease exec %[3]s --ttl 10s -- sh -c 'while :; do curl -sS -H "Authorization: Bearer $OPENAI_API_KEY" -H "Content-Type: application/json" -d "{\"model\": \"gpt-4o-mini\", \"messages\": [{\"role\": \"user\", \"content\": \"hello\"}]}" $OPENAI_BASE_URL/chat/completions; sleep 1; done'
  bin/gateway lease exec %[3]s -- python3 -c 'import openai; print(openai.OpenAI().chat.completions.create(model="gpt-4o-mini", messages=[{"role": "user", "content": "hello"}]))'

The same for clients of Vault:

  export VAULT_ADDR=%[4]s VAULT_TOKEN=$OPERATOR

  vault read openai/creds/%[3]s
  curl -sS -H "X-Vault-Token: $VAULT_TOKEN" $VAULT_ADDR/v1/openai/creds/%[3]s

`, gateway, fake, demoRole, vault)
	return err
}
