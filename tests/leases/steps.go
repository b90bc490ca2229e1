//go:build unix

package leases

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	leasev1 "github.com/admin-gateway/admin-gateway/gen/admingateway/lease/v1"
	"github.com/admin-gateway/admin-gateway/gen/admingateway/lease/v1/leasev1connect"
	"github.com/admin-gateway/admin-gateway/internal/processtest"
)

// NewTenant makes one whose steps the seed draws.
func NewTenant(h *House, d *Diary, seed uint64, number int) *Tenant {
	return &Tenant{house: h, number: number, diary: d, random: rand.New(rand.NewPCG(seed, 1000+uint64(number)))} //nolint:gosec // The same steps for the same seed.
}

// rest waits, and is false when ctx has ended.
func (t *Tenant) rest(ctx context.Context, d time.Duration) bool {
	return processtest.Pause(ctx, d) == nil
}

func (t *Tenant) upTo(d time.Duration) time.Duration { return time.Duration(t.random.Int64N(int64(d))) }

// Live asks for one lease after the other until ctx ends.
func (t *Tenant) Live(ctx context.Context) {
	for n := 0; ctx.Err() == nil; n++ {
		switch k := t.random.IntN(20); {
		case k < 16:
			t.lease(ctx, n)
		case k < 18:
			t.static(ctx, n)
		case k < 19:
			t.reconcile(ctx)
		default:
			t.revokeHolder(ctx, n)
		}
		t.rest(ctx, t.upTo(150*time.Millisecond))
	}
}

// lease is the life of a lease.
func (t *Tenant) lease(ctx context.Context, n int) {
	h := t.create(ctx, n, "")
	for steps := t.random.IntN(5); h.Lease != "" && !h.Ended && steps > 0 && ctx.Err() == nil; steps-- {
		switch t.random.IntN(7) {
		case 0:
			t.acknowledge(ctx, h)
		case 1, 2:
			t.renew(ctx, h)
		case 3, 4:
			t.rotate(ctx, h, n*10+steps)
		default:
			t.rest(ctx, t.upTo(600*time.Millisecond))
		}
		t.use(h)
	}
	if h.Lease != "" && t.random.IntN(5) < 2 {
		t.revoke(ctx, h)
	}
}

// ttl draws a life: most are short, so that they end in the test, and some are so long
// that a key that is forgotten stays.
func (t *Tenant) ttl(role *Role) time.Duration {
	if role.MaxTTL == longestTTL && t.random.IntN(4) == 0 {
		return longestTTL
	}
	return time.Duration(1+t.random.IntN(4)) * time.Second
}

func (t *Tenant) create(ctx context.Context, n int, holder string) *Hold {
	all := roles()
	role := all[t.random.IntN(4)] // The last one is static.
	ttl := t.ttl(&role)
	h := &Hold{Request: fmt.Sprintf("t%d-%d", t.number, n), Role: role.Name, Holder: holder}
	t.diary.add(h)
	q := &leasev1.CreateLeaseRequest{Role: role.Name, RequestId: h.Request, Ttl: durationpb.New(ttl), Holder: holder, Labels: map[string]string{"n": "1"}}
	result := t.try(ctx, rpcCreate, func(ctx context.Context, c leasev1connect.LeaseServiceClient) error {
		answer, err := c.CreateLease(ctx, q)
		if err == nil {
			h.Lease = answer.GetLease().GetId()
			h.MaxExpires = answer.GetLease().GetMaxExpiresAt().AsTime()
			h.Expires = answer.GetLease().GetExpiresAt().AsTime()
			// What an attempt before it has begun is this lease.
			h.Latest = h.Expires
			t.secret(h, answer.GetSecret())
		}
		return err
	}, func() { h.later(time.Now().Add(ttl)) })
	if result != done {
		h.Doubt = true
		return h
	}
	t.use(h)
	return h
}

// secret notes a secret that was given.
func (t *Tenant) secret(h *Hold, secret string) {
	if secret == "" {
		t.diary.fault(Violation{NoSecret, "a key was given without its secret, of request " + h.Request})
		return
	}
	t.diary.given(secret)
	if len(h.Secrets) == 0 || h.Secrets[len(h.Secrets)-1] != secret {
		h.Secrets = append(h.Secrets, secret)
	}
}

func (t *Tenant) acknowledge(ctx context.Context, h *Hold) {
	t.try(ctx, rpcAcknowledge, func(ctx context.Context, c leasev1connect.LeaseServiceClient) error {
		_, err := c.AcknowledgeLease(ctx, &leasev1.AcknowledgeLeaseRequest{LeaseId: h.Lease})
		return err
	}, nil)
}

func (t *Tenant) renew(ctx context.Context, h *Hold) {
	var role Role
	for _, r := range roles() {
		if r.Name == h.Role {
			role = r
		}
	}
	ttl := t.ttl(&role)
	t.try(ctx, rpcRenew, func(ctx context.Context, c leasev1connect.LeaseServiceClient) error {
		answer, err := c.RenewLease(ctx, &leasev1.RenewLeaseRequest{LeaseId: h.Lease, Ttl: durationpb.New(ttl)})
		if err == nil {
			end := answer.GetLease().GetExpiresAt().AsTime()
			if end.Before(h.Expires) {
				t.diary.fault(Violation{MovedBack, "a renewal of lease " + h.Lease + " has moved its end back"})
			}
			h.Expires = end
			h.later(end)
		}
		return err
	}, func() { h.later(time.Now().Add(ttl)) })
}

func (t *Tenant) rotate(ctx context.Context, h *Hold, n int) {
	overlap := time.Duration(t.random.IntN(2)) * time.Second
	q := &leasev1.RotateLeaseRequest{LeaseId: h.Lease, RequestId: fmt.Sprintf("r%d", n), Overlap: durationpb.New(overlap)}
	result := t.try(ctx, rpcRotate, func(ctx context.Context, c leasev1connect.LeaseServiceClient) error {
		answer, err := c.RotateLease(ctx, q)
		if err == nil {
			t.secret(h, answer.GetSecret())
		}
		return err
	}, nil)
	if result == unknown {
		h.Doubt = true // Which of its keys it has is not known.
	}
}

func (t *Tenant) revoke(ctx context.Context, h *Hold) {
	q := &leasev1.RevokeLeaseRequest{LeaseId: h.Lease, Wait: t.random.IntN(4) == 0, Urgent: t.random.IntN(4) == 0}
	result := t.try(ctx, rpcRevoke, func(ctx context.Context, c leasev1connect.LeaseServiceClient) error {
		_, err := c.RevokeLease(ctx, q)
		return err
	}, nil)
	h.Ended = h.Ended || result == done
	h.Doubt = h.Doubt || result == unknown
}

// revokeHolder makes some leases for a holder, and ends all that the holder has.
func (t *Tenant) revokeHolder(ctx context.Context, n int) {
	holder := fmt.Sprintf("holder-%d-%d", t.number, n)
	var holds []*Hold
	for i := range 1 + t.random.IntN(3) {
		holds = append(holds, t.create(ctx, n*10+i+1_000_000, holder))
	}
	result := t.try(ctx, rpcRevokeMany, func(ctx context.Context, c leasev1connect.LeaseServiceClient) error {
		stream, err := c.RevokeLeases(ctx, &leasev1.RevokeLeasesRequest{Holder: holder})
		if err != nil {
			return err
		}
		return drain(stream, func(m *leasev1.RevokeLeasesResponse) *leasev1.LeaseEnd { return m.GetEnd() })
	}, nil)
	for _, h := range holds {
		h.Doubt = h.Doubt || result != done
		h.Ended = h.Ended || result == done && h.Lease != ""
	}
}

func (t *Tenant) reconcile(ctx context.Context) {
	t.try(ctx, rpcReconcile, reconcile, nil)
}

func reconcile(ctx context.Context, c leasev1connect.LeaseServiceClient) error {
	stream, err := c.Reconcile(ctx, &leasev1.ReconcileRequest{})
	if err != nil {
		return err
	}
	return drain(stream, func(m *leasev1.ReconcileResponse) *leasev1.LeaseEnd { return m.GetEnd() })
}

// static reads the key of the static role, or has it replaced first.
func (t *Tenant) static(ctx context.Context, n int) {
	if t.random.IntN(2) == 0 {
		t.try(ctx, rpcRotateStatic, func(ctx context.Context, c leasev1connect.LeaseServiceClient) error {
			_, err := c.RotateStaticRole(ctx, &leasev1.RotateStaticRoleRequest{Role: "static", RequestId: fmt.Sprintf("t%d-%d", t.number, n)})
			return err
		}, nil)
	}
	t.try(ctx, rpcReadStatic, func(ctx context.Context, c leasev1connect.LeaseServiceClient) error {
		answer, err := c.ReadStaticRole(ctx, &leasev1.ReadStaticRoleRequest{Role: "static"})
		if err == nil {
			t.diary.given(answer.GetSecret())
		}
		return err
	}, nil)
}
