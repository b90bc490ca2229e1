package main

import (
	"context"
	"errors"
	"io"
	"strconv"
	"strings"
	"time"

	"connectrpc.com/connect/v2"

	controlv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/control/v1"
	"github.com/admin-gateway/admin-gateway/gen/admingateway/control/v1/controlv1connect"
)

type statusCommand struct {
	operatorFlags
	watchFlags
}

// errNotWell makes the exit code 1 when something is wrong with a replica.
var errNotWell = errors.New("a replica is missing or not ready, or the replicas have different policies")

// Run shows the state of all replicas.
func (c *statusCommand) Run(ctx context.Context, std streams) error {
	client, end, err := c.Client()
	if err != nil {
		return err
	}
	defer end()
	return again(ctx, std, c.once(), c.Interval, func() error { return c.look(ctx, std.out, client) })
}

// look shows it once.
func (c *statusCommand) look(ctx context.Context, out io.Writer, client *connect.Client) error {
	answer, err := callControl(ctx, c.operatorFlags, client, func(client *connect.Client) func(context.Context, *controlv1.GetStatusRequest) (*controlv1.GetStatusResponse, error) {
		return controlv1connect.NewStatusServiceClient(client).GetStatus
	}, &controlv1.GetStatusRequest{})
	if err != nil {
		return err
	}
	if err := c.clear(out, c.once()); err != nil {
		return err
	}
	if err := c.print(out, answer, func(t *tableWriter) { statusTable(t, answer) }); err != nil {
		return err
	}
	if !well(answer) {
		return errNotWell
	}
	return nil
}

func well(answer *controlv1.GetStatusResponse) bool {
	ok := len(answer.GetMissingReplicas()) == 0 && !answer.GetUnknownReplicas() && !answer.GetPoliciesDiffer()
	for _, r := range answer.GetReplicas() {
		ok = ok && r.GetReady() && r.GetPolicy().GetFailure() == ""
	}
	return ok
}

func statusTable(t *tableWriter, answer *controlv1.GetStatusResponse) {
	t.row("REPLICA", "STATE", "VERSION", "COMMIT", "UP SINCE", "POLICY", "LOADED", "CALLERS", "FROM CACHE")
	for _, r := range answer.GetReplicas() {
		t.row(r.GetName(), stateOfReplica(r), r.GetVersion(), short(r.GetCommit()), instant(r.GetStartedAt()),
			short(r.GetPolicy().GetSha256()), instant(r.GetPolicy().GetLoadedAt()), r.GetPolicy().GetCallers(), fromCache(r.GetCache()))
	}
	for _, r := range answer.GetReplicas() {
		for _, condition := range r.GetConditions() {
			if condition.GetReason() != "" {
				t.line("! " + r.GetName() + ": " + condition.GetName() + ": " + condition.GetReason())
			}
		}
		if failure := r.GetPolicy().GetFailure(); failure != "" {
			t.line("! " + r.GetName() + ": the policy file cannot be used since " + r.GetPolicy().GetFailedAt().AsTime().Format(time.RFC3339) + ": " + strings.ReplaceAll(failure, "\n", "; "))
		}
	}
	if answer.GetPoliciesDiffer() {
		t.line("! the replicas have different policies")
	}
	if answer.GetVersionsDiffer() {
		t.line("! the replicas are different builds")
	}
	t.missing(answer.GetMissingReplicas(), answer.GetUnknownReplicas())
}

// fromCache is the part of the reads that were answered from the cache; "" before there
// was one.
func fromCache(c *controlv1.CacheStatus) string {
	if c.GetReads() == 0 {
		return ""
	}
	return strconv.FormatInt(100*c.GetStored()/c.GetReads(), 10) + "%"
}

func stateOfReplica(r *controlv1.ReplicaStatus) string {
	if !r.GetReady() {
		return "not ready"
	}
	for _, condition := range r.GetConditions() {
		if condition.GetDegraded() {
			return "degraded"
		}
	}
	return "ready"
}

// short is the beginning of a digest: enough to tell two apart.
func short(digest string) string { return digest[:min(len(digest), 12)] }
