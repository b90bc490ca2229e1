package pages

import (
	"context"
	"fmt"
	"time"

	controlv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/control/v1"
	"github.com/admin-gateway/admin-gateway/gen/admingateway/control/v1/controlv1connect"
	"github.com/admin-gateway/admin-gateway/service/console"
)

const permissionStatus = "status.read"

// replicasView is what the template "replicas" shows.
type replicasView struct {
	*controlv1.GetStatusResponse

	Rows  []replicaRow
	Wrong []wrong
}

// replicaRow is a replica, with the part of its reads that its cache has answered.
type replicaRow struct {
	*controlv1.ReplicaStatus

	Reads  int64
	Stored float64
}

func replicaRows(status *controlv1.GetStatusResponse) (rows []replicaRow) {
	for _, r := range status.GetReplicas() {
		row := replicaRow{ReplicaStatus: r, Reads: r.GetCache().GetReads()}
		if row.Reads > 0 {
			row.Stored = float64(r.GetCache().GetStored()) / float64(row.Reads)
		}
		rows = append(rows, row)
	}
	return rows
}

// wrong is something that is not as it should be.
type wrong struct {
	Where string // the replica; "" for all of them
	What  string
	// Degraded says that calls are answered all the same.
	Degraded bool
}

func gatherReplicas(ctx context.Context, v *console.Visit) (any, error) {
	answer, err := controlv1connect.NewStatusServiceClient(v.Client()).GetStatus(ctx, &controlv1.GetStatusRequest{})
	if err != nil {
		return nil, err
	}
	return replicasView{answer, replicaRows(answer), wrongIn(answer)}, nil
}

// wrongIn lists what is wrong: with all replicas first, then with each.
func wrongIn(status *controlv1.GetStatusResponse) (all []wrong) {
	if status.GetUnknownReplicas() {
		all = append(all, wrong{What: "Redis does not answer, so there may be replicas that are not named here"})
	}
	if status.GetPoliciesDiffer() {
		all = append(all, wrong{What: "the replicas have different policies"})
	}
	if status.GetVersionsDiffer() {
		all = append(all, wrong{What: "the replicas are different builds", Degraded: true})
	}
	for _, missing := range status.GetMissingReplicas() {
		all = append(all, wrong{Where: missing.GetName(), What: "did not answer: " + missing.GetReason()})
	}
	for _, r := range status.GetReplicas() {
		if failure := r.GetPolicy().GetFailure(); failure != "" {
			all = append(all, wrong{Where: r.GetName(), What: fmt.Sprintf("its policy file cannot be used since %s, and the policy before stays in force: %s", r.GetPolicy().GetFailedAt().AsTime().UTC().Format(time.RFC3339), failure), Degraded: true})
		}
		for _, c := range r.GetConditions() {
			if !c.GetOk() || c.GetDegraded() {
				all = append(all, wrong{Where: r.GetName(), What: c.GetName() + ": " + c.GetReason(), Degraded: c.GetOk()})
			}
		}
	}
	return all
}
