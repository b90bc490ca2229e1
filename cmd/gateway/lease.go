package main

import (
	"context"
	"errors"
	"io"
	"time"

	"connectrpc.com/connect/v2"

	"github.com/admin-gateway/admin-gateway/cmd/gateway/internal/dial"
	"github.com/admin-gateway/admin-gateway/gen/admingateway/lease/v1/leasev1connect"
)

// leaseCommand has what callers do with leases, and the tools of operators.
type leaseCommand struct {
	Create    leaseCreateCommand    `cmd:"" help:"Get a lease of a role, with its key."`
	Renew     leaseRenewCommand     `cmd:"" help:"Move the end of a lease."`
	Rotate    leaseRotateCommand    `cmd:"" help:"Give a lease another key."`
	Revoke    leaseRevokeCommand    `cmd:"" help:"End a lease, or all that a role, a caller and a holder select."`
	Get       leaseGetCommand       `cmd:"" help:"Show a lease, without its key."`
	List      leaseListCommand      `cmd:"" help:"List leases, without their keys."`
	Watch     leaseWatchCommand     `cmd:"" help:"Show what becomes of leases, as it happens."`
	Reconcile leaseReconcileCommand `cmd:"" help:"Compare the leases with the keys upstream, and delete the keys that have the gateway's mark and no lease."`
	Exec      leaseExecCommand      `cmd:"" help:"Run a program with a leased key in OPENAI_API_KEY; renew the lease for it, replace the key, and revoke the lease in the end."`
	Ledger    ledgerCommand         `cmd:"" help:"Tools for the ledger of leases, which work without a gateway: on its file, or on Redis."`
}

// leaseFlags are the flags of commands that call the LeaseService.
type leaseFlags struct {
	dial.Flags
}

// client makes the client. Close its connections with the function that it returns.
func (f leaseFlags) client() (leasev1connect.LeaseServiceClient, func(), error) {
	client, end, err := f.Client()
	if err != nil {
		return nil, nil, err
	}
	return leasev1connect.NewLeaseServiceClient(client), end, nil
}

// unaryFlags are the flags of commands that make one call.
type unaryFlags struct {
	leaseFlags
	Timeout time.Duration `default:"2m" help:"How long the call may take."`
	Format  string        `enum:"table,json" default:"table" help:"table or json."`
}

// callLease makes one call, and prints its answer.
func callLease[Q, A any](ctx context.Context, std streams, f unaryFlags, rpc func(leasev1connect.LeaseServiceClient) func(context.Context, Q) (A, error), request Q, show func(*leasePrinter, A) error) error {
	client, end, err := f.client()
	if err != nil {
		return err
	}
	defer end()
	calling, cancel := context.WithTimeout(ctx, f.Timeout)
	defer cancel()
	answer, err := rpc(client)(calling, request)
	if err != nil {
		return rpcError(ctx, err)
	}
	return show(newLeasePrinter(std.out, f.Format), answer)
}

// rpcError is the error of a call, or that of the context in which it was made: the
// command was told to end.
func rpcError(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return err
}

// streamPasses says whether a stream that ended with the error can be opened again: the
// gateway says so, or the error comes from what lies in between.
func streamPasses(err error) bool {
	switch connect.CodeOf(err) {
	case connect.CodeUnavailable, connect.CodeDeadlineExceeded, connect.CodeResourceExhausted:
		return true
	default:
		e, ok := errors.AsType[*connect.Error](err)
		return errors.Is(err, io.EOF) || ok && !e.IsRemote()
	}
}
