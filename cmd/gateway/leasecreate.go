package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/admin-gateway/admin-gateway/cmd/gateway/internal/secretfile"
	leasev1 "github.com/admin-gateway/admin-gateway/gen/admingateway/lease/v1"
	"github.com/admin-gateway/admin-gateway/gen/admingateway/lease/v1/leasev1connect"
)

// wantedLease are the flags of commands that ask for a lease.
type wantedLease struct {
	Role   string            `arg:"" help:"The role, as the policy names it."`
	TTL    time.Duration     `name:"ttl" help:"How long the lease lives without a renewal, such as 30m; without it, as long as the role says."`
	Holder string            `help:"Whom the lease is for, if not the caller itself; it takes the permission leases.delegate."`
	Label  map[string]string `mapsep:"none" placeholder:"NAME=TEXT" help:"What the lease is for; may be repeated. It is recorded, and no secret."`
}

// secretFlags say where a secret goes.
type secretFlags struct {
	RequestID string `placeholder:"ID" help:"Names the request, so that it can be made again if the answer is lost; drawn at random without it."`
	Out       string `type:"path" placeholder:"FILE" help:"Write the key into this file, for its owner alone, and not to the terminal."`
}

func (f *secretFlags) requestID() string {
	if f.RequestID == "" {
		f.RequestID = rand.Text()
	}
	return f.RequestID
}

// retriable says how to make a request again whose answer did not come.
func (f *secretFlags) retriable(err error) error {
	if err == nil || errors.Is(err, context.Canceled) {
		return err
	}
	return fmt.Errorf("%w (the same again: --request-id %s)", err, f.RequestID)
}

// secretAnswer is an answer that has a secret.
type secretAnswer interface {
	proto.Message
	GetLease() *leasev1.Lease
	GetSecret() string
}

// deliver writes the secret and then acknowledges it: from then on, the gateway does not
// keep it. forget clears it in the answer.
func (f *secretFlags) deliver(ctx context.Context, client leasev1connect.LeaseServiceClient, p *leasePrinter, answer secretAnswer, forget func(), more ...string) error {
	if answer.GetSecret() == "" {
		return errors.Join(p.lease(answer, answer.GetLease(), more...), errors.New("the secret was acknowledged before, and is not kept: rotate the lease"))
	}
	if f.Out == "" {
		more = append(more, "secret", answer.GetSecret())
	} else {
		if err := secretfile.Write(f.Out, []byte(answer.GetSecret())); err != nil {
			return err
		}
		forget()
	}
	if err := p.lease(answer, answer.GetLease(), more...); err != nil {
		return err
	}
	// The first renewal says the same, and so does the end of ten minutes.
	if _, err := client.AcknowledgeLease(ctx, &leasev1.AcknowledgeLeaseRequest{LeaseId: answer.GetLease().GetId()}); err != nil {
		return fmt.Errorf("the key is there, and was not acknowledged: %w", rpcError(ctx, err))
	}
	return nil
}

type leaseCreateCommand struct {
	unaryFlags
	wantedLease
	secretFlags
}

// Run gets a lease, and writes its key.
func (c *leaseCreateCommand) Run(ctx context.Context, std streams) error {
	client, end, err := c.client()
	if err != nil {
		return err
	}
	defer end()
	ctx, cancel := context.WithTimeout(ctx, c.Timeout)
	defer cancel()
	answer, err := client.CreateLease(ctx, &leasev1.CreateLeaseRequest{
		Role: c.Role, Ttl: lifetime(c.TTL), RequestId: c.requestID(), Holder: c.Holder, Labels: c.Label,
	})
	if err != nil {
		return c.retriable(err)
	}
	return c.deliver(ctx, client, newLeasePrinter(std.out, c.Format), answer, func() { answer.Secret = "" })
}

type leaseRotateCommand struct {
	unaryFlags
	ID      string        `arg:"" help:"ID of the lease."`
	Overlap time.Duration `help:"How long the key before goes on working; it is deleted at once without it."`
	secretFlags
}

// Run gives a lease another key, and writes it.
func (c *leaseRotateCommand) Run(ctx context.Context, std streams) error {
	client, end, err := c.client()
	if err != nil {
		return err
	}
	defer end()
	ctx, cancel := context.WithTimeout(ctx, c.Timeout)
	defer cancel()
	answer, err := client.RotateLease(ctx, &leasev1.RotateLeaseRequest{LeaseId: c.ID, RequestId: c.requestID(), Overlap: lifetime(c.Overlap)})
	if err != nil {
		return c.retriable(err)
	}
	return c.deliver(ctx, client, newLeasePrinter(std.out, c.Format), answer, func() { answer.Secret = "" },
		"previous key", answer.GetPrevious().GetApiKeyId(), "previous key ends", instant(answer.GetPrevious().GetEndsAt()))
}

// lifetime is nil for none.
func lifetime(d time.Duration) *durationpb.Duration {
	if d == 0 {
		return nil
	}
	return durationpb.New(d)
}
