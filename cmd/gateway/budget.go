package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"connectrpc.com/connect/v2"
	"google.golang.org/protobuf/types/known/timestamppb"

	controlv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/control/v1"
	"github.com/admin-gateway/admin-gateway/gen/admingateway/control/v1/controlv1connect"
)

type budgetCommand struct {
	operatorFlags
	watchFlags
}

// Run shows the budget, with what waits in the replica that answers.
func (c *budgetCommand) Run(ctx context.Context, std streams) error {
	client, end, err := c.Client()
	if err != nil {
		return err
	}
	defer end()
	return again(ctx, std, c.once(), c.Interval, func() error { return c.look(ctx, std.out, client) })
}

// look shows it once.
func (c *budgetCommand) look(ctx context.Context, out io.Writer, client *connect.Client) error {
	answer, err := callControl(ctx, c.operatorFlags, client, func(client *connect.Client) func(context.Context, *controlv1.GetBudgetRequest) (*controlv1.GetBudgetResponse, error) {
		return controlv1connect.NewBudgetServiceClient(client).GetBudget
	}, &controlv1.GetBudgetRequest{})
	if err != nil {
		return err
	}
	if err := c.clear(out, c.once()); err != nil {
		return err
	}
	return c.print(out, answer, func(t *tableWriter) {
		t.row("BUDGET", "RATE/MIN", "CEILING/MIN", "BURST", "LEFT", "WAITING HERE", "CLOSED FOR", "LAST 429")
		for _, b := range append([]*controlv1.BudgetBucket{answer.GetOrganization()}, answer.GetBuckets()...) {
			t.row(budgetName(b), decimal(b.GetRatePerMinute()), decimal(b.GetCeilingPerMinute()), b.GetBurst(), decimal(b.GetTokens()), queued(b), closedFor(b), ago(b.GetLastLimited()))
		}
		if !answer.GetShared() {
			t.line("this replica counts alone: there is no Redis, or it does not answer")
		}
	})
}

// budgetName is the name of a budget; that of all calls together has none of its own.
func budgetName(b *controlv1.BudgetBucket) string {
	if b.GetName() == "" {
		return "(organization)"
	}
	return b.GetName()
}

func decimal(x float64) string { return strings.TrimSuffix(fmt.Sprintf("%.1f", x), ".0") }

// queued is the number of calls that wait, of all classes.
func queued(b *controlv1.BudgetBucket) int32 {
	return b.GetQueuedUrgent() + b.GetQueuedRevocations() + b.GetQueuedMints() + b.GetQueuedInteractive() + b.GetQueuedFanOut() + b.GetQueuedSpare()
}

// closedFor is how long a budget stays closed; "" for one that is open.
func closedFor(b *controlv1.BudgetBucket) string {
	if b.GetClosedUntil() == nil {
		return ""
	}
	return time.Until(b.GetClosedUntil().AsTime()).Round(time.Second).String()
}

// ago is how long ago something was; "" for never.
func ago(at *timestamppb.Timestamp) string {
	if at == nil {
		return ""
	}
	return time.Since(at.AsTime()).Round(time.Second).String() + " ago"
}
