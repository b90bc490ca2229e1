package adminkeys

import (
	"context"
	"errors"
	"strings"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	controlv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/control/v1"
	"github.com/admin-gateway/admin-gateway/lease"
	"github.com/admin-gateway/admin-gateway/lease/adminkey"
	"github.com/admin-gateway/admin-gateway/service/admission"
	"github.com/admin-gateway/admin-gateway/service/rpcerror"
	"github.com/admin-gateway/admin-gateway/upstream"
)

func (a *AdminKeys) rotate(ctx context.Context, permit admission.Permit, q *controlv1.RotateAdminKeyRequest) (*controlv1.RotateAdminKeyResponse, error) {
	rotation, err := a.rotator.Begin(ctx, adminkey.Request{
		RequestID: q.GetRequestId(), Caller: permit.Caller(), AllowWider: q.GetAllowWider(), KeyID: q.GetKeyId(),
	})
	if err != nil {
		return nil, toCaller(err)
	}
	return &controlv1.RotateAdminKeyResponse{Rotation: messageOf(&rotation, nil)}, nil
}

func (a *AdminKeys) get(ctx context.Context, _ admission.Permit, _ *controlv1.GetAdminKeyRotationRequest) (*controlv1.GetAdminKeyRotationResponse, error) {
	rotation, waiting, err := a.rotator.Status(ctx)
	switch {
	case errors.Is(err, lease.ErrNotFound):
		return &controlv1.GetAdminKeyRotationResponse{}, nil
	case err != nil:
		return nil, toCaller(err)
	}
	return &controlv1.GetAdminKeyRotationResponse{Rotation: messageOf(&rotation, waiting)}, nil
}

// phaseOf is the phase of this name.
func phaseOf(p adminkey.Phase) controlv1.AdminKeyRotation_Phase {
	return controlv1.AdminKeyRotation_Phase(controlv1.AdminKeyRotation_Phase_value["PHASE_"+strings.ToUpper(string(p))])
}

// failureOf is the failure of this name.
func failureOf(f adminkey.Failure) controlv1.AdminKeyRotation_Failure {
	return controlv1.AdminKeyRotation_Failure(controlv1.AdminKeyRotation_Failure_value["FAILURE_"+strings.ToUpper(string(f))])
}

func messageOf(r *adminkey.Rotation, waiting []adminkey.Member) *controlv1.AdminKeyRotation {
	m := &controlv1.AdminKeyRotation{
		Id: r.ID, RequestId: r.RequestID, Caller: r.Caller, Phase: phaseOf(r.Phase), PhaseSince: instant(r.Since),
		StartedAt: instant(r.Started), EndedAt: instant(r.Ended), Failure: failureOf(r.Failure), Reads: r.Reads,
		OldKeyId: r.OldKeyID, NewKeyId: r.NewKeyID, NewKeyName: r.Name, OldLastUsedAt: instant(r.OldLastUsed),
		Trouble: r.Trouble, NextStepAt: instant(r.Next),
	}
	for _, member := range waiting {
		m.WaitingFor = append(m.WaitingFor, &controlv1.AdminKeyReplica{Replica: member.Replica, Problem: member.Problem})
	}
	return m
}

// instant is absent where there is none.
func instant(t time.Time) *timestamppb.Timestamp {
	if t.IsZero() {
		return nil
	}
	return timestamppb.New(t)
}

// reasons are those of refusals that have one each.
var reasons = map[adminkey.Reason]string{
	adminkey.Unavailable:    rpcerror.ReasonRotationUnavailable,
	adminkey.NoSecrets:      rpcerror.ReasonRotationNeedsEncryption,
	adminkey.NotReplaceable: rpcerror.ReasonAdminKeyNotReplaceable,
	adminkey.NotFound:       rpcerror.ReasonAdminKeyNotFound,
	adminkey.Running:        rpcerror.ReasonRotationRunning,
	adminkey.NoUpstream:     rpcerror.ReasonRotationUnavailable,
}

// toCaller is the error of a call.
func toCaller(err error) error {
	refused, ok := errors.AsType[*adminkey.Error](err)
	if !ok {
		return err
	}
	switch refused.Reason {
	case adminkey.OtherRequest:
		return rpcerror.InvalidField("request_id", refused.Words, err)
	case adminkey.NoUpstream:
		if up, ok := errors.AsType[*upstream.Error](err); ok {
			return up
		}
	default: // The others have reasons of their own.
	}
	return rpcerror.OfAdminKey(reasons[refused.Reason], refused.Words, err)
}
