//go:build unix

package leases

import (
	"fmt"
	"math/rand/v2"
	"time"
)

// Phase is when, in the life of a call, a gateway is killed.
type Phase string

// The phases.
const (
	// Arrived: the upstream has the call, and has not done it.
	Arrived Phase = "arrived"
	// Done: it has done it, and has not answered.
	Done Phase = "done"
	// Answered: it has answered. The gateway may have written that down, or not.
	Answered Phase = "answered"
	// Sent: a tenant has sent the RPC.
	Sent Phase = "sent"
	// Heard: a tenant has the answer.
	Heard Phase = "heard"
	// Elapsed: whatever goes on.
	Elapsed Phase = "elapsed"
)

// The calls of the upstream, by the names that the sandbox has for them.
const (
	createKey     = "POST /organization/projects/{project_id}/service_accounts/{service_account_id}/api_keys"
	prolongKey    = "POST /organization/projects/{project_id}/api_keys/{api_key_id}"
	deleteKey     = "DELETE /organization/projects/{project_id}/api_keys/{api_key_id}"
	listKeys      = "GET /organization/projects/{project_id}/api_keys"
	createAccount = "POST /organization/projects/{project_id}/service_accounts"
	enableAccount = "POST /organization/projects/{project_id}/service_accounts/{service_account_id}"
	deleteAccount = "DELETE /organization/projects/{project_id}/service_accounts/{service_account_id}"
	listAccounts  = "GET /organization/projects/{project_id}/service_accounts"
)

// The RPCs of tenants.
const (
	rpcCreate       = "CreateLease"
	rpcAcknowledge  = "AcknowledgeLease"
	rpcRenew        = "RenewLease"
	rpcRotate       = "RotateLease"
	rpcRevoke       = "RevokeLease"
	rpcRevokeMany   = "RevokeLeases"
	rpcReadStatic   = "ReadStaticRole"
	rpcRotateStatic = "RotateStaticRole"
	rpcReconcile    = "Reconcile"
)

// Point is where a gateway is killed.
type Point struct {
	// Call is an operation of the upstream, an RPC, or empty for [Elapsed].
	Call  string
	Phase Phase
	// After is the time that passes then.
	After time.Duration
	// Down is how long the gateway stays away.
	Down time.Duration
}

func (p Point) String() string {
	if p.Call == "" {
		return fmt.Sprintf("%s after %v", p.Phase, p.After)
	}
	return fmt.Sprintf("%s %s after %v", p.Call, p.Phase, p.After)
}

// patience is how long a point is waited for. Work behind leases is done by whoever leads,
// and that one may have been killed: then the next one leads in nine seconds.
func (p Point) patience() time.Duration {
	switch p.Call {
	case deleteKey, deleteAccount, listAccounts:
		return 15 * time.Second
	default:
		return 4 * time.Second
	}
}

// weighted is a call, and how often it is drawn among the others.
type weighted struct {
	call   string
	weight int
}

func upstreamCalls() []weighted {
	return []weighted{
		{createKey, 30},
		{prolongKey, 15},
		{deleteKey, 15},
		{listKeys, 6},
		{createAccount, 8},
		{enableAccount, 4},
		{deleteAccount, 4},
		{listAccounts, 3},
	}
}

func tenantCalls() []weighted {
	return []weighted{
		{rpcCreate, 10},
		{rpcAcknowledge, 4},
		{rpcRenew, 6},
		{rpcRotate, 6},
		{rpcRevoke, 8},
		{rpcRevokeMany, 3},
		{rpcReadStatic, 2},
		{rpcRotateStatic, 3},
		{rpcReconcile, 4},
	}
}

// Points draws so many points from a seed: always the same ones.
func Points(seed uint64, n int) []Point {
	r := rand.New(rand.NewPCG(seed, 1)) //nolint:gosec // The same points for the same seed.
	points := make([]Point, n)
	for i := range points {
		p := &points[i]
		switch k := r.IntN(20); {
		case k < 12:
			p.Call = draw(r, upstreamCalls())
			p.Phase = []Phase{Arrived, Done, Answered}[r.IntN(3)]
			if p.Phase == Answered {
				// What is written down next takes some milliseconds.
				p.After = time.Duration(r.Int64N(int64(8 * time.Millisecond)))
			}
		case k < 18:
			p.Call = draw(r, tenantCalls())
			p.Phase = []Phase{Sent, Heard}[r.IntN(2)]
			if p.Phase == Sent {
				p.After = time.Duration(r.Int64N(int64(40 * time.Millisecond)))
			}
		default:
			p.Phase = Elapsed // The ends of short leases are everywhere.
			p.After = time.Duration(r.Int64N(int64(3 * time.Second)))
		}
		p.Down = time.Duration(r.Int64N(int64(400 * time.Millisecond)))
	}
	return points
}

func draw(r *rand.Rand, from []weighted) string {
	all := 0
	for _, w := range from {
		all += w.weight
	}
	k := r.IntN(all)
	for _, w := range from {
		if k -= w.weight; k < 0 {
			return w.call
		}
	}
	return from[0].call
}
