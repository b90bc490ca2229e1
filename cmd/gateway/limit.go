package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"

	controlv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/control/v1"
	"github.com/admin-gateway/admin-gateway/gen/admingateway/control/v1/controlv1connect"
)

// limitCommand has what operators do with callers that need more than the policy allows, or
// less.
type limitCommand struct {
	Set     limitSetCommand     `cmd:"" default:"withargs" help:"Give a caller other limits for a time, in the place of those of the policy."`
	List    limitListCommand    `cmd:"" help:"List the callers that have other limits than the policy's."`
	Restore limitRestoreCommand `cmd:"" help:"Give a caller the policy's limits back."`
}

type limitSetCommand struct {
	operatorFlags
	Caller            string        `arg:"" help:"Name of the caller in the policy."`
	For               time.Duration `required:"" placeholder:"2h" help:"How long, 31 days at the most: what is to last longer belongs into the policy."`
	RequestsPerSecond *float64      `placeholder:"N" help:"Calls in a second, of each replica."`
	Burst             *int32        `placeholder:"N" help:"Calls that may come at once."`
	Concurrent        *int32        `placeholder:"N" help:"Calls with a single answer that may be under way at the same time."`
	Streams           *int32        `placeholder:"N" help:"Streams that may be."`
	MaxLiveLeases     *int32        `placeholder:"N" help:"Leases that it may have at a time."`
	LeaseMintsPerHour *int32        `placeholder:"N" help:"Leases that it may ask for within an hour."`
	Reason            string        `placeholder:"TEXT" help:"Why, for other operators and the audit log. The caller is not told."`
}

type limitListCommand struct{ operatorFlags }

type limitRestoreCommand struct {
	operatorFlags
	Caller string `arg:"" help:"Name of the caller in the policy."`
}

// Run gives a caller other limits.
func (c *limitSetCommand) Run(ctx context.Context, std streams) error {
	request := &controlv1.CreateLimitOverrideRequest{
		Caller: c.Caller, Lifetime: durationpb.New(c.For), Reason: c.Reason,
		Limits: &controlv1.LimitValues{
			RequestsPerSecond: c.RequestsPerSecond, Burst: c.Burst, Concurrent: c.Concurrent, Streams: c.Streams,
			MaxLiveLeases: c.MaxLiveLeases, LeaseMintsPerHour: c.LeaseMintsPerHour,
		},
	}
	return operate(ctx, c.operatorFlags, controlv1connect.NewLimitServiceClient, func(ctx context.Context, client controlv1connect.LimitServiceClient) error {
		answer, err := client.CreateLimitOverride(ctx, request)
		if err != nil {
			return err
		}
		return c.printLimits(std.out, answer, answer.GetLimitOverride())
	})
}

// Run lists the callers that have other limits.
func (c *limitListCommand) Run(ctx context.Context, std streams) error {
	return operate(ctx, c.operatorFlags, controlv1connect.NewLimitServiceClient, func(ctx context.Context, client controlv1connect.LimitServiceClient) error {
		answer, err := client.ListLimitOverrides(ctx, &controlv1.ListLimitOverridesRequest{})
		if err != nil {
			return err
		}
		if answer.GetReadAt() == nil {
			if _, err := fmt.Fprintln(std.err, "warning: this replica could not read them from the ledger since its start: the policy's limits are in force"); err != nil {
				return err
			}
		}
		return c.printLimits(std.out, answer, answer.GetLimitOverrides()...)
	})
}

// Run gives a caller the policy's limits back.
func (c *limitRestoreCommand) Run(ctx context.Context, std streams) error {
	return operate(ctx, c.operatorFlags, controlv1connect.NewLimitServiceClient, func(ctx context.Context, client controlv1connect.LimitServiceClient) error {
		answer, err := client.DeleteLimitOverride(ctx, &controlv1.DeleteLimitOverrideRequest{Caller: c.Caller})
		if err != nil {
			return err
		}
		return c.print(std.out, answer, func(t *tableWriter) {
			t.line(c.Caller + " has the policy's limits; every replica knows it within two seconds")
		})
	})
}

// printLimits shows an answer, or the overrides that it has.
func (f *operatorFlags) printLimits(out io.Writer, answer proto.Message, list ...*controlv1.LimitOverride) error {
	return f.print(out, answer, func(t *tableWriter) {
		if len(list) == 0 {
			t.line("every caller has the policy's limits")
			return
		}
		t.row("CALLER", "LIMITS", "GIVEN BY", "SINCE", "UNTIL", "REASON")
		for _, o := range list {
			t.row(o.GetCaller(), limitWords(o.GetLimits()), o.GetCreatedBy(), clock(o.GetCreatedAt()), clock(o.GetEndsAt()), o.GetReason())
		}
	})
}

// limitWords are the limits that are given, with the names that the policy has for them.
func limitWords(l *controlv1.LimitValues) string {
	var words []string
	if l.RequestsPerSecond != nil {
		words = append(words, "requests_per_second "+strconv.FormatFloat(l.GetRequestsPerSecond(), 'g', -1, 64))
	}
	for _, n := range []struct {
		name  string
		value *int32
	}{
		{"burst", l.Burst},
		{"concurrent", l.Concurrent},
		{"streams", l.Streams},
		{"max_live_leases", l.MaxLiveLeases},
		{"lease_mints_per_hour", l.LeaseMintsPerHour},
	} {
		if n.value != nil {
			words = append(words, fmt.Sprint(n.name, " ", *n.value))
		}
	}
	return cmp.Or(strings.Join(words, ", "), "-")
}
