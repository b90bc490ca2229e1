package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"connectrpc.com/connect/v2"

	controlv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/control/v1"
	"github.com/admin-gateway/admin-gateway/gen/admingateway/control/v1/controlv1connect"
)

type topCommand struct {
	operatorFlags
	Once     bool          `help:"Print once, and end."`
	Interval time.Duration `default:"2s" help:"Time between two looks; at least 500ms."`
	By       string        `enum:"caller,budget" default:"caller" help:"Rows by caller or by budget."`
	Limit    int32         `default:"20" help:"The most callers to show; at most 1000."`
}

// Run shows who spends the budget, again and again until a signal.
func (c *topCommand) Run(ctx context.Context, std streams) error {
	client, end, err := c.Client()
	if err != nil {
		return err
	}
	defer end()
	return again(ctx, std, c.Once, c.Interval, func() error {
		answer, err := callControl(ctx, c.operatorFlags, client, func(client *connect.Client) func(context.Context, *controlv1.GetTopRequest) (*controlv1.GetTopResponse, error) {
			return controlv1connect.NewBudgetServiceClient(client).GetTop
		}, &controlv1.GetTopRequest{Limit: c.Limit})
		if err != nil {
			return err
		}
		return c.show(std.out, answer)
	})
}

func (c *topCommand) show(w io.Writer, answer *controlv1.GetTopResponse) error {
	if err := c.clear(w, c.Once); err != nil {
		return err
	}
	return c.print(w, answer, func(t *tableWriter) {
		t.line(fmt.Sprintf("%s  %d replicas  last minute", time.Now().Format(time.TimeOnly), answer.GetReplicas()))
		if c.By == "budget" {
			topByBudget(t, answer)
		} else {
			topByCaller(t, answer)
		}
		if n := answer.GetLeftOut(); n > 0 {
			t.line(fmt.Sprintf("%d more callers spend less", n))
		}
		if !answer.GetShared() {
			t.line("a replica counts its budget alone: there is no Redis, or it does not answer")
		}
		t.missing(answer.GetMissingReplicas(), answer.GetUnknownReplicas())
	})
}

func topByCaller(t *tableWriter, answer *controlv1.GetTopResponse) {
	t.row("CALLER", "UPSTREAM", "WAITING", "WAITED", "CALLS", "CACHED", "REFUSED", "FAILED", "BUDGETS")
	for _, l := range answer.GetCallers() {
		var sum controlv1.BudgetSpending
		waited := time.Duration(0)
		var spent []string
		for _, b := range l.GetBudgets() {
			sum.RequestsMinute += b.GetRequestsMinute()
			sum.Waiting += b.GetWaiting()
			waited += b.GetWaitedMinute().AsDuration()
			if b.GetRequestsMinute()+b.GetWaiting() > 0 {
				spent = append(spent, fmt.Sprintf("%s %d", b.GetBudget(), b.GetRequestsMinute()))
			}
		}
		m := l.GetMinute()
		t.row(l.GetCaller(), sum.GetRequestsMinute(), sum.GetWaiting(), waited.Round(time.Millisecond), m.GetCalls(), m.GetCached(), m.GetRefused(), m.GetFailed(), strings.Join(spent, ", "))
	}
}

func topByBudget(t *tableWriter, answer *controlv1.GetTopResponse) {
	t.row("BUDGET", "RATE/MIN", "LEFT", "UPSTREAM", "WAITING", "CALLERS")
	all := answer.GetBuckets()
	if answer.GetOrganization() != nil {
		all = append([]*controlv1.BudgetBucket{answer.GetOrganization()}, all...)
	}
	for _, b := range all {
		var requests int64
		var by []string
		for _, l := range answer.GetCallers() {
			for _, spent := range l.GetBudgets() {
				if b.GetName() != "" && spent.GetBudget() != b.GetName() {
					continue
				}
				requests += spent.GetRequestsMinute()
				if n := spent.GetRequestsMinute() + spent.GetWaiting(); n > 0 && b.GetName() != "" {
					by = append(by, fmt.Sprintf("%s %d", l.GetCaller(), n))
				}
			}
		}
		t.row(budgetName(b), decimal(b.GetRatePerMinute()), decimal(b.GetTokens()), requests, queued(b), strings.Join(by[:min(len(by), 5)], ", "))
	}
}
