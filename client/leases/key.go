package leases

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	leasev1 "github.com/admin-gateway/admin-gateway/gen/admingateway/lease/v1"
)

// Client is what a [Holder] calls. A leasev1connect.LeaseServiceClient is one.
type Client interface {
	CreateLease(context.Context, *leasev1.CreateLeaseRequest) (*leasev1.CreateLeaseResponse, error)
	AcknowledgeLease(context.Context, *leasev1.AcknowledgeLeaseRequest) (*leasev1.AcknowledgeLeaseResponse, error)
	RenewLease(context.Context, *leasev1.RenewLeaseRequest) (*leasev1.RenewLeaseResponse, error)
	RotateLease(context.Context, *leasev1.RotateLeaseRequest) (*leasev1.RotateLeaseResponse, error)
	RevokeLease(context.Context, *leasev1.RevokeLeaseRequest) (*leasev1.RevokeLeaseResponse, error)
}

// Request says which lease to get.
type Request struct {
	// Role is the role, as the policy names it. Required.
	Role string
	// TTL is how long the lease lives without a renewal; 0 means as long as the role
	// says. Each renewal asks for the same.
	TTL time.Duration
	// Holder is whom the lease is for, if not the caller itself; it takes a permission
	// of its own.
	Holder string
	// Labels say what the lease is for. None is a secret.
	Labels map[string]string
}

func (r *Request) message(id string) *leasev1.CreateLeaseRequest {
	return &leasev1.CreateLeaseRequest{Role: r.Role, Ttl: r.ttl(), RequestId: id, Holder: r.Holder, Labels: maps.Clone(r.Labels)}
}

// ttl is nil where the role decides.
func (r *Request) ttl() *durationpb.Duration {
	if r.TTL <= 0 {
		return nil
	}
	return durationpb.New(r.TTL)
}

// Key is a key with its lease. It prints without its secret.
type Key struct {
	lease  *leasev1.Lease
	secret string
}

// Lease is the lease, as it was when it was created or last renewed. It is not to be
// changed.
func (k Key) Lease() *leasev1.Lease { return k.lease }

// Secret is the key itself.
func (k Key) Secret() string { return k.secret }

// String names the lease and the key by their ids.
func (k Key) String() string {
	return fmt.Sprintf("lease %s, key %s", k.lease.GetId(), k.lease.GetApiKeyId())
}

// GoString is String: the verb %#v prints no secret.
func (k Key) GoString() string { return k.String() }

// LogValue is String.
func (k Key) LogValue() slog.Value { return slog.StringValue(k.String()) }
