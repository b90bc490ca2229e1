package leases

import (
	"context"

	leasev1 "github.com/admin-gateway/admin-gateway/gen/admingateway/lease/v1"
	"github.com/admin-gateway/admin-gateway/lease"
	"github.com/admin-gateway/admin-gateway/lease/broker"
	"github.com/admin-gateway/admin-gateway/service/admission"
)

func (h *handlers) create(ctx context.Context, permit admission.Permit, q *leasev1.CreateLeaseRequest) (*leasev1.CreateLeaseResponse, error) {
	limits := h.limits(permit.Caller())
	grant, err := h.broker.Create(ctx, broker.CreateRequest{
		Caller: permit.Caller(), RequestID: q.GetRequestId(), Role: q.GetRole(), Holder: q.GetHolder(), TTL: q.GetTtl().AsDuration(),
		Labels: q.GetLabels(), MaxLive: limits.MaxLive, MintsPerHour: limits.MintsPerHour,
	})
	if err != nil {
		return nil, toCaller(err)
	}
	h.about(ctx, &grant.Lease)
	return &leasev1.CreateLeaseResponse{Lease: messageOf(&grant.Lease), Secret: string(grant.Secret.Reveal()), Repeated: grant.Repeated}, nil
}

func (h *handlers) acknowledge(ctx context.Context, permit admission.Permit, q *leasev1.AcknowledgeLeaseRequest) (*leasev1.AcknowledgeLeaseResponse, error) {
	if _, err := h.lookup(ctx, permit, q.GetLeaseId()); err != nil {
		return nil, err
	}
	row, err := h.broker.Acknowledge(ctx, q.GetLeaseId())
	if err != nil {
		return nil, toCaller(err)
	}
	return &leasev1.AcknowledgeLeaseResponse{Lease: messageOf(&row)}, nil
}

func (h *handlers) renew(ctx context.Context, permit admission.Permit, q *leasev1.RenewLeaseRequest) (*leasev1.RenewLeaseResponse, error) {
	if _, err := h.lookup(ctx, permit, q.GetLeaseId()); err != nil {
		return nil, err
	}
	row, err := h.broker.Renew(ctx, q.GetLeaseId(), q.GetTtl().AsDuration())
	if err != nil {
		return nil, toCaller(err)
	}
	return &leasev1.RenewLeaseResponse{Lease: messageOf(&row)}, nil
}

func (h *handlers) rotate(ctx context.Context, permit admission.Permit, q *leasev1.RotateLeaseRequest) (*leasev1.RotateLeaseResponse, error) {
	if _, err := h.lookup(ctx, permit, q.GetLeaseId()); err != nil {
		return nil, err
	}
	rotated, err := h.broker.Rotate(ctx, broker.RotateRequest{ID: q.GetLeaseId(), RequestID: q.GetRequestId(), Overlap: q.GetOverlap().AsDuration()})
	if err != nil {
		return nil, toCaller(err)
	}
	return &leasev1.RotateLeaseResponse{
		Lease: messageOf(&rotated.Lease), Secret: string(rotated.Secret.Reveal()), Previous: previousOf(&rotated.Previous),
	}, nil
}

func previousOf(r *lease.Record) *leasev1.PreviousKey {
	if r.ID == "" {
		return nil
	}
	ends := r.NextAttempt
	if r.State.Final() {
		ends = r.Ended
	}
	return &leasev1.PreviousKey{
		ServiceAccountId: r.ServiceAccountID, ApiKeyId: r.APIKeyID, Name: r.CredentialName,
		EndsAt: instant(ends), UpstreamExpiresAt: instant(r.UpstreamExpires),
	}
}

func (h *handlers) revoke(ctx context.Context, permit admission.Permit, q *leasev1.RevokeLeaseRequest) (*leasev1.RevokeLeaseResponse, error) {
	row, err := h.lookup(ctx, permit, q.GetLeaseId())
	if err != nil {
		return nil, err
	}
	row, err = h.broker.Revoke(ctx, broker.RevokeRequest{
		ID: row.ID, ByOwner: row.Caller == permit.Caller(), Wait: q.GetWait(), Urgent: q.GetUrgent(),
	})
	if err != nil {
		return nil, toCaller(err)
	}
	h.about(ctx, &row)
	return &leasev1.RevokeLeaseResponse{Lease: messageOf(&row)}, nil
}

func (h *handlers) get(ctx context.Context, permit admission.Permit, q *leasev1.GetLeaseRequest) (*leasev1.GetLeaseResponse, error) {
	row, err := h.lookup(ctx, permit, q.GetLeaseId())
	if err != nil {
		return nil, err
	}
	return &leasev1.GetLeaseResponse{Lease: messageOf(&row)}, nil
}

func (h *handlers) readStatic(ctx context.Context, permit admission.Permit, q *leasev1.ReadStaticRoleRequest) (*leasev1.ReadStaticRoleResponse, error) {
	static, err := h.broker.ReadStatic(ctx, permit.Caller(), q.GetRole())
	if err != nil {
		return nil, toCaller(err)
	}
	h.about(ctx, &static.Credential)
	return &leasev1.ReadStaticRoleResponse{StaticRole: staticOf(&static), Secret: string(static.Secret.Reveal())}, nil
}

func (h *handlers) rotateStatic(ctx context.Context, permit admission.Permit, q *leasev1.RotateStaticRoleRequest) (*leasev1.RotateStaticRoleResponse, error) {
	static, err := h.broker.RotateStatic(ctx, permit.Caller(), q.GetRole(), q.GetRequestId())
	if err != nil {
		return nil, toCaller(err)
	}
	h.about(ctx, &static.Credential)
	return &leasev1.RotateStaticRoleResponse{StaticRole: staticOf(&static)}, nil
}
