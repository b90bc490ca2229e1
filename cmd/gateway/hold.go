package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/admin-gateway/admin-gateway/cmd/gateway/internal/dial"
	"github.com/admin-gateway/admin-gateway/cmd/gateway/internal/output"
	controlv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/control/v1"
	"github.com/admin-gateway/admin-gateway/gen/admingateway/control/v1/controlv1connect"
)

// holdCommand has what operators do with callers that must not call.
type holdCommand struct {
	Create  holdCreateCommand  `cmd:"" default:"withargs" help:"Hold a caller: all its calls are refused, and those that run end."`
	List    holdListCommand    `cmd:"" help:"List the callers that are held."`
	Release holdReleaseCommand `cmd:"" help:"Let a caller call again."`
}

// holdFlags are the flags of all three.
type holdFlags struct {
	dial.Flags
	Timeout time.Duration `default:"30s" help:"How long the call may take."`
	Format  string        `enum:"table,json" default:"table" help:"table or json."`
}

type holdCreateCommand struct {
	holdFlags
	Caller string        `arg:"" help:"Name of the caller in the policy."`
	For    time.Duration `placeholder:"2h" help:"How long; until it is released if not given."`
	Reason string        `placeholder:"TEXT" help:"Why, for other operators and the audit log. The caller is not told."`
}

type holdListCommand struct{ holdFlags }

type holdReleaseCommand struct {
	holdFlags
	Caller string `arg:"" help:"Name of the caller in the policy."`
}

// Run holds a caller.
func (c *holdCreateCommand) Run(ctx context.Context, std streams) error {
	request := &controlv1.CreateHoldRequest{Caller: c.Caller, Reason: c.Reason}
	if c.For != 0 {
		request.Lifetime = durationpb.New(c.For)
	}
	return c.call(ctx, func(ctx context.Context, client controlv1connect.HoldServiceClient) error {
		answer, err := client.CreateHold(ctx, request)
		if err != nil {
			return err
		}
		return c.print(std.out, answer, answer.GetHold())
	})
}

// Run lists the callers that are held.
func (c *holdListCommand) Run(ctx context.Context, std streams) error {
	return c.call(ctx, func(ctx context.Context, client controlv1connect.HoldServiceClient) error {
		answer, err := client.ListHolds(ctx, &controlv1.ListHoldsRequest{})
		if err != nil {
			return err
		}
		if answer.GetReadAt() == nil {
			if _, err := fmt.Fprintln(std.err, "warning: this replica could not read the holds from the ledger since its start: it holds nobody"); err != nil {
				return err
			}
		}
		return c.print(std.out, answer, answer.GetHolds()...)
	})
}

// Run releases a caller.
func (c *holdReleaseCommand) Run(ctx context.Context, std streams) error {
	return c.call(ctx, func(ctx context.Context, client controlv1connect.HoldServiceClient) error {
		answer, err := client.ReleaseHold(ctx, &controlv1.ReleaseHoldRequest{Caller: c.Caller})
		if err != nil {
			return err
		}
		if c.Format == "json" {
			return c.print(std.out, answer)
		}
		_, err = fmt.Fprintf(std.out, "%s may call again; every replica knows it within two seconds\n", output.Printable(c.Caller))
		return err
	})
}

// call makes one call.
func (f holdFlags) call(ctx context.Context, do func(context.Context, controlv1connect.HoldServiceClient) error) error {
	client, end, err := f.Client()
	if err != nil {
		return err
	}
	defer end()
	calling, cancel := context.WithTimeout(ctx, f.Timeout)
	defer cancel()
	return rpcError(ctx, do(calling, controlv1connect.NewHoldServiceClient(client)))
}

// print shows an answer, or the holds that it has.
func (f holdFlags) print(out io.Writer, answer proto.Message, holds ...*controlv1.Hold) error {
	if f.Format == "json" {
		return output.One(out, output.JSON, answer)
	}
	if len(holds) == 0 {
		_, err := fmt.Fprintln(out, "no caller is held")
		return err
	}
	table := output.NewTable(out, output.Width(out), "CALLER", "HELD BY", "SINCE", "UNTIL", "REASON")
	for _, h := range holds {
		if err := table.Row(h.GetCaller(), h.GetCreatedBy(), clock(h.GetCreatedAt()), cmp.Or(clock(h.GetEndsAt()), "released"), h.GetReason()); err != nil {
			return err
		}
	}
	return table.Close()
}
