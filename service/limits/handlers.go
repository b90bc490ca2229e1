package limits

import (
	"context"
	"time"

	controlv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/control/v1"
	"github.com/admin-gateway/admin-gateway/gen/admingateway/control/v1/controlv1connect"
	"github.com/admin-gateway/admin-gateway/service/admission"
	"github.com/admin-gateway/admin-gateway/service/callers"
	"github.com/admin-gateway/admin-gateway/service/overrides"
	"github.com/admin-gateway/admin-gateway/service/pipeline"
	"github.com/admin-gateway/admin-gateway/service/rpcerror"
)

// Handlers answer the RPCs of LimitService.
func (l *Limits) Handlers() pipeline.Handlers {
	if l == nil {
		refuse := func(context.Context, admission.Permit, pipeline.Sender) error {
			return rpcerror.OfLimit(rpcerror.ReasonLimitsDisabled, nil)
		}
		return pipeline.Handlers{
			controlv1connect.LimitServiceCreateLimitOverrideProcedure: refuse,
			controlv1connect.LimitServiceListLimitOverridesProcedure:  refuse,
			controlv1connect.LimitServiceDeleteLimitOverrideProcedure: refuse,
		}
	}
	return pipeline.Handlers{
		controlv1connect.LimitServiceCreateLimitOverrideProcedure: pipeline.Unary(l.create),
		controlv1connect.LimitServiceListLimitOverridesProcedure:  pipeline.Unary(l.list),
		controlv1connect.LimitServiceDeleteLimitOverrideProcedure: pipeline.Unary(l.remove),
	}
}

func (l *Limits) create(ctx context.Context, permit admission.Permit, q *controlv1.CreateLimitOverrideRequest) (*controlv1.CreateLimitOverrideResponse, error) {
	if !l.callers.Current().Has(q.GetCaller()) {
		return nil, rpcerror.OfLimit(rpcerror.ReasonCallerNotFound, nil)
	}
	at, values := time.Now(), q.GetLimits()
	made := Limit{
		Override: overrides.Override{Caller: q.GetCaller(), By: permit.Caller(), At: at, Until: at.Add(q.GetLifetime().AsDuration()), Reason: q.GetReason()},
		Limits: callers.Override{
			RequestsPerSecond: values.RequestsPerSecond, Burst: values.Burst, Concurrent: values.Concurrent, Streams: values.Streams,
			MaxLiveLeases: values.MaxLiveLeases, LeaseMintsPerHour: values.LeaseMintsPerHour,
		},
	}
	if made.Limits == (callers.Override{}) {
		return nil, rpcerror.InvalidField("limits", "has none: at least one is needed", nil)
	}
	if err := l.kept.Put(ctx, made); err != nil {
		return nil, toCaller(err)
	}
	return &controlv1.CreateLimitOverrideResponse{LimitOverride: made.Message()}, nil
}

func (l *Limits) list(_ context.Context, _ admission.Permit, _ *controlv1.ListLimitOverridesRequest) (*controlv1.ListLimitOverridesResponse, error) {
	answer := &controlv1.ListLimitOverridesResponse{ReadAt: overrides.Instant(l.ReadAt())}
	for _, limit := range l.kept.All() {
		answer.LimitOverrides = append(answer.LimitOverrides, limit.Message())
	}
	return answer, nil
}

func (l *Limits) remove(ctx context.Context, _ admission.Permit, q *controlv1.DeleteLimitOverrideRequest) (*controlv1.DeleteLimitOverrideResponse, error) {
	removed, err := l.kept.Remove(ctx, q.GetCaller())
	if err != nil {
		return nil, toCaller(err)
	}
	return &controlv1.DeleteLimitOverrideResponse{LimitOverride: removed.Message()}, nil
}

// Message is the override as an answer has it.
func (l Limit) Message() *controlv1.LimitOverride {
	return &controlv1.LimitOverride{
		Caller: l.Caller, CreatedBy: l.By, CreatedAt: l.CreatedAt(), EndsAt: l.EndsAt(), Reason: l.Reason,
		Limits: &controlv1.LimitValues{
			RequestsPerSecond: l.Limits.RequestsPerSecond, Burst: l.Limits.Burst, Concurrent: l.Limits.Concurrent, Streams: l.Limits.Streams,
			MaxLiveLeases: l.Limits.MaxLiveLeases, LeaseMintsPerHour: l.Limits.LeaseMintsPerHour,
		},
	}
}

// toCaller is the error of a call.
func toCaller(err error) error {
	return overrides.ToCaller(err, overrides.Reasons{
		TooMany: rpcerror.ReasonLimitOverrideLimit, None: rpcerror.ReasonLimitOverrideNotFound, Unavailable: rpcerror.ReasonLimitsUnavailable,
	}, rpcerror.OfLimit)
}
