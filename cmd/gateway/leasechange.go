package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	leasev1 "github.com/admin-gateway/admin-gateway/gen/admingateway/lease/v1"
	"github.com/admin-gateway/admin-gateway/gen/admingateway/lease/v1/leasev1connect"
)

type (
	leaseClient = leasev1connect.LeaseServiceClient
	// leaseRPC is a method of the client.
	leaseRPC[Q, A any] = func(context.Context, *Q) (*A, error)
)

type leaseRenewCommand struct {
	unaryFlags
	ID  string        `arg:"" help:"ID of the lease."`
	TTL time.Duration `name:"ttl" help:"How long the lease lives from now on; without it, as long as the role says."`
}

// Run moves the end of a lease.
func (c *leaseRenewCommand) Run(ctx context.Context, std streams) error {
	return callLease(ctx, std, c.unaryFlags,
		func(client leaseClient) leaseRPC[leasev1.RenewLeaseRequest, leasev1.RenewLeaseResponse] {
			return client.RenewLease
		},
		&leasev1.RenewLeaseRequest{LeaseId: c.ID, Ttl: lifetime(c.TTL)},
		func(p *leasePrinter, answer *leasev1.RenewLeaseResponse) error {
			return p.lease(answer, answer.GetLease())
		})
}

type leaseGetCommand struct {
	unaryFlags
	ID string `arg:"" help:"ID of the lease."`
}

// Run shows a lease.
func (c *leaseGetCommand) Run(ctx context.Context, std streams) error {
	return callLease(ctx, std, c.unaryFlags,
		func(client leaseClient) leaseRPC[leasev1.GetLeaseRequest, leasev1.GetLeaseResponse] {
			return client.GetLease
		},
		&leasev1.GetLeaseRequest{LeaseId: c.ID},
		func(p *leasePrinter, answer *leasev1.GetLeaseResponse) error {
			return p.lease(answer, answer.GetLease())
		})
}

type leaseRevokeCommand struct {
	unaryFlags
	ID     string `arg:"" optional:"" help:"ID of the lease; without it, --role, --caller and --holder select leases."`
	Wait   bool   `help:"Wait until the key is deleted, and not only until that is certain."`
	Urgent bool   `help:"Delete the key before others, and before keys are made."`

	Role          string    `help:"Revoke the leases of this role."`
	Caller        string    `help:"Revoke the leases of this caller."`
	Holder        string    `help:"Revoke the leases for this holder."`
	CreatedBefore time.Time `placeholder:"TIME" help:"Of these, only those that were created before, such as 2026-11-29T12:00:00Z."`
	DryRun        bool      `help:"Only count them."`
}

// selects says whether flags select leases.
func (c *leaseRevokeCommand) selects() bool { return c.Role != "" || c.Caller != "" || c.Holder != "" }

// Run revokes one lease or many.
func (c *leaseRevokeCommand) Run(ctx context.Context, std streams) error {
	switch {
	case (c.ID != "") == c.selects():
		return errors.New("give either the ID of a lease, or one of --role, --caller and --holder at least")
	case c.ID != "" && (c.DryRun || !c.CreatedBefore.IsZero()):
		return errors.New("flags --dry-run and --created-before are for leases that --role, --caller and --holder select")
	case c.ID == "" && (c.Wait || c.Urgent):
		return errors.New("flags --wait and --urgent are for the lease with an ID")
	case c.ID == "":
		return c.many(ctx, std)
	}
	return callLease(ctx, std, c.unaryFlags,
		func(client leaseClient) leaseRPC[leasev1.RevokeLeaseRequest, leasev1.RevokeLeaseResponse] {
			return client.RevokeLease
		},
		&leasev1.RevokeLeaseRequest{LeaseId: c.ID, Wait: c.Wait, Urgent: c.Urgent},
		func(p *leasePrinter, answer *leasev1.RevokeLeaseResponse) error {
			err := p.lease(answer, answer.GetLease())
			if c.Wait && answer.GetLease().GetState() == leasev1.LeaseState_LEASE_STATE_REVOKING {
				err = errors.Join(err, fmt.Errorf("the key is not deleted yet; that it is going to be is certain"))
			}
			return err
		})
}

func (c *leaseRevokeCommand) many(ctx context.Context, std streams) error {
	request := &leasev1.RevokeLeasesRequest{Role: c.Role, Caller: c.Caller, Holder: c.Holder, DryRun: c.DryRun}
	if !c.CreatedBefore.IsZero() {
		request.CreatedBefore = timestamppb.New(c.CreatedBefore)
	}
	client, end, err := c.client()
	if err != nil {
		return err
	}
	defer end()
	stream, err := client.RevokeLeases(ctx, request)
	if err != nil {
		return rpcError(ctx, err)
	}
	defer func() { _ = stream.Close() }()
	return (&leaseStream{std: std, printer: newLeasePrinter(std.out, c.Format), dryRun: c.DryRun}).show(ctx, func() (leasePart, error) {
		message, err := stream.Receive()
		return leasePart{message: message, progress: message.GetProgress(), failure: message.GetFailure(), end: message.GetEnd()}, err
	})
}
