package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"

	controlv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/control/v1"
	"github.com/admin-gateway/admin-gateway/gen/admingateway/control/v1/controlv1connect"
)

// holdCommand has what operators do with callers that must not call.
type holdCommand struct {
	Create  holdCreateCommand  `cmd:"" default:"withargs" help:"Hold a caller: all its calls are refused, and those that run end."`
	List    holdListCommand    `cmd:"" help:"List the callers that are held."`
	Release holdReleaseCommand `cmd:"" help:"Let a caller call again."`
}

type holdCreateCommand struct {
	operatorFlags
	Caller string        `arg:"" help:"Name of the caller in the policy."`
	For    time.Duration `placeholder:"2h" help:"How long; until it is released if not given."`
	Reason string        `placeholder:"TEXT" help:"Why, for other operators and the audit log. The caller is not told."`
}

type holdListCommand struct{ operatorFlags }

type holdReleaseCommand struct {
	operatorFlags
	Caller string `arg:"" help:"Name of the caller in the policy."`
}

// Run holds a caller.
func (c *holdCreateCommand) Run(ctx context.Context, std streams) error {
	request := &controlv1.CreateHoldRequest{Caller: c.Caller, Reason: c.Reason}
	if c.For != 0 {
		request.Lifetime = durationpb.New(c.For)
	}
	return operate(ctx, c.operatorFlags, controlv1connect.NewHoldServiceClient, func(ctx context.Context, client controlv1connect.HoldServiceClient) error {
		answer, err := client.CreateHold(ctx, request)
		if err != nil {
			return err
		}
		return c.printHolds(std.out, answer, answer.GetHold())
	})
}

// Run lists the callers that are held.
func (c *holdListCommand) Run(ctx context.Context, std streams) error {
	return operate(ctx, c.operatorFlags, controlv1connect.NewHoldServiceClient, func(ctx context.Context, client controlv1connect.HoldServiceClient) error {
		answer, err := client.ListHolds(ctx, &controlv1.ListHoldsRequest{})
		if err != nil {
			return err
		}
		if answer.GetReadAt() == nil {
			if _, err := fmt.Fprintln(std.err, "warning: this replica could not read the holds from the ledger since its start: it holds nobody"); err != nil {
				return err
			}
		}
		return c.printHolds(std.out, answer, answer.GetHolds()...)
	})
}

// Run releases a caller.
func (c *holdReleaseCommand) Run(ctx context.Context, std streams) error {
	return operate(ctx, c.operatorFlags, controlv1connect.NewHoldServiceClient, func(ctx context.Context, client controlv1connect.HoldServiceClient) error {
		answer, err := client.ReleaseHold(ctx, &controlv1.ReleaseHoldRequest{Caller: c.Caller})
		if err != nil {
			return err
		}
		return c.print(std.out, answer, func(t *tableWriter) {
			t.line(c.Caller + " may call again; every replica knows it within two seconds")
		})
	})
}

// printHolds shows an answer, or the holds that it has.
func (f *operatorFlags) printHolds(out io.Writer, answer proto.Message, holds ...*controlv1.Hold) error {
	return f.print(out, answer, func(t *tableWriter) {
		if len(holds) == 0 {
			t.line("no caller is held")
			return
		}
		t.row("CALLER", "HELD BY", "SINCE", "UNTIL", "REASON")
		for _, h := range holds {
			t.row(h.GetCaller(), h.GetCreatedBy(), clock(h.GetCreatedAt()), cmp.Or(clock(h.GetEndsAt()), "released"), h.GetReason())
		}
	})
}
