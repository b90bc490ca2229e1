package pages

import (
	"cmp"
	"context"
	"net/url"
	"slices"
	"strings"

	leasev1 "github.com/admin-gateway/admin-gateway/gen/admingateway/lease/v1"
	"github.com/admin-gateway/admin-gateway/gen/admingateway/lease/v1/leasev1connect"
	"github.com/admin-gateway/admin-gateway/service/console"
)

const (
	permissionLeases      = "leases.read"
	permissionRevokeLease = "leases.revoke"
	// pageOfLeases is the largest page that the LeaseService gives.
	pageOfLeases = 1000
)

// leasesView is what the template "leases" shows.
type leasesView struct {
	Counts []leaseCount
	Rows   []leaseRow
	More   bool // there are more, which are not shown
	May    bool // its user may revoke leases
}

// leaseCount is how many leases are in a state.
type leaseCount struct {
	State string
	N     int
	Bad   bool
}

// leaseRow is a lease that is not over.
type leaseRow struct {
	*leasev1.Lease

	Revoke string // the address of the question; "" for one that is being revoked
}

// StateName is the state in a word.
func (l leaseRow) StateName() string { return stateName(l.GetState()) }

// Bad says that somebody should look at it.
func (l leaseRow) Bad() bool { return isBad(l.GetState()) }

func stateName(s leasev1.LeaseState) string {
	return strings.ToLower(strings.TrimPrefix(s.String(), "LEASE_STATE_"))
}

func isBad(s leasev1.LeaseState) bool {
	return s == leasev1.LeaseState_LEASE_STATE_DOUBTFUL || s == leasev1.LeaseState_LEASE_STATE_ORPHAN
}

// open are the states of leases that are not over: those that have, or may have, a key.
func open() []leasev1.LeaseState {
	return []leasev1.LeaseState{
		leasev1.LeaseState_LEASE_STATE_INTENT, leasev1.LeaseState_LEASE_STATE_ISSUED, leasev1.LeaseState_LEASE_STATE_ACTIVE,
		leasev1.LeaseState_LEASE_STATE_EXPIRED, leasev1.LeaseState_LEASE_STATE_REVOKING, leasev1.LeaseState_LEASE_STATE_DOUBTFUL,
		leasev1.LeaseState_LEASE_STATE_ORPHAN,
	}
}

func gatherLeases(ctx context.Context, v *console.Visit) (any, error) {
	answer, err := leasev1connect.NewLeaseServiceClient(v.Client()).ListLeases(ctx, &leasev1.ListLeasesRequest{States: open(), PageSize: pageOfLeases})
	if err != nil {
		return nil, err
	}
	view := leasesView{May: v.Access.May(permissionRevokeLease), More: answer.GetNextPageToken() != ""}
	numbers := make(map[leasev1.LeaseState]int)
	for _, l := range answer.GetLeases() {
		numbers[l.GetState()]++
		row := leaseRow{Lease: l}
		if l.GetState() != leasev1.LeaseState_LEASE_STATE_REVOKING {
			row.Revoke = "/keys/revoke-lease?" + url.Values{"lease": {l.GetId()}}.Encode()
		}
		view.Rows = append(view.Rows, row)
	}
	for _, s := range open() {
		view.Counts = append(view.Counts, leaseCount{stateName(s), numbers[s], isBad(s) && numbers[s] > 0})
	}
	slices.SortStableFunc(view.Rows, func(a, b leaseRow) int {
		if a.Bad() != b.Bad() {
			if a.Bad() {
				return -1
			}
			return 1
		}
		return cmp.Or(cmp.Compare(a.GetRole(), b.GetRole()), a.GetExpiresAt().AsTime().Compare(b.GetExpiresAt().AsTime()))
	})
	return view, nil
}
