package leases_test

import (
	"context"
	"fmt"
	"sync"
	"time"

	"connectrpc.com/connect/v2"
	"connectrpc.com/connect/v2/connectproto"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	leasev1 "github.com/admin-gateway/admin-gateway/gen/admingateway/lease/v1"
)

// gateway is a model of one: a role, its leases and its keys, by a clock of its own.
type gateway struct {
	ttl, maxTTL time.Duration
	// skew is how far its clock is ahead of the holder's.
	skew time.Duration
	// trouble decides on a call before it is done and after: the error that the caller
	// gets in place of an answer.
	before, after func(rpc string) error
	// hangs says whether a call is not answered at all.
	hangs func(rpc string) bool

	mu     sync.Mutex
	leases map[string]*leasev1.Lease
	byID   map[string]string // request ids
	key    map[string]string // of a lease: the secret
	calls  map[string]int
	at     []time.Time // of renewals

	rotations int
}

func newGateway(ttl, maxTTL time.Duration) *gateway {
	none := func(string) error { return nil }
	return &gateway{
		ttl: ttl, maxTTL: maxTTL, before: none, after: none, hangs: func(string) bool { return false },
		leases: map[string]*leasev1.Lease{}, byID: map[string]string{}, key: map[string]string{}, calls: map[string]int{},
	}
}

func (g *gateway) now() time.Time { return time.Now().Add(g.skew) }

// call does f with trouble around it.
func call[R proto.Message](ctx context.Context, g *gateway, rpc string, f func() (R, error)) (answer R, err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.calls[rpc]++
	if g.hangs(rpc) {
		g.mu.Unlock()
		<-ctx.Done()
		g.mu.Lock()
	}
	if ctx.Err() != nil {
		return answer, connect.NewError(connect.CodeDeadlineExceeded, "too late")
	}
	if err := g.before(rpc); err != nil {
		return answer, err
	}
	answer, err = f()
	if err == nil {
		err = g.after(rpc)
	}
	if err != nil {
		var none R
		return none, err
	}
	copied, _ := proto.Clone(answer).(R)
	return copied, nil
}

// live returns a lease that has not ended.
func (g *gateway) live(id string) (*leasev1.Lease, error) {
	lease := g.leases[id]
	switch {
	case lease == nil:
		return nil, remote(connect.CodeNotFound, "LEASE_NOT_FOUND", 0)
	case !g.now().Before(lease.GetExpiresAt().AsTime()) || lease.GetState() == leasev1.LeaseState_LEASE_STATE_REVOKED:
		return nil, remote(connect.CodeFailedPrecondition, "LEASE_OVER", 0)
	}
	return lease, nil
}

// end is the end of a lease that is to live for a time from now on.
func (g *gateway) end(lease *leasev1.Lease, ttl *durationpb.Duration) {
	life := g.ttl
	if ttl != nil {
		life = ttl.AsDuration()
	}
	end := g.now().Add(life)
	if latest := lease.GetMaxExpiresAt().AsTime(); end.After(latest) {
		end = latest
	}
	if end.After(lease.GetExpiresAt().AsTime()) {
		lease.ExpiresAt = timestamppb.New(end)
	}
}

func (g *gateway) CreateLease(ctx context.Context, req *leasev1.CreateLeaseRequest) (*leasev1.CreateLeaseResponse, error) {
	return call(ctx, g, "create", func() (*leasev1.CreateLeaseResponse, error) {
		if id := g.byID[req.GetRequestId()]; id != "" {
			lease, err := g.live(id)
			return &leasev1.CreateLeaseResponse{Lease: lease, Secret: g.key[id], Repeated: true}, err
		}
		n := len(g.leases) + 1
		id := fmt.Sprint("lease-", n)
		now := g.now()
		lease := &leasev1.Lease{
			Id: id, Role: req.GetRole(), Holder: req.GetHolder(), Labels: req.GetLabels(), ApiKeyId: fmt.Sprint("key-", n), State: leasev1.LeaseState_LEASE_STATE_ISSUED,
			CreatedAt: timestamppb.New(now), ExpiresAt: timestamppb.New(now), MaxExpiresAt: timestamppb.New(now.Add(g.maxTTL)),
		}
		g.end(lease, req.GetTtl())
		g.leases[id], g.byID[req.GetRequestId()], g.key[id] = lease, id, fmt.Sprint("sk-secret-", n)
		return &leasev1.CreateLeaseResponse{Lease: lease, Secret: g.key[id]}, nil
	})
}

func (g *gateway) AcknowledgeLease(ctx context.Context, req *leasev1.AcknowledgeLeaseRequest) (*leasev1.AcknowledgeLeaseResponse, error) {
	return call(ctx, g, "acknowledge", func() (*leasev1.AcknowledgeLeaseResponse, error) {
		lease, err := g.live(req.GetLeaseId())
		if err == nil {
			lease.State = leasev1.LeaseState_LEASE_STATE_ACTIVE
		}
		return &leasev1.AcknowledgeLeaseResponse{Lease: lease}, err
	})
}

func (g *gateway) RenewLease(ctx context.Context, req *leasev1.RenewLeaseRequest) (*leasev1.RenewLeaseResponse, error) {
	return call(ctx, g, "renew", func() (*leasev1.RenewLeaseResponse, error) {
		g.at = append(g.at, time.Now())
		lease, err := g.live(req.GetLeaseId())
		if err == nil {
			g.end(lease, req.GetTtl())
		}
		return &leasev1.RenewLeaseResponse{Lease: lease}, err
	})
}

func (g *gateway) RotateLease(ctx context.Context, req *leasev1.RotateLeaseRequest) (*leasev1.RotateLeaseResponse, error) {
	return call(ctx, g, "rotate", func() (*leasev1.RotateLeaseResponse, error) {
		lease, err := g.live(req.GetLeaseId())
		if err != nil {
			return nil, err
		}
		if g.byID[req.GetRequestId()] == "" {
			g.byID[req.GetRequestId()] = lease.GetId()
			g.rotations++
			lease.ApiKeyId = fmt.Sprint("key-rotated-", g.rotations)
			g.key[lease.GetId()] = fmt.Sprint("sk-rotated-", g.rotations)
		}
		return &leasev1.RotateLeaseResponse{Lease: lease, Secret: g.key[lease.GetId()]}, nil
	})
}

func (g *gateway) RevokeLease(ctx context.Context, req *leasev1.RevokeLeaseRequest) (*leasev1.RevokeLeaseResponse, error) {
	return call(ctx, g, "revoke", func() (*leasev1.RevokeLeaseResponse, error) {
		lease, err := g.live(req.GetLeaseId())
		if err == nil {
			lease.State = leasev1.LeaseState_LEASE_STATE_REVOKED
		}
		return &leasev1.RevokeLeaseResponse{Lease: lease}, err
	})
}

// works says whether a key works now.
func (g *gateway) works(secret string) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	for id, key := range g.key {
		if key == secret {
			_, err := g.live(id)
			return err == nil
		}
	}
	return false
}

// alive counts the leases that have not ended.
func (g *gateway) alive() (n int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for id := range g.leases {
		if _, err := g.live(id); err == nil {
			n++
		}
	}
	return n
}

// change changes the model.
func (g *gateway) change(f func()) {
	g.mu.Lock()
	defer g.mu.Unlock()
	f()
}

func (g *gateway) count(rpc string) int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.calls[rpc]
}

// remote is an error of the gateway's, with a reason and a time to wait.
func remote(code connect.Code, reason string, wait time.Duration) error {
	err := connect.NewError(code, "no").WithRemote()
	details := []proto.Message{&errdetails.ErrorInfo{Reason: reason, Domain: "admin-gateway"}}
	if wait > 0 {
		details = append(details, &errdetails.RetryInfo{RetryDelay: durationpb.New(wait)})
	}
	for _, message := range details {
		detail, detailErr := connectproto.NewErrorDetail(message)
		if detailErr != nil {
			panic(detailErr)
		}
		err = err.WithDetail(detail)
	}
	return err
}

// cut is the error of a connection that was cut.
func cut() error { return connect.NewError(connect.CodeUnavailable, "connection reset") }
